//! Identifiers that have a form to check: so far the network code. Others are plain text.

use std::fmt;
use std::str::FromStr;

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
