//! Terminals and models on shared radio cells against dense matrices and statsmodels.

use crate::csv::{assert_close, rows};
use statistics::signal::{SignalOptions, SignalRow, signal_bias};

#[test]
fn spreads_terminals_and_models_agree() {
    let input = rows("signal_input.csv");
    let readings: Vec<SignalRow<'_>> = input
        .iter()
        .map(|row| SignalRow {
            terminal: row.text("terminal"),
            model: row.text("model"),
            radio_cell: row.text("radio_cell"),
            readings: row.count("readings"),
            mean_dbm: row.value("mean_dbm").unwrap(),
            sum_squares: row.value("sum_squares").unwrap(),
        })
        .collect();
    let got = signal_bias(&readings, &SignalOptions::default()).unwrap();

    let spreads = [got.readings_sd_db, got.terminals_sd_db, got.places_sd_db];
    for (expected, got) in rows("signal_spread_expected.csv").iter().zip(spreads) {
        assert_close(
            expected.text("part"),
            Some(got),
            expected.value("sd_db"),
            1e-9,
        );
    }
    let terminals = rows("signal_terminals_expected.csv");
    assert_eq!(got.terminals.len(), terminals.len());
    for (got, expected) in got.terminals.iter().zip(&terminals) {
        let name = expected.text("terminal");
        assert_eq!(got.terminal, name);
        assert_eq!(
            got.shared_radio_cells as u64,
            expected.count("shared_radio_cells")
        );
        assert_eq!(got.testable, expected.value("p").is_some(), "{name}");
        for (column, value) in [
            ("residual_db", got.residual_db),
            ("se_db", got.se_db),
            ("p", got.p),
            ("q", got.q),
        ] {
            let what = format!("{column} of {name}");
            assert_close(&what, value, expected.value(column), 1e-8);
        }
    }
    let models = rows("signal_models_expected.csv");
    assert_eq!(got.models.len(), models.len());
    for (got, expected) in got.models.iter().zip(&models) {
        let name = expected.text("model");
        assert_eq!(got.model, name);
        assert_eq!(got.terminals as u64, expected.count("terminals"));
        for (column, value) in [
            ("bias_db", got.bias_db),
            ("low_db", got.low_db),
            ("high_db", got.high_db),
            ("p", got.p),
            ("q", got.q),
        ] {
            let what = format!("{column} of {name}");
            assert_close(&what, value, expected.value(column), 1e-8);
        }
    }
}
