//! The indices modems print: owns the tables of 3GPP TS 27.007 (`+CSQ`, `+CESQ`).
//!
//! An index names an interval, not a value. Tools disagree by 1 dB because some print its lower
//! edge and some its upper one; here it reads as its middle, and the raw index is kept beside it.

use std::fmt;
use std::str::FromStr;

use super::Quantity;

/// Which index of TS 27.007 a raw number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IndexKind {
    /// `+CSQ` rssi, 0 to 31.
    Csq,
    /// `+CESQ` rxlev (GSM), 0 to 63.
    CesqRxlev,
    /// `+CESQ` rscp (UMTS), 0 to 96.
    CesqRscp,
    /// `+CESQ` ecno (UMTS), 0 to 49.
    CesqEcno,
    /// `+CESQ` rsrq (LTE), 0 to 34.
    CesqRsrq,
    /// `+CESQ` rsrp (LTE), 0 to 97.
    CesqRsrp,
    /// `+CESQ` ss_rsrp (NR), 0 to 126.
    CesqSsRsrp,
    /// `+CESQ` ss_rsrq (NR), 0 to 126.
    CesqSsRsrq,
    /// `+CESQ` ss_sinr (NR), 0 to 127.
    CesqSsSinr,
}

/// What an index says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum IndexReading {
    /// The modem does not know.
    Unknown,
    /// No such index: null and a data-quality count, never clamped.
    OutOfRange,
    /// The value lies in an interval, in the unit of the quantity's column.
    Value {
        /// What was measured.
        quantity: Quantity,
        /// Lower edge, inside the interval; minus infinity when open.
        low: f32,
        /// Upper edge, outside the interval; infinity when open.
        high: f32,
        /// The middle; for an open interval the value its stated edge names.
        middle: f32,
        /// Whether one side is open, so that the value must not enter a mean.
        censored: Censored,
    },
}

/// Whether an interval is open to one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Censored {
    /// Both edges are known.
    No,
    /// The first index: this or less.
    Below,
    /// The last index: this or more.
    Above,
}

/// One row of the tables: index `i` is `[first_edge + (i - 1) * step, first_edge + i * step)`.
struct Scale {
    quantity: Quantity,
    /// Upper edge of index 0.
    first_edge: f32,
    step: f32,
    last: i32,
    unknown: i32,
    /// What the first and last index read as.
    ends: (f32, f32),
}

impl IndexKind {
    /// Every kind, in the order of the signal contract.
    pub const ALL: [Self; 9] = [
        Self::Csq,
        Self::CesqRxlev,
        Self::CesqRscp,
        Self::CesqEcno,
        Self::CesqRsrq,
        Self::CesqRsrp,
        Self::CesqSsRsrp,
        Self::CesqSsRsrq,
        Self::CesqSsSinr,
    ];

    /// Returns the name contracts and columns use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csq => "csq",
            Self::CesqRxlev => "cesq_rxlev",
            Self::CesqRscp => "cesq_rscp",
            Self::CesqEcno => "cesq_ecno",
            Self::CesqRsrq => "cesq_rsrq",
            Self::CesqRsrp => "cesq_rsrp",
            Self::CesqSsRsrp => "cesq_ss_rsrp",
            Self::CesqSsRsrq => "cesq_ss_rsrq",
            Self::CesqSsSinr => "cesq_ss_sinr",
        }
    }

    /// Returns the quantity this index measures.
    pub const fn quantity(self) -> Quantity {
        self.scale().quantity
    }

    /// Returns the index that stands for "unknown": 99 or 255, never both.
    pub const fn unknown(self) -> i32 {
        self.scale().unknown
    }

    /// Returns the largest index with a value.
    pub const fn last(self) -> i32 {
        self.scale().last
    }

    /// Reads an index.
    ///
    /// ```
    /// use schemas::radio::{IndexKind, IndexReading};
    /// let IndexReading::Value { low, high, middle, .. } = IndexKind::CesqRsrp.decode(41) else {
    ///     panic!("41 has a value");
    /// };
    /// assert_eq!((low, middle, high), (-100.0, -99.5, -99.0));
    /// assert_eq!(IndexKind::CesqRsrp.decode(255), IndexReading::Unknown);
    /// assert_eq!(IndexKind::CesqRsrp.decode(98), IndexReading::OutOfRange);
    /// ```
    pub fn decode(self, index: i32) -> IndexReading {
        let scale = self.scale();
        if index == scale.unknown {
            return IndexReading::Unknown;
        }
        if !(0..=scale.last).contains(&index) {
            return IndexReading::OutOfRange;
        }
        let edge = |steps: i32| scale.first_edge + steps as f32 * scale.step;
        let (low, high) = (edge(index - 1), edge(index));
        let (low, high, middle, censored) = match index {
            0 => (f32::NEG_INFINITY, high, scale.ends.0, Censored::Below),
            last if last == scale.last => (low, f32::INFINITY, scale.ends.1, Censored::Above),
            _ => (low, high, low + scale.step / 2.0, Censored::No),
        };
        IndexReading::Value {
            quantity: scale.quantity,
            low,
            high,
            middle,
            censored,
        }
    }

    /// Returns the index a modem prints for a value, the inverse of [`Self::decode`].
    ///
    /// Values beyond the ends get the first or last index, as modems do.
    pub fn encode(self, value: f32) -> i32 {
        let scale = self.scale();
        let steps = ((value - scale.first_edge) / scale.step).floor() as i32;
        steps.saturating_add(1).clamp(0, scale.last)
    }

    const fn scale(self) -> Scale {
        match self {
            // CSQ states points 2 dB apart, "or less" and "or more" at the ends.
            Self::Csq => Scale {
                quantity: Quantity::Rssi,
                first_edge: -112.0,
                step: 2.0,
                last: 31,
                unknown: 99,
                ends: (-113.0, -51.0),
            },
            Self::CesqRxlev => intervals(Quantity::Rssi, -110.0, 1.0, 63, 99),
            Self::CesqRscp => intervals(Quantity::Rscp, -120.0, 1.0, 96, 255),
            Self::CesqEcno => intervals(Quantity::Ecno, -24.0, 0.5, 49, 255),
            Self::CesqRsrq => intervals(Quantity::Rsrq, -19.5, 0.5, 34, 255),
            Self::CesqRsrp => intervals(Quantity::Rsrp, -140.0, 1.0, 97, 255),
            Self::CesqSsRsrp => intervals(Quantity::Rsrp, -156.0, 1.0, 126, 255),
            Self::CesqSsRsrq => intervals(Quantity::Rsrq, -43.0, 0.5, 126, 255),
            Self::CesqSsSinr => intervals(Quantity::Sinr, -23.0, 0.5, 127, 255),
        }
    }
}

/// A scale whose ends read as the one edge they have.
const fn intervals(
    quantity: Quantity,
    first_edge: f32,
    step: f32,
    last: i32,
    unknown: i32,
) -> Scale {
    let last_edge = first_edge + (last - 1) as f32 * step;
    Scale {
        quantity,
        first_edge,
        step,
        last,
        unknown,
        ends: (first_edge, last_edge),
    }
}

impl fmt::Display for IndexKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is none of the index kinds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown index kind {0:?}")]
pub struct UnknownIndexKind(String);

impl FromStr for IndexKind {
    type Err = UnknownIndexKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownIndexKind(name.to_owned()))
    }
}
