//! Terminals against their peers, and models within places.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use schemas::Table;
use schemas::lake::cell_to_i64;
use serde::Serialize;
use statistics::proof::{JudgedModel, JudgedTerminal, Models, NotTestable, Place, Terminals};

use super::Origin;
use super::places::Places;
use super::signal::{ModelColumns, Signal, TerminalColumns};
use crate::analyze::AnalyzeError;
use crate::analyze::publish::rows_to_batches;

/// A row of `terminal_flags`.
#[derive(Debug, Serialize)]
struct TerminalFlag<'c> {
    terminal_id: &'c str,
    merchant_id: &'c str,
    model: &'c str,
    firmware: Option<&'c str>,
    carrier_plmn: &'c str,
    cell_r8: i64,
    attempts: u64,
    failures: u64,
    judged_attempts: u64,
    judged_failures: u64,
    expected_rate: Option<f64>,
    correlation: Option<f64>,
    probability: Option<f64>,
    odds_ratio: Option<f64>,
    p: Option<f64>,
    q: Option<f64>,
    flagged: bool,
    testable: bool,
    not_testable_because: Option<&'static str>,
    #[serde(flatten)]
    signal: TerminalColumns,
    reason: Option<&'static str>,
    action: Option<&'static str>,
    failures_avoidable: Option<f64>,
    #[serde(flatten)]
    origin: Origin,
}

/// Writes the verdicts on all terminals, with what they heard.
pub(super) fn terminals(
    places: &Places<'_>,
    judged: &Terminals,
    signal: &Signal,
    origin: &Origin,
) -> Result<Vec<RecordBatch>, AnalyzeError> {
    // Where each is most, with its attempts and failures everywhere.
    let mut totals: HashMap<&str, (&Place<'_>, u64, u64)> = HashMap::new();
    for place in &places.0 {
        let (busiest, attempts, failures) = totals.entry(place.terminal).or_insert((place, 0, 0));
        *attempts += u64::from(place.attempts);
        *failures += u64::from(place.failures);
        if place.attempts > busiest.attempts {
            *busiest = place;
        }
    }
    // Millions of rows: none is kept longer than it takes to become columns.
    let flags = judged.rows.iter().map(|judged| {
        let totals = totals[judged.row.terminal.as_str()];
        flag(judged, totals, signal, origin)
    });
    rows_to_batches(Table::TerminalFlags, flags)
}

fn flag<'c>(
    judged: &JudgedTerminal,
    (place, attempts, failures): (&Place<'c>, u64, u64),
    signal: &Signal,
    origin: &Origin,
) -> TerminalFlag<'c> {
    let row = &judged.row;
    let expected = row.expected_rate.map(|rate| rate * row.attempts as f64);
    let signal = signal.of_terminal(&row.terminal);
    let (reason, action) = match verdict(row.flagged, signal.signal_flagged) {
        (reason, Some(FAILS)) if judged.is_alone => (reason, Some(FAILS_ALONE)),
        verdict => verdict,
    };
    TerminalFlag {
        merchant_id: place.merchant,
        model: place.model,
        firmware: place.firmware,
        carrier_plmn: place.plmn,
        cell_r8: cell_to_i64(place.cell),
        attempts,
        failures,
        judged_attempts: row.attempts,
        judged_failures: row.failures,
        expected_rate: row.expected_rate,
        correlation: row.correlation,
        probability: row.probability,
        odds_ratio: row.odds_ratio,
        p: row.p,
        q: row.q,
        flagged: row.flagged,
        testable: row.testable,
        not_testable_because: judged.because.map(NotTestable::as_str),
        signal,
        reason,
        action,
        failures_avoidable: expected
            .filter(|_| row.flagged)
            .map(|expected| (row.failures as f64 - expected).max(0.0)),
        terminal_id: place.terminal,
        origin: origin.clone(),
    }
}

/// What to do about a terminal that fails where others do not.
const FAILS: &str = "check SIM and antenna on the spot, else replace: peers beside it do not fail";
/// The same where no other one uses the carrier in the cell.
const FAILS_ALONE: &str =
    "try another terminal there, then replace: with so good a signal peers elsewhere do not fail";

/// Returns why a terminal is bad, and what to do about it.
const fn verdict(fails: bool, hears_less: bool) -> (Option<&'static str>, Option<&'static str>) {
    match (fails, hears_less) {
        (true, true) => (
            Some("failures and antenna"),
            Some("replace the antenna, else the terminal: it hears less than its peers, and fails"),
        ),
        (true, false) => (Some("failures"), Some(FAILS)),
        (false, true) => (
            Some("antenna"),
            Some("check the antenna: peers beside it hear the same radio cells better"),
        ),
        (false, false) => (None, None),
    }
}

/// A row of `device_models`.
#[derive(Debug, Serialize)]
pub(super) struct DeviceModel {
    model: String,
    firmware: Option<String>,
    compared_with: String,
    terminals: u64,
    attempts: u64,
    failures: u64,
    informative_cells: u64,
    crude_odds_ratio: Option<f64>,
    odds_ratio: Option<f64>,
    odds_ratio_low: Option<f64>,
    odds_ratio_high: Option<f64>,
    p: Option<f64>,
    q: Option<f64>,
    breslow_day_p: Option<f64>,
    risk_difference: Option<f64>,
    failures_avoidable: Option<f64>,
    #[serde(flatten)]
    signal: ModelColumns,
    flagged: bool,
    action: Option<&'static str>,
    #[serde(flatten)]
    origin: Origin,
}

/// What to do about a model that is proved bad.
const CONDEMNED: &str = "update or roll back the firmware, or replace the model";

/// Writes the verdicts on all models, with what they hear.
pub(super) fn models(
    places: &Places<'_>,
    judged: Models,
    signal: &Signal,
    origin: &Origin,
) -> Vec<DeviceModel> {
    let mut devices: HashMap<&str, &Place<'_>> = HashMap::new();
    for place in &places.0 {
        devices.entry(place.device).or_insert(place);
    }
    let model = |JudgedModel {
                     row,
                     terminals,
                     flagged,
                 }| {
        let place = devices[row.model.as_str()];
        DeviceModel {
            model: place.model.to_owned(),
            firmware: place.firmware.map(str::to_owned),
            compared_with: row.reference,
            terminals: terminals as u64,
            attempts: row.attempts,
            failures: row.failures,
            informative_cells: row.strata as u64,
            crude_odds_ratio: row.crude_or,
            odds_ratio: row.or,
            odds_ratio_low: row.low,
            odds_ratio_high: row.high,
            p: row.by_terminal.and_then(|by_terminal| by_terminal.p),
            q: row.by_terminal.and_then(|by_terminal| by_terminal.q),
            breslow_day_p: row.breslow_day_p,
            risk_difference: row.risk_difference,
            failures_avoidable: row.avoidable,
            signal: signal.of_model(&row.model),
            flagged,
            action: flagged.then_some(CONDEMNED),
            origin: origin.clone(),
        }
    };
    judged.rows.into_iter().map(model).collect()
}
