//! Comparison units that were as bad before as the treated ones.

use super::estimate::{Group, Unit};

/// Pairs each treated unit with the comparison unit nearest in the rate before, each used once.
///
/// The worst treated unit chooses first: comparison units that bad are the rarest. Treated units left
/// over when the comparison runs out are left out.
pub(super) fn pairs(treated: &Group, comparison: &Group) -> (Group, Group) {
    let mut free = comparison.units.clone();
    free.sort_by(|one, other| one.before.total_cmp(&other.before));
    let mut choosing = treated.units.clone();
    choosing.sort_by(|one, other| other.before.total_cmp(&one.before));
    let (mut kept, mut chosen) = (Vec::new(), Vec::new());
    for unit in choosing {
        let Some(nearest) = nearest(&free, unit.before) else {
            break;
        };
        chosen.push(free.remove(nearest));
        kept.push(unit);
    }
    (Group::of_units(kept), Group::of_units(chosen))
}

/// Position of the unit nearest in the rate before; the better of two equally near ones.
fn nearest(free: &[Unit], rate: f64) -> Option<usize> {
    let above = free.partition_point(|unit| unit.before < rate);
    let below = above.checked_sub(1);
    match (below, free.get(above)) {
        (None, None) => None,
        (None, Some(_)) => Some(above),
        (Some(below), None) => Some(below),
        (Some(below), Some(next)) => Some(if next.before - rate < rate - free[below].before {
            above
        } else {
            below
        }),
    }
}
