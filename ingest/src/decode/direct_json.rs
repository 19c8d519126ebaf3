//! JSON objects as terminals write them, straight into columns. Whatever is not plainly right, or is
//! right in an unusual way (escapes, a key twice, numbers with exponents), is left to the general
//! decoder, which reads it or says what is wrong with it.

use chrono::NaiveDate;

use super::columns::{Column, Columns};

/// Reads one object into a row; `None` when the bytes are not plainly one.
pub(super) fn read(columns: &mut Columns, payload: &[u8]) -> Option<()> {
    let mut text = Text(payload);
    text.skip_space();
    text.object(columns, true)?;
    text.skip_space();
    text.0.is_empty().then(|| columns.end_row())
}

/// The bytes not read yet.
pub(super) struct Text<'a>(pub(super) &'a [u8]);

impl<'a> Text<'a> {
    /// Reads an object into a row, which is not ended yet; `lenient` leaves it to validation to find what is missing.
    fn object(&mut self, columns: &mut Columns, lenient: bool) -> Option<()> {
        self.expect(b'{')?;
        let mut filled = 0_u64;
        // Writers keep to one order of keys.
        let mut likely = 0;
        self.skip_space();
        if !self.take(b'}') {
            loop {
                self.skip_space();
                let key = self.key(columns, likely)?;
                self.skip_space();
                match key {
                    Ok(at) => {
                        let bit = 1_u64.checked_shl(u32::try_from(at).ok()?)?;
                        if filled & bit != 0 {
                            return None;
                        }
                        filled |= bit;
                        likely = at + 1;
                        let may_be_null = lenient || columns.fields[at].nullable;
                        self.value(&mut columns.columns[at], may_be_null)?;
                    }
                    Err(key) => {
                        columns.unknown(std::str::from_utf8(key).ok()?);
                        std::str::from_utf8(self.skip_scalar()?).ok()?;
                    }
                }
                self.skip_space();
                if self.take(b'}') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        for (at, column) in columns.columns.iter_mut().enumerate() {
            if filled >> at & 1 == 0 {
                if !lenient && !columns.fields[at].nullable {
                    return None;
                }
                column.push_null();
            }
        }
        Some(())
    }

    /// Reads a key with its colon, and returns its column, looked for from the likely one on, or the key
    /// of which there is none.
    fn key(&mut self, columns: &Columns, likely: usize) -> Option<Result<usize, &'a [u8]>> {
        let is_next = |at: &usize| columns.keys[*at].begins(self.0);
        if let Some(at) = (likely..columns.keys.len()).find(is_next) {
            self.0 = &self.0[columns.keys[at].len..];
            return Some(Ok(at));
        }
        let key = self.string()?;
        self.skip_space();
        self.expect(b':')?;
        let is_it = |at: &usize| columns.fields[*at].name.as_bytes() == key;
        Some((0..columns.fields.len()).find(is_it).ok_or(key))
    }

    fn value(&mut self, column: &mut Column, may_be_null: bool) -> Option<()> {
        if self.take_word(b"null") {
            column.push_null();
            return may_be_null.then_some(());
        }
        match column {
            Column::Text(texts) => texts.push(self.string()?)?,
            Column::Boolean(booleans) => {
                let value = self.take_word(b"true");
                if !value && !self.take_word(b"false") {
                    return None;
                }
                booleans.push(value);
            }
            Column::Int(numbers) => numbers.push(i32::try_from(self.integer()?).ok()?),
            Column::Long(numbers) => numbers.push(self.integer()?),
            Column::Time(numbers) => numbers.push(self.time_ms()?),
            Column::Float(numbers) => numbers.push(self.number()?.as_f32()?),
            Column::Double(numbers) => numbers.push(self.number()?.as_f64()?),
            Column::Records(records) => {
                self.expect(b'[')?;
                self.skip_space();
                if !self.take(b']') {
                    loop {
                        self.skip_space();
                        self.object(&mut records.items, false)?;
                        records.items.end_row();
                        self.skip_space();
                        if self.take(b']') {
                            break;
                        }
                        self.expect(b',')?;
                    }
                }
                records.end_list()?;
            }
        }
        Some(())
    }

    /// Reads over the value of a key nobody asked for, which may be no UTF-8; objects and lists are left
    /// to the general decoder.
    pub(super) fn skip_scalar(&mut self) -> Option<&'a [u8]> {
        match self.0.first()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number().map(|number| number.text),
            _ => [&b"null"[..], b"true", b"false"]
                .into_iter()
                .find(|word| self.take_word(word)),
        }
    }

    pub(super) fn skip_space(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    pub(super) fn take(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    fn take_word(&mut self, word: &[u8]) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Reads a text without escapes.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let (text, rest) = self.0.split_at(plain_length(self.0));
        self.0 = rest;
        self.expect(b'"')?;
        Some(text)
    }

    /// Reads a moment, ms since the epoch.
    pub(super) fn time_ms(&mut self) -> Option<i64> {
        match self.0.first()? {
            b'"' => moment_ms(self.string()?),
            _ => self.integer(),
        }
    }

    /// Reads a number that may be null.
    pub(super) fn number_or_null(&mut self) -> Option<Option<f64>> {
        match self.take_word(b"null") {
            true => Some(None),
            false => self.number()?.as_f64().map(Some),
        }
    }

    fn integer(&mut self) -> Option<i64> {
        let number = self.number()?;
        (number.fraction == 0).then_some(number.signed())
    }

    /// Reads a number without an exponent of at most 18 digits.
    fn number(&mut self) -> Option<Number<'a>> {
        let from = self.0;
        let is_negative = self.take(b'-');
        let mut number = Number {
            text: from,
            is_negative,
            digits: 0,
            fraction: 0,
        };
        let whole = self.digits(&mut number)?;
        if whole > 1 && from[usize::from(is_negative)] == b'0' {
            return None;
        }
        let mut all = whole;
        if self.take(b'.') {
            number.fraction = self.digits(&mut number)?;
            all += number.fraction;
        }
        if all > 18 || matches!(self.0.first(), Some(b'e' | b'E' | b'+' | b'-' | b'.')) {
            return None;
        }
        number.text = &from[..from.len() - self.0.len()];
        Some(number)
    }

    /// Reads one digit or more, and says how many.
    fn digits(&mut self, number: &mut Number<'_>) -> Option<u32> {
        let mut count = 0;
        while let Some((digit @ b'0'..=b'9', rest)) = self.0.split_first() {
            number.digits = number
                .digits
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'));
            count += 1;
            self.0 = rest;
        }
        (count > 0).then_some(count)
    }
}

