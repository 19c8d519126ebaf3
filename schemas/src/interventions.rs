//! What people do against failures, and what the analysis advises: the closed sets of words, and how
//! an intervention is named.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

/// A word that is not in a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no {what}: {known}")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    known: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, $count:literal, {
        $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every one, in the order of the documentation.
            pub const ALL: [Self; $count] = [$(Self::$variant,)+];

            /// Returns the word as it is in columns, files and arguments.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL.into_iter().find(|known| known.as_str() == word).ok_or_else(|| UnknownWord {
                    what: $what,
                    word: word.to_owned(),
                    known: Self::ALL.map(Self::as_str).join(", "),
                })
            }
        }
    };
}

words! {
    /// What was done.
    InterventionKind, "kind of intervention", 10, {
        /// SIMs of another carrier.
        Sim = "sim",
        /// A signal booster.
        Booster = "booster",
        /// Another antenna, or another place for it.
        Antenna = "antenna",
        /// Terminals moved.
        Move = "move",
        /// Terminals replaced under the same id.
        Replace = "replace",
        /// Firmware updated or rolled back.
        Firmware = "firmware",
        /// Configuration of terminals or merchants corrected.
        Configuration = "configuration",
        /// A region opened to the acquirer.
        Region = "region",
        /// QR payments offered.
        Qr = "qr",
        /// Anything else, such as work at the carrier's site.
        Other = "other",
    }
}

words! {
    /// What something is done to or advised for.
    TargetKind, "kind of target", 4, {
        /// Terminals, by `terminal_id`.
        Terminal = "terminal",
        /// Merchants, by `merchant_id`: all their terminals.
        Merchant = "merchant",
        /// A zone, by `zone_id`: the terminals that stood in it.
        Zone = "zone",
        /// Cells of resolution 8, by index: the terminals that stood in them.
        Cell = "cell",
    }
}

words! {
    /// What would help, from the cheapest to what lies in others' hands.
    Action, "action", 10, {
        /// Wait: the failures were outages.
        Wait = "wait",
        /// SIMs of a carrier measured better in the same cells.
        ChangeSim = "change_sim",
        /// Update the firmware, or roll it back.
        UpdateFirmware = "update_firmware",
        /// Correct the set-up of merchant, terminal or line.
        CorrectConfiguration = "correct_configuration",
        /// Open the region to the acquirer.
        OpenRegion = "open_region",
        /// Move the terminal back to its registered place, or register the new one.
        Move = "move",
        /// A booster or an outside antenna.
        BoosterOrAntenna = "booster_or_antenna",
        /// Replace the terminal.
        Replace = "replace",
        /// Offer QR payments, over the customers' own phones.
        OfferQr = "offer_qr",
        /// Ask the carrier to mend its network.
        AskCarrier = "ask_carrier",
    }
}

/// Names an intervention: the same work on the same targets at the same time has the same id.
///
/// ```
/// use schemas::interventions::{InterventionKind, TargetKind, intervention_id};
/// let at = "2026-11-10T00:00:00Z".parse()?;
/// let id = |ids: &[&str]| intervention_id(InterventionKind::Booster, TargetKind::Merchant, ids, at);
/// assert_eq!(id(&["M2", "M1"]), id(&["M1", "M2"]));
/// assert!(id(&["M1"]).starts_with("booster-20261110-"));
/// # Ok::<(), chrono::ParseError>(())
/// ```
pub fn intervention_id(
    kind: InterventionKind,
    target: TargetKind,
    target_ids: &[&str],
    started_at: DateTime<Utc>,
) -> String {
    let mut ids = target_ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let mut hash = Fnv::default();
    hash.take(target.as_str());
    hash.take(&started_at.timestamp_micros().to_string());
    for id in ids {
        hash.take(id);
    }
    format!(
        "{kind}-{}-{:08x}",
        started_at.format("%Y%m%d"),
        hash.0 & 0xffff_ffff
    )
}

/// FNV-1a of 64 bits: ids are kept, so they must not change with a library.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn take(&mut self, text: &str) {
        // A byte no text has ends each part, or "a" + "bc" were "ab" + "c".
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_in_the_set_is_refused_with_those_that_are() {
        assert_eq!("qr".parse(), Ok(InterventionKind::Qr));
        let error = "bost"
            .parse::<InterventionKind>()
            .expect_err("no such kind");
        assert!(
            error
                .to_string()
                .starts_with("\"bost\" is no kind of intervention: sim, booster")
        );
        let words: std::collections::BTreeSet<&str> = Action::ALL.map(Action::as_str).into();
        assert_eq!(words.len(), Action::ALL.len());
    }

    #[test]
    fn ids_tell_targets_times_and_kinds_apart() {
        let at = |day: &str| format!("{day}T00:00:00Z").parse().expect("a time");
        let id = |kind, target, ids: &[&str], day| intervention_id(kind, target, ids, at(day));
        let (kind, target) = (InterventionKind::Sim, TargetKind::Terminal);
        let one = id(kind, target, &["a", "bc"], "2026-11-10");
        assert_eq!(one, id(kind, target, &["bc", "a", "a"], "2026-11-10"));
        for other in [
            id(kind, target, &["ab", "c"], "2026-11-10"),
            id(kind, target, &["a", "bc"], "2026-11-11"),
            id(InterventionKind::Qr, target, &["a", "bc"], "2026-11-10"),
            id(kind, TargetKind::Merchant, &["a", "bc"], "2026-11-10"),
        ] {
            assert_ne!(one, other);
        }
    }
}
