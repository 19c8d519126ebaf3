//! Texts kept once each, under dense numbers: some bytes more than the text itself, where a map of
//! owned texts takes a hundred. There are millions of terminals.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

const HASH: FixedState = FixedState::with_seed(3);

/// Texts by number and numbers by text; the first text has number 0.
#[derive(Debug, Default)]
pub(super) struct Interned {
    bytes: String,
    /// Where each text ends in `bytes`.
    ends: Vec<usize>,
    numbers: HashTable<u32>,
}

impl Interned {
    /// Returns the number of a text, a new one if it was not met before.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        let hash = HASH.hash_one(text);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(number) = self
            .numbers
            .find(hash, |known| of(bytes, ends, *known) == text)
        {
            return *number;
        }
        let next = u32::try_from(self.ends.len()).expect("fewer than 2^32 texts");
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
        let (bytes, ends) = (&self.bytes, &self.ends);
        let rehash = |known: &u32| HASH.hash_one(of(bytes, ends, *known));
        self.numbers.insert_unique(hash, next, rehash);
        next
    }

    /// Returns the number of a text, if it was met before.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        let is_it = |known: &u32| self.text(*known) == text;
        self.numbers.find(HASH.hash_one(text), is_it).copied()
    }

    /// Returns the text of a number that was given out.
    pub(super) fn text(&self, number: u32) -> &str {
        of(&self.bytes, &self.ends, number)
    }

    /// Returns how many texts there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

fn of<'a>(bytes: &'a str, ends: &[usize], number: u32) -> &'a str {
    let number = number as usize;
    let from = number.checked_sub(1).map_or(0, |before| ends[before]);
    &bytes[from..ends[number]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number_and_a_number_its_text() {
        let mut texts = Interned::default();
        let names: Vec<String> = (0..1000)
            .map(|number| format!("T{}", number % 500))
            .collect();
        let numbers: Vec<u32> = names.iter().map(|name| texts.number(name)).collect();
        assert_eq!(texts.len(), 500);
        for (name, number) in names.iter().zip(numbers) {
            assert_eq!(texts.text(number), name);
            assert_eq!(texts.find(name), Some(number));
        }
        assert_eq!(texts.find("T500"), None);
    }

    #[test]
    fn an_empty_text_is_a_text() {
        let mut texts = Interned::default();
        assert_eq!(
            [texts.number(""), texts.number("a"), texts.number("")],
            [0, 1, 0]
        );
        assert_eq!(texts.text(0), "");
    }
}
