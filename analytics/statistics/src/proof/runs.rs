//! How many failures come together on a day: read within terminals, from day to day.
//!
//! Neither place nor device can feign it, for a terminal is compared with itself. Where failures come alone,
//! the pairs that share a day are as many as chance deals: F (F − 1) / D of F failures over D days.

use super::{Place, WeakPlaces};

/// Before any failure is seen: retries and bad days are everywhere. The prior is worth so many failures.
const PRIOR_LENGTH: f64 = 2.0;
const PRIOR_FAILURES: f64 = 50.0;
/// What is left of it without everybody's worst day, which holds most of the pairs.
const LEFT: f64 = 0.25;
/// Failures expected of a terminal above which it counts no more than one of so many: where a place
/// fails, its days differ by more than runs.
const MOST_EXPECTED: f64 = 5.0;

/// Returns the variance of failures from day to day, in those of failures that come alone; not below 1.
pub(super) fn run_length(places: &[Place<'_>], weak_places: &WeakPlaces) -> f64 {
    let judged = || {
        let places = places.iter();
        places.filter(|place| place.days > 1 && !weak_places.has(place.cell, place.plmn))
    };
    let (mut failures, mut attempts) = (0_u64, 0_u64);
    for place in judged() {
        failures += u64::from(place.failures);
        attempts += u64::from(place.attempts);
    }
    let rate = failures as f64 / attempts.max(1) as f64;
    let (mut excess, mut alone) = (0.0, PRIOR_FAILURES);
    for place in judged() {
        let (failures, days) = (f64::from(place.failures), f64::from(place.days));
        let weight = (MOST_EXPECTED / (rate * f64::from(place.attempts))).min(1.0);
        excess += weight * (place.pairs_of_days as f64 - failures * (failures - 1.0) / days);
        alone += weight * failures * (1.0 - 1.0 / days);
    }
    let more = (PRIOR_LENGTH - 1.0) * PRIOR_FAILURES;
    1.0 + ((LEFT * excess + more) / alone).max(0.0)
}
