//! Identifiers and the forms they have: network codes, cells, and what every other id may hold.
//!
//! One rule of white space for every door: what nobody sees is cut off the ends of an id or name
//! ([`trimmed`]), and inside an id it is refused ([`check_id`]), for two ids that look the same are
//! two devices. An ordinary space inside stays.

use std::fmt;
use std::str::FromStr;

use h3o::CellIndex;

/// Most characters of a `terminal_id`, or of any other id.
pub const ID_CHARS_MAX: usize = 64;

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing is there, or nothing that can be seen.
    #[error("is empty")]
    Empty,
    /// The contract ends at [`ID_CHARS_MAX`] characters.
    #[error("is longer than 64 characters")]
    TooLong,
    /// A character inside that nobody sees, or a space that is not the ordinary one.
    #[error("holds an invisible character, U+{:04X}", u32::from(*.0))]
    Invisible(char),
}

/// Says whether a character shows nothing: white space of any script, controls, joiners and marks.
///
/// ```
/// use schemas::ids::is_invisible;
/// for invisible in [' ', '\u{a0}', '\u{3000}', '\u{200b}', '\u{feff}', '\0'] {
///     assert!(is_invisible(invisible));
/// }
/// assert!(!is_invisible('中') && !is_invisible('-'));
/// ```
pub fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            // What Unicode calls default ignorable, and the blanks that are letters by name.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Returns a text without what is invisible at its ends.
///
/// ```
/// assert_eq!(schemas::ids::trimmed("\u{feff}T 1\u{a0}\u{200b}"), "T 1");
/// ```
pub fn trimmed(text: &str) -> &str {
    let shown = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    // Nearly every value begins and ends with what can be seen.
    if shown(text.as_bytes().first()) && shown(text.as_bytes().last()) {
        return text;
    }
    text.trim_matches(is_invisible)
}

/// Checks an id of any kind, which is trimmed already.
///
/// # Errors
/// When nothing is left of it, it is too long, or it holds what nobody sees.
///
/// ```
/// use schemas::ids::{InvalidId, check_id};
/// assert_eq!(check_id("T 1"), Ok(()));
/// assert_eq!(check_id("T\u{a0}1"), Err(InvalidId::Invisible('\u{a0}')));
/// ```
pub fn check_id(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if let Some(invisible) = invisible_inside(text) {
        return Err(InvalidId::Invisible(invisible));
    }
    match text.len() > ID_CHARS_MAX && text.chars().count() > ID_CHARS_MAX {
        true => Err(InvalidId::TooLong),
        false => Ok(()),
    }
}

/// Returns the first character of a trimmed id or name that nobody sees, an ordinary space aside.
pub fn invisible_inside(text: &str) -> Option<char> {
    let hidden = |character: &char| *character != ' ' && is_invisible(*character);
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    text.chars().find(hidden)
}

/// Reads an H3 cell as tools write it: hexadecimal text of either case, or the 64-bit number, which
/// has 18 digits for every cell.
///
/// ```
/// use schemas::ids::parse_cell;
/// let cell = parse_cell("881f8d7a49fffff");
/// assert!(cell.is_some());
/// assert_eq!(parse_cell("881F8D7A49FFFFF"), cell);
/// assert_eq!(parse_cell("613044629362704383"), cell);
/// ```
pub fn parse_cell(text: &str) -> Option<CellIndex> {
    const DIGITS: usize = 18;
    if text.len() == DIGITS {
        return CellIndex::try_from(text.parse::<u64>().ok()?).ok();
    }
    text.parse().ok()
}

/// Code of a public land mobile network: country (MCC) and network (MNC), written `310-410`.
///
/// The MNC is text: `01` and `001` are two networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Plmn {
    text: [u8; MAX_LEN],
    len: u8,
}

const MAX_LEN: usize = 7;
const MCC_LEN: usize = 3;

/// A text that is not a network code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("network code {0:?} is not MCC-MNC: three digits, a hyphen, two or three digits")]
pub struct InvalidPlmn(String);

