//! Carriers that work inside a place where others fail, cell by cell.
//!
//! A not-spot says that no carrier helps. So a cell where one credibly works is cut off at its edge, unless
//! another carrier fails there with weak signal; what stays has that carrier out of its counts, and names it as
//! what helps there.
//!
//! A carrier works in a cell with at least `min_cell_attempts` attempts of it there when the 95 %
//! interval of its shrunken rate ends below 1.5 baselines, whatever its signal, or below 2 with no weak
//! signal. The spread of terminals is in that interval: for a baseline of 3 % it takes some 100 to 200
//! attempts of one terminal without a failure, and fewer of several. Where its signal was measured often enough
//! and is not weak, it works while it fails at most half more often than such devices elsewhere: a not-spot is
//! weak on every carrier.

use std::collections::{BTreeMap, BTreeSet};

use h3o::CellIndex;

use super::fleet::{Seat, Sums};
use super::grow::{components, neighbours};
use super::inside::Inside;
use super::judge::JUDGED_READINGS;
use super::layer::{Ground, LayerCell};
use super::{CellClass, GoodPart, ZoneOptions};

/// Failures of a carrier with good signal, in those of such devices elsewhere, up to which it works.
const USUAL_RATIO: f64 = 1.5;

/// Carriers, by number, and where each of them works.
pub(super) type GoodCells = BTreeMap<u32, BTreeSet<CellIndex>>;

pub(super) fn is_weak(sums: &Sums, options: &ZoneOptions) -> bool {
    sums.readings > 0 && sums.weak_readings as f64 >= options.weak_share * sums.readings as f64
}

fn works(cell: &LayerCell, options: &ZoneOptions) -> bool {
    let is_tested = cell.class != CellClass::Untested;
    let is_raised = matches!(cell.class, CellClass::High | CellClass::Raised);
    let is_heard = cell.sums.readings >= JUDGED_READINGS && !is_weak(&cell.sums, options);
    // Counted as they are: shrinking would make the failures of one terminal look usual.
    let is_usual = cell.sums.failures as f64 <= USUAL_RATIO * cell.sums.expected;
    if is_tested && is_heard && is_usual && !is_raised {
        return true;
    }
    let is_low = cell
        .estimate
        .is_some_and(|estimate| estimate.is_not_raised());
    cell.class == CellClass::Ordinary || (is_tested && is_low && !is_weak(&cell.sums, options))
}

/// Where each carrier works among the cells.
pub(super) fn good_cells(ground: &Ground, cells: &[CellIndex], options: &ZoneOptions) -> GoodCells {
    let mut good = GoodCells::new();
    for &cell in cells {
        for &plmn in ground.carriers_of(cell) {
            let known = ground.carriers[plmn as usize].at(cell);
            if known.is_some_and(|known| works(known, options)) {
                good.entry(plmn).or_default().insert(cell);
            }
        }
    }
    good
}

/// Tells whether a carrier fails in the cell, and hears little.
pub(super) fn fails_by_signal(ground: &Ground, cell: CellIndex, options: &ZoneOptions) -> bool {
    ground.carriers_of(cell).iter().any(|&plmn| {
        let known = ground.carriers[plmn as usize].at(cell);
        known.is_some_and(|known| known.class == CellClass::High && is_weak(&known.sums, options))
    })
}

/// Cuts cells where a carrier works off the edge, but for those that `stays` names, and returns what is left, in connected pieces. Each
/// cell is looked at once, and once more for each neighbour that goes.
pub(super) fn cut(
    cells: &[CellIndex],
    good: &GoodCells,
    has_data: impl Fn(CellIndex) -> bool,
    stays: impl Fn(CellIndex) -> bool,
) -> Vec<Vec<CellIndex>> {
    let good = good.values().flatten().copied();
    let good: BTreeSet<CellIndex> = good.filter(|cell| !stays(*cell)).collect();
    let mut inside: BTreeSet<CellIndex> = cells.iter().copied().collect();
    let mut queue: Vec<CellIndex> = good.iter().copied().collect();
    while let Some(cell) = queue.pop() {
        let near = neighbours(cell);
        let is_edge = near.iter().any(|near| !inside.contains(near));
        if is_edge && inside.remove(&cell) {
            queue.extend(near.into_iter().filter(|near| good.contains(near)));
        }
    }
    if inside.len() == cells.len() {
        return vec![cells.to_vec()];
    }
    pieces(inside, has_data)
}

/// Connected pieces, without the cells without data that led to what is gone.
pub(super) fn pieces(
    mut inside: BTreeSet<CellIndex>,
    has_data: impl Fn(CellIndex) -> bool,
) -> Vec<Vec<CellIndex>> {
    let mut queue: Vec<CellIndex> = inside.iter().copied().collect();
    while let Some(cell) = queue.pop() {
        let mut near = neighbours(cell);
        near.retain(|near| inside.contains(near));
        if near.len() < 2 && !has_data(cell) && inside.remove(&cell) {
            queue.extend(near);
        }
    }
    components(&inside)
}

/// Adds carriers that work in the place as a whole, though in no cell by itself.
pub(super) fn add_whole(inside: &Inside<'_>, good: &mut GoodCells, options: &ZoneOptions) {
    for plmn in inside.distinct(|seat| seat.plmn) {
        let mut sums = Sums::default();
        let mut cells = BTreeSet::new();
        for seat in inside
            .seats()
            .filter(|seat| seat.plmn == plmn && seat.sums.attempts > 0)
        {
            sums += &seat.sums;
            cells.insert(seat.cell);
        }
        let enough = sums.attempts >= options.min_cell_attempts.max(1);
        if enough && !is_weak(&sums, options) {
            let evidence = inside.evidence_of(|seat| seat.plmn == plmn);
            if evidence.estimate().is_not_raised() {
                good.entry(plmn).or_default().extend(cells);
            }
        }
    }
}

/// The counts of carriers where they work, and nothing else of them.
pub(super) fn good_parts(inside: &Inside<'_>, good: &GoodCells) -> Vec<GoodPart> {
    let part = |(&plmn, cells): (&u32, &BTreeSet<CellIndex>)| {
        let is_own = |seat: &&Seat| seat.plmn == plmn && cells.contains(&seat.cell);
        let mut sums = Sums::default();
        let mut terminals = BTreeSet::new();
        for seat in inside.seats().filter(is_own) {
            sums += &seat.sums;
            terminals.insert(seat.terminal);
        }
        GoodPart {
            plmn: inside.fleet.plmns[plmn as usize].to_owned(),
            cells: cells.iter().copied().collect(),
            terminals: terminals.len(),
            attempts: sums.attempts,
            failures: sums.failures,
        }
    };
    good.iter().map(part).collect()
}
