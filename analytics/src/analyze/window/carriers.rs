//! What carriers measure in the same cells: the one owner of "another carrier is better here".

use std::collections::HashMap;

use h3o::CellIndex;
use rayon::prelude::*;
use statistics::rates::{self, FittedPrior};
use statistics::special::beta_quantile;
use statistics::zones::{Zone, ZoneCell};

/// Attempts of a carrier in the same cells from which its rate there is worth advising on.
const ADVICE_ATTEMPTS: u64 = 100;
/// How many times a carrier has to be better.
const BETTER_BY: f64 = 2.0;
/// Probability that an interval covers.
const LEVEL: f64 = 0.95;

/// Failures among attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) attempts: u64,
    pub(super) failures: u64,
}

impl Counts {
    pub(super) fn rate(self) -> f64 {
        self.failures as f64 / self.attempts.max(1) as f64
    }

    fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.failures += other.failures;
    }
}

/// How often another carrier fails in some cells, as far as its counts there and elsewhere tell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OtherCarrier {
    pub(super) plmn: String,
    pub(super) there: Counts,
    /// Its rate there, drawn towards those of its other cells.
    pub(super) rate: f64,
    /// The 95 % interval of the rate.
    pub(super) low: f64,
    pub(super) high: f64,
}

impl OtherCarrier {
    /// Returns what a change to it should save of so many failures in so many attempts: expected, lowest
    /// and highest.
    pub(super) fn saves(&self, attempts: u64, failures: f64) -> [f64; 3] {
        [self.rate, self.high, self.low].map(|rate| (failures - attempts as f64 * rate).max(0.0))
    }

    /// Says what it rests on.
    pub(super) fn counted(&self) -> String {
        format!(
            "{} of {} attempts fail, {:.1} % ({:.1} to {:.1}) to be expected",
            self.there.failures,
            self.there.attempts,
            100.0 * self.rate,
            100.0 * self.low,
            100.0 * self.high
        )
    }
}

/// Every carrier's counts in every cell of the window.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    by_cell: HashMap<CellIndex, Vec<(String, Counts)>>,
    by_carrier: HashMap<String, Counts>,
    priors: HashMap<String, FittedPrior>,
}

impl Carriers {
    /// Returns what the cells of a window say of their carriers.
    pub(super) fn of(cells: &[ZoneCell]) -> Self {
        let mut carriers = Self::default();
        for cell in cells {
            let counts = Counts {
                attempts: cell.attempts,
                failures: cell.failures,
            };
            carriers.add(cell.cell, &cell.plmn, counts);
        }
        carriers.learn();
        carriers
    }

    pub(super) fn add(&mut self, cell: CellIndex, plmn: &str, counts: Counts) {
        self.by_cell
            .entry(cell)
            .or_default()
            .push((plmn.to_owned(), counts));
        self.by_carrier
            .entry(plmn.to_owned())
            .or_default()
            .add(counts);
    }

    /// Returns a carrier's rate in all its cells.
    pub(super) fn ordinary_rate(&self, plmn: &str) -> Option<f64> {
        self.by_carrier.get(plmn).map(|counts| counts.rate())
    }

    /// Returns the carrier that a zone's terminals could change to, if one is clearly better there.
    pub(super) fn better_in(&self, zone: &Zone) -> Option<OtherCarrier> {
        let own: Vec<&str> = zone.plmns.iter().map(String::as_str).collect();
        self.better(&zone.cells, &own, zone.rate)
    }

    /// Returns the best other carrier in these cells, if one is measured and clearly better there.
    pub(super) fn better(
        &self,
        cells: &[CellIndex],
        own: &[&str],
        rate: f64,
    ) -> Option<OtherCarrier> {
        let mut others: HashMap<&str, Counts> = HashMap::new();
        for (plmn, counts) in cells
            .iter()
            .filter_map(|cell| self.by_cell.get(cell))
            .flatten()
        {
            if !own.contains(&plmn.as_str()) {
                others.entry(plmn).or_default().add(*counts);
            }
        }
        let measured = others
            .into_iter()
            .filter(|(_, there)| there.attempts >= ADVICE_ATTEMPTS);
        let others = measured.map(|(plmn, there)| self.other(plmn, there));
        let better = others.filter(|other| other.rate * BETTER_BY <= rate);
        better.min_by(|one, other| {
            let by_rate = one.rate.total_cmp(&other.rate);
            by_rate.then_with(|| one.plmn.cmp(&other.plmn))
        })
    }

    fn other(&self, plmn: &str, there: Counts) -> OtherCarrier {
        let counts = rates::Counts {
            id: plmn.to_owned(),
            attempts: there.attempts,
            failures: there.failures,
        };
        let prior = self.priors.get(plmn);
        let shrunk = prior.and_then(|prior| prior.estimate(&counts, LEVEL).ok());
        // A carrier of one cell has only its counts there, and Jeffreys' prior.
        let (failures, successes) = (
            there.failures as f64 + 0.5,
            there.attempts.saturating_sub(there.failures) as f64 + 0.5,
        );
        let end = |p| beta_quantile(p, failures, successes);
        let alone = || (end(0.5 * (1.0 - LEVEL)), end(0.5 * (1.0 + LEVEL)));
        let (rate, ends) = shrunk.unwrap_or((failures / (failures + successes), None));
        let (low, high) = ends.unwrap_or_else(alone);
        OtherCarrier {
            plmn: plmn.to_owned(),
            there,
            rate,
            low,
            high,
        }
    }

    /// Learns, once all cells are known, how the rates of each carrier's cells lie.
    fn learn(&mut self) {
        let mut rows: HashMap<&str, Vec<rates::Counts<CellIndex>>> = HashMap::new();
        for (cell, carriers) in &self.by_cell {
            for (plmn, counts) in carriers {
                rows.entry(plmn).or_default().push(rates::Counts {
                    id: *cell,
                    attempts: counts.attempts,
                    failures: counts.failures,
                });
            }
        }
        let priors = rows
            .into_par_iter()
            .filter_map(|(plmn, rows)| Some((plmn.to_owned(), FittedPrior::of(&rows).ok()??)));
        self.priors = priors.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_carrier_is_better_with_attempts_enough_and_half_the_rate() {
        let cell: CellIndex = "881f1d4887fffff".parse().expect("a cell");
        let better = |attempts, failures| {
            let mut carriers = Carriers::default();
            carriers.add(cell, "b", Counts { attempts, failures });
            carriers.better(&[cell], &["a"], 0.3)
        };
        // 14.5 of 101 by Jeffreys' prior is below 0.15, 15.5 of 101 is not.
        let found = better(100, 14).expect("is better");
        assert_eq!(
            found.counted(),
            "14 of 100 attempts fail, 14.4 % (8.3 to 21.8) to be expected"
        );
        assert_eq!(better(100, 15), None);
        assert_eq!(better(99, 0), None);
    }
}
