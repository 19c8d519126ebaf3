//! Mantel–Haenszel against statsmodels, R's `mantelhaen.test` and metafor; its jackknife against
//! the whole done anew.

use crate::csv::{Row, assert_close, rows};
use statistics::models::{
    Comparison, Continuity, ModelCounts, ModelRow, ModelsOptions, TerminalCounts, compare_models,
    compare_models_by_terminal,
};

fn compared(input: &[Row], reference: &str, continuity: Continuity) -> Vec<ModelRow> {
    let counts: Vec<ModelCounts<'_>> = input
        .iter()
        .map(|row| ModelCounts {
            stratum: row.text("stratum"),
            model: row.text("model"),
            attempts: row.count("attempts"),
            failures: row.count("failures"),
        })
        .collect();
    let comparison = match reference {
        "others" => Comparison::Others,
        name => Comparison::Reference(name),
    };
    let options = ModelsOptions {
        comparison,
        continuity,
        ..ModelsOptions::default()
    };
    compare_models(&counts, &options).unwrap()
}

fn row_of<'a>(rows: &'a [ModelRow], model: &str) -> &'a ModelRow {
    rows.iter().find(|row| row.model == model).unwrap()
}

#[test]
fn every_column_agrees_for_every_comparison() {
    let input = rows("models_input.csv");
    for expected in rows("models_expected.csv") {
        let (model, reference) = (expected.text("model"), expected.text("reference"));
        let plain = compared(&input, reference, Continuity::None);
        let half = compared(&input, reference, Continuity::Half);
        let (plain, half) = (row_of(&plain, model), row_of(&half, model));
        assert_eq!(plain.reference, reference);
        assert_eq!(
            plain.strata as u64,
            expected.count("strata"),
            "{model} against {reference}"
        );
        let columns = [
            ("crude_or", plain.crude_or),
            ("or", plain.or),
            ("low", plain.low),
            ("high", plain.high),
            ("chi2", plain.chi2),
            ("chi2_half", half.chi2),
            ("breslow_day_p", plain.breslow_day_p),
            ("risk_difference", plain.risk_difference),
            ("risk_difference_se", plain.risk_difference_se),
            ("avoidable", plain.avoidable),
        ];
        for (column, got) in columns {
            let what = format!("{column} of {model} against {reference}");
            assert_close(&what, got, expected.value(column), 1e-9);
        }
        // statsmodels takes p as one less the distribution: nothing is left of it below 1e-16.
        let q = plain.q.unwrap() - expected.value("q").unwrap();
        assert!(q.abs() < 1e-13, "q of {model} against {reference}");
    }
}

#[test]
fn p_values_keep_their_digits_far_out() {
    let input = rows("models_input.csv");
    for expected in rows("models_r.csv") {
        let (model, reference) = (expected.text("model"), expected.text("reference"));
        let plain = compared(&input, reference, Continuity::None);
        let half = compared(&input, reference, Continuity::Half);
        let what = format!("{model} against {reference}");
        assert_close(&what, row_of(&plain, model).p, expected.value("p"), 1e-9);
        assert_close(
            &what,
            row_of(&half, model).p,
            expected.value("p_half"),
            1e-9,
        );
        let se = row_of(&plain, model).risk_difference_se;
        assert_close(&what, se, expected.value("risk_difference_se"), 1e-9);
    }
}

#[test]
fn intervals_by_terminal_agree_with_leaving_each_one_out() {
    let input = rows("models_terminals_input.csv");
    let counts: Vec<TerminalCounts<'_>> = input
        .iter()
        .map(|row| TerminalCounts {
            terminal: row.text("terminal"),
            counts: ModelCounts {
                stratum: row.text("stratum"),
                model: row.text("model"),
                attempts: row.count("attempts"),
                failures: row.count("failures"),
            },
        })
        .collect();
    for expected in rows("models_terminals_expected.csv") {
        let (model, reference) = (expected.text("model"), expected.text("reference"));
        let comparison = match reference {
            "others" => Comparison::Others,
            name => Comparison::Reference(name),
        };
        let options = ModelsOptions {
            comparison,
            ..ModelsOptions::default()
        };
        let got = compare_models_by_terminal(&counts, &options).unwrap();
        let got = row_of(&got, model);
        let by_terminal = got.by_terminal.unwrap();
        let terminals = [by_terminal.terminals, by_terminal.other_terminals];
        for (column, got) in ["terminals", "other_terminals"].iter().zip(terminals) {
            let what = format!("{column} of {model} against {reference}");
            assert_eq!(got as u64, expected.count(column), "{what}");
        }
        for (column, value) in [
            ("or", got.or),
            ("se_ln_or", by_terminal.se_ln_or),
            ("low", got.low),
            ("high", got.high),
            ("p", by_terminal.p),
            ("q", by_terminal.q),
        ] {
            let what = format!("{column} of {model} against {reference}");
            assert_close(&what, value, expected.value(column), 1e-9);
        }
    }
}
