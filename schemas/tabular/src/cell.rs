//! A cell, and what it is read as. One rule for every door: how numbers are spelled, what a
//! spreadsheet leaves of an id, what may not be inside one.

use schemas::ids::{check_id, invisible_inside};

use crate::Misread;

/// A value as a file has it, without white space and invisible characters at its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell<'r> {
    text: &'r str,
    spelling: Spelling,
}

/// What wrote a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spelling {
    /// A text.
    #[default]
    Text,
    /// An integer column, or a JSON number without a fraction.
    Integer,
    /// A decimal column.
    Decimal,
    /// A floating-point column of 64 bits, or a JSON number with a fraction or an exponent.
    Double,
    /// A floating-point column of 32 bits.
    Single,
    /// A boolean.
    Boolean,
    /// A date.
    Date,
    /// A date and time without a zone.
    LocalTime,
    /// A date and time in UTC.
    Instant,
}

/// What spreadsheets show where a formula has no value.
const SPREADSHEET_ERRORS: [&str; 7] = [
    "#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!",
];
/// What pandas, R and databases write where there is no value.
const PLACEHOLDERS: [&str; 6] = ["NA", "NaN", "N/A", "null", "None", "<NA>"];

/// Above it a double skips whole numbers.
const DOUBLE_MAX: u64 = 1 << 53;
/// Above it a number of 32 bits does.
const SINGLE_MAX: u64 = 1 << 24;

impl<'r> Cell<'r> {
    /// No value.
    pub const EMPTY: Cell<'static> = Cell::new("", Spelling::Text);

    /// Makes a cell of a trimmed text.
    pub const fn new(text: &'r str, spelling: Spelling) -> Self {
        Self { text, spelling }
    }

    /// Returns the value as text: free text, which may hold anything inside.
    pub const fn text(self) -> &'r str {
        self.text
    }

    /// Returns what wrote the value.
    pub const fn spelling(self) -> Spelling {
        self.spelling
    }

    /// Says whether there is no value.
    pub const fn is_empty(self) -> bool {
        self.text.is_empty()
    }

    /// Returns the value with whole numbers in their one spelling: `10023.0` is `10023`.
    pub fn plain(self) -> &'r str {
        float_of_whole(self.text).unwrap_or(self.text)
    }

    /// Reads an id: a whole number in its one spelling, or a text without anything hidden.
    ///
    /// # Errors
    /// When it is missing, too long, not all of it can be seen, or a spreadsheet changed it.
    pub fn id(self) -> Result<&'r str, Misread> {
        let id = self.plain();
        check_id(id)?;
        self.not_marked()?;
        if PLACEHOLDERS
            .iter()
            .any(|word| word.eq_ignore_ascii_case(id))
        {
            return Err(Misread::Placeholder);
        }
        if is_shortened(id) {
            return Err(Misread::Shortened);
        }
        self.exact(id)?;
        Ok(id)
    }

    /// Reads a name that rows are told apart by, such as a model or a version: `2.0` stays `2.0`.
    ///
    /// # Errors
    /// When it is missing, not all of it can be seen, or a spreadsheet marked it.
    pub fn name(self) -> Result<&'r str, Misread> {
        if self.is_empty() {
            return Err(Misread::Missing);
        }
        if invisible_inside(self.text).is_some() {
            return Err(Misread::Invisible);
        }
        self.not_marked()?;
        Ok(self.text)
    }

    /// Reads a whole number, however a program spells it: `452`, `452.0`.
    ///
    /// # Errors
    /// When it is none, or its digits are not known to be all there.
    pub fn whole(self) -> Result<i64, Misread> {
        if self.is_empty() {
            return Err(Misread::Missing);
        }
        let digits = self.plain();
        match digits.parse() {
            Ok(number) => self.exact(digits).map(|()| number),
            Err(_) => Err(self.no_whole(digits)),
        }
    }

    fn no_whole(self, digits: &str) -> Misread {
        if is_shortened(digits) || has_exponent(digits) {
            return Misread::Shortened;
        }
        if let Err(marked) = self.not_marked() {
            return marked;
        }
        let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
        match !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            true => Misread::TooLarge,
            false => Misread::NotWhole,
        }
    }

    /// Reads a finite number.
    ///
    /// # Errors
    /// When it is none.
    pub fn number(self) -> Result<f64, Misread> {
        if self.is_empty() {
            return Err(Misread::Missing);
        }
        let number = self.text.parse::<f64>().ok();
        number
            .filter(|number| number.is_finite())
            .ok_or(Misread::NotNumber)
    }

    /// Reads a truth value: true or false in any case, 1 or 0, `1.0` or `0.0`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn boolean(self) -> Result<bool, Misread> {
        let is = |word: &str| self.text.eq_ignore_ascii_case(word);
        match self.plain() {
            "" => Err(Misread::Missing),
            "1" => Ok(true),
            "0" => Ok(false),
            _ if is("true") => Ok(true),
            _ if is("false") => Ok(false),
            _ => Err(Misread::NotBoolean),
        }
    }

    /// Whole numbers that went through a floating-point number may have been others.
    fn exact(self, digits: &str) -> Result<(), Misread> {
        let most = match self.spelling {
            Spelling::Single => SINGLE_MAX,
            Spelling::Double => DOUBLE_MAX,
            _ if digits.len() < self.text.len() => DOUBLE_MAX,
            _ => return Ok(()),
        };
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        let is_digits = unsigned.bytes().all(|byte| byte.is_ascii_digit());
        match is_digits && unsigned.parse().unwrap_or(u64::MAX) > most {
            true => Err(Misread::Inexact),
            false => Ok(()),
        }
    }

    /// `="00123"` keeps a spreadsheet from reading a number; `'00456` is what one shows for it.
    fn not_marked(self) -> Result<(), Misread> {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        let marked = self.text.starts_with("=\"")
            || (self.text.starts_with('\'') && digit(self.text.as_bytes().get(1)))
            || (self.text.starts_with('=') && digit(self.text.as_bytes().get(1)));
        match marked {
            true => Err(Misread::SpreadsheetText),
            false if SPREADSHEET_ERRORS.contains(&self.text) => Err(Misread::SpreadsheetError),
            false => Ok(()),
        }
    }
}

