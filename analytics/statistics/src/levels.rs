//! Turns names into dense numbers, in the order of the names rather than of the rows.

use foldhash::fast::FixedState;
use rayon::prelude::*;
use std::collections::HashMap;

/// The distinct names in ascending order, and the position of each row's name among them.
pub(crate) struct Levels<'a> {
    pub(crate) names: Vec<&'a str>,
    pub(crate) of_row: Vec<u32>,
}

impl<'a> Levels<'a> {
    /// Numbers the names of all rows.
    pub(crate) fn of(rows: impl Iterator<Item = &'a str>) -> Self {
        let mut seen: HashMap<&str, u32, FixedState> = HashMap::default();
        let mut names = Vec::new();
        let by_arrival: Vec<u32> = rows
            .map(|name| {
                *seen.entry(name).or_insert_with(|| {
                    names.push(name);
                    number(names.len() - 1)
                })
            })
            .collect();
        let mut order: Vec<(&str, usize)> = names.into_iter().zip(0..).collect();
        order.par_sort_unstable();
        let mut rank = vec![0; order.len()];
        for (position, &(_, arrival)) in order.iter().enumerate() {
            rank[arrival] = number(position);
        }
        Self {
            of_row: by_arrival
                .iter()
                .map(|&arrival| rank[arrival as usize])
                .collect(),
            names: order.into_iter().map(|(name, _)| name).collect(),
        }
    }

    /// Finds the number of a name.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.names.binary_search(&name).ok().map(number)
    }
}

fn number(position: usize) -> u32 {
    u32::try_from(position).expect("fewer than 2^32 distinct names")
}
