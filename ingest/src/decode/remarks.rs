//! What decoding finds wrong with events it keeps: fields their contract does not have, and values that
//! are no numbers of their field. Almost no row has any, so they are told apart from the columns.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use schemas::card_data::mask_pans;

/// Most characters of a field's name that are kept.
const NAME_CHARS_MAX: usize = 64;
/// Most names told apart of the messages decoded at once; those beyond share [`OTHERS`].
const NAMES_MAX: usize = 10_000;
/// What fields are called that no longer have a name of their own.
pub(crate) const OTHERS: &str = "(others)";

/// Remarks on rows, by their index.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    names: Vec<String>,
    /// Where a name lies.
    places: HashMap<String, usize, FixedState>,
    /// Row, and which name the contract does not have.
    unknown: Vec<(usize, usize)>,
    /// A row once for each value that was taken off it.
    nulled: Vec<usize>,
}

impl Remarks {
    /// Notes a field of a row that the contract does not have.
    pub(super) fn unknown(&mut self, row: usize, name: &str) {
        let known = self.places.get(name).copied();
        let at = known.unwrap_or_else(|| self.named(name));
        self.unknown.push((row, at));
    }

    /// Returns where a name is kept that may not be new but for what is cut off it.
    fn named(&mut self, name: &str) -> usize {
        let kept = match self.names.len() < NAMES_MAX {
            true => shown(name),
            false => OTHERS.to_owned(),
        };
        *self.places.entry(kept).or_insert_with_key(|kept| {
            self.names.push(kept.clone());
            self.names.len() - 1
        })
    }

    /// Notes that a value of a row became null, for it was no number of its field.
    pub(super) fn nulled(&mut self, row: usize) {
        self.nulled.push(row);
    }

    /// Forgets the rows from this one on; rows come in order.
    pub(super) fn truncate(&mut self, rows: usize) {
        let lies_behind = |row: &usize| *row >= rows;
        while self.unknown.pop_if(|(row, _)| lies_behind(row)).is_some() {}
        while self.nulled.pop_if(|row| lies_behind(row)).is_some() {}
    }

    /// Takes over the remarks on rows that lie `row_of` there, their fields under a prefix.
    pub(super) fn take_over(
        &mut self,
        other: &Self,
        prefix: &str,
        row_of: impl Fn(usize) -> usize,
    ) {
        for (row, name) in &other.unknown {
            self.unknown(row_of(*row), &format!("{prefix}{}", other.names[*name]));
        }
        self.nulled
            .extend(other.nulled.iter().map(|row| row_of(*row)));
    }

    /// Returns each row with a field that the contract does not have, and the field's name, once.
    pub(crate) fn unknown_fields(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut fields = self.unknown.clone();
        fields.sort_unstable();
        fields.dedup();
        fields
            .into_iter()
            .map(|(row, name)| (row, self.names[name].as_str()))
    }

    /// Returns a row for each value that became null.
    pub(crate) fn nulled_rows(&self) -> &[usize] {
        &self.nulled
    }
}

/// A name as it may be printed: short, on one line, and no card number.
fn shown(name: &str) -> String {
    let masked = mask_pans(name.as_bytes());
    let name = String::from_utf8_lossy(&masked);
    let printable = name.chars().map(|c| if c.is_control() { '?' } else { c });
    printable.take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(remarks: &Remarks) -> Vec<(usize, &str)> {
        remarks.unknown_fields().collect()
    }

    #[test]
    fn a_row_has_a_field_once_and_those_of_lists_by_their_list() {
        let mut items = Remarks::default();
        items.unknown(0, "beam");
        items.unknown(1, "beam");
        items.unknown(2, "beam");
        items.nulled(2);
        let mut remarks = Remarks::default();
        remarks.unknown(0, "latitude");
        remarks.unknown(3, "latitude");
        remarks.truncate(2);
        remarks.take_over(&items, "neighbours.", |item| item / 2);
        assert_eq!(
            fields(&remarks),
            [
                (0, "latitude"),
                (0, "neighbours.beam"),
                (1, "neighbours.beam")
            ]
        );
        assert_eq!(remarks.nulled_rows(), [1]);
    }

    #[test]
    fn names_are_bounded_in_number_length_and_kind() {
        let mut remarks = Remarks::default();
        remarks.unknown(0, &"x".repeat(1_000));
        remarks.unknown(1, "4111111111111111");
        remarks.unknown(2, "a\nb");
        for row in 3..20_000 {
            remarks.unknown(row, &format!("field {row}"));
        }
        let found = fields(&remarks);
        assert_eq!(found.len(), 20_000);
        assert_eq!(found[0].1.len(), NAME_CHARS_MAX);
        assert!(!found[1].1.contains("411111"), "{}", found[1].1);
        assert_eq!(found[2].1, "a?b");
        assert_eq!(found[19_999].1, OTHERS);
        assert_eq!(remarks.names.len(), NAMES_MAX + 1);
    }
}
