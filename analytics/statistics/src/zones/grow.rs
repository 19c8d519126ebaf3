//! Joins cells of a layer into candidates, over small gaps, and grows them to raised neighbours.
//!
//! A candidate starts from a high cell, or from two raised ones side by side: a small place on a border
//! of cells is high in neither. Whatever it starts from, its test pays for every connected set.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use h3o::CellIndex;

use super::CellClass;
use super::layer::{Layer, LayerCell};

/// Zones are not bridged over tested cells below this rate, in baselines.
const BRIDGE_RATIO: f64 = 1.25;
/// An open cell of at least this rate, in baselines, joins a zone with so many of its neighbours
/// inside.
const LIKELY_RATIO: f64 = 1.5;
const LIKELY_NEIGHBOURS: usize = 2;
/// Any other cell needs so many: a hole, not a border.
const HOLE_NEIGHBOURS: usize = 5;

/// The cells of each candidate, sorted, bridged ones included; candidates in the order of their lowest
/// cell.
pub(super) fn grow(layer: &Layer, gap: u32) -> Vec<Vec<CellIndex>> {
    let classes: HashMap<CellIndex, CellClass> = layer
        .cells
        .iter()
        .map(|cell| (cell.cell, bridge_class(cell)))
        .collect();
    let mut inside = joined(layer, &classes, gap);
    add_raised(&mut inside, &classes);
    fill(&mut inside, &likely(layer));
    components(&inside)
}

/// An open cell that is rather not raised is no bridge either.
fn bridge_class(cell: &LayerCell) -> CellClass {
    let ratio = cell
        .estimate
        .map_or(f64::INFINITY, |estimate| estimate.ratio);
    match cell.class {
        CellClass::Open if ratio < BRIDGE_RATIO => CellClass::Ordinary,
        class => class,
    }
}

/// Cells to start from, and the shortest ways between those that are near.
fn joined(layer: &Layer, classes: &HashMap<CellIndex, CellClass>, gap: u32) -> BTreeSet<CellIndex> {
    let high: BTreeSet<CellIndex> = layer
        .cells
        .iter()
        .filter(|cell| starts(cell, classes))
        .map(|cell| cell.cell)
        .collect();
    let mut inside = high.clone();
    for &from in &high {
        inside.extend(ways(from, &high, classes, gap));
    }
    inside
}

fn starts(cell: &LayerCell, classes: &HashMap<CellIndex, CellClass>) -> bool {
    let is_raised = |cell: &CellIndex| classes.get(cell) == Some(&CellClass::Raised);
    match cell.class {
        CellClass::High => true,
        CellClass::Raised => neighbours(cell.cell).iter().any(is_raised),
        _ => false,
    }
}

/// Cells on the shortest ways from a high cell to others, through cells that do not speak against it.
fn ways(
    from: CellIndex,
    high: &BTreeSet<CellIndex>,
    classes: &HashMap<CellIndex, CellClass>,
    gap: u32,
) -> Vec<CellIndex> {
    let mut before: BTreeMap<CellIndex, (CellIndex, u32)> = BTreeMap::from([(from, (from, 0))]);
    let mut queue = VecDeque::from([from]);
    let mut found = Vec::new();
    while let Some(cell) = queue.pop_front() {
        let steps = before[&cell].1;
        for next in neighbours(cell) {
            if before.contains_key(&next) || classes.get(&next) == Some(&CellClass::Ordinary) {
                continue;
            }
            before.insert(next, (cell, steps + 1));
            if high.contains(&next) {
                let mut back = cell;
                while back != from {
                    found.push(back);
                    back = before[&back].0;
                }
            } else if steps < gap {
                queue.push_back(next);
            }
        }
    }
    found
}

fn add_raised(inside: &mut BTreeSet<CellIndex>, classes: &HashMap<CellIndex, CellClass>) {
    let mut queue: VecDeque<CellIndex> = inside.iter().copied().collect();
    while let Some(cell) = queue.pop_front() {
        for next in neighbours(cell) {
            if classes.get(&next) == Some(&CellClass::Raised) && inside.insert(next) {
                queue.push_back(next);
            }
        }
    }
}

/// Cells that could be either, and rather are raised.
fn likely(layer: &Layer) -> BTreeSet<CellIndex> {
    let is_likely = |cell: &&LayerCell| {
        let ratio = cell.estimate.map_or(0.0, |estimate| estimate.ratio);
        matches!(cell.class, CellClass::Open | CellClass::Untested) && ratio >= LIKELY_RATIO
    };
    let found = layer.cells.iter().filter(is_likely);
    found.map(|cell| cell.cell).collect()
}

/// One pass over the cells round the zones: what is nearly enclosed belongs to the area.
fn fill(inside: &mut BTreeSet<CellIndex>, likely: &BTreeSet<CellIndex>) {
    let around: BTreeSet<CellIndex> = inside.iter().flat_map(|cell| neighbours(*cell)).collect();
    let enclosed: Vec<CellIndex> = around
        .into_iter()
        .filter(|cell| !inside.contains(cell))
        .filter(|cell| {
            let enough = match likely.contains(cell) {
                true => LIKELY_NEIGHBOURS,
                false => HOLE_NEIGHBOURS,
            };
            let near = neighbours(*cell);
            near.iter().filter(|near| inside.contains(near)).count() >= enough
        })
        .collect();
    inside.extend(enclosed);
}

pub(super) fn components(inside: &BTreeSet<CellIndex>) -> Vec<Vec<CellIndex>> {
    let mut left = inside.clone();
    let mut zones = Vec::new();
    while let Some(first) = left.pop_first() {
        let (mut zone, mut queue) = (vec![first], vec![first]);
        while let Some(cell) = queue.pop() {
            for next in neighbours(cell) {
                if left.remove(&next) {
                    zone.push(next);
                    queue.push(next);
                }
            }
        }
        zone.sort_unstable();
        zones.push(zone);
    }
    zones
}

/// The five or six neighbours, sorted.
pub(super) fn neighbours(cell: CellIndex) -> Vec<CellIndex> {
    let mut near: Vec<CellIndex> = cell.grid_disk::<Vec<_>>(1);
    near.retain(|near| *near != cell);
    near.sort_unstable();
    near
}