/// Powers of ten that have no rounding, in either width.
const TENS_64: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
const TENS_32: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/// Reads a moment of RFC 3339 in UTC with whole or thousandth seconds, ms since the epoch.
fn moment_ms(text: &[u8]) -> Option<i64> {
    let (clock, rest) = text.split_at_checked(19)?;
    let fraction = match rest {
        b"Z" => b"000",
        [b'.', fraction @ .., b'Z'] if fraction.len() == 3 => fraction,
        _ => return None,
    };
    let number = |from: usize, to: usize| digits(&clock[from..to]);
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| clock[*at] != *mark) {
        return None;
    }
    let year = i32::try_from(number(0, 4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?;
    let time = date.and_hms_milli_opt(
        number(11, 13)?,
        number(14, 16)?,
        number(17, 19)?,
        digits(fraction)?,
    )?;
    Some(time.and_utc().timestamp_millis())
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + u32::from(digit - b'0'))
    })
}

/// A decimal number.
struct Number<'a> {
    text: &'a [u8],
    is_negative: bool,
    /// All digits, those behind the point too.
    digits: u64,
    /// How many are behind the point; a point has one at least.
    fraction: u32,
}

impl Number<'_> {
    fn signed(&self) -> i64 {
        let digits = self.digits.cast_signed();
        match self.is_negative {
            true => -digits,
            false => digits,
        }
    }

    /// The nearest number of 64 bits. Two numbers that have no rounding of their own, divided, round
    /// right (Clinger 1990); the others take the long way.
    fn as_f64(&self) -> Option<f64> {
        const EXACT: u64 = 1 << 53;
        #[expect(clippy::cast_precision_loss, reason = "below 2^53 nothing is lost")]
        let quick = |digits: u64| digits as f64 / TENS_64[self.fraction as usize];
        match self.digits < EXACT && (self.fraction as usize) < TENS_64.len() {
            true => Some(match self.is_negative {
                true => -quick(self.digits),
                false => quick(self.digits),
            }),
            false => self.parsed(),
        }
    }

    /// The nearest number of 32 bits, likewise.
    fn as_f32(&self) -> Option<f32> {
        const EXACT: u64 = 1 << 24;
        #[expect(clippy::cast_precision_loss, reason = "below 2^24 nothing is lost")]
        let quick = |digits: u64| digits as f32 / TENS_32[self.fraction as usize];
        match self.digits < EXACT && (self.fraction as usize) < TENS_32.len() {
            true => Some(match self.is_negative {
                true => -quick(self.digits),
                false => quick(self.digits),
            }),
            false => self.parsed(),
        }
    }

    fn parsed<T: std::str::FromStr>(&self) -> Option<T> {
        std::str::from_utf8(self.text).ok()?.parse().ok()
    }
}

/// Returns how many bytes lie before the first quote, backslash or control character, or the end: eight
/// at a time, for texts are short.
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH_BITS: u64 = ONES << 7;
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    let (eights, rest) = text.as_chunks::<8>();
    for (at, eight) in eights.iter().enumerate() {
        let bytes = u64::from_le_bytes(*eight);
        // The high bit of each byte below `of`; above the first such byte some others may be set too.
        let below = |bytes: u64, of: u64| bytes.wrapping_sub(ONES * of) & !bytes;
        let is = |byte: u8| below(bytes ^ (ONES * u64::from(byte)), 1);
        let hits = (is(b'"') | is(b'\\') | below(bytes, u64::from(b' '))) & HIGH_BITS;
        if hits != 0 {
            return at * 8 + (hits.trailing_zeros() / 8) as usize;
        }
    }
    let before = rest.iter().position(ends).unwrap_or(rest.len());
    text.len() - rest.len() + before
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_ends_where_a_byte_by_byte_search_says(
            text in prop::collection::vec(
                prop_oneof![4 => any::<u8>(), 2 => b'a'..=b'z', 1 => prop::sample::select(b"\"\\\x1f\x20!\xa0\xa2".to_vec())],
                0..70,
            ),
            plain in 0_usize..40,
        ) {
            let text = [vec![b'a'; plain], text].concat();
            let slow = text.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '));
            prop_assert_eq!(plain_length(&text), slow.unwrap_or(text.len()));
        }
    }
}
