//! Random numbers for simulations: one stream a replicate, and samplers that are exact.
//!
//! A stream is a counter hashed with its seed (`SplitMix64` of Steele, Lea and Flood 2014), so a
//! replicate draws the same numbers on whichever thread it runs. The discrete samplers invert the
//! distribution outwards from its mode; they are exact up to the rounding of probabilities, for
//! counts as large as 2^53. Not for secrets.

use crate::special::ln_choose;

/// Weyl increment: the odd number nearest to 2^64 over the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of random numbers named by a seed and the index of a replicate.
#[derive(Debug, Clone)]
pub struct Stream {
    state: u64,
}

impl Stream {
    /// Opens the stream of `replicate` under `seed`; the same pair gives the same numbers.
    pub fn new(seed: u64, replicate: u64) -> Self {
        // Hashed twice with a hash between, so that neighbouring streams do not overlap shifted.
        Self {
            state: mix(mix(seed.wrapping_add(STEP)).wrapping_add(mix(replicate ^ STEP))),
        }
    }

    /// Draws 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// Draws from the uniform distribution on (0, 1), both ends left out.
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) * (1.0 / (1_u64 << 52) as f64)
    }

    /// Draws an index below `bound` without bias, by Lemire's (2019) multiplication.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing is below zero");
        let rejected = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.bits()) * u128::from(bound);
            if wide as u64 >= rejected {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Draws the number of successes of `n` trials of probability `p`.
    ///
    /// A `p` outside of [0, 1] counts as the nearer end.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if n == 0 || p <= 0.0 {
            return 0;
        }
        if p >= 1.0 {
            return n;
        }
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let odds = p / (1.0 - p);
        let mode = (((n as f64 + 1.0) * p) as u64).min(n);
        if mode == 0 {
            let none = (n as f64 * (-p).ln_1p()).exp();
            return self.invert_up(none, n, |k| (n - k) as f64 / (k + 1) as f64 * odds);
        }
        let (ln_p, ln_q) = (p.ln(), (-p).ln_1p());
        let at_mode = (ln_choose(n, mode) + mode as f64 * ln_p + (n - mode) as f64 * ln_q).exp();
        self.invert_from_mode((0, mode, n), at_mode, |k| {
            (n - k) as f64 / (k + 1) as f64 * odds
        })
    }

    /// Draws how many of `draws` taken without return are marked, when `marked` of `total` are.
    ///
    /// # Panics
    /// When `marked` or `draws` exceeds `total`.
    pub fn hypergeometric(&mut self, total: u64, marked: u64, draws: u64) -> u64 {
        assert!(
            marked <= total && draws <= total,
            "a part exceeds its whole"
        );
        let low = draws.saturating_sub(total - marked);
        let high = draws.min(marked);
        if low == high {
            return low;
        }
        let spare = total - marked;
        // P(k + 1) / P(k); the last factor is written so that nothing is subtracted below zero.
        let ratio = |k: u64| {
            let up = (marked - k) as f64 * (draws - k) as f64;
            up / ((k + 1) as f64 * (spare + k + 1 - draws) as f64)
        };
        if draws == 1 {
            return u64::from(self.below(total) < marked);
        }
        let mode = (marked as f64 + 1.0) * (draws as f64 + 1.0) / (total as f64 + 2.0);
        let mode = (mode as u64).clamp(low, high);
        let ln_at_mode = ln_choose(marked, mode) + ln_choose(spare, draws - mode);
        let at_mode = (ln_at_mode - ln_choose(total, draws)).exp();
        self.invert_from_mode((low, mode, high), at_mode, ratio)
    }

    /// Deals `n` cases over classes in proportion to `weights`, into `counts`.
    ///
    /// # Panics
    /// When the slices differ in length.
    pub fn multinomial(&mut self, n: u64, weights: &[f64], counts: &mut [u64]) {
        assert_eq!(weights.len(), counts.len(), "one count a weight");
        // Sums from the end: what is still ahead is never found by subtraction.
        let mut ahead = vec![0.0; weights.len() + 1];
        for (i, weight) in weights.iter().enumerate().rev() {
            ahead[i] = ahead[i + 1] + weight;
        }
        let mut left = n;
        for (i, count) in counts.iter_mut().enumerate() {
            let share = if ahead[i] > 0.0 {
                weights[i] / ahead[i]
            } else {
                0.0
            };
            *count = if left == 0 {
                0
            } else {
                self.binomial(left, share)
            };
            left -= *count;
        }
    }

    /// Deals `n` cases over the units of classes without return, `sizes` units each, into `counts`.
    ///
    /// # Panics
    /// When the slices differ in length, or there are fewer units than cases.
    pub fn multivariate_hypergeometric(&mut self, n: u64, sizes: &[u64], counts: &mut [u64]) {
        assert_eq!(sizes.len(), counts.len(), "one count a size");
        let mut total: u64 = sizes.iter().sum();
        let mut left = n;
        for (size, count) in sizes.iter().zip(counts) {
            *count = if left == 0 {
                0
            } else {
                self.hypergeometric(total, *size, left)
            };
            total -= size;
            left -= *count;
        }
    }

    /// Inverts a distribution on 0..=`high` that starts at its mode 0.
    fn invert_up(&mut self, at_zero: f64, high: u64, ratio: impl Fn(u64) -> f64) -> u64 {
        let mut left = self.uniform() - at_zero;
        let (mut k, mut mass) = (0, at_zero);
        while left > 0.0 && k < high && mass > 0.0 {
            mass *= ratio(k);
            k += 1;
            left -= mass;
        }
        k
    }

    /// Inverts a distribution on low..=high, walking from the mode to both sides by turns.
    fn invert_from_mode(
        &mut self,
        (low, mode, high): (u64, u64, u64),
        at_mode: f64,
        ratio: impl Fn(u64) -> f64,
    ) -> u64 {
        let mut left = self.uniform() - at_mode;
        let (mut up, mut up_mass) = (mode, at_mode);
        let (mut down, mut down_mass) = (mode, at_mode);
        while left > 0.0 && (up_mass > 0.0 || down_mass > 0.0) {
            if up < high {
                up_mass *= ratio(up);
                up += 1;
                left -= up_mass;
                if left <= 0.0 {
                    return up;
                }
            } else {
                up_mass = 0.0;
            }
            if down > low {
                down -= 1;
                down_mass /= ratio(down);
                left -= down_mass;
                if left <= 0.0 {
                    return down;
                }
            } else {
                down_mass = 0.0;
            }
        }
        mode
    }
}

