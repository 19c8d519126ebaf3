//! Why a message is refused: owns the words of the `reason` column of the quarantine.
//! Knows nothing of how a message is checked.

use std::fmt;
use std::str::FromStr;

/// Reason a message went to the quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The bytes are neither the Avro nor the JSON the topic carries.
    Undecodable,
    /// The framing names a schema id that neither the registry nor this build knows.
    UnknownSchemaId,
    /// The magic byte or the length before the Avro body is wrong.
    WrongFraming,
    /// A field without which the event cannot be used is missing, null or empty.
    MissingField,
    /// An id without which the event is none is not of the form of its contract.
    MalformedId,
    /// The event happened further in the future than a drifting clock explains.
    TimeInFuture,
    /// The event is older than the lake keeps.
    TimeBeyondRetention,
    /// Latitude or longitude lies off the globe, or only one of them is there.
    ImpossiblePosition,
    /// A position came without its datum, which is never guessed.
    MissingDatum,
    /// A value outside a closed set changes what the event means.
    UnknownEnum,
    /// It has a field its contract does not know, and the settings refuse those.
    UnknownField,
    /// A text field passes the test for card numbers.
    CardData,
    /// The message is larger than the limit.
    Oversize,
}

impl Reason {
    /// Every reason, in the order of the checks.
    pub const ALL: [Self; 13] = [
        Self::Undecodable,
        Self::UnknownSchemaId,
        Self::WrongFraming,
        Self::MissingField,
        Self::MalformedId,
        Self::TimeInFuture,
        Self::TimeBeyondRetention,
        Self::ImpossiblePosition,
        Self::MissingDatum,
        Self::UnknownEnum,
        Self::UnknownField,
        Self::CardData,
        Self::Oversize,
    ];

    /// Returns the text of the `reason` column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::UnknownSchemaId => "unknown_schema_id",
            Self::WrongFraming => "wrong_framing",
            Self::MissingField => "missing_field",
            Self::MalformedId => "malformed_id",
            Self::TimeInFuture => "time_in_future",
            Self::TimeBeyondRetention => "time_beyond_retention",
            Self::ImpossiblePosition => "impossible_position",
            Self::MissingDatum => "missing_datum",
            Self::UnknownEnum => "unknown_enum",
            Self::UnknownField => "unknown_field",
            Self::CardData => "card_data",
            Self::Oversize => "oversize",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is none of the quarantine's reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown quarantine reason {0:?}")]
pub struct UnknownReason(String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| UnknownReason(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_back_from_its_text() {
        for reason in Reason::ALL {
            assert_eq!(reason.to_string().parse(), Ok(reason));
        }
        assert!("because".parse::<Reason>().is_err());
    }
}
