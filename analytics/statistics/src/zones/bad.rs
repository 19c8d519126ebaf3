//! Terminals that fail by themselves, and how many of them can meet in a place by chance.
//!
//! Most terminals differ a little, as the spread says; a few are broken, and fail wherever they stand.
//! Two of those at one place look like a bad place, and no spread of the others tells. So their share
//! is counted where they stand alone, and a place must hold without as many of its worst terminals as
//! could be broken ones that met there, in any of as many places as there are cells. A place of
//! several cells could have had other shapes, which is not paid for: fleets of 400 with 1, 3 or 6 % of
//! broken terminals that nobody flagged show a zone in 1, 3 and 0 of 200 seeds; 23 of 200 with 3 % when
//! only one terminal is left out. Where most readings are weak it is the place that is: broken terminals do
//! not weaken those of the others.

use std::collections::HashMap;

use h3o::CellIndex;

use super::ZoneOptions;
use super::fleet::Fleet;
use super::grow::neighbours;
use super::layer::{Ground, LayerCell};
use crate::special::beta_cdf;

/// A terminal fails by itself with at most this p-value, and the rate that makes a zone.
const BAD_P: f64 = 0.001;
/// Others round a terminal that fail, and their share, from which it may be the place that fails.
const PLACE_FAILING: u32 = 2;
const PLACE_SHARE: f64 = 0.2;

/// Terminals, and those that fail by themselves.
#[derive(Clone, Copy, Default)]
struct Count {
    all: u32,
    failing: u32,
}

/// Share of terminals that fail by themselves: of those where few others fail in their cell and those
/// next to it. Terminals that were flagged before belong to them. One is added to either side.
pub(super) fn bad_share(fleet: &Fleet<'_>, ground: &Ground, options: &ZoneOptions) -> f64 {
    let (mut bad, mut all) = (fleet.flagged as f64 + 1.0, fleet.flagged as f64 + 2.0);
    for layer in &ground.carriers {
        let count = |cell: &LayerCell| (cell.cell, count(fleet, ground, cell, options));
        let counts: HashMap<CellIndex, Count> = layer.cells.iter().map(count).collect();
        for cell in &layer.cells {
            let own = counts[&cell.cell];
            let mut round = own;
            let near = neighbours(cell.cell);
            for near in near.iter().filter_map(|near| counts.get(near)) {
                round.all += near.all;
                round.failing += near.failing;
            }
            let is_place = |failing: u32| {
                let others = f64::from(round.all.saturating_sub(1));
                failing >= PLACE_FAILING && f64::from(failing) > PLACE_SHARE * others
            };
            if !is_place(round.failing) {
                all += f64::from(own.all - own.failing);
            }
            if !is_place(round.failing.saturating_sub(1)) {
                all += f64::from(own.failing);
                bad += f64::from(own.failing);
            }
        }
    }
    bad / all
}

fn count(fleet: &Fleet<'_>, ground: &Ground, cell: &LayerCell, options: &ZoneOptions) -> Count {
    let mut count = Count::default();
    for &seat in &cell.seats {
        let evidence = ground.evidence(&ground.seats(fleet, &[seat]));
        let has_attempts = evidence.attempts > 0.0;
        let is_high = evidence.failures >= options.rate_ratio * evidence.expected;
        count.all += u32::from(has_attempts);
        count.failing += u32::from(has_attempts && is_high && evidence.upper_tail() <= BAD_P);
    }
    count
}

/// The fewest that chance does not exceed: more bad ones than that among the terminals of a place have
/// a probability of at most `q` over all `places`. At least one, at most all.
pub(super) fn may_meet(terminals: usize, bad_share: f64, places: f64, q: f64) -> usize {
    let more_than = |count: usize| {
        let (successes, rest) = (count as f64 + 1.0, (terminals - count) as f64);
        beta_cdf(bad_share, successes, rest)
    };
    let enough = |count: &usize| more_than(*count) * places <= q;
    (1..terminals).find(enough).unwrap_or(terminals)
}
