use super::*;
use crate::rng::Stream;
use proptest::prelude::*;

fn row(unit: &str, treated: bool, period: i64, attempts: u64, failures: u64) -> EffectCounts<'_> {
    EffectCounts {
        unit,
        treated,
        period,
        attempts,
        failures,
    }
}

fn close(got: Option<f64>, expected: f64) {
    let got = got.expect("defined");
    assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
}

/// Changes of the treated: −0.10, −0.06; of the comparison: 0, 0.02, 0.01.
fn small() -> Vec<EffectCounts<'static>> {
    vec![
        row("a", true, 0, 100, 30),
        row("a", true, 1, 100, 20),
        row("b", true, 0, 50, 13),
        row("b", true, 1, 50, 10),
        row("c", false, 0, 100, 25),
        row("c", false, 1, 100, 25),
        row("d", false, 0, 200, 60),
        row("d", false, 1, 100, 32),
        row("e", false, 0, 100, 26),
        row("e", false, 1, 100, 27),
    ]
}

#[test]
fn estimate_and_error_are_those_of_the_changes_with_the_cr1_factor() {
    let effect = estimate_effect(&small(), &EffectOptions::starting(1))
        .unwrap()
        .effect;
    close(Some(effect.estimate), -0.08 - 0.01);
    let cr0: f64 = (2.0 * 0.02_f64.powi(2)) / 4.0 + (2.0 * 0.01_f64.powi(2)) / 9.0;
    let se = (cr0 * (5.0 / 4.0) * (9.0 / 6.0)).sqrt();
    close(effect.se, se);
    // t(4): 97.5 % quantile
    let margin = 2.776_445_105_197_793 * se;
    assert!((effect.low.unwrap() - (-0.09 - margin)).abs() < 1e-9);
    assert!((effect.high.unwrap() - (-0.09 + margin)).abs() < 1e-9);
    assert_eq!((effect.treated_units, effect.comparison_units), (2, 3));
}

#[test]
fn weights_by_attempts_give_the_difference_of_pooled_rates() {
    let options = EffectOptions {
        weighting: Weighting::Attempts,
        ..EffectOptions::starting(1)
    };
    let effect = estimate_effect(&small(), &options).unwrap().effect;
    let (treated, comparison) = (30.0 / 150.0 - 43.0 / 150.0, 84.0 / 300.0 - 111.0 / 400.0);
    close(Some(effect.estimate), treated - comparison);
}

#[test]
fn periods_are_collapsed_to_one_rate_before_and_one_after() {
    let split: Vec<_> = small()
        .into_iter()
        .flat_map(|one| {
            let period = if one.period == 0 { -10 } else { 10 };
            let (attempts, failures) = (one.attempts / 2, one.failures / 2);
            [
                EffectCounts {
                    period,
                    attempts,
                    failures,
                    ..one
                },
                EffectCounts {
                    period: period + 1,
                    attempts: one.attempts - attempts,
                    failures: one.failures - failures,
                    ..one
                },
            ]
        })
        .collect();
    let whole = estimate_effect(&small(), &EffectOptions::starting(1)).unwrap();
    let collapsed = estimate_effect(&split, &EffectOptions::starting(0)).unwrap();
    assert_eq!(collapsed.effect, whole.effect);
    assert!(collapsed.placebo_p.is_some() && whole.placebo_p.is_none());
    assert!(whole.warnings.contains(&EffectWarning::NoPlacebo));
}

#[test]
fn a_rate_of_no_attempts_is_missing_and_its_unit_is_left_out() {
    let mut rows = small();
    rows.extend([
        row("f", false, 0, 100, 1),
        row("f", false, 1, 0, 0),
        row("g", true, 1, 9, 9),
    ]);
    let more = estimate_effect(&rows, &EffectOptions::starting(1)).unwrap();
    let alone = estimate_effect(&small(), &EffectOptions::starting(1)).unwrap();
    assert_eq!(more.effect, alone.effect);
    assert!(more.warnings.contains(&EffectWarning::UnitsDropped {
        dropped: 2,
        units: 7
    }));
}