/// Returns the whole number of a text such as `10023.0`.
fn float_of_whole(text: &str) -> Option<&str> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_zero = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    // 007.0 is a text: no program writes a number so.
    let leads = digits.len() > 1 && digits.starts_with('0');
    (is_zero && is_digits(digits) && !leads).then_some(whole)
}

/// `8.6012E+14`, with a comma in some countries: one digit, a fraction, a signed exponent.
fn is_shortened(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.strip_prefix('+');
    whole.len() == 1
        && digits(whole)
        && digits(fraction)
        && power.is_some_and(|power| power.len() >= 2 && digits(power))
}

/// A number with an exponent that is not negative: of its whole digits some may be gone.
fn has_exponent(text: &str) -> bool {
    let exponent = text.split_once(['e', 'E']).map(|(_, exponent)| exponent);
    exponent.is_some_and(|exponent| !exponent.starts_with('-')) && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Cell<'_> {
        Cell::new(text, Spelling::Text)
    }

    #[test]
    fn an_id_has_one_spelling_in_every_file() {
        for (cell, id) in [
            (text("10023"), "10023"),
            (text("10023.0"), "10023"),
            (Cell::new("10023", Spelling::Double), "10023"),
            (Cell::new("10023", Spelling::Integer), "10023"),
            (text("00123"), "00123"),
            (text("007.0"), "007.0"),
            (text("1.2.0"), "1.2.0"),
            (text("12E45678"), "12E45678"),
            (text("A 920"), "A 920"),
            (text("9007199254740993"), "9007199254740993"),
            (
                Cell::new("9007199254740993", Spelling::Integer),
                "9007199254740993",
            ),
        ] {
            assert_eq!(cell.id(), Ok(id), "{cell:?}");
        }
    }

    #[test]
    fn an_id_a_spreadsheet_changed_is_refused() {
        for (cell, why) in [
            (text("8.6012E+14"), Misread::Shortened),
            (text("8,6012E+14"), Misread::Shortened),
            (text("1e+16"), Misread::Shortened),
            (text("=\"00123\""), Misread::SpreadsheetText),
            (text("'00456"), Misread::SpreadsheetText),
            (text("T\u{200b}1"), Misread::Invisible),
            (text(""), Misread::Missing),
            (text("9007199254740994.0"), Misread::Inexact),
            (
                Cell::new("9007199254740994", Spelling::Double),
                Misread::Inexact,
            ),
            (Cell::new("16777218", Spelling::Single), Misread::Inexact),
        ] {
            assert_eq!(cell.id(), Err(why), "{cell:?}");
        }
        assert_eq!(text("'s Kiosk").name(), Ok("'s Kiosk"));
        assert_eq!(text("2.0").name(), Ok("2.0"));
        assert_eq!(text("A\u{a0}920").name(), Err(Misread::Invisible));
        assert_eq!(text("=\"A920\"").name(), Err(Misread::SpreadsheetText));
    }

    #[test]
    fn a_whole_number_is_whole_and_exact() {
        for (cell, whole) in [
            (text("452"), Ok(452)),
            (text("-452.00"), Ok(-452)),
            (text("+7"), Ok(7)),
            (text("0.0"), Ok(0)),
            (text("2.05E+08"), Err(Misread::Shortened)),
            (text("1e3"), Err(Misread::Shortened)),
            (text("1.5"), Err(Misread::NotWhole)),
            (text("1.5e-3"), Err(Misread::NotWhole)),
            (text("1,234"), Err(Misread::NotWhole)),
            (text("many"), Err(Misread::NotWhole)),
            (text("NaN"), Err(Misread::NotWhole)),
            (text("'12"), Err(Misread::SpreadsheetText)),
            (text("99999999999999999999"), Err(Misread::TooLarge)),
            (
                Cell::new("9007199254740994", Spelling::Double),
                Err(Misread::Inexact),
            ),
            (Cell::new("9007199254740992", Spelling::Double), Ok(1 << 53)),
        ] {
            assert_eq!(cell.whole(), whole, "{cell:?}");
        }
    }

    #[test]
    fn a_number_is_finite_and_a_truth_is_one_or_the_other() {
        assert_eq!(text("-1.01E+02").number(), Ok(-101.0));
        assert_eq!(text("NaN").number(), Err(Misread::NotNumber));
        assert_eq!(text("0,5").number(), Err(Misread::NotNumber));
        for (word, truth) in [
            ("TRUE", Ok(true)),
            ("False", Ok(false)),
            ("1.0", Ok(true)),
            ("0", Ok(false)),
            ("yes", Err(Misread::NotBoolean)),
            ("", Err(Misread::Missing)),
        ] {
            assert_eq!(text(word).boolean(), truth, "{word}");
        }
    }
}
