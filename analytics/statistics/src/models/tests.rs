use super::*;
use proptest::prelude::*;

fn row<'a>(stratum: &'a str, model: &'a str, attempts: u64, failures: u64) -> ModelCounts<'a> {
    ModelCounts {
        stratum,
        model,
        attempts,
        failures,
    }
}

fn against<'a>(reference: &'a str) -> ModelsOptions<'a> {
    ModelsOptions {
        comparison: Comparison::Reference(reference),
        ..ModelsOptions::default()
    }
}

fn close(got: Option<f64>, expected: f64) -> bool {
    got.is_some_and(|got| (got - expected).abs() <= 1e-9 * expected.abs().max(1e-3))
}

/// Two strata whose sums are worked out by hand below.
fn two_strata() -> Vec<ModelCounts<'static>> {
    vec![
        row("s", "A", 10, 4),
        row("s", "B", 10, 2),
        row("t", "A", 20, 5),
        row("t", "B", 20, 3),
    ]
}

#[test]
fn estimates_follow_the_formulas_worked_out_by_hand() {
    let result = compare_models(&two_strata(), &against("B")).unwrap();
    let [a] = result.as_slice() else {
        panic!("one model is compared, the reference has no row")
    };
    // R = 4·8/20 + 5·17/40, S = 6·2/20 + 15·3/40
    assert!(close(a.or, (1.6 + 2.125) / (0.6 + 1.125)));
    assert!(close(a.crude_or, (9.0 * 25.0) / (21.0 * 5.0)));
    // excess = (4 − 3) + (5 − 4), variance = 100·6·14/(400·19) + 400·8·32/(1600·39)
    let variance = 8400.0 / 7600.0 + 102_400.0 / 62_400.0;
    assert!(close(a.chi2, 4.0 / variance));
    // difference = (40 − 20)/20 + (100 − 60)/40, weight = 5 + 10
    assert!(close(a.risk_difference, 2.0 / 15.0));
    assert!(close(a.avoidable, 4.0));
    assert_eq!((a.strata, a.q), (2, a.p));
}

#[test]
fn breslow_day_is_zero_where_all_odds_ratios_are_equal() {
    let rows = [
        row("s", "A", 30, 20),
        row("s", "B", 30, 10),
        row("t", "A", 50, 40),
        row("t", "B", 20, 10),
    ];
    let result = compare_models(&rows, &against("B")).unwrap();
    assert!(close(result[0].or, 4.0));
    assert!(close(result[0].breslow_day_p, 1.0));
}

#[test]
fn sato_variance_of_one_stratum_is_that_of_two_proportions() {
    let rows = [row("s", "A", 400, 80), row("s", "B", 400, 40)];
    let result = compare_models(&rows, &against("B")).unwrap();
    let se = (0.2 * 0.8 / 400.0 + 0.1 * 0.9 / 400.0_f64).sqrt();
    assert!(close(result[0].risk_difference_se, se));
}

#[test]
fn continuity_correction_never_passes_zero() {
    let half = ModelsOptions {
        continuity: Continuity::Half,
        ..against("B")
    };
    let result = compare_models(&[row("s", "A", 10, 2), row("s", "B", 10, 2)], &half).unwrap();
    assert_eq!((result[0].chi2, result[0].p), (Some(0.0), Some(1.0)));
}

#[test]
fn strata_that_say_nothing_are_not_counted_and_infinite_is_undefined() {
    let mut rows = two_strata();
    rows.extend([
        row("alone", "A", 10, 5),
        row("empty", "A", 9, 1),
        row("empty", "B", 0, 0),
    ]);
    rows.extend([row("calm", "A", 5, 0), row("calm", "B", 5, 0)]);
    let result = compare_models(&rows, &against("B")).unwrap();
    let alone = compare_models(&two_strata(), &against("B")).unwrap();
    assert_eq!((result[0].strata, result[0].or), (2, alone[0].or));
    assert_eq!(
        (result[0].chi2, result[0].breslow_day_p),
        (alone[0].chi2, alone[0].breslow_day_p)
    );

    let infinite = compare_models(&[row("s", "A", 9, 3), row("s", "B", 9, 0)], &against("B"));
    let infinite = infinite.unwrap().remove(0);
    assert_eq!(
        (infinite.or, infinite.low, infinite.crude_or),
        (None, None, None)
    );
    assert!(infinite.p.is_some() && infinite.risk_difference.is_some());
}