/// The finaliser of `SplitMix64`: a bijection that flips half of the bits for any one flipped.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks draws against a probability mass function by Pearson's chi-square over lumped bins.
    fn assert_distribution(draws: &[u64], mass: impl Fn(u64) -> f64, limits: (u64, u64)) {
        let n = draws.len() as f64;
        let (mut chi2, mut bins) = (0.0, 0.0);
        let (mut expected, mut observed) = (0.0, 0.0);
        for k in limits.0..=limits.1 {
            expected += n * mass(k);
            observed += draws.iter().filter(|x| **x == k).count() as f64;
            if expected >= 10.0 {
                chi2 += (observed - expected).powi(2) / expected;
                bins += 1.0;
                (expected, observed) = (0.0, 0.0);
            }
        }
        assert!(bins >= 2.0);
        let p = crate::special::chi2_upper(chi2, bins - 1.0);
        assert!(p > 1e-4, "chi-square {chi2} in {bins} bins");
    }

    #[test]
    fn a_stream_is_named_by_its_seed_and_replicate() {
        let draw = |seed, replicate| Stream::new(seed, replicate).bits();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(2, 1));
        assert_ne!(draw(1, 2), draw(1, 3));
    }

    #[test]
    fn uniform_draws_are_flat() {
        let draws: Vec<u64> = (0..20_000)
            .map(|i| (Stream::new(3, i).uniform() * 20.0) as u64)
            .collect();
        assert_distribution(&draws, |_| 0.05, (0, 19));
    }

    #[test]
    fn binomial_draws_follow_the_binomial() {
        for (n, p) in [(1, 0.3), (9, 0.02), (40, 0.5), (40, 0.93), (3000, 0.2)] {
            let mut stream = Stream::new(5, n);
            let draws: Vec<u64> = (0..20_000).map(|_| stream.binomial(n, p)).collect();
            let mass = |k: u64| {
                let ln = ln_choose(n, k) + k as f64 * p.ln() + (n - k) as f64 * (1.0 - p).ln();
                ln.exp()
            };
            assert_distribution(&draws, mass, (0, n));
        }
    }

    #[test]
    fn binomial_draws_stay_exact_for_a_billion_trials() {
        let (n, p) = (1_000_000_000, 0.25);
        let mut stream = Stream::new(8, 0);
        let draws: Vec<f64> = (0..300).map(|_| stream.binomial(n, p) as f64).collect();
        let mean = draws.iter().sum::<f64>() / 300.0;
        let sd = (n as f64 * p * (1.0 - p)).sqrt();
        assert!((mean - 2.5e8).abs() < 4.0 * sd / 300.0_f64.sqrt());
        let spread = (draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 299.0).sqrt();
        assert!((spread / sd - 1.0).abs() < 0.2, "{spread} for {sd}");
    }

    #[test]
    fn hypergeometric_draws_follow_the_hypergeometric() {
        for (total, marked, draws) in [(50, 20, 1), (50, 20, 15), (50, 45, 30), (4000, 900, 1700)] {
            let mut stream = Stream::new(6, total);
            let sample: Vec<u64> = (0..20_000)
                .map(|_| stream.hypergeometric(total, marked, draws))
                .collect();
            let mass = |k: u64| {
                if k > draws {
                    return 0.0;
                }
                let ln = ln_choose(marked, k) + ln_choose(total - marked, draws - k);
                (ln - ln_choose(total, draws)).exp()
            };
            assert_distribution(&sample, mass, (0, marked));
        }
    }

    #[test]
    fn dealt_cases_add_up() {
        let mut stream = Stream::new(7, 7);
        let mut counts = [0; 5];
        stream.multinomial(1000, &[0.0, 1.0, 2.0, 0.5, 0.0], &mut counts);
        assert_eq!(counts.iter().sum::<u64>(), 1000);
        assert_eq!((counts[0], counts[4]), (0, 0));
        let sizes = [3, 0, 500, 40, 7];
        stream.multivariate_hypergeometric(549, &sizes, &mut counts);
        assert_eq!(counts.iter().sum::<u64>(), 549);
        assert!(counts.iter().zip(sizes).all(|(count, size)| *count <= size));
    }

    #[test]
    fn dealt_cases_fall_in_proportion() {
        let mut stream = Stream::new(9, 0);
        let (mut counts, mut sums) = ([0; 3], [0.0; 3]);
        for _ in 0..2000 {
            stream.multivariate_hypergeometric(60, &[100, 200, 300], &mut counts);
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count as f64 / 2000.0;
            }
        }
        for (sum, want) in sums.iter().zip([10.0, 20.0, 30.0]) {
            assert!((sum - want).abs() < 0.4, "{sum} for {want}");
        }
    }
}
