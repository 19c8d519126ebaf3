//! Where the place explains what fails, or may explain it: terminals there cannot be told from it.

use std::collections::{BTreeMap, HashMap};

use h3o::CellIndex;

use crate::zones::{Refusal, Zone, ZonesReport};

/// Fewest terminals of a candidate that is no zone but may explain its terminals' failures all the same:
/// with one alone, place and terminal are the same thing.
const FEWEST_TERMINALS: usize = 2;
/// Fewest of one that could be chance.
const FEWEST_OF_CHANCE: usize = 3;
/// Largest share of one terminal in the failures of such a candidate: above it the terminal is the
/// likelier culprit.
const WORST_SHARE: f64 = 0.6;
const WORST_SHARE_OF_CHANCE: f64 = 0.5;
/// Smallest share of weak readings of a candidate that could be chance.
const WEAK_SHARE: f64 = 0.10;

/// How sure it is that a place is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weakness {
    /// Probably, but too little is known to prove it.
    Possible,
    /// A zone.
    Zone,
}

/// Cells where the place explains failures, by carrier.
#[derive(Debug, Default)]
pub struct WeakPlaces(HashMap<CellIndex, BTreeMap<String, Weakness>>);

impl WeakPlaces {
    /// Tells whether a cell of a carrier is weak, and how sure that is.
    pub fn of(&self, cell: CellIndex, plmn: &str) -> Option<Weakness> {
        self.0.get(&cell)?.get(plmn).copied()
    }

    /// Tells whether a cell of a carrier is weak.
    pub fn has(&self, cell: CellIndex, plmn: &str) -> bool {
        self.of(cell, plmn).is_some()
    }

    fn add(&mut self, zone: &Zone, weakness: Weakness) {
        for plmn in &zone.plmns {
            let cells = zone.cells.iter();
            let near = cells.flat_map(|cell| cell.grid_disk::<Vec<_>>(1));
            for cell in near {
                let known = self.0.entry(cell).or_default();
                let known = known.entry(plmn.clone()).or_insert(weakness);
                *known = (*known).max(weakness);
            }
        }
    }
}

/// Returns cells and carriers where the place explains failures or may do so, those next to them
/// included.
pub fn weak_places(report: &ZonesReport) -> WeakPlaces {
    let mut explained = WeakPlaces::default();
    for zone in &report.zones {
        explained.add(zone, Weakness::Zone);
    }
    for refused in &report.refused {
        if is_probable(&refused.zone, refused.reason) {
            explained.add(&refused.zone, Weakness::Possible);
        }
    }
    explained
}

/// Whether a candidate that is no zone may explain what its terminals fail.
fn is_probable(zone: &Zone, reason: Refusal) -> bool {
    let is_weak = zone.weak_share.is_some_and(|share| share >= WEAK_SHARE);
    match reason {
        Refusal::Chance | Refusal::LowRate => {
            zone.terminals >= FEWEST_OF_CHANCE
                && zone.worst_terminal_share <= WORST_SHARE_OF_CHANCE
                && is_weak
        }
        // Too little for a proof: terminals, merchants, attempts, days.
        _ => zone.terminals >= FEWEST_TERMINALS && zone.worst_terminal_share <= WORST_SHARE,
    }
}
