//! Terminals against their peers, and models within places.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use schemas::Table;
use schemas::lake::cell_to_i64;
use serde::Serialize;
use statistics::proof::{JudgedModel, JudgedTerminal, Models, NotTestable, Place, Terminals};
use statistics::terminals::TerminalRow;

use super::Origin;
use super::places::Places;
use super::signal::{ModelColumns, Signal, TerminalColumns};
use crate::analyze::AnalyzeError;
use crate::analyze::publish::rows_to_batches;
use crate::causes::explained_by;

/// A row of `terminal_flags`.
#[derive(Debug, Serialize)]
struct TerminalFlag<'c> {
    terminal_id: &'c str,
    merchant_id: &'c str,
    model: &'c str,
    firmware: Option<&'c str>,
    carrier_plmn: &'c str,
    cell_r8: i64,
    device_since: Option<String>,
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
    explained_share: Option<f64>,
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
    // Where each is most, with its attempts and failures everywhere, since the device stands there.
    let mut totals: HashMap<&str, (&Place<'_>, u64, u64)> = HashMap::new();
    for place in places.0.iter().filter(|place| place.is_current) {
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
        let since = places.1.get(judged.row.terminal.as_str()).copied();
        flag(judged, (totals, since), signal, origin)
    });
    rows_to_batches(Table::TerminalFlags, flags)
}

fn flag<'c>(
    judged: &JudgedTerminal,
    ((place, attempts, failures), since): ((&Place<'c>, u64, u64), Option<NaiveDate>),
    signal: &Signal,
    origin: &Origin,
) -> TerminalFlag<'c> {
    let row = &judged.row;
    let explained_share = explained_by_terminal(row);
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
        device_since: since.map(|day| day.to_string()),
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
        explained_share,
        failures_avoidable: explained_share.map(|share| share * failures as f64),
        terminal_id: place.terminal,
        origin: origin.clone(),
    }
}

/// Returns the part of its failures that a flagged terminal explains.
pub(super) fn explained_by_terminal(row: &TerminalRow) -> Option<f64> {
    row.odds_ratio.filter(|_| row.flagged).map(explained_by)
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
    pub(super) explained_share: Option<f64>,
    /// Filled in once it is known what terminals explain.
    pub(super) failures_avoidable: Option<f64>,
    #[serde(flatten)]
    signal: ModelColumns,
    flagged: bool,
    action: Option<&'static str>,
    #[serde(flatten)]
    origin: Origin,
}

impl DeviceModel {
    /// Model and firmware, as places name them.
    pub(super) fn device(&self) -> String {
        format!("{} {}", self.model, self.firmware.as_deref().unwrap_or("?"))
    }
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
            explained_share: row.or.filter(|_| flagged).map(explained_by),
            failures_avoidable: None,
            signal: signal.of_model(&row.model),
            flagged,
            action: flagged.then_some(CONDEMNED),
            origin: origin.clone(),
        }
    };
    judged.rows.into_iter().map(model).collect()
}
