//! Terminals against their peers.
//!
//! What a terminal's peers would fail is read from the shrunken logit of cell, model and class of signal
//! ([`crate::logit`]) with the terminal itself taken out: the raw rate of a handful of neighbours
//! is far too noisy. Healthy terminals differ too (antenna, shelf, basement), so a terminal is tested by
//! the upper tail of a law (`law`) whose spread is that of healthy terminals, plus what is not known
//! about its peers, plus what is not known about the spread itself. It has a part that lasts and one of
//! failures that come in runs. A terminal alone in its cell is therefore hard to accuse, rightly, and so
//! is one of a handful.
//!
//! Bad terminals must not feed the rates and the spread that judge them. A mixture of healthy and
//! bad terminals gives each a probability of being bad, and the fit is repeated with everyone
//! counted by the probability of being healthy: trimming without a cut.

mod law;
mod mixture;
mod peers;
mod spread;
mod tail;

use crate::fdr;
use crate::levels::Levels;
use law::Law;
use mixture::Mixture;
use peers::{Expected, Peers};
use rayon::prelude::*;
use spread::Spread;
pub use tail::{UpperTail, upper_tail};

/// The counts of one terminal in one cell; repeated rows are added up, and a terminal that moved is
/// judged by its sum over cells.
#[derive(Clone, Copy, Debug)]
pub struct TerminalCounts<'a> {
    /// The terminal.
    pub terminal: &'a str,
    /// Its device model.
    pub model: &'a str,
    /// The cell it stood in.
    pub cell: &'a str,
    /// Class of its radio and of how well it hears; equal for all where nothing is known.
    pub signal: u32,
    /// Attempts; 0 is missing.
    pub attempts: u64,
    /// Failures among them.
    pub failures: u64,
}

/// Which part of the probability of the observed count belongs to the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Half of it: p-values of healthy terminals are near uniform.
    Mid,
    /// All of it: p-values are too large on average, never too small.
    Whole,
}

/// How terminals are judged.
#[derive(Clone, Copy, Debug)]
pub struct TerminalsOptions {
    /// False discovery rate of the flags, inside (0, 1).
    pub alpha: f64,
    /// Which p-value is reported and used.
    pub tail: Tail,
    /// `probability` is that of an odds ratio above this.
    pub odds_ratio: f64,
    /// How many failures come together at least, where that is known otherwise: the counts of a few
    /// terminals alone tell it badly. 1 is nothing known.
    pub least_run_length: f64,
}

impl Default for TerminalsOptions {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            tail: Tail::Mid,
            odds_ratio: 2.0,
            least_run_length: 1.0,
        }
    }
}

/// One terminal against its peers.
#[derive(Clone, Debug, PartialEq)]
pub struct TerminalRow {
    /// The terminal.
    pub terminal: String,
    /// Attempts in all its cells.
    pub attempts: u64,
    /// Failures among them.
    pub failures: u64,
    /// The failure rate of its peers: same cell, model and class of signal, without the terminal.
    pub expected_rate: Option<f64>,
    /// Correlation of its attempts that `p` takes for granted: the spread of the healthy, runs of failures
    /// and what is not known about the peers together.
    pub correlation: Option<f64>,
    /// Posterior probability that the odds of failing are above `odds_ratio` times the peers'.
    pub probability: Option<f64>,
    /// One-sided p-value of failing no more than peers do.
    pub p: Option<f64>,
    /// Benjamini–Hochberg q-value over the testable terminals.
    pub q: Option<f64>,
    /// Odds ratio to the peers, shrunk (exponential of the posterior mean of its logarithm).
    pub odds_ratio: Option<f64>,
    /// Whether `q` is at most alpha.
    pub flagged: bool,
    /// Whether the terminal could be told from its peers if every attempt failed.
    pub testable: bool,
}

