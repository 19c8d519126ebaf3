//! Beta-binomial tails against mpmath, the additive logit against a dense fit of scipy, and the flags
//! against an oracle that knows the rates of the peers.

use crate::csv::{assert_close, rows};
use statistics::logit::{Factor, LogitOptions, LogitRows, fit};
use statistics::terminals::{TerminalCounts, TerminalsOptions, judge_terminals, upper_tail};

#[test]
fn upper_tails_agree_to_ten_digits() {
    for row in rows("betabinom_expected.csv") {
        let (a, b) = (row.value("a").unwrap(), row.value("b").unwrap());
        let (attempts, failures) = (row.count("attempts"), row.count("failures"));
        let tail = upper_tail(failures, attempts, a / (a + b), 1.0 / (a + b + 1.0));
        let what = format!("{failures} of {attempts} by beta({a}, {b})");
        assert_close(
            &what,
            Some(tail.above + tail.at),
            row.value("upper_p"),
            1e-10,
        );
        assert_close(
            &what,
            Some(tail.above + tail.at / 2.0),
            row.value("mid_p"),
            1e-10,
        );
    }
}

#[test]
fn upper_tails_of_large_counts_agree_to_nine_digits_and_take_no_longer() {
    let started = std::time::Instant::now();
    let cases = rows("betabinom_large_expected.csv");
    for row in &cases {
        let [rate, rho] = ["rate", "rho"].map(|name| row.value(name).expect("every row has both"));
        let (attempts, failures) = (row.count("attempts"), row.count("failures"));
        let tail = upper_tail(failures, attempts, rate, rho);
        assert_close(
            &format!("{failures} of {attempts} at {rate} with {rho}"),
            Some(tail.above + tail.at),
            row.value("upper_p"),
            1e-9,
        );
    }
    assert!(cases.len() > 20 && started.elapsed().as_secs() < 20);
}

/// The place of each name among the sorted distinct names.
fn levels(names: &[&str]) -> (Vec<String>, Vec<u32>) {
    let mut distinct: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let place = |name: &&str| distinct.iter().position(|one| one == name).unwrap() as u32;
    let of_row = names.iter().map(place).collect();
    (distinct, of_row)
}

#[test]
fn effects_and_rates_are_those_of_the_dense_fit_with_the_same_variances() {
    let input = rows("models_input.csv");
    let input: Vec<_> = input
        .iter()
        .filter(|row| row.count("attempts") > 0)
        .collect();
    let column = |name: &str| input.iter().map(|row| row.text(name)).collect::<Vec<_>>();
    let count = |name: &str| input.iter().map(|row| row.count(name)).collect::<Vec<_>>();
    let (strata, stratum_of_row) = levels(&column("stratum"));
    let (models, model_of_row) = levels(&column("model"));
    let factors = [
        Factor {
            level_of_row: &stratum_of_row,
            count: strata.len(),
        },
        Factor {
            level_of_row: &model_of_row,
            count: models.len(),
        },
    ];
    let data = LogitRows {
        attempts: &count("attempts"),
        failures: &count("failures"),
        weights: None,
        factors: &factors,
    };
    let options = LogitOptions {
        variances: Some(&[0.8, 0.3]),
        tolerance: 1e-12,
        max_sweeps: 2000,
        ..LogitOptions::default()
    };
    let fitted = fit(&data, &options).unwrap();
    assert!(fitted.converged);
    for expected in rows("logit_expected.csv") {
        let place = |names: &[String]| {
            names
                .iter()
                .position(|name| name == expected.text("level"))
                .unwrap()
        };
        let effect = match expected.text("factor") {
            "base" => fitted.base,
            "stratum" => fitted.factors[0].effects[place(&strata)],
            _ => fitted.factors[1].effects[place(&models)],
        };
        assert!((effect - expected.value("effect").unwrap()).abs() < 1e-8);
    }
    let fitted_rates = rows("logit_fitted_expected.csv");
    assert_eq!(fitted_rates.len(), input.len());
    for expected in fitted_rates {
        let is_same = |at: &usize| {
            ["stratum", "model"]
                .iter()
                .all(|of| input[*at].text(of) == expected.text(of))
        };
        let at = (0..input.len()).find(is_same).unwrap();
        assert_close(
            "fitted rate",
            Some(fitted.rates[at]),
            expected.value("mu"),
            1e-8,
        );
    }
}

#[test]
fn flags_miss_and_accuse_at_most_one_terminal_more_than_an_oracle() {
    let input = rows("terminals_input.csv");
    let counts: Vec<TerminalCounts<'_>> = input
        .iter()
        .map(|row| TerminalCounts {
            terminal: row.text("terminal"),
            model: row.text("model"),
            cell: row.text("cell"),
            signal: 0,
            attempts: row.count("attempts"),
            failures: row.count("failures"),
        })
        .collect();
    let report = judge_terminals(&counts, &TerminalsOptions::default()).unwrap();
    let truth = rows("terminals_truth.csv");
    let (mut missed, mut accused, mut off) = (0, 0, 0.0);
    for (row, truth) in report.rows.iter().zip(&truth) {
        assert_eq!(row.terminal, truth.text("terminal"));
        let oracle = truth.text("oracle_flagged") == "true";
        let difference = i32::from(row.flagged) - i32::from(oracle);
        match truth.text("bad") {
            "true" => missed -= difference,
            _ => accused += difference,
        }
        if let Some(rate) = row.expected_rate {
            off += (rate / truth.value("peer_rate").unwrap()).ln().powi(2);
        }
    }
    assert!(
        missed <= 1,
        "{missed} bad terminals found by the oracle alone"
    );
    assert!(
        accused <= 1,
        "{accused} healthy terminals flagged beside those of the oracle"
    );
    let off = (off / report.rows.len() as f64).sqrt();
    assert!(
        off < 0.25,
        "expected rates are off by {off} (root mean square of logarithms)"
    );
}
