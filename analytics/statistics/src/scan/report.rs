//! From best windows to a list of clusters.

use std::fmt::Display;

use super::search::{Best, Data};
use super::windows::{LAST, Windows};
use super::{Cluster, Options};

/// Ratios that differ by less than this share are equal: sums in another order differ in the last
/// bits.
const SAME: f64 = 1e-9;

/// Scans, ranks and tests.
pub(super) fn clusters<Id: Ord + Clone + Display + Sync, P: Sync>(
    data: &Data<Id, P>,
    windows: &impl Windows,
    options: &Options,
) -> Vec<Cluster<Id>> {
    let (mut bests, maxima) = data.search(windows, options);
    bests.sort_by_key(order);
    let mut taken = vec![false; data.ids.len()];
    let mut clusters = Vec::new();
    for best in bests {
        if clusters.len() > options.secondary {
            break;
        }
        let mut members = Vec::new();
        windows.grow(best.centre, &mut members);
        members.truncate(best.size);
        let members: Vec<usize> = members
            .iter()
            .map(|entry| (entry & !LAST) as usize)
            .collect();
        if members.iter().any(|at| taken[*at]) {
            continue;
        }
        for at in &members {
            taken[*at] = true;
        }
        clusters.push(data.describe(clusters.len() + 1, &best, members, &maxima));
    }
    clusters
}

/// Highest ratio first; of equal ones the smaller window, then the first centre.
fn order(best: &Best) -> (i64, usize, usize) {
    // Rounded, so that equal ratios compare equal and the order stays transitive.
    let rounded = (best.llr / SAME).round().min(i64::MAX as f64) as i64;
    (-rounded, best.size, best.centre)
}

impl<Id: Ord + Clone + Display, P> Data<Id, P> {
    fn describe(
        &self,
        rank: usize,
        best: &Best,
        mut members: Vec<usize>,
        maxima: &[f64],
    ) -> Cluster<Id> {
        // Ids are sorted, so places are too.
        members.sort_unstable();
        let measure: f64 = members.iter().map(|at| self.measures[*at]).sum();
        let failures: u64 = members.iter().map(|at| self.failures[*at]).sum();
        let (inside, expected) = (failures as f64, self.law.expected(measure));
        let outside = (self.law.failures - inside) / (self.law.failures - expected);
        let as_high = maxima
            .iter()
            .filter(|high| **high >= best.llr * (1.0 - SAME))
            .count();
        Cluster {
            rank,
            centre: self.ids[best.centre].clone(),
            members: members.iter().map(|at| self.ids[*at].clone()).collect(),
            attempts: members.iter().map(|at| self.attempts[*at]).sum(),
            failures,
            expected,
            relative_risk: (outside > 0.0 && outside.is_finite())
                .then(|| inside / expected / outside),
            llr: best.llr,
            p: (!maxima.is_empty()).then(|| (1 + as_high) as f64 / (1 + maxima.len()) as f64),
        }
    }
}