impl TerminalRow {
    /// A terminal of which only the counts are known.
    pub fn unjudged(terminal: &str, attempts: u64, failures: u64) -> Self {
        Self {
            terminal: terminal.to_owned(),
            attempts,
            failures,
            expected_rate: None,
            correlation: None,
            probability: None,
            p: None,
            q: None,
            odds_ratio: None,
            flagged: false,
            testable: false,
        }
    }
}

/// The terminals, by name, and what they were judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct TerminalsReport {
    /// One row for each terminal, in the order of their names.
    pub rows: Vec<TerminalRow>,
    /// Overdispersion of healthy terminals (intra-class correlation of their attempts) at the mean
    /// rate; 0 without failures.
    pub overdispersion: f64,
    /// How many failures of healthy terminals come together: the variance that stays however many
    /// attempts there are, in binomial variances; 1 when each comes alone.
    pub run_length: f64,
    /// Estimated share of bad terminals.
    pub bad_share: f64,
}

/// Why terminals cannot be judged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TerminalsError {
    /// A row has more failures than attempts.
    #[error("terminal {terminal} in cell {cell} has {failures} failures in {attempts} attempts")]
    FailuresAboveAttempts {
        /// The terminal of the row.
        terminal: String,
        /// Its cell.
        cell: String,
        /// Its failures.
        failures: u64,
        /// Its attempts.
        attempts: u64,
    },
    /// The false discovery rate is not inside (0, 1).
    #[error("alpha {0} is not between 0 and 1")]
    Alpha(f64),
    /// The odds ratio of `probability` is not positive.
    #[error("odds ratio {0} is not a positive number")]
    OddsRatio(f64),
    /// Runs are not shorter than one failure.
    #[error("run length {0} is not a number from 1 on")]
    RunLength(f64),
}

/// At most so many rounds of rates, spread and mixture, which need each other.
const MOST_ROUNDS: usize = 12;
/// A spread or share of bad terminals that moved by less than this part of itself is settled.
const SETTLED: f64 = 0.01;

