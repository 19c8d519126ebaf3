//! What terminals are made of and what hosts answer: models, firmwares, releases, codes.
//! The makes are invented; their habits (what they report, how they fail to) are those of real ones.

use schemas::causes::CauseClass;
use schemas::radio::Rat;

use crate::radio::bit;
use crate::scenario::CodeProfile;

/// How a model writes down what its modem measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalStyle {
    /// Values in dBm and dB.
    Values,
    /// The index of `+CSQ` alone.
    Csq,
    /// An index of `+CESQ` beside a few values.
    Cesq,
}

/// How a model knows where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionSource {
    /// What the operator registered.
    Registered,
    /// A satellite receiver.
    Gnss,
    /// Access points around.
    Wifi,
    /// The serving radio cell.
    RadioCell,
    /// It does not.
    None,
}

/// A device model.
#[derive(Debug)]
pub struct Model {
    /// Name in events.
    pub name: &'static str,
    /// Weight in the fleet.
    pub share: f64,
    /// Firmware versions with their weights.
    pub firmwares: &'static [(&'static str, f64)],
    /// Mask of technologies its modem has.
    pub rats: u8,
    /// Share of its terminals that use the shop's Wi-Fi or cable instead.
    pub fixed_access_share: f64,
    /// How it writes readings down.
    pub style: SignalStyle,
    /// Share of readings with a mark for "unknown" in place of a value.
    pub sentinel_share: f64,
    /// What it shows above a calibrated meter, dB.
    pub bias_db: f64,
    /// Spread of its readings at one place, dB.
    pub noise_db: f64,
    /// Runs on battery, and is switched off after hours.
    pub battery: bool,
    /// How it knows its position.
    pub position: PositionSource,
    /// Lists radio cells of other carriers with each reading.
    pub scans: bool,
    /// Keeps heartbeats it cannot send; others skip them and go on counting.
    pub stores_heartbeats: bool,
    /// May approve small chip payments offline.
    pub offline_limit: bool,
}

impl Model {
    /// Returns what its readings show above a calibrated meter on average, dB.
    ///
    /// A whole dBm becomes the step of the index it opens, and a step is read as its middle.
    pub const fn shown_bias_db(&self) -> f64 {
        match self.style {
            SignalStyle::Values => self.bias_db,
            SignalStyle::Csq | SignalStyle::Cesq => self.bias_db + 0.5,
        }
    }
}

const BROADBAND: u8 = bit(Rat::Gsm) | bit(Rat::Umts) | bit(Rat::Lte);
const FIFTH: u8 = BROADBAND | bit(Rat::Nr);
const MACHINE: u8 = bit(Rat::Gsm) | bit(Rat::Nbiot) | bit(Rat::Ltem);

/// Every model.
pub const MODELS: &[Model] = &[
    Model {
        name: "Vela 500",
        share: 0.27,
        firmwares: &[("5.2.1", 0.55), ("5.3.0", 0.35), ("5.1.8", 0.10)],
        rats: BROADBAND,
        fixed_access_share: 0.12,
        style: SignalStyle::Values,
        sentinel_share: 0.004,
        bias_db: 0.0,
        noise_db: 2.2,
        battery: false,
        position: PositionSource::Registered,
        scans: true,
        stores_heartbeats: true,
        offline_limit: true,
    },
    Model {
        name: "Vela 520 Duo",
        share: 0.16,
        firmwares: &[("5.3.0", 0.7), ("5.2.1", 0.3)],
        rats: BROADBAND,
        fixed_access_share: 0.05,
        style: SignalStyle::Values,
        sentinel_share: 0.01,
        bias_db: -2.0,
        noise_db: 2.6,
        battery: true,
        position: PositionSource::Gnss,
        scans: true,
        stores_heartbeats: true,
        offline_limit: true,
    },
    Model {
        name: "Karo M7",
        share: 0.17,
        firmwares: &[("2024.11", 0.5), ("2025.03", 0.5)],
        rats: BROADBAND,
        fixed_access_share: 0.08,
        style: SignalStyle::Cesq,
        sentinel_share: 0.02,
        bias_db: 1.5,
        noise_db: 2.8,
        battery: true,
        position: PositionSource::Gnss,
        scans: false,
        stores_heartbeats: false,
        offline_limit: false,
    },
    Model {
        name: "Orbis Smart X",
        share: 0.14,
        firmwares: &[("a13-r4", 0.6), ("a13-r6", 0.4)],
        rats: FIFTH,
        fixed_access_share: 0.22,
        style: SignalStyle::Values,
        sentinel_share: 0.03,
        bias_db: 0.5,
        noise_db: 3.0,
        battery: true,
        position: PositionSource::Wifi,
        scans: true,
        stores_heartbeats: true,
        offline_limit: true,
    },
    Model {
        name: "Tiko S2",
        share: 0.13,
        firmwares: &[("1.9", 0.8), ("1.7", 0.2)],
        rats: bit(Rat::Gsm),
        fixed_access_share: 0.0,
        style: SignalStyle::Csq,
        sentinel_share: 0.03,
        bias_db: -1.0,
        noise_db: 3.2,
        battery: true,
        position: PositionSource::RadioCell,
        scans: false,
        stores_heartbeats: false,
        offline_limit: false,
    },
    Model {
        name: "Sable IoT",
        share: 0.07,
        firmwares: &[("0.8.3", 0.5), ("0.9.0", 0.5)],
        rats: MACHINE,
        fixed_access_share: 0.0,
        style: SignalStyle::Values,
        sentinel_share: 0.008,
        bias_db: 0.0,
        noise_db: 2.0,
        battery: false,
        position: PositionSource::Registered,
        scans: false,
        stores_heartbeats: true,
        offline_limit: false,
    },
    Model {
        name: "Counter Pro",
        share: 0.06,
        firmwares: &[("7.0", 0.6), ("7.1", 0.4)],
        rats: BROADBAND,
        fixed_access_share: 0.55,
        style: SignalStyle::Values,
        sentinel_share: 0.002,
        bias_db: 3.0,
        noise_db: 1.8,
        battery: false,
        position: PositionSource::None,
        scans: false,
        stores_heartbeats: true,
        offline_limit: true,
    },
];

