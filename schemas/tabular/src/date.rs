//! A cell read as a calendar day.

use chrono::NaiveDate;

use crate::{Cell, Misread, Spelling};

impl Cell<'_> {
    /// Reads a date, `YYYY-MM-DD`; midnight stands for its day, for many tools know no dates.
    ///
    /// # Errors
    /// When it is none, of another form, or has a time of day.
    pub fn date(self) -> Result<NaiveDate, Misread> {
        const FORM: &str = "YYYY-MM-DD";
        if self.is_empty() {
            return Err(Misread::Missing);
        }
        let text = self.text();
        let (day, rest) = text.split_at_checked(FORM.len()).unwrap_or((text, ""));
        let date = match day.len() == FORM.len() {
            true => NaiveDate::parse_from_str(day, "%Y-%m-%d").ok(),
            false => None,
        };
        match date {
            Some(date) if rest.is_empty() || is_midnight(rest) => Ok(date),
            Some(_) if rest.starts_with(['T', ' ']) => Err(Misread::TimeOfDay),
            _ if has_year_last(text) => Err(Misread::YearLast),
            _ => Err(Misread::NotDate),
        }
    }

    /// Says whether the cell is an instant by its type, whatever its text.
    pub(crate) fn is_instant(self) -> bool {
        self.spelling() == Spelling::Instant
    }
}

/// `T00:00:00`, with or without a fraction of zeros and the Z of UTC.
fn is_midnight(time: &str) -> bool {
    let time = time.strip_suffix('Z').unwrap_or(time);
    let Some(time) = time.strip_prefix(['T', ' ']) else {
        return false;
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    matches!(clock, "00:00:00" | "00:00") && fraction.bytes().all(|byte| byte == b'0')
}

/// `10.11.2026`, `11/10/2026`, `1-2-2026`.
pub(crate) fn has_year_last(text: &str) -> bool {
    let day = text.split([' ', 'T', ',']).next().unwrap_or_default();
    let parts: Vec<&str> = day.split(['.', '/', '-']).collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let digits = parts
        .iter()
        .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    digits && matches!(lengths[..], [1 | 2, 1 | 2, 2 | 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_however_a_tool_without_dates_writes_it() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 5).expect("a day");
        for (text, expected) in [
            ("2026-01-05", Ok(day)),
            ("2026-01-05T00:00:00", Ok(day)),
            ("2026-01-05 00:00:00.000", Ok(day)),
            ("2026-01-05T00:00:00Z", Ok(day)),
            ("2026-01-05T08:30:00", Err(Misread::TimeOfDay)),
            ("2026-1-5", Err(Misread::NotDate)),
            ("2024-02-30", Err(Misread::NotDate)),
            ("05.01.2026", Err(Misread::YearLast)),
            ("1/5/26", Err(Misread::YearLast)),
            ("46027", Err(Misread::NotDate)),
            ("日本語の文字列です", Err(Misread::NotDate)),
            ("", Err(Misread::Missing)),
        ] {
            assert_eq!(Cell::new(text, Spelling::Text).date(), expected, "{text}");
        }
    }
}