/// Judges every terminal against its peers.
///
/// # Errors
/// More failures than attempts, or options out of range.
///
/// # Examples
/// ```
/// use statistics::terminals::{TerminalCounts, TerminalsOptions, judge_terminals};
/// let names: Vec<String> = (0..60).map(|number| format!("t{number:02}")).collect();
/// let rows: Vec<TerminalCounts> = names
///     .iter()
///     .enumerate()
///     .map(|(number, terminal)| TerminalCounts {
///         terminal,
///         model: "A",
///         cell: "harbour",
///         signal: 0,
///         attempts: 500,
///         failures: if number == 7 { 150 } else { 8 + number as u64 % 5 },
///     })
///     .collect();
/// let report = judge_terminals(&rows, &TerminalsOptions::default())?;
/// let flagged: Vec<_> = report.rows.iter().filter(|row| row.flagged).collect();
/// assert_eq!(flagged.len(), 1);
/// assert_eq!(flagged[0].terminal, "t07");
/// # Ok::<(), statistics::terminals::TerminalsError>(())
/// ```
pub fn judge_terminals(
    rows: &[TerminalCounts<'_>],
    options: &TerminalsOptions,
) -> Result<TerminalsReport, TerminalsError> {
    check(rows, options)?;
    let names = Levels::of(rows.iter().map(|row| row.terminal));
    let peers = Peers::of(rows, &names);
    let judged = Judged::by(&peers, options);
    let mut result: Vec<TerminalRow> = names
        .names
        .par_iter()
        .enumerate()
        .map(|(terminal, name)| judged.row(name, terminal, options))
        .collect();
    let p: Vec<Option<f64>> = result
        .iter()
        .map(|row| row.p.filter(|_| row.testable))
        .collect();
    for (row, q) in result.iter_mut().zip(fdr::bh(&p)) {
        row.q = q;
        row.flagged = q.is_some_and(|q| q <= options.alpha);
    }
    Ok(TerminalsReport {
        rows: result,
        overdispersion: judged.spread.at(peers.mean_rate()),
        run_length: judged.spread.phi(),
        bad_share: judged.mixture.share,
    })
}

fn check(rows: &[TerminalCounts<'_>], options: &TerminalsOptions) -> Result<(), TerminalsError> {
    if !(options.alpha > 0.0 && options.alpha < 1.0) {
        return Err(TerminalsError::Alpha(options.alpha));
    }
    if !(options.odds_ratio > 0.0 && options.odds_ratio.is_finite()) {
        return Err(TerminalsError::OddsRatio(options.odds_ratio));
    }
    if !(options.least_run_length >= 1.0 && options.least_run_length.is_finite()) {
        return Err(TerminalsError::RunLength(options.least_run_length));
    }
    match rows.iter().find(|row| row.failures > row.attempts) {
        None => Ok(()),
        Some(row) => Err(TerminalsError::FailuresAboveAttempts {
            terminal: row.terminal.to_owned(),
            cell: row.cell.to_owned(),
            failures: row.failures,
            attempts: row.attempts,
        }),
    }
}

/// Rates of peers, spread of the healthy and share of the bad, once they agree with each other.
struct Judged<'p> {
    peers: &'p Peers,
    expected: Vec<Option<Expected>>,
    spread: Spread,
    mixture: Mixture,
}

impl<'p> Judged<'p> {
    fn by(peers: &'p Peers, options: &TerminalsOptions) -> Self {
        let count = peers.terminals.len();
        let mut judged = Self {
            peers,
            expected: vec![None; count],
            spread: Spread::first(),
            mixture: Mixture::first(options.odds_ratio),
        };
        if peers.is_constant() {
            judged.spread = Spread::default();
            judged.mixture.share = 0.0;
            return judged;
        }
        let mut healthy = vec![1.0; count];
        let mut last = None;
        for round in 0..MOST_ROUNDS {
            let fitted = peers.fit(&healthy, &judged.spread, last.as_ref());
            judged.expected = peers.expect(&fitted, &healthy, &judged.spread);
            let is_fitted = fitted.converged;
            last = Some(fitted);
            if round == 0 {
                healthy = spread::without_worst(&peers.terminals, &judged.expected, &judged.spread);
            }
            let before = judged.state(peers);
            judged.spread =
                Spread::estimate(&peers.terminals, &judged.expected, &healthy, &judged.spread)
                    .with_runs(options.least_run_length);
            healthy = judged
                .mixture
                .weigh(&peers.terminals, &judged.expected, &judged.spread);
            let after = judged.state(peers);
            let mut moves = before.iter().zip(after);
            if is_fitted && moves.all(|(before, after)| is_settled(*before, after)) {
                break;
            }
        }
        judged
    }

    /// What has to settle.
    fn state(&self, peers: &Peers) -> [f64; 3] {
        [
            self.spread.at(peers.mean_rate()),
            self.spread.phi(),
            self.mixture.share,
        ]
    }

    fn row(&self, name: &str, terminal: usize, options: &TerminalsOptions) -> TerminalRow {
        let counts = self.peers.terminals[terminal];
        let mut row = TerminalRow::unjudged(name, counts.attempts, counts.failures);
        let Some(expected) = self.expected[terminal] else {
            return row;
        };
        let rho = self.spread.of_attempts(counts.attempts, &expected);
        let law = Law::new(counts, &expected, &self.spread);
        let tail = law.upper_tail();
        let part = match options.tail {
            Tail::Mid => 0.5,
            Tail::Whole => 1.0,
        };
        let posterior = self.mixture.posterior(counts, &expected, &self.spread);
        row.expected_rate = Some(expected.rate);
        row.correlation = Some(rho);
        row.p = Some((tail.above + part * tail.at).min(1.0));
        row.testable = part * law.all_failing() <= options.alpha;
        row.probability = Some(posterior.probability);
        row.odds_ratio = Some(posterior.ln_odds_ratio.exp());
        row
    }
}

fn is_settled(before: f64, after: f64) -> bool {
    (after - before).abs() <= SETTLED * before.max(1e-3)
}

#[cfg(test)]
mod tests;
