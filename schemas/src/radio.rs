//! What a radio reports: owns the ranges, sentinels and weak thresholds of each RAT.
//! Knows nothing of columns in a batch; the ingester applies these rules to arrays.
//!
//! Ranges follow the reporting ranges of 3GPP as Android and ModemManager use them.
//! NB-IoT and LTE-M go down to -156 dBm, where coverage enhancement still works.

mod index;

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

pub use index::{Censored, IndexKind, IndexReading, UnknownIndexKind};

/// Radio access technology.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rat {
    /// 2G.
    Gsm,
    /// 3G.
    Umts,
    /// 4G.
    Lte,
    /// 5G.
    Nr,
    /// Narrow-band IoT.
    Nbiot,
    /// LTE for machines (eMTC).
    Ltem,
}

impl Rat {
    /// Every RAT, in the order of the contracts.
    pub const ALL: [Self; 6] = [
        Self::Gsm,
        Self::Umts,
        Self::Lte,
        Self::Nr,
        Self::Nbiot,
        Self::Ltem,
    ];

    /// Returns the name contracts and columns use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsm => "gsm",
            Self::Umts => "umts",
            Self::Lte => "lte",
            Self::Nr => "nr",
            Self::Nbiot => "nbiot",
            Self::Ltem => "ltem",
        }
    }

    /// Reads a RAT as people write it, in either case, by its generation too.
    ///
    /// ```
    /// use schemas::Rat;
    /// assert_eq!(Rat::spelled("5G"), Some(Rat::Nr));
    /// assert_eq!(Rat::spelled("NB-IoT"), Some(Rat::Nbiot));
    /// assert_eq!(Rat::spelled("6g"), None);
    /// ```
    pub fn spelled(text: &str) -> Option<Self> {
        let plain = text.to_ascii_lowercase().replace(['-', '_', ' '], "");
        Some(match plain.as_str() {
            "2g" | "edge" | "gprs" => Self::Gsm,
            "3g" | "wcdma" | "hspa" | "utran" => Self::Umts,
            "4g" | "eutran" => Self::Lte,
            "5g" | "5gnr" => Self::Nr,
            "catm" | "catm1" | "emtc" => Self::Ltem,
            name => name.parse().ok()?,
        })
    }
}

impl fmt::Display for Rat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is none of the RATs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown rat {0:?}: expected gsm, umts, lte, nr, nbiot or ltem")]
pub struct UnknownRat(String);

impl FromStr for Rat {
    type Err = UnknownRat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|rat| rat.as_str() == name)
            .ok_or_else(|| UnknownRat(name.to_owned()))
    }
}

/// A measured radio quantity; its column carries the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quantity {
    /// Received signal strength indicator (RxLev for GSM), dBm.
    Rssi,
    /// Received signal code power, dBm.
    Rscp,
    /// Energy per chip over noise, dB.
    Ecno,
    /// Reference signal received power, dBm.
    Rsrp,
    /// Reference signal received quality, dB.
    Rsrq,
    /// Signal to interference and noise ratio, dB.
    Sinr,
}

impl Quantity {
    /// Every quantity, in the order of the signal contract.
    pub const ALL: [Self; 6] = [
        Self::Rssi,
        Self::Rscp,
        Self::Ecno,
        Self::Rsrp,
        Self::Rsrq,
        Self::Sinr,
    ];

    /// Returns the column of signal readings that holds it.
    pub const fn column(self) -> &'static str {
        match self {
            Self::Rssi => "rssi_dbm",
            Self::Rscp => "rscp_dbm",
            Self::Ecno => "ecno_db",
            Self::Rsrp => "rsrp_dbm",
            Self::Rsrq => "rsrq_db",
            Self::Sinr => "sinr_db",
        }
    }

    /// Returns the range no RAT leaves, the one the contract states.
    pub const fn widest_range(self) -> RangeInclusive<f32> {
        match self {
            Self::Rssi => -113.0..=-25.0,
            Self::Rscp => -121.0..=-25.0,
            Self::Ecno => -24.5..=0.0,
            Self::Rsrp => -156.0..=-31.0,
            Self::Rsrq => -43.0..=20.0,
            Self::Sinr => -23.0..=40.0,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.column())
    }
}

