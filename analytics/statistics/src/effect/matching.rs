//! Comparison units that were as bad before as the treated ones.

use super::alike::{Free, nearer};
use super::estimate::Group;

/// Pairs each treated unit with the comparison unit nearest in the rate before, each used once.
///
/// The worst treated unit chooses first: comparison units that bad are the rarest. Treated units left
/// over when the comparison runs out are left out.
pub(super) fn pairs(treated: &Group, comparison: &Group) -> (Group, Group) {
    let mut pool = comparison.units.clone();
    pool.sort_by(|one, other| one.before.total_cmp(&other.before));
    let rates: Vec<f64> = pool.iter().map(|unit| unit.before).collect();
    let mut free = Free::of(rates.len());
    let mut choosing = treated.units.clone();
    choosing.sort_by(|one, other| other.before.total_cmp(&one.before));
    let (mut kept, mut chosen) = (Vec::new(), Vec::new());
    for unit in choosing {
        let above = rates.partition_point(|rate| *rate < unit.before);
        let (below, above) = (free.below(above), free.at_or_above(above));
        let Some(nearest) = nearer(&rates, unit.before, below, above) else {
            break;
        };
        free.take(nearest);
        chosen.push(pool[nearest]);
        kept.push(unit);
    }
    (Group::of_units(kept), Group::of_units(chosen))
}
