//! Why a sale failed, as far as a code alone can tell: owns the cause classes and code profiles.
//!
//! A response code means nothing without its profile: 57 is a forbidden card at UnionPay and a
//! reversal with the wrong card in GICC. Each profile is a versioned table under `schemas/codes`;
//! an operator's own table is read with [`CodeProfile::read`]. The rules that look beyond one
//! code (outages, weak zones, peers) have their names, order and constants in [`rules`].

pub mod rules;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer};

/// Profile of the codes of UnionPay's network.
pub const UNIONPAY: &str = "unionpay";
/// Profile of ISO 8583:1987, what most networks started from.
pub const ISO8583_1987: &str = "iso8583_1987";
/// Profile of the three-digit action codes of ISO 8583:1993.
pub const ISO8583_1993: &str = "iso8583_1993";
/// Profile of GICC, the German card protocol.
pub const GICC: &str = "gicc";
/// Profile of the EMV codes of offline decisions (tag 8A).
pub const EMV: &str = "emv";
/// Profile of codes acquirers invented for themselves, unlike in all public profiles.
pub const ACQUIRER_PRIVATE: &str = "acquirer_private";
/// Profile of Rapyd, whose A-codes contradict UnionPay's.
pub const RAPYD: &str = "rapyd";
/// Profile of the terminal's own errors, the values of `local_error`.
pub const TERMINAL_LOCAL: &str = "terminal_local";

/// Class of causes a failure belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseClass {
    /// No usable radio link at this moment or site.
    Signal,
    /// No usable radio link at this place, for many.
    Geography,
    /// The terminal itself.
    Device,
    /// A limit the payment provider set.
    ProviderLimit,
    /// The merchant's or terminal's set-up at the acquirer.
    MerchantConfig,
    /// A fault of host, switch or issuer, or of an upgrade.
    TechnicalFault,
    /// The kind of card, or the law.
    CardOrLegal,
    /// An ordinary decline: funds, PIN, limits. Proof that everything else worked.
    Cardholder,
    /// Not known, or not known from the code alone.
    Unknown,
}

impl CauseClass {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Signal,
        Self::Geography,
        Self::Device,
        Self::ProviderLimit,
        Self::MerchantConfig,
        Self::TechnicalFault,
        Self::CardOrLegal,
        Self::Cardholder,
        Self::Unknown,
    ];

    /// Returns the name columns and reports use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Geography => "geography",
            Self::Device => "device",
            Self::ProviderLimit => "provider_limit",
            Self::MerchantConfig => "merchant_config",
            Self::TechnicalFault => "technical_fault",
            Self::CardOrLegal => "card_or_legal",
            Self::Cardholder => "cardholder",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for CauseClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is none of the cause classes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown cause class {0:?}")]
pub struct UnknownCauseClass(String);

impl FromStr for CauseClass {
    type Err = UnknownCauseClass;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == name)
            .ok_or_else(|| UnknownCauseClass(name.to_owned()))
    }
}

/// Finer cause inside a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubCause {
    /// The provider has not opened this region.
    RegionNotOpen,
    /// The terminal is not where it is registered.
    Geofence,
    /// A release or the daily cutover.
    Upgrade,
    /// The card's issuer did not answer or is down.
    Issuer,
    /// The network between acquirer and issuer.
    Switch,
    /// The acquirer's host.
    AcquirerHost,
    /// Keys, PIN block or MAC: sign on again or load keys.
    Keys,
    /// Messages wait in the terminal and must be sent again.
    StoreAndForward,
    /// A part of the terminal is missing or broken.
    Component,
    /// Nothing came back; radio, host and terminal are all possible.
    NoAnswer,
    /// Trace of an earlier message that was lost: join it to its attempt.
    LostMessage,
}

impl SubCause {
    /// Every sub-cause, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::RegionNotOpen,
        Self::Geofence,
        Self::Upgrade,
        Self::Issuer,
        Self::Switch,
        Self::AcquirerHost,
        Self::Keys,
        Self::StoreAndForward,
        Self::Component,
        Self::NoAnswer,
        Self::LostMessage,
    ];

    /// Returns the name columns and reports use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RegionNotOpen => "region_not_open",
            Self::Geofence => "geofence",
            Self::Upgrade => "upgrade",
            Self::Issuer => "issuer",
            Self::Switch => "switch",
            Self::AcquirerHost => "acquirer_host",
            Self::Keys => "keys",
            Self::StoreAndForward => "store_and_forward",
            Self::Component => "component",
            Self::NoAnswer => "no_answer",
            Self::LostMessage => "lost_message",
        }
    }
}

impl fmt::Display for SubCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether a code can stand behind the prompt "out of service range".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountsAsOutOfRange {
    /// The link failed: an out-of-range failure.
    Yes,
    /// Never.
    No,
    /// Other evidence decides. While [`LinkWorked::Yes`] stands beside it, it is no out-of-range
    /// failure: the prompt is the same, the cause is the provider's or the merchant's.
    Context,
}

/// Whether radio link and host path worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkWorked {
    /// A host answered.
    Yes,
    /// Nothing came back.
    No,
    /// The code does not say.
    Unknown,
}

/// Whether the sale went through in spite of its entry here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approved {
    /// Approved by the host.
    Yes,
    /// Approved by the terminal alone.
    Offline,
    /// Not approved.
    No,
}