impl Plmn {
    /// Joins a country and a network code.
    ///
    /// # Errors
    /// When the MCC is not three digits or the MNC not two or three.
    ///
    /// ```
    /// let plmn = schemas::Plmn::new("460", "00")?;
    /// assert_eq!(plmn.to_string(), "460-00");
    /// # Ok::<(), schemas::ids::InvalidPlmn>(())
    /// ```
    pub fn new(mcc: &str, mnc: &str) -> Result<Self, InvalidPlmn> {
        format!("{mcc}-{mnc}").parse()
    }

    /// Says whether a text is a network code, without keeping it.
    pub fn is_valid(text: &str) -> bool {
        let bytes = text.as_bytes();
        matches!(bytes.len(), 6 | 7)
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                MCC_LEN => *byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    }

    /// Returns the code as text, `MCC-MNC`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.len)])
            .expect("a network code is ASCII digits and a hyphen")
    }

    /// Returns the country code, three digits.
    pub fn mcc(&self) -> &str {
        &self.as_str()[..MCC_LEN]
    }

    /// Returns the network code, two or three digits.
    pub fn mnc(&self) -> &str {
        &self.as_str()[MCC_LEN + 1..]
    }
}

impl FromStr for Plmn {
    type Err = InvalidPlmn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !Self::is_valid(text) {
            return Err(InvalidPlmn(text.to_owned()));
        }
        let mut plmn = Self {
            text: [0; MAX_LEN],
            len: if text.len() == MAX_LEN { 7 } else { 6 },
        };
        plmn.text[..text.len()].copy_from_slice(text.as_bytes());
        Ok(plmn)
    }
}

impl fmt::Display for Plmn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_cut_off_the_ends_and_refused_inside() {
        for (text, left) in [
            ("T1", "T1"),
            (" T1\t", "T1"),
            ("\u{3000}T1\u{202f}", "T1"),
            ("\u{2060}\u{feff}T1\u{ad}", "T1"),
            ("A920 Pro\u{200d}", "A920 Pro"),
            ("\u{a0}\u{200b}", ""),
            ("名 前", "名 前"),
        ] {
            assert_eq!(trimmed(text), left, "{text:?}");
        }
        assert_eq!(check_id("A920 Pro"), Ok(()));
        assert_eq!(check_id("店-１"), Ok(()));
        assert_eq!(check_id(""), Err(InvalidId::Empty));
        for hidden in [
            '\u{a0}', '\u{3000}', '\u{200b}', '\u{feff}', '\n', '\0', '\u{fe0f}',
        ] {
            let id = format!("T{hidden}1");
            assert_eq!(check_id(&id), Err(InvalidId::Invisible(hidden)), "{id:?}");
        }
    }

    #[test]
    fn an_id_has_64_characters_at_most_whatever_its_bytes() {
        assert_eq!(check_id(&"店".repeat(64)), Ok(()));
        assert_eq!(check_id(&"店".repeat(65)), Err(InvalidId::TooLong));
        let told = InvalidId::Invisible('\u{200b}').to_string();
        assert_eq!(told, "holds an invisible character, U+200B");
    }

    #[test]
    fn every_cell_has_18_digits_and_what_is_no_cell_is_none() {
        // Mode 1 in the highest byte; the rest is resolution and place.
        for number in [0x0800_0000_0000_0000_u64, 0x08ff_ffff_ffff_ffff] {
            assert_eq!(number.to_string().len(), 18);
        }
        for text in ["", "paris", "ffffffffffffffff", "123456789012345678"] {
            assert_eq!(parse_cell(text), None, "{text}");
        }
    }

    #[test]
    fn a_network_code_keeps_its_leading_zeros() {
        let two: Plmn = "310-01".parse().expect("two-digit MNC");
        let three: Plmn = "310-001".parse().expect("three-digit MNC");
        assert_ne!(two, three);
        assert_eq!((two.mcc(), two.mnc()), ("310", "01"));
        assert_eq!((three.mcc(), three.mnc()), ("310", "001"));
        assert_eq!(format!("{two}/{three}"), "310-01/310-001");
    }

    #[test]
    fn what_is_not_a_network_code_is_refused() {
        for text in [
            "", "310410", "310-4", "310-4101", "31-0410", "310_410", "310-4x", "３10-41",
        ] {
            assert_eq!(text.parse::<Plmn>(), Err(InvalidPlmn(text.into())));
        }
    }
}