#[test]
fn a_model_without_attempts_is_kept_undefined_and_outside_the_family() {
    let mut rows = two_strata();
    rows.push(row("s", "C", 0, 0));
    let result = compare_models(&rows, &ModelsOptions::default()).unwrap();
    assert_eq!(result.len(), 3);
    let missing = &result[2];
    assert_eq!(
        (missing.strata, missing.p, missing.q, missing.avoidable),
        (0, None, None, None)
    );
    assert!(close(result[0].or, 1.0 / result[1].or.unwrap()));
    assert_eq!(result[0].q, result[0].p);
}

#[test]
fn bad_input_is_refused_by_name() {
    let more = compare_models(&[row("s", "A", 1, 2)], &ModelsOptions::default()).unwrap_err();
    assert_eq!(
        more.to_string(),
        "model A in stratum s has 2 failures in 1 attempts"
    );
    let unknown = compare_models(&two_strata(), &against("Z")).unwrap_err();
    assert_eq!(unknown, ModelsError::UnknownReference("Z".to_owned()));
    let confidence = ModelsOptions {
        confidence: 1.0,
        ..ModelsOptions::default()
    };
    assert!(compare_models(&two_strata(), &confidence).is_err());
}

fn of<'a>(terminal: &'a str, counts: ModelCounts<'a>) -> TerminalCounts<'a> {
    TerminalCounts { terminal, counts }
}

#[test]
fn terminals_change_the_interval_and_nothing_else() {
    let names = ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"];
    let mut rows = two_strata();
    rows.extend(two_strata());
    let rows: Vec<_> = names
        .iter()
        .zip(rows)
        .map(|(name, row)| of(name, row))
        .collect();
    let counts: Vec<_> = rows.iter().map(|row| row.counts).collect();
    let plain = compare_models(&counts, &ModelsOptions::default()).unwrap();
    let by_terminal = compare_models_by_terminal(&rows, &ModelsOptions::default()).unwrap();
    for (mut row, plain) in by_terminal.into_iter().zip(plain) {
        let verdict = row.by_terminal.take().unwrap();
        assert_eq!((verdict.terminals, verdict.other_terminals), (4, 4));
        assert!(row.low < row.or && row.or < row.high && row.low != plain.low);
        (row.low, row.high) = (plain.low, plain.high);
        assert_eq!(row, plain);
    }
}

#[test]
fn a_ratio_that_rests_on_one_terminal_has_no_interval() {
    let rows = [
        of("broken", row("s", "A", 50, 40)),
        of("t2", row("s", "A", 50, 0)),
        of("t3", row("s", "B", 50, 3)),
        of("t4", row("s", "B", 50, 2)),
    ];
    let result = compare_models_by_terminal(&rows, &against("B"))
        .unwrap()
        .remove(0);
    let verdict = result.by_terminal.unwrap();
    assert_eq!(
        (verdict.terminals, verdict.se_ln_or, verdict.p, verdict.q),
        (2, None, None, None)
    );
    assert_eq!((result.low, result.high), (None, None));
    assert!(result.or.is_some() && result.p < Some(1e-6));
}

#[test]
fn intervals_by_terminal_hold_where_terminals_differ_and_those_by_attempts_do_not() {
    let mut stream = crate::rng::Stream::new(3, 0);
    let names: Vec<String> = (0..60).map(|terminal| format!("t{terminal:02}")).collect();
    let (mut by_terminal, mut by_attempts) = (0, 0);
    for _ in 0..300 {
        let mut rows = Vec::new();
        for (terminal, name) in names.iter().enumerate() {
            // A terminal is good or bad at everything: its attempts are anything but independent.
            let rate = if stream.uniform() < 0.3 { 0.3 } else { 0.05 };
            let model = ["A", "B"][terminal % 2];
            let stratum = ["r", "s", "t"][terminal / 2 % 3];
            rows.push(of(name, row(stratum, model, 80, stream.binomial(80, rate))));
        }
        let counts: Vec<_> = rows.iter().map(|row| row.counts).collect();
        let held = |rows: Vec<ModelRow>| rows[0].low <= Some(1.0) && rows[0].high >= Some(1.0);
        by_terminal += usize::from(held(
            compare_models_by_terminal(&rows, &against("B")).unwrap(),
        ));
        by_attempts += usize::from(held(compare_models(&counts, &against("B")).unwrap()));
    }
    assert!(by_terminal >= 273, "{by_terminal} of 300");
    assert!(by_attempts < 220, "{by_attempts} of 300");
}

