//! Comparison units that were as bad before as the treated ones, several for each.

/// Chooses, for each treated rate, comparison rates nearest to it, each used once.
///
/// Returns positions in `pool`, ascending. In every round each treated unit takes one, the worst first,
/// because comparison units that bad are the rarest; fewer are chosen when the pool runs out. Rates that
/// are not finite are passed over.
///
/// ```
/// use statistics::effect::most_alike;
/// assert_eq!(most_alike(&[0.30, 0.02], &[0.01, 0.02, 0.25, 0.90], 1), [1, 2]);
/// ```
pub fn most_alike(treated: &[f64], pool: &[f64], rounds: usize) -> Vec<usize> {
    let finite = |rate: &&f64| rate.is_finite();
    let mut order: Vec<usize> = (0..pool.len()).filter(|&at| finite(&&pool[at])).collect();
    order.sort_by(|&one, &other| pool[one].total_cmp(&pool[other]));
    let rates: Vec<f64> = order.iter().map(|&at| pool[at]).collect();
    let mut choosing: Vec<f64> = treated.iter().filter(finite).copied().collect();
    choosing.sort_by(|one, other| other.total_cmp(one));
    let mut free = Free::of(rates.len());
    let mut chosen = Vec::new();
    for _ in 0..rounds {
        for rate in &choosing {
            let above = free.at_or_above(rates.partition_point(|other| other < rate));
            let below = free.below(rates.partition_point(|other| other < rate));
            let Some(nearest) = nearer(&rates, *rate, below, above) else {
                break;
            };
            free.take(nearest);
            chosen.push(order[nearest]);
        }
    }
    chosen.sort_unstable();
    chosen
}

/// The better of two equally near ones.
pub(super) fn nearer(
    rates: &[f64],
    rate: f64,
    below: Option<usize>,
    above: Option<usize>,
) -> Option<usize> {
    match (below, above) {
        (Some(below), Some(above)) => Some(if rates[above] - rate < rate - rates[below] {
            above
        } else {
            below
        }),
        (one, other) => one.or(other),
    }
}

/// Positions that are free, found from either side without walking over those that are not.
pub(super) struct Free {
    /// A position at or above which nothing nearer is free; the length is past the end.
    up: Vec<usize>,
    /// The same downwards, shifted by one: 0 is before the beginning.
    down: Vec<usize>,
}

impl Free {
    pub(super) fn of(count: usize) -> Self {
        Self {
            up: (0..=count).collect(),
            down: (0..=count).collect(),
        }
    }

    pub(super) fn at_or_above(&mut self, position: usize) -> Option<usize> {
        let found = root(&mut self.up, position);
        (found + 1 < self.up.len()).then_some(found)
    }

    pub(super) fn below(&mut self, position: usize) -> Option<usize> {
        root(&mut self.down, position).checked_sub(1)
    }

    pub(super) fn take(&mut self, position: usize) {
        self.up[position] = position + 1;
        self.down[position + 1] = position;
    }
}

/// Follows links to one that leads to itself, and shortens the way for the next.
fn root(links: &mut [usize], from: usize) -> usize {
    let mut at = from;
    while links[at] != at {
        links[at] = links[links[at]];
        at = links[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_is_used_once_and_the_pool_may_run_out() {
        assert_eq!(most_alike(&[0.5, 0.5], &[0.1, 0.5, 0.9], 5), [0, 1, 2]);
        assert_eq!(most_alike(&[0.5], &[], 3), Vec::<usize>::new());
        assert_eq!(most_alike(&[], &[0.1], 3), Vec::<usize>::new());
        assert_eq!(most_alike(&[0.2], &[f64::NAN, 0.9], 2), [1]);
    }

    #[test]
    fn the_worst_chooses_first_and_the_better_of_equals_is_taken() {
        assert_eq!(most_alike(&[0.10, 0.20], &[0.18, 0.05], 1), [0, 1]);
        assert_eq!(most_alike(&[0.25], &[0.375, 0.125], 1), [1]);
    }

    proptest::proptest! {
        #[test]
        fn the_nearest_of_one_is_the_nearest(
            rate in 0.0f64..1.0,
            pool in proptest::collection::vec(0.0f64..1.0, 1..40),
            rounds in 1usize..6,
        ) {
            let chosen = most_alike(&[rate], &pool, rounds);
            proptest::prop_assert_eq!(chosen.len(), rounds.min(pool.len()));
            let distance = |at: usize| (pool[at] - rate).abs();
            let farthest = chosen.iter().map(|&at| distance(at)).fold(0.0, f64::max);
            let left = (0..pool.len()).filter(|at| !chosen.contains(at));
            for at in left {
                proptest::prop_assert!(distance(at) >= farthest - 1e-12);
            }
        }
    }
}
