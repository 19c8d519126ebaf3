//! Outages of carriers in cells: one incident from the cells that fail together.

use std::collections::BTreeSet;

use h3o::CellIndex;

use super::search::Round;
use super::verify::{is_one_hosts, per_terminal};
use super::window::{self, Law, Window};

/// Least likelihood ratio of a cell, or of another carrier, that joins.
const JOINS: f64 = 4.0;
const CARRIER_JOINS: f64 = 8.0;
/// Least observed over expected of what joins.
const JOINING_RATIO: f64 = 2.0;
/// Most rounds of growing.
const ROUNDS: usize = 12;

/// Cells and carriers that fail together.
#[derive(Debug, Clone)]
pub(super) struct Incident {
    pub(super) plmns: BTreeSet<u32>,
    pub(super) cells: BTreeSet<CellIndex>,
    /// Entities of the cells and carriers.
    pub(super) members: BTreeSet<usize>,
    /// Their rows that are left, ascending.
    pub(super) rows: Vec<u32>,
    pub(super) window: Window,
    pub(super) law: Law,
}

impl Incident {
    /// Opens an incident with one cell.
    pub(super) fn seed(
        place: (u32, CellIndex),
        member: usize,
        rows: Vec<u32>,
        (window, law): (Window, Law),
    ) -> Self {
        Self {
            plmns: BTreeSet::from([place.0]),
            cells: BTreeSet::from([place.1]),
            members: BTreeSet::from([member]),
            rows,
            window,
            law,
        }
    }

    /// Adds neighbours and carriers that fail in the same window until none does.
    pub(super) fn grow(mut self, round: &Round<'_>) -> Self {
        for _ in 0..ROUNDS {
            let mut next = self.clone();
            next.join_neighbours(round);
            next.join_carriers(round);
            if next.members == self.members || !next.refit(round) {
                break;
            }
            self = next;
        }
        self
    }

    fn join_neighbours(&mut self, round: &Round<'_>) {
        let mut border: Vec<CellIndex> = self.cells.iter().copied().collect();
        while let Some(cell) = border.pop() {
            for near in cell.grid_disk::<Vec<_>>(1) {
                if self.cells.contains(&near) {
                    continue;
                }
                let places = self.plmns.iter().map(|plmn| (*plmn, near));
                let found = places.filter_map(|place| round.data.places.get(&place).copied());
                let rows = round.rows_of(found);
                if self.fails_too(round, &rows, JOINS).is_some() {
                    self.cells.insert(near);
                    border.push(near);
                }
            }
        }
        self.enrol(round);
    }

    fn join_carriers(&mut self, round: &Round<'_>) {
        for plmn in round.plmns {
            if self.plmns.contains(plmn) {
                continue;
            }
            let places = self.cells.iter().map(|cell| (*plmn, *cell));
            let found = places.filter_map(|place| round.data.places.get(&place).copied());
            let rows = round.rows_of(found);
            let inside = round.data.inside(&rows, self.window.span);
            if per_terminal(round.data, inside).len() >= 3
                && let Some(window) = self.fails_too(round, &rows, CARRIER_JOINS)
                && !is_one_hosts(round.data, &rows, &window)
            {
                self.plmns.insert(*plmn);
            }
        }
        self.enrol(round);
    }

    /// Lists the entities of all cells and carriers.
    fn enrol(&mut self, round: &Round<'_>) {
        for plmn in &self.plmns {
            let places = self.cells.iter().map(|cell| (*plmn, *cell));
            self.members
                .extend(places.filter_map(|place| round.data.places.get(&place)));
        }
    }

    /// The window of the incident in other rows, when they stand out in it.
    fn fails_too(&self, round: &Round<'_>, rows: &[u32], least: f64) -> Option<Window> {
        let span = self.window.span;
        let series = round.data.series(rows);
        let count = series.count(span);
        if count < 2 {
            return None;
        }
        let weights = round.shape.weights(&series);
        let law = Law::conditional(&series, &weights);
        let weight = weights.within(span);
        let window = Window {
            span,
            count,
            weight,
            expected: law.expected(count as f64, weight),
            llr: law.llr(count as f64, weight),
        };
        let stands_out = count as f64 >= JOINING_RATIO * window.expected && window.llr >= least;
        stands_out.then_some(window)
    }

    /// Finds the window of all members; false when there is none.
    fn refit(&mut self, round: &Round<'_>) -> bool {
        self.rows = round.rows_of(self.members.iter().copied());
        let series = round.data.series(&self.rows);
        let weights = round.shape.weights(&series);
        self.law = Law::conditional(&series, &weights);
        match window::best(&series, &weights, self.law, round.least()) {
            Some(window) if overlap(window.span, self.window.span) => {
                self.window = window;
                true
            }
            _ => false,
        }
    }
}

/// Tells whether two windows have a slot in common.
pub(super) fn overlap(a: (i64, i64), b: (i64, i64)) -> bool {
    a.0 < b.1 && b.0 < a.1
}