/// Returns the valid range of a quantity on a RAT, in its column's unit.
///
/// `None` when the RAT has no such quantity: a value found there is out of range.
pub const fn valid_range(rat: Rat, quantity: Quantity) -> Option<RangeInclusive<f32>> {
    Some(match (rat, quantity) {
        (Rat::Gsm, Quantity::Rssi) => -113.0..=-48.0,
        (Rat::Umts | Rat::Lte | Rat::Nr | Rat::Nbiot | Rat::Ltem, Quantity::Rssi)
        | (Rat::Umts, Quantity::Rscp | Quantity::Ecno)
        | (Rat::Nr, Quantity::Rsrp | Quantity::Rsrq | Quantity::Sinr) => quantity.widest_range(),
        // Both edges in use for the first and last index, -141 and -43, are taken.
        (Rat::Lte, Quantity::Rsrp) => -141.0..=-43.0,
        (Rat::Nbiot | Rat::Ltem, Quantity::Rsrp) => -156.0..=-43.0,
        // -20 to -3 first; later releases widened it.
        (Rat::Lte | Rat::Nbiot | Rat::Ltem, Quantity::Rsrq) => -34.0..=3.0,
        (Rat::Lte | Rat::Nbiot | Rat::Ltem, Quantity::Sinr) => -20.0..=30.0,
        (Rat::Gsm, _)
        | (Rat::Umts, Quantity::Rsrp | Quantity::Rsrq | Quantity::Sinr)
        | (Rat::Lte | Rat::Nr | Rat::Nbiot | Rat::Ltem, Quantity::Rscp | Quantity::Ecno) => {
            return None;
        }
    })
}

/// Values firmware writes for "unknown", as they arrive in dB and dBm fields.
///
/// The last three are the extremes of 16 and 32 bits; `i32::MAX` is Android's UNAVAILABLE.
pub const SENTINELS: [f32; 12] = [
    99.0,
    255.0,
    127.0,
    0.0,
    -1.0,
    65_535.0,
    32_767.0,
    -32_768.0,
    999.0,
    -999.0,
    2_147_483_648.0,
    -2_147_483_648.0,
];

/// Says whether a value stands for "unknown" rather than for a measurement gone wrong.
///
/// A value some RAT can measure is never a sentinel: 0 and -1 are for dBm, not for RSRQ or SINR.
pub fn is_sentinel(quantity: Quantity, value: f32) -> bool {
    SENTINELS.contains(&value) && !quantity.widest_range().contains(&value)
}

/// What a value found in a signal column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadingCheck {
    /// A measurement.
    Valid,
    /// A mark for "unknown": becomes null and is counted as such.
    Sentinel,
    /// Impossible on this RAT: becomes null and is counted as such.
    OutOfRange,
}

/// Judges one value of a signal column.
pub fn check(rat: Rat, quantity: Quantity, value: f32) -> ReadingCheck {
    if valid_range(rat, quantity).is_some_and(|range| range.contains(&value)) {
        ReadingCheck::Valid
    } else if is_sentinel(quantity, value) {
        ReadingCheck::Sentinel
    } else {
        ReadingCheck::OutOfRange
    }
}

/// A number that identifies the serving radio cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CellNumber {
    /// Location (GSM, UMTS) or tracking area code.
    Tac,
    /// CI (16 bit), UTRAN cell id and ECI (28 bit) or NCI (36 bit).
    RadioCellId,
    /// Scrambling code (UMTS) or physical cell identity.
    Pci,
    /// Channel number of the RAT: ARFCN, UARFCN, EARFCN or NR-ARFCN.
    Arfcn,
}

impl CellNumber {
    /// Every number, in the order of the signal contract.
    pub const ALL: [Self; 4] = [Self::Tac, Self::RadioCellId, Self::Pci, Self::Arfcn];

    /// Returns the column of signal readings that holds it.
    pub const fn column(self) -> &'static str {
        match self {
            Self::Tac => "tac",
            Self::RadioCellId => "radio_cell_id",
            Self::Pci => "pci",
            Self::Arfcn => "arfcn",
        }
    }
}

