use super::*;

/// Numbers between 0 and 1, the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }

    fn below(&mut self, count: usize) -> usize {
        ((self.next() * count as f64) as usize).min(count - 1)
    }

    fn binomial(&mut self, attempts: u64, rate: f64) -> u64 {
        (0..attempts).filter(|_| self.next() < rate).count() as u64
    }
}

struct Planted {
    cells: Vec<u32>,
    models: Vec<u32>,
    attempts: Vec<u64>,
    failures: Vec<u64>,
    rates: Vec<f64>,
    effects: Vec<Vec<f64>>,
    counts: [usize; 2],
}

impl Planted {
    fn new(rows: usize, counts: [usize; 2], sd: [f64; 2], most_attempts: usize) -> Self {
        let mut numbers = Numbers(7);
        let effects: Vec<Vec<f64>> = (0..2)
            .map(|factor| {
                (0..counts[factor])
                    .map(|_| sd[factor] * numbers.normal())
                    .collect()
            })
            .collect();
        let mut planted = Self {
            cells: Vec::new(),
            models: Vec::new(),
            attempts: Vec::new(),
            failures: Vec::new(),
            rates: Vec::new(),
            effects,
            counts,
        };
        for _ in 0..rows {
            let (cell, model) = (numbers.below(counts[0]), numbers.below(counts[1]));
            let attempts = numbers.below(most_attempts) as u64 + 1;
            let rate = sweep::expit(-3.0 + planted.effects[0][cell] + planted.effects[1][model]);
            planted.cells.push(cell as u32);
            planted.models.push(model as u32);
            planted.attempts.push(attempts);
            planted.failures.push(numbers.binomial(attempts, rate));
            planted.rates.push(rate);
        }
        planted
    }

    fn fit(&self, options: &LogitOptions<'_>) -> LogitFit {
        let factors = [
            Factor {
                level_of_row: &self.cells,
                count: self.counts[0],
            },
            Factor {
                level_of_row: &self.models,
                count: self.counts[1],
            },
        ];
        let rows = LogitRows {
            attempts: &self.attempts,
            failures: &self.failures,
            weights: None,
            factors: &factors,
        };
        fit(&rows, options).unwrap()
    }
}

#[test]
fn gradient_of_the_penalised_likelihood_is_zero_at_the_fit() {
    let planted = Planted::new(300, [20, 4], [0.8, 0.5], 200);
    let variances = [0.5, 0.3];
    let options = LogitOptions {
        variances: Some(&variances),
        tolerance: 1e-12,
        ..LogitOptions::default()
    };
    let fitted = planted.fit(&options);
    assert!(fitted.converged);
    let residual = |row: usize| {
        planted.failures[row] as f64 - planted.attempts[row] as f64 * fitted.rates[row]
    };
    for (factor, levels) in [&planted.cells, &planted.models].into_iter().enumerate() {
        for (level, effect) in fitted.factors[factor].effects.iter().enumerate() {
            let rows = (0..300).filter(|&row| levels[row] as usize == level);
            let score: f64 = rows.map(residual).sum();
            assert!((score - effect / variances[factor]).abs() < 1e-7);
        }
    }
    assert!((0..300).map(residual).sum::<f64>().abs() < 1e-7);
}

#[test]
fn planted_variances_and_rates_are_recovered() {
    let planted = Planted::new(20_000, [800, 40], [0.7, 0.4], 150);
    let fitted = planted.fit(&LogitOptions::default());
    assert!(
        fitted.converged && fitted.sweeps < 60,
        "{} sweeps",
        fitted.sweeps
    );
    let sd = [0, 1].map(|factor| fitted.factors[factor].variance.sqrt());
    assert!(
        (sd[0] - 0.7).abs() < 0.06 && (sd[1] - 0.4).abs() < 0.1,
        "{sd:?}"
    );
    assert!((fitted.base + 3.0).abs() < 0.25, "{}", fitted.base);
    let error = |(fitted, rate): (&f64, &f64)| ((fitted / rate).ln()).powi(2);
    let mean = fitted
        .rates
        .iter()
        .zip(&planted.rates)
        .map(error)
        .sum::<f64>()
        / 20_000.0;
    assert!(mean.sqrt() < 0.15, "{}", mean.sqrt());
}

#[test]
fn a_factor_without_effects_shrinks_to_nothing() {
    let planted = Planted::new(20_000, [500, 30], [0.6, 0.0], 100);
    let fitted = planted.fit(&LogitOptions::default());
    assert!(
        fitted.factors[1].variance.sqrt() < 0.05,
        "{}",
        fitted.factors[1].variance
    );
}

#[test]
fn errors_of_effects_cover_the_truth_as_often_as_they_say() {
    let planted = Planted::new(20_000, [800, 40], [0.7, 0.4], 150);
    let fitted = planted.fit(&LogitOptions::default());
    let cells = &fitted.factors[0];
    let mean = planted.effects[0].iter().sum::<f64>() / 800.0;
    let covered = (0..800)
        .filter(|&cell| {
            let miss = cells.effects[cell] - (planted.effects[0][cell] - mean);
            miss.abs() <= 1.96 * cells.errors[cell]
        })
        .count();
    // 760 expected
    assert!((740..=785).contains(&covered), "{covered} of 800");
}