type Counts4 = Vec<(u8, u8, u8, u8)>;

fn named(counts: &Counts4) -> Vec<(String, String, u64, u64)> {
    counts
        .iter()
        .map(|&(stratum, model, failures, successes)| {
            let (failures, successes) = (u64::from(failures), u64::from(successes));
            (
                format!("s{stratum}"),
                format!("m{model}"),
                failures + successes,
                failures,
            )
        })
        .collect()
}

fn compared(counts: &[(String, String, u64, u64)]) -> Vec<ModelRow> {
    let rows: Vec<_> = counts
        .iter()
        .map(|(s, m, n, x)| row(s, m, *n, *x))
        .collect();
    compare_models(&rows, &ModelsOptions::default()).unwrap()
}

/// Each model's rows in a stratum are a terminal's, and each stratum shares one among its models.
fn by_terminal(counts: &[(String, String, u64, u64)]) -> Vec<ModelRow> {
    let rows: Vec<_> = counts
        .iter()
        .map(|(s, m, n, x)| of(if n % 3 == 0 { s } else { m }, row(s, m, *n, *x)))
        .collect();
    compare_models_by_terminal(&rows, &ModelsOptions::default()).unwrap()
}

fn cells() -> impl Strategy<Value = Counts4> {
    prop::collection::vec((0u8..5, 0u8..3, 0u8..20, 0u8..20), 1..30)
}

proptest! {
    #[test]
    fn neither_the_order_of_rows_nor_an_empty_stratum_changes_anything(
        counts in cells(), seed in any::<u64>(),
    ) {
        let counts = named(&counts);
        let mut shuffled = counts.clone();
        let length = shuffled.len();
        for position in 0..length {
            let other = seed.wrapping_mul(position as u64 + 1) % length as u64;
            shuffled.swap(position, usize::try_from(other).unwrap());
        }
        shuffled.push(("unseen".to_owned(), counts[0].1.clone(), 0, 0));
        prop_assert_eq!(compared(&shuffled), compared(&counts));
        prop_assert_eq!(by_terminal(&shuffled), by_terminal(&counts));
    }

    #[test]
    fn swapping_failures_and_successes_inverts_the_odds_ratio(counts in cells()) {
        let counts = named(&counts);
        let swapped: Vec<_> =
            counts.iter().map(|(s, m, n, x)| (s.clone(), m.clone(), *n, n - x)).collect();
        for (one, other) in compared(&counts).iter().zip(compared(&swapped)) {
            if let (Some(one), Some(other)) = (one.or, other.or) {
                prop_assert!((one * other - 1.0).abs() < 1e-9);
            }
            prop_assert_eq!(one.chi2.is_some(), other.chi2.is_some());
            let (one, other) = (one.chi2.unwrap_or(0.0), other.chi2.unwrap_or(0.0));
            prop_assert!((one - other).abs() < 1e-8 * one.max(1.0));
        }
    }

    #[test]
    fn outputs_are_finite_and_the_interval_holds_the_estimate(counts in cells()) {
        for row in compared(&named(&counts)) {
            let all = [row.crude_or, row.or, row.low, row.high, row.chi2, row.p, row.q,
                row.breslow_day_p, row.risk_difference, row.risk_difference_se, row.avoidable];
            prop_assert!(all.iter().flatten().all(|value| value.is_finite() && *value >= -1.0));
            if let (Some(low), Some(or), Some(high)) = (row.low, row.or, row.high) {
                prop_assert!(low <= or && or <= high);
            }
        }
    }
}
