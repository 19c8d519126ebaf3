//! Whether a place holds without any one of its terminals, and without any one of its merchants.
//!
//! The worst [`MOST`] of each are left out in turn, by failures beyond the expected ones, and the
//! worst outcome counts. That is every one in a place of up to so many. In a larger place none of the
//! others has more of the excess than any that was tried, which is at most one part in
//! [`MOST`] + 1 of it: what stands without the worst stands without them. The work is [`MOST`] passes
//! over the seats of a place, whatever its size.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::fleet::Seat;
use super::inside::Inside;
use super::layer::{Estimate, Evidence};

/// Terminals, and merchants, that are left out in turn.
const MOST: usize = 16;

/// Estimate and p-value of a set of seats.
#[derive(Clone, Copy)]
pub(super) struct Tested {
    pub(super) estimate: Estimate,
    pub(super) p: f64,
}

impl Tested {
    /// `tries` are the sets of cells that this one was chosen from; `None` without attempts.
    pub(super) fn of(evidence: &Evidence, tries: f64) -> Option<Self> {
        (evidence.attempts > 0.0).then(|| Self {
            estimate: evidence.estimate(),
            p: (evidence.upper_tail() * tries).min(1.0),
        })
    }
}

/// What is left at worst without one terminal, or without one merchant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Left {
    /// The lowest rate, in baselines, and the largest p-value; they need not be of the same one.
    pub(super) ratio: f64,
    pub(super) p: f64,
}

impl Left {
    fn of(tested: Tested) -> Self {
        Self {
            ratio: tested.estimate.ratio,
            p: tested.p,
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            ratio: self.ratio.min(other.ratio),
            p: self.p.max(other.p),
        }
    }
}

/// The terminals of a place, or its merchants, the worst first.
pub(super) struct Parts {
    /// Share of the failures that the one with most has.
    pub(super) share: f64,
    worst_first: Vec<u32>,
}

impl Parts {
    pub(super) fn of(inside: &Inside<'_>, key: impl Fn(&Seat) -> u32) -> Self {
        let mut counts: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for seat in inside.seats() {
            let entry = counts.entry(key(seat)).or_default();
            entry.0 += seat.sums.failures;
            entry.1 += seat.sums.attempts;
        }
        let total: u64 = counts.values().map(|count| count.0).sum();
        let most = counts.values().map(|count| count.0).max().unwrap_or(0);
        let ordinary = inside.evidence().expected_rate();
        let excess =
            |(failures, attempts): (u64, u64)| failures as f64 - attempts as f64 * ordinary;
        let mut worst: Vec<(u32, f64)> = counts
            .into_iter()
            .map(|(key, count)| (key, excess(count)))
            .collect();
        worst.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Self {
            share: most as f64 / total.max(1) as f64,
            worst_first: worst.into_iter().map(|(key, _)| key).collect(),
        }
    }

    /// What is left at worst without any one; `None` when that is nothing.
    pub(super) fn without_any(
        &self,
        inside: &Inside<'_>,
        tries: f64,
        key: impl Fn(&Seat) -> u32 + Sync,
    ) -> Option<Left> {
        let tried = &self.worst_first[..self.worst_first.len().min(MOST)];
        let left = tried.par_iter().map(|out| {
            let without = inside.evidence_of(|seat| key(seat) != *out);
            Tested::of(&without, tries).map(Left::of)
        });
        // Collected in their order, and then the extremes: the same on any number of threads.
        let left: Option<Vec<Left>> = left.collect();
        left?.into_iter().reduce(Left::or)
    }

    /// What is left without so many of the worst; `None` when that is nothing.
    pub(super) fn without_worst(
        &self,
        inside: &Inside<'_>,
        tries: f64,
        count: usize,
        key: impl Fn(&Seat) -> u32,
    ) -> Option<Left> {
        let out = self.worst_first.iter().take(count).copied();
        let out: BTreeSet<u32> = out.collect();
        let without = inside.evidence_of(|seat| !out.contains(&key(seat)));
        Tested::of(&without, tries).map(Left::of)
    }
}
