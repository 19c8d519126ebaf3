//! Healthy and bad terminals as a mixture: how probable it is that a terminal is bad, and how bad.
//!
//! A healthy terminal fails like its peers, give or take the spread of the healthy. A bad one fails
//! at about [`BAD_ODDS_RATIO`] times their odds, give or take a lot. Only the share of the bad is
//! estimated (expectation–maximisation); the wide distribution of the bad leaves their size to the data.

use super::peers::{Counts, Expected, as_f64, logit};
use super::spread::Spread;
use crate::special::{ln_beta, normal_upper};
use rayon::prelude::*;

/// The typical odds ratio of a bad terminal to its peers.
const BAD_ODDS_RATIO: f64 = 5.0;
/// Intra-class correlation of the bad: their rates are nearly anything around it.
const BAD_RHO: f64 = 0.1;
/// The share of bad terminals is kept between these, so that neither kind dies out.
const SHARES: (f64, f64) = (1e-4, 0.3);
/// Steps of the expectation–maximisation in each round.
const STEPS: usize = 10;
/// Below this a spread is taken as this in likelihoods, which differences of logarithms would spoil.
const SMALLEST_RHO: f64 = 1e-7;

#[derive(Clone, Copy, Debug)]
pub(super) struct Mixture {
    /// Share of bad terminals.
    pub(super) share: f64,
    odds_ratio: f64,
}

/// What is known about the odds ratio of one terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posterior {
    /// Probability that it is above the one asked for.
    pub(super) probability: f64,
    /// Posterior mean of its logarithm.
    pub(super) ln_odds_ratio: f64,
}

/// The distribution of rates of one kind of terminal.
#[derive(Clone, Copy)]
struct Kind {
    rate: f64,
    /// Of its own, and with what is not known about the peers.
    own_rho: f64,
    rho: f64,
}

impl Kind {
    fn healthy(expected: &Expected, spread: &Spread) -> Self {
        let rate = expected.rate;
        Self {
            rate,
            own_rho: spread.at(rate),
            rho: spread.of(expected),
        }
    }

    fn bad(expected: &Expected) -> Self {
        let odds = BAD_ODDS_RATIO * expected.rate / (1.0 - expected.rate);
        let rho = BAD_RHO + expected.rho * (1.0 - BAD_RHO);
        Self {
            rate: odds / (1.0 + odds),
            own_rho: BAD_RHO,
            rho,
        }
    }

    /// The beta distribution of the rate.
    fn shape(&self) -> (f64, f64) {
        let size = self.rho.max(SMALLEST_RHO).recip() - 1.0;
        (self.rate * size, (1.0 - self.rate) * size)
    }

    /// Log-likelihood of the counts, without the part that is equal for all kinds.
    fn ln_likelihood(&self, (failures, successes): (f64, f64)) -> f64 {
        let (a, b) = self.shape();
        ln_beta(failures + a, successes + b) - ln_beta(a, b)
    }

    /// Posterior mean and variance of the terminal's own log odds ratio to its peers: of what its rate
    /// deviates, only the share that is its own and not its peers' uncertainty.
    fn own_effect(&self, (failures, successes): (f64, f64), expected: &Expected) -> (f64, f64) {
        let (a, b) = self.shape();
        let centre = logit(self.rate) - logit(expected.rate);
        let deviation = ((failures + a) / (successes + b)).ln() - logit(self.rate);
        let variance = (failures + a).recip() + (successes + b).recip();
        let own = self.own_rho / (self.rate * (1.0 - self.rate));
        let peers = expected.logit_variance;
        let share = if own > 0.0 { own / (own + peers) } else { 0.0 };
        (
            centre + share * deviation,
            share * share * variance + share * peers,
        )
    }
}

/// Failures and successes; where they come in runs, as many as say the same one by one.
fn sides(counts: Counts, spread: &Spread) -> (f64, f64) {
    let together = spread.phi().min(as_f64(counts.attempts).max(1.0));
    (
        as_f64(counts.failures) / together,
        as_f64(counts.attempts - counts.failures) / together,
    )
}

impl Mixture {
    pub(super) fn first(odds_ratio: f64) -> Self {
        Self {
            share: 0.02,
            odds_ratio,
        }
    }

    /// Re-estimates the share of the bad, and returns each terminal's probability of being healthy.
    pub(super) fn weigh(
        &mut self,
        terminals: &[Counts],
        expected: &[Option<Expected>],
        spread: &Spread,
    ) -> Vec<f64> {
        let ratios: Vec<Option<f64>> = terminals
            .par_iter()
            .zip(expected)
            .with_min_len(256)
            .map(|(&counts, expected)| {
                expected
                    .as_ref()
                    .map(|expected| ln_ratio(counts, expected, spread))
            })
            .collect();
        let seen = ratios.iter().flatten().count().max(1) as f64;
        for _ in 0..STEPS {
            let bad: f64 = ratios.iter().flatten().map(|&ratio| self.bad(ratio)).sum();
            self.share = (bad / seen).clamp(SHARES.0, SHARES.1);
        }
        ratios
            .iter()
            .map(|ratio| ratio.map_or(1.0, |ratio| 1.0 - self.bad(ratio)))
            .collect()
    }

    /// Probability of being bad by the log of the likelihood ratio.
    fn bad(&self, ln_ratio: f64) -> f64 {
        1.0 / (1.0 + (1.0 - self.share) / self.share * (-ln_ratio).exp())
    }

    pub(super) fn posterior(
        &self,
        counts: Counts,
        expected: &Expected,
        spread: &Spread,
    ) -> Posterior {
        let bad = self.bad(ln_ratio(counts, expected, spread));
        let kinds = [
            (1.0 - bad, Kind::healthy(expected, spread)),
            (bad, Kind::bad(expected)),
        ];
        let mut posterior = Posterior {
            probability: 0.0,
            ln_odds_ratio: 0.0,
        };
        for (weight, kind) in kinds {
            let (mean, variance) = kind.own_effect(sides(counts, spread), expected);
            let above = mean - self.odds_ratio.ln();
            let probability = match variance > 0.0 {
                true => normal_upper(-above / variance.sqrt()),
                false => f64::from(u8::from(above > 0.0)),
            };
            posterior.probability += weight * probability;
            posterior.ln_odds_ratio += weight * mean;
        }
        posterior
    }
}

/// Log of the likelihood of bad over that of healthy. A terminal better than its peers is not bad,
/// however ill it fits among the healthy.
fn ln_ratio(counts: Counts, expected: &Expected, spread: &Spread) -> f64 {
    let sides = sides(counts, spread);
    let ratio = Kind::bad(expected).ln_likelihood(sides)
        - Kind::healthy(expected, spread).ln_likelihood(sides);
    let better = as_f64(counts.failures) <= expected.rate * as_f64(counts.attempts);
    if better { ratio.min(0.0) } else { ratio }
}
