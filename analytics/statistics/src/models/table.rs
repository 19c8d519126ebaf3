//! The sums over 2 × 2 tables behind the Mantel–Haenszel estimates.

use super::Counts;

/// One stratum in which both sides have attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// Failures of the model.
    a: f64,
    /// Attempts of the model.
    n1: f64,
    /// Failures of the comparison.
    c: f64,
    /// Attempts of the comparison.
    n0: f64,
}

impl Table {
    pub(super) fn new(own: Counts, other: Counts) -> Self {
        Self {
            a: own.failures as f64,
            n1: own.attempts as f64,
            c: other.failures as f64,
            n0: other.attempts as f64,
        }
    }

    /// Has failures and successes: only then does the table say anything about an odds ratio.
    fn is_informative(&self) -> bool {
        let failures = self.a + self.c;
        failures > 0.0 && failures < self.n1 + self.n0
    }

    /// The failures of the model expected at an odds ratio with the margins as they are, by the
    /// form of the quadratic's root that does not cancel.
    fn expected_failures(&self, or: f64) -> f64 {
        let failures = self.a + self.c;
        let slope = self.n0 - failures + or * (self.n1 + failures);
        let root = (slope * slope - 4.0 * (1.0 - or) * (-or * self.n1 * failures)).sqrt();
        if slope >= 0.0 {
            2.0 * or * self.n1 * failures / (slope + root)
        } else {
            (root - slope) / (2.0 * (1.0 - or))
        }
    }
}

/// Odds ratio of sums, without strata; `None` where it is infinite or 0/0.
pub(super) fn crude_odds_ratio(own: Counts, other: Counts) -> Option<f64> {
    let successes = |side: Counts| (side.attempts - side.failures) as f64;
    let below = successes(own) * other.failures as f64;
    (below > 0.0).then(|| own.failures as f64 * successes(other) / below)
}

/// Sums over strata, in the order of the strata's names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) informative: usize,
    /// Attempts of the model where the comparison has some too.
    pub(super) attempts: f64,
    r: f64,
    s: f64,
    pr: f64,
    cross: f64,
    qs: f64,
    excess: f64,
    excess_variance: f64,
    difference: f64,
    weight: f64,
    sato_p: f64,
    sato_q: f64,
}

impl Sums {
    pub(super) fn of(tables: &[Table]) -> Self {
        let mut sums = Self::default();
        for table in tables {
            sums.add_difference(table);
            if table.is_informative() {
                sums.add_odds(table);
            }
        }
        sums
    }

    fn add_odds(&mut self, table: &Table) {
        let &Table { a, n1, c, n0 } = table;
        let (b, d, n, m1) = (n1 - a, n0 - c, n1 + n0, a + c);
        let (p, q) = ((a + d) / n, (b + c) / n);
        let (r, s) = (a * d / n, b * c / n);
        self.informative += 1;
        self.r += r;
        self.s += s;
        self.pr += p * r;
        self.cross += p * s + q * r;
        self.qs += q * s;
        self.excess += a - n1 * m1 / n;
        self.excess_variance += n1 * n0 * m1 * (n - m1) / (n * n * (n - 1.0));
    }

    fn add_difference(&mut self, table: &Table) {
        let &Table { a, n1, c, n0 } = table;
        let n = n1 + n0;
        self.attempts += n1;
        self.difference += (a * n0 - c * n1) / n;
        self.weight += n1 * n0 / n;
        self.sato_p += (n1 * n1 * c - n0 * n0 * a + n1 * n0 * (n0 - n1) / 2.0) / (n * n);
        self.sato_q += (a * (n0 - c) + c * (n1 - a)) / (2.0 * n);
    }

    pub(super) fn odds_ratio(&self) -> Option<f64> {
        (self.s > 0.0).then(|| self.r / self.s)
    }

    /// Robins, Breslow and Greenland (1986).
    pub(super) fn ln_odds_ratio_variance(&self) -> Option<f64> {
        let &Self { r, s, .. } = self;
        (r > 0.0 && s > 0.0)
            .then(|| self.pr / (2.0 * r * r) + self.cross / (2.0 * r * s) + self.qs / (2.0 * s * s))
    }

    pub(super) fn chi2(&self, correction: f64) -> Option<f64> {
        let excess = (self.excess.abs() - correction).max(0.0);
        (self.excess_variance > 0.0).then(|| excess * excess / self.excess_variance)
    }

    pub(super) fn risk_difference(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.difference / self.weight)
    }

    /// Sato (1989).
    pub(super) fn risk_difference_variance(&self) -> Option<f64> {
        let spread = self.risk_difference()? * self.sato_p + self.sato_q;
        Some(spread.max(0.0) / (self.weight * self.weight))
    }
}

/// Breslow and Day's statistic with Tarone's correction, and its degrees of freedom; `None` with
/// fewer than two informative strata or an odds ratio of 0.
pub(super) fn breslow_day(tables: &[Table], or: f64) -> Option<(f64, f64)> {
    let informative = || tables.iter().filter(|table| table.is_informative());
    let strata = informative().count();
    if strata < 2 || or <= 0.0 {
        return None;
    }
    let (mut statistic, mut excess, mut variances) = (0.0, 0.0, 0.0);
    for table in informative() {
        let expected = table.expected_failures(or);
        let failures = table.a + table.c;
        let precision = 1.0 / expected
            + 1.0 / (table.n1 - expected)
            + 1.0 / (failures - expected)
            + 1.0 / (table.n0 - failures + expected);
        let difference = table.a - expected;
        statistic += difference * difference * precision;
        excess += difference;
        variances += 1.0 / precision;
    }
    let corrected = (statistic - excess * excess / variances).max(0.0);
    corrected
        .is_finite()
        .then(|| (corrected, (strata - 1) as f64))
}