/// Returns the valid range of a cell number on a RAT; `None` when the RAT has no such number.
pub const fn valid_number_range(rat: Rat, number: CellNumber) -> Option<RangeInclusive<i64>> {
    Some(match (rat, number) {
        // 0 and 65534 mean "no location area", 65535 is unused.
        (Rat::Gsm | Rat::Umts, CellNumber::Tac) => 1..=65_533,
        (Rat::Lte | Rat::Nbiot | Rat::Ltem, CellNumber::Tac) => 0..=65_535,
        (Rat::Nr, CellNumber::Tac) => 0..=(1 << 24) - 1,
        (Rat::Gsm, CellNumber::RadioCellId) => 0..=65_535,
        (Rat::Umts | Rat::Lte | Rat::Nbiot | Rat::Ltem, CellNumber::RadioCellId) => {
            0..=(1 << 28) - 1
        }
        (Rat::Nr, CellNumber::RadioCellId) => 0..=(1 << 36) - 1,
        (Rat::Gsm, CellNumber::Pci) => return None,
        (Rat::Umts, CellNumber::Pci) => 0..=511,
        (Rat::Lte | Rat::Nbiot | Rat::Ltem, CellNumber::Pci) => 0..=503,
        (Rat::Nr, CellNumber::Pci) => 0..=1007,
        (Rat::Gsm, CellNumber::Arfcn) => 0..=1023,
        (Rat::Umts, CellNumber::Arfcn) => 0..=16_383,
        (Rat::Lte | Rat::Nbiot | Rat::Ltem, CellNumber::Arfcn) => 0..=262_143,
        (Rat::Nr, CellNumber::Arfcn) => 0..=3_279_165,
    })
}

/// Marks for "unknown" among cell numbers: the extremes of their integer types, and -1.
///
/// 2^28 - 1 and 2^36 - 1 are all ones in 28 and 36 bits; a RAT whose range holds them keeps them.
pub const NUMBER_SENTINELS: [i64; 10] = [
    -1,
    -32_768,
    32_767,
    65_535,
    (1 << 24) - 1,
    (1 << 28) - 1,
    (1 << 36) - 1,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
];

/// Judges one cell number.
pub fn check_number(rat: Rat, number: CellNumber, value: i64) -> ReadingCheck {
    if valid_number_range(rat, number).is_some_and(|range| range.contains(&value)) {
        ReadingCheck::Valid
    } else if NUMBER_SENTINELS.contains(&value) {
        ReadingCheck::Sentinel
    } else {
        ReadingCheck::OutOfRange
    }
}

/// Returns the quantity that stands for the signal's strength on a RAT.
pub const fn strength_quantity(rat: Rat) -> Quantity {
    match rat {
        Rat::Gsm => Quantity::Rssi,
        Rat::Umts => Quantity::Rscp,
        Rat::Lte | Rat::Nr | Rat::Nbiot | Rat::Ltem => Quantity::Rsrp,
    }
}

/// Strength below which a signal is weak by default, dBm of [`strength_quantity`].
///
/// NB-IoT and LTE-M share LTE's figure: they reach further, but no published default says how far.
pub const fn weak_threshold_dbm(rat: Rat) -> f32 {
    match rat {
        Rat::Gsm => -100.0,
        Rat::Umts => -105.0,
        Rat::Lte | Rat::Nr | Rat::Nbiot | Rat::Ltem => -110.0,
    }
}

/// RSRQ below which a signal of LTE and later is weak by default, dB.
pub const WEAK_RSRQ_DB: f32 = -15.0;
/// SINR below which a signal of LTE and later is weak by default, dB.
pub const WEAK_SINR_DB: f32 = -3.0;

/// The measurements of one reading that decide whether it is weak.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Strength {
    /// [`strength_quantity`] of the RAT, dBm.
    pub strength_dbm: Option<f32>,
    /// RSRQ; ignored for GSM and UMTS.
    pub rsrq_db: Option<f32>,
    /// SINR; ignored for GSM and UMTS.
    pub sinr_db: Option<f32>,
}

/// Says whether a reading is weak by the default thresholds: too faint, or drowned.
///
/// `None` when nothing that could tell was measured.
pub fn is_weak(rat: Rat, reading: Strength) -> Option<bool> {
    let has_quality = !matches!(rat, Rat::Gsm | Rat::Umts);
    let verdicts = [
        reading
            .strength_dbm
            .map(|dbm| dbm < weak_threshold_dbm(rat)),
        reading
            .rsrq_db
            .filter(|_| has_quality)
            .map(|db| db < WEAK_RSRQ_DB),
        reading
            .sinr_db
            .filter(|_| has_quality)
            .map(|db| db < WEAK_SINR_DB),
    ];
    verdicts
        .into_iter()
        .flatten()
        .reduce(|one, other| one || other)
}

#[cfg(test)]
mod tests;