/// What one code of a profile means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeEntry {
    /// The code as it arrives, without spaces around it.
    pub code: String,
    /// What it says.
    pub meaning: String,
    /// Whether it is an approval after all.
    pub approved: Approved,
    /// Class the code alone points to; `None` for clean approvals, which have nothing to explain.
    #[serde(deserialize_with = "empty_is_none")]
    pub cause_class: Option<CauseClass>,
    /// Finer cause, where the code tells.
    #[serde(deserialize_with = "empty_is_none")]
    pub sub_cause: Option<SubCause>,
    /// Whether it counts as an out-of-range failure.
    pub counts_as_out_of_range: CountsAsOutOfRange,
    /// Whether the link worked.
    pub link_worked: LinkWorked,
    /// What else to know; may be empty.
    pub note: String,
}

/// The codes of one profile.
#[derive(Debug, Clone)]
pub struct CodeProfile {
    /// Name, the value of `code_profile`.
    pub name: String,
    /// Version of the table, raised with every change of a meaning.
    pub version: u32,
    entries: BTreeMap<String, CodeEntry>,
}

/// A table of codes that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CodeTableError {
    /// A row is not a code entry.
    #[error("code profile {profile}: {source}")]
    Row {
        /// Profile read.
        profile: String,
        /// What is wrong, with the line.
        source: csv::Error,
    },
    /// The file does not start with its version.
    #[error("code profile {profile}: the first line must be \"# version: N\"")]
    NoVersion {
        /// Profile read.
        profile: String,
    },
    /// The file could not be read.
    #[error("code profile {profile}: {source}")]
    Read {
        /// Profile read.
        profile: String,
        /// Why.
        source: std::io::Error,
    },
    /// A code stands there twice, is empty or has spaces around it.
    #[error("code profile {profile}, row {row}: code {code:?} is empty, padded or there twice")]
    Code {
        /// Profile read.
        profile: String,
        /// Row among the data rows, from 1.
        row: usize,
        /// The code.
        code: String,
    },
}

impl CodeProfile {
    /// Reads a table of codes: a line `# version: N`, a header, a row per code.
    ///
    /// # Errors
    /// When the version is missing, a row has unknown columns or values, or a code stands twice.
    pub fn read(name: &str, mut source: impl Read) -> Result<Self, CodeTableError> {
        let mut text = String::new();
        let profile = || name.to_owned();
        source
            .read_to_string(&mut text)
            .map_err(|source| CodeTableError::Read {
                profile: profile(),
                source,
            })?;
        let version = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# version:")?.trim().parse().ok())
            .ok_or_else(|| CodeTableError::NoVersion { profile: profile() })?;
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let mut entries = BTreeMap::new();
        for (at, entry) in reader.deserialize().enumerate() {
            let entry: CodeEntry = entry.map_err(|source| CodeTableError::Row {
                profile: profile(),
                source,
            })?;
            let code = entry.code.clone();
            let unusable = code.is_empty() || code.trim() != code;
            if unusable || entries.insert(code.clone(), entry).is_some() {
                return Err(CodeTableError::Code {
                    profile: profile(),
                    row: at + 1,
                    code,
                });
            }
        }
        Ok(Self {
            name: profile(),
            version,
            entries,
        })
    }

    /// Looks a code up, spaces around it ignored.
    pub fn classify(&self, code: &str) -> Option<&CodeEntry> {
        self.entries.get(code.trim())
    }

    /// Returns every entry, in the order of the codes.
    pub fn entries(&self) -> impl Iterator<Item = &CodeEntry> {
        self.entries.values()
    }
}

/// Returns the profiles shipped with this build, in the order of their names.
pub fn profiles() -> &'static [CodeProfile] {
    static PROFILES: LazyLock<Vec<CodeProfile>> = LazyLock::new(|| {
        EMBEDDED
            .iter()
            .map(|(name, table)| {
                CodeProfile::read(name, table.as_bytes()).expect("embedded code tables are valid")
            })
            .collect()
    });
    &PROFILES
}

const EMBEDDED: [(&str, &str); 8] = [
    (
        ACQUIRER_PRIVATE,
        include_str!("../codes/acquirer_private.csv"),
    ),
    (EMV, include_str!("../codes/emv.csv")),
    (GICC, include_str!("../codes/gicc.csv")),
    (ISO8583_1987, include_str!("../codes/iso8583_1987.csv")),
    (ISO8583_1993, include_str!("../codes/iso8583_1993.csv")),
    (RAPYD, include_str!("../codes/rapyd.csv")),
    (TERMINAL_LOCAL, include_str!("../codes/terminal_local.csv")),
    (UNIONPAY, include_str!("../codes/unionpay.csv")),
];

/// Returns a shipped profile by name.
pub fn profile(name: &str) -> Option<&'static CodeProfile> {
    let profiles = profiles();
    let found = profiles.binary_search_by(|profile| profile.name.as_str().cmp(name));
    found.ok().map(|at| &profiles[at])
}

/// Looks a code up in a shipped profile; `None` when either is unknown.
///
/// ```
/// use schemas::causes::{self, CauseClass};
/// let card = causes::classify(causes::UNIONPAY, "57").expect("57 is listed");
/// assert_eq!(card.cause_class, Some(CauseClass::CardOrLegal));
/// let reversal = causes::classify(causes::GICC, "57").expect("57 is listed");
/// assert_eq!(reversal.cause_class, Some(CauseClass::MerchantConfig));
/// ```
pub fn classify(profile_name: &str, code: &str) -> Option<&'static CodeEntry> {
    profile(profile_name)?.classify(code)
}

fn empty_is_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    T::deserialize(serde::de::value::StringDeserializer::new(text)).map(Some)
}

#[cfg(test)]
mod tests;
