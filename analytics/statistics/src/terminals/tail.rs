//! The upper tail of the beta-binomial distribution.
//!
//! Terms are walked from the mode outwards by their ratios and divided by their own sum, so no
//! logarithm of a gamma function cancels another, whatever the spread; a spread of 0 is binomial. Of more
//! than [`MOST_WALKED`] attempts the tail is an integral (`large`), whose time does not grow with them.

mod large;

use large::Large;

/// Terms that add less than this part of a sum end it.
const NEGLIGIBLE: f64 = 1e-17;
/// Most attempts whose terms are walked.
const MOST_WALKED: u64 = 20_000;
/// Most attempts whose failing together is multiplied out.
const MOST_MULTIPLIED: u64 = 4096;

/// The probabilities of the observed count and of a larger one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UpperTail {
    /// P(X = failures).
    pub at: f64,
    /// P(X > failures).
    pub above: f64,
}

/// A beta-binomial by its mean rate and intra-class correlation, scaled to stay finite at 0.
struct BetaBinomial {
    attempts: u64,
    /// `a·rho` and `b·rho` of the beta distribution behind it.
    fail: f64,
    succeed: f64,
    rho: f64,
}

impl BetaBinomial {
    fn new(attempts: u64, rate: f64, rho: f64) -> Self {
        Self {
            attempts,
            fail: rate * (1.0 - rho),
            succeed: (1.0 - rate) * (1.0 - rho),
            rho,
        }
    }

    /// P(count + 1) / P(count).
    fn ratio(&self, count: u64) -> f64 {
        let (done, left) = (count as f64, (self.attempts - count) as f64);
        left * (self.fail + done * self.rho)
            / ((done + 1.0) * (self.succeed + (left - 1.0) * self.rho))
    }

    /// Where the walk starts: the mode, or the end with more weight when there is none inside.
    fn mode(&self) -> u64 {
        let (fail, succeed) = (self.fail - self.rho, self.succeed - self.rho);
        match (fail > 0.0, succeed > 0.0) {
            (true, true) => {
                let mode = (self.attempts as f64 + 1.0) * fail / (fail + succeed);
                (mode as u64).min(self.attempts)
            }
            (true, false) => self.attempts,
            _ => 0,
        }
    }

    /// Whether the terms fall on both sides of the mode, so that a sum may end early.
    fn falls(&self) -> bool {
        self.fail >= self.rho || self.succeed >= self.rho
    }
}

/// Returns P(X = failures) and P(X > failures) for the beta-binomial of a mean rate inside (0, 1) and
/// an intra-class correlation in [0, 1); `failures` are at most `attempts`.
///
/// With the correlation 0 it is binomial; otherwise the beta distribution behind it has the shapes
/// `rate × (1/rho − 1)` and `(1 − rate) × (1/rho − 1)`.
///
/// The relative error is below 1e-10; above 20,000 attempts, where the tail is an integral, below 1e-9
/// while a p-value is above 1e-100, and the time no longer grows with the attempts.
pub fn upper_tail(failures: u64, attempts: u64, rate: f64, rho: f64) -> UpperTail {
    if attempts > MOST_WALKED {
        return integrated(failures, attempts, rate, rho);
    }
    walked(failures, attempts, rate, rho)
}

/// The tail without its terms.
pub(super) fn integrated(failures: u64, attempts: u64, rate: f64, rho: f64) -> UpperTail {
    let law = Large::new(attempts, rate, rho);
    let above = match failures < attempts {
        true => law.at_least(failures + 1, rho),
        false => 0.0,
    };
    UpperTail {
        at: law.probability(failures as f64),
        above,
    }
}

/// The tail by its terms.
pub(super) fn walked(failures: u64, attempts: u64, rate: f64, rho: f64) -> UpperTail {
    let law = BetaBinomial::new(attempts, rate, rho);
    let (mode, falls) = (law.mode(), law.falls());
    let (mut total, mut at, mut above) = (0.0, 0.0, 0.0);
    let mut term = 1.0;
    for count in mode..=attempts {
        total += term;
        if count == failures {
            at = term;
        } else if count > failures {
            above += term;
        }
        let left = (attempts - count) as f64 * term;
        let tail = if failures < mode { total } else { above };
        if left == 0.0 || (falls && count > failures && left < NEGLIGIBLE * tail) {
            break;
        }
        term *= law.ratio(count);
    }
    term = 1.0;
    for count in (0..mode).rev() {
        term /= law.ratio(count);
        total += term;
        if count == failures {
            at = term;
        } else if count > failures {
            above += term;
        }
        if falls && (count as f64) * term < NEGLIGIBLE * total {
            break;
        }
    }
    UpperTail {
        at: at / total,
        above: above / total,
    }
}

/// P(X = attempts): the smallest p-value there can be; no digits below 1e-30.
pub(super) fn all_failing(attempts: u64, rate: f64, rho: f64) -> f64 {
    if attempts > MOST_MULTIPLIED {
        return Large::new(attempts, rate, rho).probability(attempts as f64);
    }
    let mut product = 1.0;
    for count in 0..attempts {
        let done = count as f64 * rho;
        product *= (rate * (1.0 - rho) + done) / (1.0 - rho + done);
        if product < 1e-30 {
            break;
        }
    }
    product
}
