use h3o::LatLng;
use proptest::prelude::*;

use super::*;
use crate::rng::Stream;

fn rows(counts: &[(u64, u64)]) -> Vec<Counts<u64>> {
    let row = |(i, (failures, attempts)): (usize, &(u64, u64))| Counts {
        id: i as u64,
        attempts: *attempts,
        failures: *failures,
    };
    counts.iter().enumerate().map(row).collect()
}

/// Rates from a beta distribution, by the quantile of a uniform number.
fn drawn(rows: u64, attempts: u64, a: f64, b: f64) -> Vec<(u64, u64)> {
    let mut stream = Stream::new(11, rows);
    let mut draw = || {
        let rate = crate::special::beta_quantile(stream.uniform(), a, b);
        (stream.binomial(attempts, rate), attempts)
    };
    (0..rows).map(|_| draw()).collect()
}

#[test]
fn marshall_is_its_formula() {
    let counts = [(1, 10), (9, 30), (0, 20), (4, 40)];
    let (m, k, total) = (0.14, 4.0, 100.0);
    let squares: f64 = counts
        .iter()
        .map(|(x, n)| *n as f64 * (*x as f64 / *n as f64 - m) * (*x as f64 / *n as f64 - m))
        .sum();
    let a = squares / total - m / (total / k);
    assert!(a > 0.0);
    let results = marshall(&rows(&counts), &Options::default()).expect("valid");
    for (row, (x, n)) in results.iter().zip(counts) {
        let (x, n) = (x as f64, n as f64);
        let weight = a / (a + m / n);
        assert!((row.weight.expect("defined") - weight).abs() < 1e-14);
        let eb_rate = row.eb_rate.expect("defined");
        assert!((eb_rate - (m + weight * (x / n - m))).abs() < 1e-14);
        assert!(row.low < row.eb_rate && row.eb_rate < row.high);
    }
}

#[test]
fn rates_without_spread_all_become_the_mean() {
    let counts = rows(&[(10, 100), (10, 100), (11, 100), (9, 100)]);
    let options = Options::default();
    for results in [
        marshall(&counts, &options),
        beta_binomial(&counts, &options),
    ] {
        for row in results.expect("valid") {
            assert!((row.eb_rate.expect("defined") - 0.1).abs() < 1e-12);
            assert_eq!(row.weight, Some(0.0));
        }
    }
}

#[test]
fn rates_without_spread_have_intervals_between_the_pooled_and_their_own() {
    let counts = rows(&[(10, 100), (10, 100), (11, 100), (9, 100)]);
    let none = rows(&[(0, 100), (0, 100), (0, 100)]);
    let options = Options::default();
    let sd = |attempts: f64| (0.1 * 0.9 / attempts).sqrt();
    for method in [marshall::<u64>, beta_binomial::<u64>] {
        for row in method(&counts, &options).expect("valid") {
            let half = (row.high.expect("an end") - row.low.expect("an end")) / 2.0;
            assert!(half > 1.96 * sd(400.0) && half < 2.1 * sd(100.0), "{half}");
        }
        for row in method(&none, &options).expect("valid") {
            assert_eq!(row.low, Some(0.0));
            let high = row.high.expect("an end");
            // Three over the attempts, from all 300 to its own 100.
            assert!((0.01..0.04).contains(&high), "{high}");
        }
    }
}

#[test]
fn intervals_hold_the_truth_where_little_spread_cannot_be_told_from_none() {
    // 40 rows of 50 attempts, true rates 0.09 to 0.11: most samples show no spread at all.
    let mut stream = Stream::new(29, 0);
    let (mut held, mut all, mut without) = (0, 0, 0);
    for _ in 0..200 {
        let truths: Vec<f64> = (0..40)
            .map(|at| 0.09 + 0.02 * f64::from(at) / 39.0)
            .collect();
        let drawn = truths.iter().map(|rate| (stream.binomial(50, *rate), 50));
        let counts: Vec<(u64, u64)> = drawn.collect();
        let results = beta_binomial(&rows(&counts), &Options::default()).expect("valid");
        if results[0].weight != Some(0.0) {
            continue;
        }
        without += 1;
        for (row, truth) in results.iter().zip(&truths) {
            all += 1;
            held += usize::from(row.low <= Some(*truth) && Some(*truth) <= row.high);
        }
    }
    assert!(without > 40, "{without} samples without spread");
    assert!(held as f64 >= 0.95 * f64::from(all), "{held} of {all}");
}

#[test]
fn edges_are_undefined_or_exact() {
    let options = Options::default();
    let methods = [marshall::<u64>, beta_binomial::<u64>];
    for method in methods {
        let none = method(&rows(&[(0, 5), (0, 9)]), &options).expect("valid");
        assert!(none.iter().all(|row| row.eb_rate == Some(0.0)));
        let all = method(&rows(&[(5, 5), (9, 9)]), &options).expect("valid");
        assert!(all.iter().all(|row| row.eb_rate == Some(1.0)));
        let lone = method(&rows(&[(1, 5), (0, 0)]), &options).expect("valid");
        assert!(
            lone.iter()
                .all(|row| row.eb_rate.is_none() && row.low.is_none())
        );
        assert_eq!((lone[0].rate, lone[1].rate), (Some(0.2), None));
        let missing = method(&rows(&[(1, 5), (0, 0), (4, 5)]), &options).expect("valid");
        assert_eq!((missing[1].eb_rate, missing[1].low), (Some(0.5), None));
        let extreme = method(&rows(&[(0, 5), (5, 5), (0, 5), (5, 5)]), &options).expect("valid");
        assert!(extreme.iter().all(|row| {
            [row.eb_rate, row.low, row.high]
                .iter()
                .flatten()
                .all(|value| (0.0..=1.0).contains(value))
        }));
        assert!(method(&rows(&[(2, 1)]), &options).is_err());
        assert!(
            method(
                &[],
                &Options {
                    level: 1.0,
                    ..options
                }
            )
            .is_err()
        );
    }
}

