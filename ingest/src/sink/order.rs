//! The order of messages before they are decoded: that of the files their rows become, so that nothing
//! need be moved afterwards.

use std::collections::HashMap;

use chrono::DateTime;
use foldhash::fast::FixedState;
use h3o::{CellIndex, Resolution};
use schemas::position::partition_cell;

use crate::decode::glance::Glance;
use crate::validate::places::{Found, Places};

/// A file's day and partition cell.
type Group = (i32, Option<CellIndex>);

/// Messages in the order of their files, and how many each file will have about.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Those that a glance did not understand come last.
    pub(crate) messages: Vec<Ordered>,
    rows: HashMap<Group, usize, FixedState>,
}

/// A message, by its index, and what was found of its position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ordered {
    pub(crate) message: usize,
    pub(crate) found: Option<Found>,
}

/// A message's place in the order: day, cell (none first), terminal, time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    day: i32,
    cell: Option<CellIndex>,
    /// The terminal's first bytes, which mostly decide: a number is compared faster than a text.
    begins: u128,
    terminal: &'a [u8],
    time_ms: i64,
    at: u32,
}

/// The first bytes of a text as a number whose order is theirs.
fn begins(text: &[u8]) -> u128 {
    let mut first = [0; size_of::<u128>()];
    let length = text.len().min(first.len());
    first[..length].copy_from_slice(&text[..length]);
    u128::from_be_bytes(first)
}

impl Order {
    /// Orders messages by what a glance says of each.
    pub(crate) fn of<'a>(
        glances: impl Iterator<Item = (usize, Option<Glance<'a>>)>,
        places: &mut Places,
        resolution: Resolution,
    ) -> Self {
        let most = glances.size_hint().1.unwrap_or_default();
        let (mut given, mut keys) = (Vec::with_capacity(most), Vec::with_capacity(most));
        let mut rest = Vec::new();
        for (at, (message, glance)) in (0_u32..).zip(glances) {
            let position = glance.and_then(|glance| glance.position);
            let found = position.and_then(|declared| places.find(declared));
            let ordered = Ordered { message, found };
            given.push(ordered);
            match glance.and_then(|glance| Some((glance, day(glance.event_time_ms)?))) {
                Some((glance, day)) => keys.push(Key {
                    day,
                    cell: found.map(|found| found.cell),
                    begins: begins(glance.terminal),
                    terminal: glance.terminal,
                    time_ms: glance.event_time_ms,
                    at,
                }),
                None => rest.push(ordered),
            }
        }
        keys.sort_unstable();
        let group = |key: &Key<'_>| -> Group {
            let partition = key.cell.and_then(|cell| partition_cell(cell, resolution));
            (key.day, partition)
        };
        let files = keys.chunk_by(|one, next| group(one) == group(next));
        let rows = files.map(|file| (group(&file[0]), file.len())).collect();
        let ordered = keys.iter().map(|key| given[key.at as usize]);
        Self {
            messages: ordered.chain(rest).collect(),
            rows,
        }
    }

    /// Returns about how many rows a file of this day and partition will have; `None` when nothing
    /// is known.
    pub(crate) fn expected_rows(&self, day: i32, partition: Option<&str>) -> Option<usize> {
        let cell = match partition {
            Some(name) => Some(name.parse().ok()?),
            None => None,
        };
        self.rows.get(&(day, cell)).copied()
    }
}

fn day(time_ms: i64) -> Option<i32> {
    let date = DateTime::from_timestamp_millis(time_ms)?.date_naive();
    Some(date.to_epoch_days())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::begins;

    proptest! {
        #[test]
        fn the_first_bytes_are_in_the_order_of_their_texts(
            same in prop::collection::vec(any::<u8>(), 0..18),
            ends in prop::array::uniform2(prop::collection::vec(any::<u8>(), 0..4)),
        ) {
            let [one, other] = ends.map(|end| [&same[..], &end].concat());
            let order = begins(&one).cmp(&begins(&other));
            prop_assert!(order.is_eq() || order == one.cmp(&other), "{one:?} {other:?}");
        }
    }
}
