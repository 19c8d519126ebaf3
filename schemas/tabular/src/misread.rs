//! Why a cell cannot be read: one list for all doors, so that each says the same of the same.

use schemas::ids::InvalidId;

use crate::EpochUnit;

/// Why a cell cannot be read as what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misread {
    /// No value.
    Missing,
    /// `#N/A`, `#REF!`.
    SpreadsheetError,
    /// `NA`, `NaN`, `null`: a program's word for no value.
    Placeholder,
    /// Digits a spreadsheet dropped.
    Shortened,
    /// `="00123"` or `'00456`.
    SpreadsheetText,
    /// A whole number of a floating-point column that may have been another one.
    Inexact,
    /// A character nobody sees.
    Invisible,
    /// More than 64 characters.
    TooLong,
    /// Neither digits nor a floating-point spelling of them.
    NotWhole,
    /// More than 64 bits.
    TooLarge,
    /// No number, or none that is finite.
    NotNumber,
    /// Neither true nor false.
    NotBoolean,
    /// No date.
    NotDate,
    /// `10.11.2026` or `11/10/2026`.
    YearLast,
    /// A date with more than midnight.
    TimeOfDay,
    /// A time of another form.
    NotTime,
    /// A time that clocks of many zones show.
    NoZone,
    /// An hour that clocks skip.
    Skipped,
    /// Before 1970 or after 9999.
    OutOfTime,
    /// A time in another unit than declared.
    OtherUnit(EpochUnit),
}

impl Misread {
    /// Returns why, in words that are the same for every such cell.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "value is missing",
            Self::SpreadsheetError => "value is an error of a spreadsheet",
            Self::Placeholder => "value stands for none (NA, NaN, null): leave the cell empty",
            Self::Shortened => {
                "value has an exponent, as spreadsheets shorten long numbers: digits are lost, export the column as text"
            }
            Self::SpreadsheetText => {
                "value is marked as text for a spreadsheet (= or '): export it without the mark"
            }
            Self::Inexact => {
                "value is a floating-point number too large to be exact: write the column as integers or text"
            }
            Self::Invisible => "value has an invisible character inside",
            Self::TooLong => "value is longer than 64 characters",
            Self::NotWhole => "value is not a whole number",
            Self::TooLarge => "value does not fit 64 bits",
            Self::NotNumber => "value is not a number",
            Self::NotBoolean => "value is neither true nor false",
            Self::NotDate => "value is not a date of the form YYYY-MM-DD",
            Self::YearLast => {
                "value is a date with the year last, of which day and month cannot be told apart: write YYYY-MM-DD"
            }
            Self::TimeOfDay => "value has a time of day, a date is asked for",
            Self::NotTime => "time is not in the format",
            Self::NoZone => {
                "time has no zone: say which with an offset in the text, or with a pattern and a zone"
            }
            Self::Skipped => "local time does not exist in the zone",
            Self::OutOfTime => "time is before 1970 or after 9999",
            Self::OtherUnit(likely) => likely.mistaken(),
        }
    }
}

impl std::fmt::Display for Misread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Misread {}

impl From<InvalidId> for Misread {
    fn from(invalid: InvalidId) -> Self {
        match invalid {
            InvalidId::Empty => Self::Missing,
            InvalidId::TooLong => Self::TooLong,
            InvalidId::Invisible(_) => Self::Invisible,
        }
    }
}
