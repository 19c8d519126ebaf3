//! The seats of one layer inside some cells, and what they weigh together.

use std::borrow::Cow;

use super::fleet::{Fleet, Seat};
use super::layer::{Evidence, Ground, Layer, LayerCell};
use h3o::CellIndex;

/// Seats of one layer inside some cells, cell by cell; cells without data have none.
pub(super) struct Inside<'a> {
    pub(super) ground: &'a Ground,
    pub(super) fleet: &'a Fleet<'a>,
    pub(super) cells: Vec<Cow<'a, LayerCell>>,
}

impl<'a> Inside<'a> {
    pub(super) fn of(
        ground: &'a Ground,
        fleet: &'a Fleet<'a>,
        layer: &'a Layer,
        cells: &[CellIndex],
    ) -> Self {
        let found = cells.iter().filter_map(|cell| layer.at(*cell));
        Self {
            ground,
            fleet,
            cells: found.map(Cow::Borrowed).collect(),
        }
    }

    pub(super) fn seats(&self) -> impl Iterator<Item = &Seat> {
        let seats = self.cells.iter().flat_map(|cell| &cell.seats);
        seats.map(|&seat| &self.fleet.seats[seat as usize])
    }

    pub(super) fn evidence(&self) -> Evidence {
        let mut evidence = Evidence::default();
        for cell in &self.cells {
            evidence.add(&cell.evidence);
        }
        evidence
    }

    /// Evidence of the seats that are kept. Only cells that lose a seat are weighed again.
    pub(super) fn evidence_of(&self, keep: impl Fn(&Seat) -> bool) -> Evidence {
        let mut evidence = Evidence::default();
        for cell in &self.cells {
            let seats = cell.seats.iter().copied();
            let seats: Vec<u32> = seats
                .filter(|&seat| keep(&self.fleet.seats[seat as usize]))
                .collect();
            if seats.len() == cell.seats.len() {
                evidence.add(&cell.evidence);
            } else {
                let seats = self.ground.seats(self.fleet, &seats);
                evidence.add(&self.ground.evidence(&seats));
            }
        }
        evidence
    }

    /// The same cells without some seats.
    pub(super) fn without(self, drop: impl Fn(&Seat) -> bool) -> Self {
        let Self {
            ground,
            fleet,
            cells,
        } = self;
        let dropped = |cell: Cow<'a, LayerCell>| {
            if !cell
                .seats
                .iter()
                .any(|&seat| drop(&fleet.seats[seat as usize]))
            {
                return cell;
            }
            let mut cell = cell.into_owned();
            cell.seats
                .retain(|&seat| !drop(&fleet.seats[seat as usize]));
            let seats = ground.seats(fleet, &cell.seats);
            cell.sums = seats.sums();
            cell.evidence = ground.evidence(&seats);
            Cow::Owned(cell)
        };
        Self {
            ground,
            fleet,
            cells: cells.into_iter().map(dropped).collect(),
        }
    }

    /// Distinct keys of the seats that are counted, sorted.
    pub(super) fn distinct(&self, key: impl Fn(&Seat) -> u32) -> Vec<u32> {
        let mut keys: Vec<u32> = self.seats().map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
