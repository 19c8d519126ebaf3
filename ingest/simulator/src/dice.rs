//! Randomness that a seed alone decides: hashes of what is asked, and a small generator.
//!
//! Own rather than a crate's, because a crate may change its streams between versions, and with
//! them every answer key; and because 8 bytes of state a terminal is all a million of them can have.

/// Mixes a number beyond recognition (the finalizer of SplitMix64).
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Hashes a few numbers in their order.
pub fn hash(parts: &[u64]) -> u64 {
    parts
        .iter()
        .fold(0x6e6f_7473_706f_7421, |state, part| mix(state ^ part))
}

/// Turns hashed bits into a number in [0, 1).
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// Turns hashed bits into a nearly normal number: mean 0, standard deviation 1, never beyond 3.5.
///
/// The sum of four uniform numbers is close enough for decibels, and needs no logarithm.
pub fn normal(bits: u64) -> f64 {
    let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    (sum as f64 - 131_070.0) * (1.0 / 37_837.0)
}

/// A generator of 8 bytes (SplitMix64).
#[derive(Debug, Clone, Copy)]
pub struct Dice(u64);

impl Dice {
    /// Starts the stream that these numbers name.
    pub fn new(parts: &[u64]) -> Self {
        Self(hash(parts))
    }

    /// Returns 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        let bits = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits
    }

    /// Returns a number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Tells whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Returns a number in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Returns a nearly normal number, mean 0 and standard deviation 1.
    pub fn normal(&mut self) -> f64 {
        normal(self.bits())
    }

    /// Returns an exponentially distributed number.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Returns an index below `len`, which is not 0.
    pub fn index(&mut self, len: usize) -> usize {
        // The bias of the multiplication is below len / 2^64.
        ((u128::from(self.bits()) * len as u128) >> 64) as usize
    }

    /// Returns an index drawn by weight; the last when rounding leaves none.
    pub fn weighted(&mut self, weights: impl IntoIterator<Item = f64> + Clone) -> usize {
        let total: f64 = weights.clone().into_iter().sum();
        let mut left = self.unit() * total;
        let mut last = 0;
        for (at, weight) in weights.into_iter().enumerate() {
            left -= weight;
            last = at;
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let mut dice = Dice::new(&[7]);
        let draws: Vec<f64> = (0..200_000).map(|_| dice.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance =
            draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn weights_decide_how_often_an_index_is_drawn() {
        let mut dice = Dice::new(&[1, 2]);
        let mut drawn = [0_u32; 3];
        for _ in 0..30_000 {
            drawn[dice.weighted([1.0, 0.0, 2.0])] += 1;
        }
        assert_eq!(drawn[1], 0);
        assert!((19_000..21_000).contains(&drawn[2]), "{drawn:?}");
    }
}
