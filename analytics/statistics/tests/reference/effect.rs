//! Difference in differences against cluster-robust regressions of statsmodels and R.

use crate::csv::{Row, assert_close, rows};
use statistics::effect::{
    EffectCounts, EffectOptions, EffectRow, Estimate, Weighting, estimate_effect,
};

fn period(row: &Row, input: &str) -> i64 {
    match input {
        "post" => i64::from(row.text("post") == "true"),
        _ => row.text("period").parse().unwrap(),
    }
}

fn effect_of(input: &str, start: i64, weighted: bool, until: i64) -> EffectRow {
    let rows = rows(&format!("effect_{input}_input.csv"));
    let counts: Vec<EffectCounts<'_>> = rows
        .iter()
        .map(|row| EffectCounts {
            unit: row.text("unit"),
            treated: row.text("treated") == "true",
            period: period(row, input),
            attempts: row.count("attempts"),
            failures: row.count("failures"),
        })
        .filter(|row| row.period < until)
        .collect();
    let weighting = if weighted {
        Weighting::Attempts
    } else {
        Weighting::Units
    };
    estimate_effect(
        &counts,
        &EffectOptions {
            weighting,
            ..EffectOptions::starting(start)
        },
    )
    .unwrap()
}

fn assert_agrees(what: &str, got: &Estimate, expected: &Row) {
    assert_close(what, Some(got.estimate), expected.value("estimate"), 1e-9);
    for (column, value) in [
        ("se", got.se),
        ("low", got.low),
        ("high", got.high),
        ("p", got.p),
    ] {
        assert_close(
            &format!("{column} of {what}"),
            value,
            expected.value(column),
            1e-9,
        );
    }
}

#[test]
fn estimates_intervals_and_placebos_agree() {
    let mut placebos = 0;
    for file in ["effect_expected.csv", "effect_r.csv"] {
        for expected in rows(file) {
            let (input, contrast) = (expected.text("input"), expected.text("contrast"));
            let weighted = expected.text("weighted") == "true";
            let start = match input {
                "post" => 1,
                "period" => 5,
                _ => 3,
            };
            let whole = effect_of(input, start, weighted, i64::MAX);
            let what = format!("{contrast} of {input}, weighted {weighted}, in {file}");
            if contrast == "effect" {
                assert_agrees(&what, &whole.effect, &expected);
                continue;
            }
            let placebo_start: i64 = contrast.rsplit('_').next().unwrap().parse().unwrap();
            let placebo = effect_of(input, placebo_start, weighted, start);
            assert_agrees(&what, &placebo.effect, &expected);
            // The placebo of a whole run starts in the middle of what came before.
            if (input, placebo_start) != ("period", 4) {
                assert_close(&what, whole.placebo_p, expected.value("p"), 1e-9);
                placebos += 1;
            }
        }
    }
    assert_eq!(placebos, 8);
}
