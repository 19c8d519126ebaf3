//! What a place receives: path loss, shadowing, interference, and how likely a sale fails for it.
//! Pure functions; levels are those of an LTE reference signal unless a name says otherwise.

use schemas::radio::Rat;

use crate::dice;

/// Returns the bit of a technology in a mask of several.
pub const fn bit(rat: Rat) -> u8 {
    1 << rat as u8
}

/// Returns the operating band and a channel number in it, for a dense or a sparse area.
pub const fn band(rat: Rat, dense: bool) -> (&'static str, i32) {
    match (rat, dense) {
        (Rat::Gsm, true) => ("DCS1800", 698),
        (Rat::Gsm, false) => ("GSM900", 62),
        (Rat::Umts, true) => ("B1", 10_713),
        (Rat::Umts, false) => ("B8", 3_011),
        (Rat::Lte, true) => ("B3", 1_575),
        (Rat::Lte, false) => ("B20", 6_300),
        (Rat::Nr, true) => ("n78", 636_666),
        (Rat::Nr, false) => ("n28", 154_570),
        (Rat::Nbiot | Rat::Ltem, _) => ("B20", 6_352),
    }
}

/// Returns what a technology's measure of strength shows above the LTE reference signal at one place, dB:
/// RxLev for GSM, RSCP for UMTS, RSRP for the others.
pub const fn strength_offset_db(rat: Rat) -> f64 {
    match rat {
        // A whole carrier's power against one subcarrier's.
        Rat::Gsm => 16.0,
        Rat::Umts => 8.0,
        Rat::Lte | Rat::Ltem => 0.0,
        // A mid-band carrier loses more on its way.
        Rat::Nr => -3.0,
        // Reference symbols of the narrow band are sent stronger.
        Rat::Nbiot => 3.0,
    }
}

/// Returns how much weaker a signal a technology still works with than LTE does, dB.
const fn reach_db(rat: Rat) -> f64 {
    match rat {
        Rat::Gsm => 3.0,
        Rat::Umts => 1.0,
        Rat::Lte => 0.0,
        Rat::Nr => -1.0,
        Rat::Nbiot => 6.0,
        Rat::Ltem => 4.0,
    }
}

/// Returns the mean reference-signal level at a distance, dBm.
///
/// COST-231 Hata for an urban macro site at 1.8 GHz, Hata for open land at 800 MHz, by density;
/// both with a 30 m mast and 29 dBm for each resource element.
pub fn mean_level_dbm(distance_km: f64, dense: bool) -> f64 {
    let decades = distance_km.max(0.03).log10();
    if dense {
        29.0 - (136.2 + 35.2 * decades)
    } else {
        29.0 - (112.0 + 35.2 * decades)
    }
}

/// Returns the shadowing of a carrier's signal at a place, dB: smooth over some 150 m and some 700 m.
///
/// East and north are metres in a plane common to the country.
pub fn shadowing_db(seed: u64, carrier: u8, east_m: f64, north_m: f64) -> f64 {
    let fine = lattice_noise(seed, u64::from(carrier), east_m / 150.0, north_m / 150.0);
    let coarse = lattice_noise(
        seed,
        u64::from(carrier) + 64,
        east_m / 700.0,
        north_m / 700.0,
    );
    4.5 * fine + 5.0 * coarse
}

/// Normal numbers on the crossings of a grid, blended smoothly in between.
fn lattice_noise(seed: u64, layer: u64, x: f64, y: f64) -> f64 {
    let node = |column: f64, row: f64| {
        let parts = [seed, layer, (column as i64) as u64, (row as i64) as u64];
        dice::normal(dice::hash(&parts))
    };
    let (column, row) = (x.floor(), y.floor());
    let (u, v) = (smooth(x - column), smooth(y - row));
    let south = node(column, row) * (1.0 - u) + node(column + 1.0, row) * u;
    let north = node(column, row + 1.0) * (1.0 - u) + node(column + 1.0, row + 1.0) * u;
    south * (1.0 - v) + north * v
}

fn smooth(t: f64) -> f64 {
    t * t * (3.0 - 2.0 * t)
}

/// Returns signal to interference and noise, dB, from the serving level and the strongest other site's.
pub fn sinr_db(level_dbm: f64, strongest_other_dbm: f64, load: f64) -> f64 {
    let over_noise = level_dbm + 121.0;
    // An idle neighbour still sends its reference signals.
    let over_interference = level_dbm - strongest_other_dbm + 7.0 - 7.0 * load;
    let linear = |db: f64| 10_f64.powf(-db / 10.0);
    let together = -10.0 * (linear(over_noise) + linear(over_interference)).log10();
    together.clamp(-20.0, 30.0)
}

/// Returns reference-signal quality, dB: it sinks with the load of the serving cell and with noise.
pub fn rsrq_db(sinr_db: f64, load: f64) -> f64 {
    (-6.5 - 5.5 * load - 0.45 * (6.0 - sinr_db).max(0.0)).clamp(-19.5, -3.0)
}

/// Returns the probability that an attempt gets no answer because of the radio link.
///
/// Of the order of a measured drive over three networks: some 1 % at good levels, 2 % at -110 dBm, 4 % at
/// -115 dBm and 13 % below -120 dBm for one ping; a payment exchanges several messages and fails a little
/// sooner. Bad interference alone costs a few percent.
pub fn failure_probability(rat: Rat, level_dbm: f64, sinr_db: f64, load: f64) -> f64 {
    let level = level_dbm + reach_db(rat);
    let weak = 0.34 * logistic((-118.0 - level) / 2.9) + 0.012 * logistic((-101.0 - level) / 5.0);
    let noisy = 0.035 * logistic((-3.0 - sinr_db) / 1.6);
    0.006 + 0.004 * load * load + weak + noisy
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_follow_the_measured_order() {
        let at = |level| failure_probability(Rat::Lte, level, 10.0, 0.5);
        assert!((0.005..0.012).contains(&at(-85.0)), "{}", at(-85.0));
        assert!((0.015..0.05).contains(&at(-110.0)), "{}", at(-110.0));
        assert!((0.10..0.25).contains(&at(-119.0)), "{}", at(-119.0));
        assert!(at(-95.0) < at(-105.0) && at(-105.0) < at(-115.0));
        assert!(failure_probability(Rat::Lte, -90.0, -8.0, 0.5) > 3.0 * at(-90.0));
    }

    #[test]
    fn shadowing_is_alike_nearby_and_unlike_far_away() {
        let (mut near, mut far, mut square) = (0.0, 0.0, 0.0);
        let count = 4_000;
        for step in 0..count {
            let east = f64::from(step) * 811.0;
            let here = shadowing_db(1, 0, east, 77.0);
            near += here * shadowing_db(1, 0, east + 30.0, 77.0);
            far += here * shadowing_db(1, 0, east + 5_000.0, 77.0);
            square += here * here;
        }
        assert!(near / square > 0.85, "{}", near / square);
        assert!((far / square).abs() < 0.1, "{}", far / square);
        let deviation = (square / f64::from(count)).sqrt();
        assert!((3.5..8.0).contains(&deviation), "{deviation} dB");
        assert!((shadowing_db(1, 0, 5.0, 5.0) - shadowing_db(1, 1, 5.0, 5.0)).abs() > 1e-9);
    }

    #[test]
    fn load_lowers_quality_but_not_level() {
        assert!(sinr_db(-90.0, -100.0, 1.0) < sinr_db(-90.0, -100.0, 0.1));
        assert!(rsrq_db(10.0, 1.0) < rsrq_db(10.0, 0.1));
    }
}
