//! Rows in order, and which of them belong to which entity.

use std::collections::BTreeMap;

use h3o::{CellIndex, Resolution};
use rayon::prelude::*;

use super::window::Series;
use super::{Activity, FailingTerminals, MAX_HOURS, Outage, OutageError, SLOTS_PER_HOUR, concerns};

/// What an outage may belong to, in the order in which equal explanations are preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Host(u32),
    Carrier(u32),
    Everything,
    Release(u32),
    Place(u32, CellIndex),
}

/// Failing terminals in order of time, and what is left of them.
pub(super) struct Data {
    /// Sorted by slot, then terminal.
    pub(super) rows: Vec<FailingTerminals>,
    pub(super) activity: Vec<Activity>,
    /// Which outage, counted as found, covers the row first.
    pub(super) explained: Vec<Option<u32>>,
    /// First hour of rows and activity since 1970.
    pub(super) first_hour: i64,
    /// Hours from the first to the last.
    pub(super) hours: usize,
    /// Rows of each entity, ascending.
    pub(super) entities: Vec<(Key, Vec<u32>)>,
    /// Where the entities of cells are.
    pub(super) places: BTreeMap<(u32, CellIndex), usize>,
}

impl Data {
    /// Sorts and groups the input; `None` without rows.
    pub(super) fn of(
        failing: &[FailingTerminals],
        activity: &[Activity],
    ) -> Result<Option<Self>, OutageError> {
        if failing.len().max(activity.len()) > i32::MAX as usize {
            return Err(OutageError::TooMuch);
        }
        let rows = merged(failing);
        let mut activity = activity.to_vec();
        activity.par_sort_unstable();
        check_cells(&rows, &activity)?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(None);
        };
        let (mut from, mut to) = (hour_of(first.slot), hour_of(last.slot));
        if let (Some(first), Some(last)) = (activity.first(), activity.last()) {
            (from, to) = (from.min(first.hour), to.max(last.hour));
        }
        if to.saturating_sub(from) >= MAX_HOURS {
            return Err(OutageError::Span {
                first: from,
                last: to,
            });
        }
        let entities = group(&rows);
        let places = entities.iter().enumerate().filter_map(|(at, (key, _))| {
            let Key::Place(plmn, cell) = *key else {
                return None;
            };
            Some(((plmn, cell), at))
        });
        Ok(Some(Self {
            explained: vec![None; rows.len()],
            places: places.collect(),
            entities,
            rows,
            activity,
            first_hour: from,
            hours: (to - from + 1) as usize,
        }))
    }

    /// Slots of the whole time.
    pub(super) fn slots(&self) -> f64 {
        (self.hours as i64 * SLOTS_PER_HOUR) as f64
    }

    /// Slot of a row, counted from the first hour.
    pub(super) fn slot(&self, row: u32) -> i64 {
        self.rows[row as usize].slot - self.first_hour * SLOTS_PER_HOUR
    }

    /// Rows of an entity that are left.
    pub(super) fn left(&self, entity: usize) -> Vec<u32> {
        let rows = self.entities[entity].1.iter().copied();
        rows.filter(|row| self.is_left(*row)).collect()
    }

    /// Terminals that fail in each slot, from ascending rows.
    pub(super) fn series(&self, rows: &[u32]) -> Series {
        let mut series = Series::default();
        let mut before = None;
        for row in rows {
            let at = (self.slot(*row), self.rows[*row as usize].terminal);
            if before != Some(at) {
                series.push(at.0);
            }
            before = Some(at);
        }
        series
    }

    /// The part of ascending rows that lies in a window.
    pub(super) fn inside<'a>(&self, rows: &'a [u32], (from, to): (i64, i64)) -> &'a [u32] {
        let start = rows.partition_point(|row| self.slot(*row) < from);
        let end = rows.partition_point(|row| self.slot(*row) < to);
        &rows[start..end]
    }

    /// Tells whether no outage explains a row yet.
    pub(super) fn is_left(&self, row: u32) -> bool {
        self.explained[row as usize].is_none()
    }

    /// Takes out the rows that the outage with this number covers.
    pub(super) fn remove(&mut self, outage: &Outage, number: u32) {
        let start = self.rows.partition_point(|row| row.slot < outage.from_slot);
        let end = self.rows.partition_point(|row| row.slot < outage.to_slot);
        for at in start..end {
            let row = &self.rows[at];
            if concerns(outage, row.host, row.plmn, row.cell_r4, row.app_version) {
                self.explained[at].get_or_insert(number);
            }
        }
    }

    /// Activity of the hours from `from` to `to`, both included, counted from the first.
    pub(super) fn active(&self, from: i64, to: i64) -> &[Activity] {
        let start = self
            .activity
            .partition_point(|row| row.hour - self.first_hour < from);
        let end = self
            .activity
            .partition_point(|row| row.hour - self.first_hour <= to);
        &self.activity[start..end.max(start)]
    }
}

/// Hour of a slot.
pub(super) fn hour_of(slot: i64) -> i64 {
    slot.div_euclid(SLOTS_PER_HOUR)
}

fn merged(failing: &[FailingTerminals]) -> Vec<FailingTerminals> {
    let mut rows: Vec<_> = failing
        .iter()
        .filter(|row| row.failures > 0)
        .copied()
        .collect();
    rows.par_sort_unstable();
    rows.dedup_by(|next, kept| {
        let same = FailingTerminals {
            failures: kept.failures,
            ..*next
        } == *kept;
        if same {
            kept.failures = kept.failures.saturating_add(next.failures);
        }
        same
    });
    rows
}

fn check_cells(rows: &[FailingTerminals], activity: &[Activity]) -> Result<(), OutageError> {
    let cells = rows.iter().map(|row| row.cell_r4);
    let cells = cells.chain(activity.iter().map(|row| row.cell_r4));
    let wrong = cells
        .flatten()
        .filter(|cell| cell.resolution() != Resolution::Four)
        .min();
    match wrong {
        Some(cell) => Err(OutageError::CellResolution {
            cell,
            found: cell.resolution(),
        }),
        None => Ok(()),
    }
}

/// Groups rows by each kind of entity.
fn group(rows: &[FailingTerminals]) -> Vec<(Key, Vec<u32>)> {
    type Reader = fn(&FailingTerminals) -> Option<Key>;
    let readers: [Reader; 5] = [
        |row| row.host.map(Key::Host),
        |row| row.plmn.map(Key::Carrier),
        |_| Some(Key::Everything),
        |row| row.app_version.map(Key::Release),
        |row| Some(Key::Place(row.plmn?, row.cell_r4?)),
    ];
    let of_kind = readers.par_iter().map(|key| {
        let mut groups: BTreeMap<Key, Vec<u32>> = BTreeMap::new();
        for (at, row) in rows.iter().enumerate() {
            if let Some(key) = key(row) {
                groups.entry(key).or_default().push(at as u32);
            }
        }
        groups.into_iter().collect::<Vec<_>>()
    });
    of_kind.collect::<Vec<_>>().concat()
}