#[test]
fn the_likelihood_finds_the_prior_that_made_the_rates() {
    let prior = beta_prior(&rows(&drawn(4000, 200, 3.0, 27.0)))
        .expect("valid")
        .expect("a prior");
    assert!((prior.mean - 0.1).abs() < 0.004, "{prior:?}");
    let strength = prior.strength.expect("spread");
    assert!((strength / 30.0 - 1.0).abs() < 0.1, "{prior:?}");
}

#[test]
fn the_fitted_prior_is_a_maximum() {
    let counts = drawn(300, 40, 0.7, 5.0);
    let prior = beta_prior(&rows(&counts)).expect("valid").expect("a prior");
    let likelihood = |mean: f64, strength: f64| -> f64 {
        let (a, b) = (mean * strength, (1.0 - mean) * strength);
        let beta = crate::special::ln_beta;
        counts
            .iter()
            .map(|(x, n)| beta(*x as f64 + a, (n - x) as f64 + b) - beta(a, b))
            .sum()
    };
    let strength = prior.strength.expect("spread");
    let top = likelihood(prior.mean, strength);
    for (mean, factor) in [(1.01, 1.0), (0.99, 1.0), (1.0, 1.02), (1.0, 0.98)] {
        assert!(likelihood(prior.mean * mean, strength * factor) < top);
    }
}

#[test]
fn a_posterior_interval_covers_what_it_says() {
    let mut stream = Stream::new(12, 0);
    let (mut truths, mut counts) = (Vec::new(), Vec::new());
    for _ in 0..3000 {
        let rate = crate::special::beta_quantile(stream.uniform(), 2.0, 18.0);
        truths.push(rate);
        counts.push((stream.binomial(50, rate), 50));
    }
    for method in [beta_binomial::<u64>, marshall::<u64>] {
        let results = method(&rows(&counts), &Options::default()).expect("valid");
        let inside = |(row, truth): (&RateRow<u64>, &f64)| {
            row.low.is_some_and(|low| low <= *truth) && row.high.is_some_and(|high| *truth <= high)
        };
        let covered = results
            .iter()
            .zip(&truths)
            .filter(|pair| inside(*pair))
            .count() as f64;
        assert!((covered / 3000.0 - 0.95).abs() < 0.016, "{covered}");
    }
}

#[test]
fn a_lone_cell_of_few_attempts_is_drawn_to_the_global_rate() {
    let place = |lat: f64| {
        LatLng::new(lat, 16.0)
            .expect("a place")
            .to_cell(Resolution::Eight)
    };
    let cell = |id, failures| Counts {
        id,
        attempts: 100,
        failures,
    };
    let mut cells: Vec<_> = place(48.0)
        .grid_disk::<Vec<_>>(2)
        .into_iter()
        .map(|id| cell(id, 4))
        .collect();
    cells[0].failures = 30;
    cells.push(cell(place(10.0), 50));
    let options = Options {
        min_local_attempts: 101,
        ..Options::default()
    };
    let local = marshall_local(&cells, &options).expect("valid");
    let global = marshall(&cells, &options).expect("valid");
    let lone = |rows: &[RateRow<CellIndex>]| rows.iter().find(|row| row.id == place(10.0)).cloned();
    assert_eq!(lone(&local), lone(&global));
    assert_ne!(local, global);
    cells.push(cell(
        place(48.0).parent(Resolution::Five).expect("coarser"),
        1,
    ));
    assert!(matches!(
        marshall_local(&cells, &options),
        Err(RatesError::MixedResolutions { .. })
    ));
}

proptest! {
    #[test]
    fn order_split_rows_and_empty_rows_change_nothing(
        counts in proptest::collection::vec((0_u64..60, 0.0..1.0), 2..30),
        turn in 0_usize..30,
    ) {
        let counts: Vec<_> = counts.iter().map(|(n, r)| ((*n as f64 * r) as u64, *n)).collect();
        let mut input = rows(&counts);
        let options = Options::default();
        let methods = [marshall::<u64>, beta_binomial::<u64>];
        let before: Vec<_> = methods.iter().map(|method| method(&input, &options).expect("valid")).collect();
        let turn = turn % input.len();
        input.rotate_left(turn);
        input.push(Counts { id: 1000, attempts: 0, failures: 0 });
        let first = &mut input[0];
        if first.failures > 0 {
            (first.attempts, first.failures) = (first.attempts - 1, first.failures - 1);
            let id = first.id;
            input.push(Counts { id, attempts: 1, failures: 1 });
        }
        for (method, before) in methods.iter().zip(before) {
            let mut after = method(&input, &options).expect("valid");
            after.retain(|row| row.id != 1000);
            prop_assert_eq!(before, after);
        }
    }
}