/// Finds a model and one of its firmwares.
pub fn find_model(model: &str, firmware: &str) -> Option<(u8, u8)> {
    let at = MODELS.iter().position(|known| known.name == model)?;
    let version = MODELS[at]
        .firmwares
        .iter()
        .position(|(known, _)| *known == firmware)?;
    Some((at as u8, version as u8))
}

/// Version of the payment application before any planted release.
pub const APP_VERSION: &str = "3.14.2";

/// Why a terminal booted last.
pub const REBOOT_REASONS: [&str; 4] = ["power_on", "watchdog", "user", "software_update"];
/// Why a terminal lost its link last.
pub const DISCONNECT_REASONS: [&str; 3] = ["no_service", "bearer_lost", "power_off"];

/// What a host, or the card's chip, answers; and why, in truth.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Profile that gives the code its meaning.
    pub profile: &'static str,
    /// The code.
    pub code: &'static str,
    /// The true cause.
    pub cause: CauseClass,
}

const fn unionpay(code: &'static str, cause: CauseClass) -> Answer {
    Answer {
        profile: "unionpay",
        code,
        cause,
    }
}

const fn iso(code: &'static str, cause: CauseClass) -> Answer {
    Answer {
        profile: "iso8583_1987",
        code,
        cause,
    }
}

/// Ordinary answers with their weights: mostly cards without money, now and then an issuer that is down.
static ORDINARY_UNIONPAY: [(Answer, f64); 11] = [
    (unionpay("51", CauseClass::Cardholder), 46.0),
    (unionpay("55", CauseClass::Cardholder), 17.0),
    (unionpay("05", CauseClass::Cardholder), 9.0),
    (unionpay("61", CauseClass::Cardholder), 7.0),
    (unionpay("14", CauseClass::Cardholder), 5.0),
    (unionpay("54", CauseClass::Cardholder), 4.0),
    (unionpay("75", CauseClass::Cardholder), 3.0),
    (unionpay("91", CauseClass::TechnicalFault), 4.0),
    (unionpay("96", CauseClass::TechnicalFault), 2.0),
    (unionpay("98", CauseClass::TechnicalFault), 2.0),
    (unionpay("A0", CauseClass::Device), 1.0),
];

static ORDINARY_ISO: [(Answer, f64); 10] = [
    (iso("51", CauseClass::Cardholder), 44.0),
    (iso("05", CauseClass::Cardholder), 19.0),
    (iso("55", CauseClass::Cardholder), 14.0),
    (iso("54", CauseClass::Cardholder), 6.0),
    (iso("14", CauseClass::Cardholder), 4.0),
    (iso("61", CauseClass::Cardholder), 4.0),
    (iso("75", CauseClass::Cardholder), 2.0),
    (iso("91", CauseClass::TechnicalFault), 4.0),
    (iso("96", CauseClass::TechnicalFault), 2.0),
    (iso("68", CauseClass::TechnicalFault), 1.0),
];

/// Returns what hosts of a profile answer day by day, with weights.
pub fn ordinary_answers(profile: CodeProfile) -> &'static [(Answer, f64)] {
    match profile {
        CodeProfile::Unionpay => &ORDINARY_UNIONPAY,
        CodeProfile::Iso8583 => &ORDINARY_ISO,
    }
}

