//! Empirical Bayes rates against spdep and the formulas written out in NumPy and scipy.

use h3o::CellIndex;
use statistics::rates::{
    Counts, Options, RateRow, beta_binomial, beta_prior, marshall, marshall_local,
};

use crate::csv::{Row, assert_close, rows};

fn cells() -> Vec<Counts<CellIndex>> {
    let counts = |row: &Row| Counts {
        id: row.text("cell").parse().unwrap(),
        attempts: row.count("attempts"),
        failures: row.count("failures"),
    };
    rows("rates_spread_input.csv").iter().map(counts).collect()
}

fn of_cell<'a>(results: &'a [RateRow<CellIndex>], cell: &str) -> &'a RateRow<CellIndex> {
    let cell: CellIndex = cell.parse().unwrap();
    results.iter().find(|row| row.id == cell).unwrap()
}

fn local(rings: u32) -> Vec<RateRow<CellIndex>> {
    // The other implementations know no floor of attempts.
    let options = Options {
        rings,
        min_local_attempts: 0,
        ..Options::default()
    };
    marshall_local(&cells(), &options).unwrap()
}

#[test]
fn estimates_weights_and_intervals_agree() {
    let options = Options::default();
    for row in rows("rates_spread_expected.csv") {
        let (results, ends) = match row.text("method") {
            "marshall" => (marshall(&cells(), &options).unwrap(), "gamma"),
            "marshall-local" => (local(row.count("rings") as u32), "gamma"),
            "beta-binomial" => (beta_binomial(&cells(), &options).unwrap(), "beta"),
            _ => continue,
        };
        let got = of_cell(&results, row.text("id"));
        let what = format!("{} {}", row.text("method"), row.text("id"));
        // The maximum of a likelihood is flat: its place has half of the digits.
        let tolerance = if ends == "beta" { 1e-6 } else { 1e-9 };
        assert_close(&what, got.rate, row.value("rate"), 1e-12);
        assert_close(&what, got.eb_rate, row.value("eb_rate"), tolerance);
        assert_close(&what, got.weight, row.value("weight"), tolerance);
        // The reference takes a prior without variance for certain, and its interval for none.
        if row.value("weight") == Some(0.0) {
            continue;
        }
        assert_close(&what, got.low, row.value(&format!("{ends}_low")), tolerance);
        assert_close(
            &what,
            got.high,
            row.value(&format!("{ends}_high")),
            tolerance,
        );
    }
}

#[test]
fn the_prior_is_the_maximum_that_scipy_finds() {
    let prior = beta_prior(&cells()).unwrap().unwrap();
    let strength = prior.strength.unwrap();
    for row in rows("rates_parameters_expected.csv") {
        let got = match (row.text("input"), row.text("parameter")) {
            ("spread", "ml_a") => prior.mean * strength,
            ("spread", "ml_b") => (1.0 - prior.mean) * strength,
            _ => continue,
        };
        assert_close(row.text("parameter"), Some(got), row.value("value"), 1e-5);
    }
}

#[test]
fn rates_without_spread_all_become_the_mean() {
    let counts = |row: &Row| Counts {
        id: row.text("id").to_owned(),
        attempts: row.count("attempts"),
        failures: row.count("failures"),
    };
    let input: Vec<_> = rows("rates_alike_input.csv").iter().map(counts).collect();
    for row in rows("rates_alike_expected.csv") {
        let results = match row.text("method") {
            "marshall" => marshall(&input, &Options::default()).unwrap(),
            _ => continue,
        };
        let got = results.iter().find(|got| got.id == row.text("id")).unwrap();
        assert_close(row.text("id"), got.eb_rate, row.value("eb_rate"), 1e-12);
        assert_close(row.text("id"), got.weight, row.value("weight"), 1e-12);
    }
}

#[test]
fn estimates_agree_with_spdep() {
    let (global, near, far) = (
        marshall(&cells(), &Options::default()).unwrap(),
        local(1),
        local(2),
    );
    for row in rows("rates_r.csv") {
        let cell = row.text("cell");
        let columns = [
            ("marshall", &global),
            ("marshall_local_1", &near),
            ("marshall_local_2", &far),
        ];
        for (column, results) in columns {
            let what = format!("{column} {cell}");
            assert_close(
                &what,
                of_cell(results, cell).eb_rate,
                row.value(column),
                1e-9,
            );
        }
    }
}