#[test]
fn without_a_comparison_there_is_no_estimate_and_with_one_unit_no_interval() {
    let treated: Vec<_> = small().into_iter().filter(|row| row.treated).collect();
    let error = estimate_effect(&treated, &EffectOptions::starting(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no comparison unit has attempts both before and from period 1 on"
    );
    let one: Vec<_> = small()
        .into_iter()
        .filter(|row| !row.treated || row.unit == "a")
        .collect();
    let result = estimate_effect(&one, &EffectOptions::starting(1)).unwrap();
    assert_eq!(
        (result.effect.se, result.effect.low, result.effect.p),
        (None, None, None)
    );
    assert!(result.warnings.contains(&EffectWarning::NoInterval));
}

#[test]
fn bad_input_is_refused_by_name() {
    let refused = |extra| {
        let rows: Vec<_> = small().into_iter().chain([extra]).collect();
        estimate_effect(&rows, &EffectOptions::starting(1))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(row("a", false, 3, 1, 0)),
        "unit a is both treated and comparison"
    );
    assert_eq!(
        refused(row("a", true, 3, 1, 2)),
        "unit a in period 3 has 2 failures in 1 attempts"
    );
}

#[test]
fn equal_changes_have_no_error_and_no_p_value() {
    let rows = [
        row("a", true, 0, 10, 5),
        row("a", true, 1, 10, 3),
        row("b", true, 0, 10, 5),
        row("b", true, 1, 10, 3),
        row("c", false, 0, 10, 5),
        row("c", false, 1, 10, 5),
        row("d", false, 0, 10, 5),
        row("d", false, 1, 10, 5),
    ];
    let effect = estimate_effect(&rows, &EffectOptions::starting(1))
        .unwrap()
        .effect;
    close(Some(effect.estimate), -0.2);
    assert_eq!((effect.se, effect.p), (None, None));
}

/// Units with rates of their own, four periods before and four after; those treated are chosen by
/// `choose` from the failures before, and their rate changes by `effect`.
fn simulate(
    seed: u64,
    units: usize,
    effect: f64,
    choose: impl Fn(usize, u64) -> bool,
) -> Vec<(String, bool, i64, u64, u64)> {
    let mut stream = Stream::new(seed, 0);
    let mut rows = Vec::new();
    for unit in 0..units {
        let rate = 0.1 + 0.1 * stream.uniform();
        let before: Vec<u64> = (0..4).map(|_| stream.binomial(50, rate)).collect();
        let treated = choose(unit, before.iter().sum());
        let changed = if treated { rate + effect } else { rate };
        let after: Vec<u64> = (0..4).map(|_| stream.binomial(50, changed)).collect();
        for (period, failures) in before.into_iter().chain(after).enumerate() {
            rows.push((format!("u{unit:05}"), treated, period as i64, 50, failures));
        }
    }
    rows
}

fn estimated(rows: &[(String, bool, i64, u64, u64)]) -> EffectRow {
    let rows: Vec<_> = rows
        .iter()
        .map(|(u, t, p, n, x)| row(u, *t, *p, *n, *x))
        .collect();
    estimate_effect(&rows, &EffectOptions::starting(4)).unwrap()
}

#[test]
fn without_an_effect_a_twentieth_of_tests_and_placebos_are_significant() {
    let (mut tests, mut placebos) = (0, 0);
    for seed in 0..1000 {
        let result = estimated(&simulate(seed, 40, 0.0, |unit, _| unit % 2 == 0));
        tests += u32::from(result.effect.p.unwrap() <= 0.05);
        placebos += u32::from(result.placebo_p.unwrap() <= 0.05);
    }
    // 50 expected, standard deviation 7
    assert!((29..=71).contains(&tests), "{tests} of 1000");
    assert!((29..=71).contains(&placebos), "{placebos} of 1000");
}

#[test]
fn a_planted_effect_is_covered_by_its_interval() {
    let covered = (0..300)
        .filter(|&seed| {
            let result = estimated(&simulate(seed, 60, -0.05, |unit, _| unit % 3 == 0));
            result.effect.low <= Some(-0.05) && Some(-0.05) <= result.effect.high
        })
        .count();
    // 285 expected, standard deviation 3.8
    assert!((270..=299).contains(&covered), "{covered} of 300");
}

#[test]
fn choosing_the_worst_units_is_warned_of_and_matching_takes_the_false_gain_away() {
    // The worst are treated with probability a half, so there is someone to compare with.
    let worst = |unit: usize, failures: u64| failures >= 36 && unit.is_multiple_of(2);
    let (mut naive, mut matched) = (0.0, 0.0);
    for seed in 0..50 {
        let result = estimated(&simulate(seed, 1000, 0.0, worst));
        let warned =
            |warning: &EffectWarning| matches!(warning, EffectWarning::DifferentStart { .. });
        assert!(result.warnings.iter().any(warned));
        naive += result.effect.estimate / 50.0;
        matched += result.matched.unwrap().estimate / 50.0;
    }
    assert!(naive < -0.01, "{naive}");
    assert!(matched.abs() < 0.002, "{matched}");
}

proptest! {
    #[test]
    fn neither_order_nor_names_nor_empty_rows_change_the_effect(
        counts in prop::collection::vec((any::<bool>(), 1u64..50, 1u64..50, 0u64..50, 0u64..50), 8..20),
        weighted in any::<bool>(),
    ) {
        let weighting = if weighted { Weighting::Attempts } else { Weighting::Units };
        let options = EffectOptions { weighting, ..EffectOptions::starting(1) };
        let named = |prefix: &str| -> Vec<(String, bool, i64, u64, u64)> {
            counts
                .iter()
                .enumerate()
                .flat_map(|(unit, &(treated, n, m, x, y))| {
                    let name = format!("{prefix}{unit:02}");
                    [(name.clone(), treated, 0, n, x.min(n)), (name, treated, 1, m, y.min(m))]
                })
                .collect()
        };
        let run = |rows: &[(String, bool, i64, u64, u64)]| {
            let rows: Vec<_> = rows.iter().map(|(u, t, p, n, x)| row(u, *t, *p, *n, *x)).collect();
            estimate_effect(&rows, &options)
        };
        let rows = named("u");
        let mut turned = rows.clone();
        turned.reverse();
        turned.push((rows[0].0.clone(), rows[0].1, 7, 0, 0));
        prop_assert_eq!(run(&turned), run(&rows));
        prop_assert_eq!(run(&named("other")), run(&rows));
        if let Ok(result) = run(&rows) {
            let numbers = [result.effect.se, result.effect.low, result.effect.high, result.effect.p];
            prop_assert!(numbers.iter().flatten().all(|number| number.is_finite()));
        }
    }
}