/// Approved, though the issuer's or the switch's part is missing.
pub static DEFECT_UNIONPAY: Answer = unionpay("A2", CauseClass::TechnicalFault);
/// Approved offline because the host could not be reached.
pub static OFFLINE_APPROVED: Answer = Answer {
    profile: "emv",
    code: "Y3",
    cause: CauseClass::Signal,
};
/// Declined offline because the host could not be reached.
pub static OFFLINE_DECLINED: Answer = Answer {
    profile: "emv",
    code: "Z3",
    cause: CauseClass::Signal,
};

/// A planted reason for hosts to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The terminal is not where it is registered.
    Moved,
    /// The acquirer may not serve the region.
    RegionNotOpen,
    /// The merchant or terminal is configured wrongly.
    MerchantConfig,
    /// The card is not taken.
    CardLimit,
}

static MOVED: [Answer; 1] = [Answer {
    profile: "acquirer_private",
    code: "E010404000003",
    cause: CauseClass::ProviderLimit,
}];
static REGION_UNIONPAY: [Answer; 2] = [
    unionpay("92", CauseClass::ProviderLimit),
    unionpay("31", CauseClass::ProviderLimit),
];
static REGION_ISO: [Answer; 2] = [
    iso("92", CauseClass::ProviderLimit),
    iso("31", CauseClass::ProviderLimit),
];
static MERCHANT_UNIONPAY: [Answer; 3] = [
    unionpay("97", CauseClass::MerchantConfig),
    unionpay("58", CauseClass::MerchantConfig),
    unionpay("03", CauseClass::MerchantConfig),
];
static MERCHANT_ISO: [Answer; 2] = [
    iso("58", CauseClass::MerchantConfig),
    iso("03", CauseClass::MerchantConfig),
];
static CARD_UNIONPAY: [Answer; 2] = [
    unionpay("57", CauseClass::CardOrLegal),
    unionpay("62", CauseClass::CardOrLegal),
];
static CARD_ISO: [Answer; 3] = [
    iso("57", CauseClass::CardOrLegal),
    iso("62", CauseClass::CardOrLegal),
    Answer {
        profile: "acquirer_private",
        code: "R09",
        cause: CauseClass::CardOrLegal,
    },
];

/// Returns what hosts of a profile may answer for a planted reason; one merchant always gets the same.
pub fn refusal_answers(refusal: Refusal, profile: CodeProfile) -> &'static [Answer] {
    match (refusal, profile) {
        (Refusal::Moved, _) => &MOVED,
        (Refusal::RegionNotOpen, CodeProfile::Unionpay) => &REGION_UNIONPAY,
        (Refusal::RegionNotOpen, CodeProfile::Iso8583) => &REGION_ISO,
        (Refusal::MerchantConfig, CodeProfile::Unionpay) => &MERCHANT_UNIONPAY,
        (Refusal::MerchantConfig, CodeProfile::Iso8583) => &MERCHANT_ISO,
        (Refusal::CardLimit, CodeProfile::Unionpay) => &CARD_UNIONPAY,
        (Refusal::CardLimit, CodeProfile::Iso8583) => &CARD_ISO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_in_the_code_tables() {
        for profile in [CodeProfile::Unionpay, CodeProfile::Iso8583] {
            for (answer, _) in ordinary_answers(profile) {
                let entry = schemas::causes::classify(answer.profile, answer.code);
                let entry = entry.unwrap_or_else(|| panic!("{answer:?} is unknown"));
                assert_eq!(entry.cause_class, Some(answer.cause), "{answer:?}");
            }
            for refusal in [
                Refusal::Moved,
                Refusal::RegionNotOpen,
                Refusal::MerchantConfig,
                Refusal::CardLimit,
            ] {
                for answer in refusal_answers(refusal, profile) {
                    assert!(
                        schemas::causes::classify(answer.profile, answer.code).is_some(),
                        "{answer:?}"
                    );
                }
            }
        }
        for answer in [&DEFECT_UNIONPAY, &OFFLINE_APPROVED, &OFFLINE_DECLINED] {
            assert!(
                schemas::causes::classify(answer.profile, answer.code).is_some(),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn shares_of_models_and_firmwares_make_a_whole() {
        let models: f64 = MODELS.iter().map(|model| model.share).sum();
        assert!((models - 1.0).abs() < 1e-9, "{models}");
        for model in MODELS {
            let firmwares: f64 = model.firmwares.iter().map(|(_, share)| share).sum();
            assert!((firmwares - 1.0).abs() < 1e-9, "{}", model.name);
        }
    }
}
