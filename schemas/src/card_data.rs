//! Card numbers that must not be kept: owns the test for them and their masking.
//!
//! A card number (PAN) is 13 to 19 digits that pass the Luhn check, with an issuer's prefix and a
//! length that issuer uses; the digits may be grouped by single spaces or hyphens. The lengths
//! keep out numbers terminals are full of: IMEIs and merchant numbers have 15 digits.

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};

const MIN_DIGITS: usize = 13;
const MAX_DIGITS: usize = 19;
/// Digits left readable by masking, at the end.
const KEPT_DIGITS: usize = 4;

/// Prefixes of one length, and the lengths of the numbers that have them.
struct Issuer {
    prefixes: RangeInclusive<u32>,
    prefix_len: usize,
    lengths: &'static [usize],
}

const LONG: &[usize] = &[16, 17, 18, 19];

const fn issuer(first: u32, last: u32, prefix_len: usize, lengths: &'static [usize]) -> Issuer {
    Issuer {
        prefixes: first..=last,
        prefix_len,
        lengths,
    }
}

/// Public prefix ranges: Visa, Mastercard, American Express, UnionPay, JCB, Diners, Mir,
/// Maestro. UnionPay 62, Discover 60, 64 and 65 and RuPay 60 and 65 lie inside Maestro's 56 to 69.
const ISSUERS: [Issuer; 11] = [
    issuer(4, 4, 1, &[13, 16, 19]),
    issuer(51, 55, 2, &[16]),
    issuer(2221, 2720, 4, &[16]),
    issuer(34, 34, 2, &[15]),
    issuer(37, 37, 2, &[15]),
    issuer(3528, 3589, 4, LONG),
    issuer(300, 305, 3, &[14, 16, 17, 18, 19]),
    issuer(36, 36, 2, &[14, 15, 16, 17, 18, 19]),
    issuer(38, 39, 2, &[14, 16, 17, 18, 19]),
    issuer(2200, 2204, 4, LONG),
    issuer(50, 50, 2, LONG),
];
/// Maestro, and inside it UnionPay, Discover and RuPay.
const MAESTRO: Issuer = issuer(56, 69, 2, LONG);

/// Says whether a text holds a card number.
///
/// UUIDs and hexadecimal hashes never do, whatever their digits.
///
/// ```
/// use schemas::card_data::looks_like_pan;
/// assert!(looks_like_pan("card 4111-1111-1111-1111"));
/// assert!(!looks_like_pan("4111-1111-1111-1112"));
/// ```
pub fn looks_like_pan(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Nearly every text ends here.
    if bytes.len() < MIN_DIGITS
        || bytes.iter().filter(|byte| byte.is_ascii_digit()).count() < MIN_DIGITS
    {
        return false;
    }
    next_pan(bytes, 0).is_some()
}

/// Masks every card number in a payload, leaving its last four digits and its length.
///
/// Decimal fractions of JSON numbers are left alone: coordinates have digits enough to be mistaken.
pub fn mask_pans(payload: &[u8]) -> Cow<'_, [u8]> {
    let mut masked = Cow::Borrowed(payload);
    // The digits left of one number may begin another with those behind them.
    while let Some(further) = mask_found(&masked) {
        masked = Cow::Owned(further);
    }
    masked
}

/// Masks every card number that begins with a group of digits, where two share groups both; `None`
/// when there is none.
fn mask_found(payload: &[u8]) -> Option<Vec<u8>> {
    let mut masked = None;
    let mut from = 0;
    while let Some(pan) = next_pan(payload, from) {
        from = pan.start + digits_len(&payload[pan.start..]);
        if !is_json_fraction(payload, pan.start) {
            mask(&mut masked.get_or_insert_with(|| payload.to_vec())[pan]);
        }
    }
    masked
}

fn mask(pan: &mut [u8]) {
    let digits = pan.iter().filter(|byte| byte.is_ascii_digit()).count();
    let masked = digits.saturating_sub(KEPT_DIGITS);
    for digit in pan
        .iter_mut()
        .filter(|byte| byte.is_ascii_digit())
        .take(masked)
    {
        *digit = b'*';
    }
}