#[test]
fn sparse_levels_with_only_failures_do_not_run_away() {
    let levels: Vec<u32> = (0..1000).collect();
    let failures: Vec<u64> = (0..1000).map(|row| u64::from(row % 10 == 0)).collect();
    let rows = LogitRows {
        attempts: &[1; 1000],
        failures: &failures,
        weights: None,
        factors: &[Factor {
            level_of_row: &levels,
            count: 1000,
        }],
    };
    let fitted = fit(&rows, &LogitOptions::default()).unwrap();
    assert!(fitted.rates.iter().all(|rate| *rate > 0.0 && *rate < 0.9));
}

#[test]
fn rows_of_weight_zero_change_nothing_but_get_a_rate() {
    let planted = Planted::new(500, [10, 3], [0.5, 0.5], 100);
    let alone = planted.fit(&LogitOptions::default());
    let cells: Vec<u32> = planted.cells.iter().copied().chain([0]).collect();
    let attempts: Vec<u64> = planted.attempts.iter().copied().chain([1000]).collect();
    let failures: Vec<u64> = planted.failures.iter().copied().chain([1000]).collect();
    let models: Vec<u32> = planted.models.iter().copied().chain([1]).collect();
    let weights: Vec<f64> = (0..501)
        .map(|row| if row < 500 { 1.0 } else { 0.0 })
        .collect();
    let rows = LogitRows {
        attempts: &attempts,
        failures: &failures,
        weights: Some(&weights),
        factors: &[
            Factor {
                level_of_row: &cells,
                count: 10,
            },
            Factor {
                level_of_row: &models,
                count: 3,
            },
        ],
    };
    let more = fit(&rows, &LogitOptions::default()).unwrap();
    assert!((more.base - alone.base).abs() < 1e-9);
    assert!((more.rates[0] - alone.rates[0]).abs() < 1e-9);
    assert!(more.rates[500] < 0.5);
}

#[test]
fn threads_change_nothing() {
    let planted = Planted::new(20_000, [300, 10], [0.5, 0.5], 50);
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let four = rayon::ThreadPoolBuilder::new()
        .num_threads(4)
        .build()
        .unwrap();
    let options = LogitOptions::default();
    assert_eq!(
        one.install(|| planted.fit(&options)),
        four.install(|| planted.fit(&options))
    );
}

#[test]
fn starting_from_the_fit_ends_at_the_fit() {
    let planted = Planted::new(2000, [50, 5], [0.5, 0.5], 50);
    let first = planted.fit(&LogitOptions::default());
    let again = planted.fit(&LogitOptions {
        start: Some(&first),
        ..LogitOptions::default()
    });
    assert!(again.sweeps <= 3, "{} sweeps", again.sweeps);
}

#[test]
fn invalid_rows_are_refused_by_position() {
    let fitted = |attempts: &[u64], failures: &[u64], levels: &[u32]| {
        let factors = [Factor {
            level_of_row: levels,
            count: 2,
        }];
        let rows = LogitRows {
            attempts,
            failures,
            weights: None,
            factors: &factors,
        };
        fit(&rows, &LogitOptions::default())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        fitted(&[1, 1], &[0, 2], &[0, 0]),
        "row 1 has 2 failures in 1 attempts"
    );
    assert_eq!(
        fitted(&[1], &[0], &[2]),
        "row 0 has level 2 of 2 in factor 0"
    );
    assert_eq!(
        fitted(&[5, 0], &[0, 0], &[0, 1]),
        "no base rate: 0 failures in 5 attempts of positive weight"
    );
    assert_eq!(
        fitted(&[1], &[], &[0]),
        "failures has 0 rows where attempts has 1"
    );
}

#[test]
fn nearly_nested_factors_converge_too() {
    // Every cell has one model, but for one cell in ten: the effects are told apart by few rows.
    let mut planted = Planted::new(20_000, [2000, 10], [0.6, 0.4], 100);
    for row in 0..20_000 {
        let cell = planted.cells[row];
        if !cell.is_multiple_of(10) {
            planted.models[row] = cell / 10 % 10;
            let logit = -3.0
                + planted.effects[0][cell as usize]
                + planted.effects[1][planted.models[row] as usize];
            planted.rates[row] = sweep::expit(logit);
            planted.failures[row] =
                Numbers(row as u64).binomial(planted.attempts[row], planted.rates[row]);
        }
    }
    let fitted = planted.fit(&LogitOptions::default());
    assert!(
        fitted.converged && fitted.sweeps < 150,
        "{} sweeps",
        fitted.sweeps
    );
    let mean = planted.effects[1].iter().sum::<f64>() / 10.0;
    for (effect, truth) in fitted.factors[1].effects.iter().zip(&planted.effects[1]) {
        assert!(
            (effect - (truth - mean)).abs() < 0.25,
            "{effect} {}",
            truth - mean
        );
    }
}