/// Finds the first card number at or after `from`.
fn next_pan(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    while at < bytes.len() {
        let starts_word = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        if starts_word && let Some(length) = opaque_id_len(&bytes[at..]) {
            at += length;
        } else if bytes[at].is_ascii_digit() {
            if let Some(length) = pan_len(&bytes[at..]) {
                return Some(at..at + length);
            }
            at += digits_len(&bytes[at..]);
        } else {
            at += 1;
        }
    }
    None
}

/// Length of a card number that starts with the digits at the start of `bytes`.
///
/// Digit groups are taken one after the other: a card number begins and ends with a whole group.
fn pan_len(bytes: &[u8]) -> Option<usize> {
    let mut digits = [0; MAX_DIGITS];
    let mut count = 0;
    let mut end = 0;
    loop {
        let group = digits_len(&bytes[end..]);
        if group == 0 || count + group > MAX_DIGITS {
            return None;
        }
        for (digit, byte) in digits[count..].iter_mut().zip(&bytes[end..end + group]) {
            *digit = byte - b'0';
        }
        count += group;
        end += group;
        if count >= MIN_DIGITS && is_pan(&digits[..count]) {
            return Some(end);
        }
        if !matches!(bytes.get(end), Some(b' ' | b'-')) {
            return None;
        }
        end += 1;
    }
}

fn digits_len(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

fn is_pan(digits: &[u8]) -> bool {
    let known = ISSUERS
        .iter()
        .chain([&MAESTRO])
        .any(|issuer| issuer.issues(digits));
    known && passes_luhn(digits)
}

impl Issuer {
    fn issues(&self, digits: &[u8]) -> bool {
        let prefix = &digits[..self.prefix_len];
        let prefix = prefix
            .iter()
            .fold(0, |prefix, digit| prefix * 10 + u32::from(*digit));
        self.prefixes.contains(&prefix) && self.lengths.contains(&digits.len())
    }
}

/// Doubles every second digit from the right; the digits of all must sum to a multiple of ten.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

const UUID_LEN: usize = 36;
const UUID_SHAPE: &[u8; UUID_LEN] = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
/// Digits before a UUID's first hyphen.
const UUID_FIRST_LEN: usize = 8;
/// Shortest hexadecimal word taken as a hash, the shortest the contracts allow.
const MIN_HASH_LEN: usize = 16;

/// Length of the UUID or hexadecimal hash at the start of `bytes`, where a word starts.
fn opaque_id_len(bytes: &[u8]) -> Option<usize> {
    if bytes.len() < MIN_HASH_LEN || !bytes[0].is_ascii_hexdigit() {
        return None;
    }
    let word = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    if word == UUID_FIRST_LEN && is_uuid(bytes) {
        return Some(UUID_LEN);
    }
    let hash = &bytes[..word];
    let letters = hash
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let is_hash = word >= MIN_HASH_LEN && letters >= 2 && hash.iter().all(u8::is_ascii_hexdigit);
    is_hash.then_some(word)
}

fn is_uuid(bytes: &[u8]) -> bool {
    let Some((uuid, rest)) = bytes.split_first_chunk::<UUID_LEN>() else {
        return false;
    };
    let ends = !matches!(rest.first(), Some(byte) if byte.is_ascii_alphanumeric() || *byte == b'-');
    // Looks at every byte: nearly every text that comes here is one, and many bytes are as fast as one.
    let fits = |fits, (byte, shape): (&u8, &u8)| {
        fits & match shape {
            b'-' => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        }
    };
    ends && uuid.iter().zip(UUID_SHAPE).fold(true, fits)
}

/// Says whether the digits at `start` follow the point of a number that is a JSON value.
fn is_json_fraction(payload: &[u8], start: usize) -> bool {
    let Some(whole) = payload[..start].strip_suffix(b".") else {
        return false;
    };
    let digits = whole
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let before = &whole[..whole.len() - digits];
    let before = before.strip_suffix(b"-").unwrap_or(before).trim_ascii_end();
    digits > 0 && matches!(before.last(), Some(b':' | b',' | b'['))
}

#[cfg(test)]
mod tests;
