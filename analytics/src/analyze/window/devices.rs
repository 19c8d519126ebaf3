//! Terminals against their peers, and models within places.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow::array::RecordBatch;
use schemas::Table;
use schemas::lake::cell_to_i64;
use serde::Serialize;
use statistics::models::{self, ModelCounts, ModelsOptions, compare_models_by_terminal};
use statistics::terminals::{TerminalCounts, TerminalRow, TerminalsOptions, judge_terminals};

use super::Origin;
use super::places::{Place, Places};
use super::signal::{ModelColumns, Signal, TerminalColumns};
use super::zones::WeakPlaces;
use crate::analyze::AnalyzeError;
use crate::analyze::publish::rows_to_batches;
use crate::causes::explained_by;

/// Lowest odds ratio, at the lower end of its interval, that condemns a model: less is not worth a
/// release.
const MODEL_ODDS_RATIO: f64 = 1.2;
/// False discovery rate of flagged models.
const MODEL_Q: f64 = 0.05;

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
    #[serde(flatten)]
    signal: TerminalColumns,
    reason: Option<&'static str>,
    action: Option<&'static str>,
    explained_share: Option<f64>,
    failures_avoidable: Option<f64>,
    #[serde(flatten)]
    origin: Origin,
}

/// What was found of all terminals.
pub(super) struct Terminals {
    /// The rows of `terminal_flags`.
    pub(super) flags: Vec<RecordBatch>,
    /// Those that fail too much, with the share of their failures that they explain.
    pub(super) flagged: HashMap<String, f64>,
}

/// Share of weak readings from which a terminal without a peer in its cell is not judged: its place
/// may be as weak as its antenna.
const LONELY_WEAK_SHARE: f64 = 0.10;

/// Judges every terminal by its peers, but for those where the place is known to be weak.
///
/// Everybody's worst day is left out: one long absence of service makes dozens of failures and no bad
/// terminal, which fails on the other days too.
pub(super) fn terminals(
    places: &Places<'_>,
    weak_places: &WeakPlaces,
    signal: &Signal,
    origin: &Origin,
) -> Result<Terminals, AnalyzeError> {
    let alone = alone(places);
    let undecidable = undecidable(places, &alone, weak_places);
    let counts: Vec<TerminalCounts<'_>> = places
        .0
        .iter()
        .filter(|place| place.is_current && !undecidable.contains(place.terminal))
        .map(|place| TerminalCounts {
            terminal: place.terminal,
            model: place.device,
            cell: place.stratum,
            signal: place.signal,
            attempts: place.usual_attempts.into(),
            failures: place.usual_failures.into(),
        })
        .collect();
    let report = judge_terminals(&counts, &TerminalsOptions::default()).map_err(|error| {
        AnalyzeError::Method {
            method: "the test of terminals",
            reason: error.to_string(),
        }
    })?;
    drop(counts);
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
    let judged = report.rows.into_iter();
    let unjudged = undecidable
        .iter()
        .map(|terminal| TerminalRow::unjudged(terminal, 0, 0));
    let flags = judged.chain(unjudged).map(|row| {
        let (place, attempts, failures) = totals[row.terminal.as_str()];
        let explained_share = row.odds_ratio.filter(|_| row.flagged).map(explained_by);
        let signal = signal.of_terminal(&row.terminal);
        let (reason, action) = match verdict(row.flagged, signal.signal_flagged) {
            (reason, Some(FAILS)) if alone[place.stratum] => (reason, Some(FAILS_ALONE)),
            verdict => verdict,
        };
        TerminalFlag {
            merchant_id: place.merchant,
            model: place.model,
            firmware: place.firmware,
            carrier_plmn: place.plmn,
            cell_r8: cell_to_i64(place.cell),
            device_since: place.device_since.map(|day| day.to_string()),
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
            signal,
            reason,
            action,
            explained_share,
            failures_avoidable: explained_share.map(|share| share * failures as f64),
            terminal_id: place.terminal,
            origin: origin.clone(),
        }
    });
    let mut flagged = HashMap::new();
    let flags = flags.inspect(|flag| {
        if let Some(share) = flag.explained_share {
            flagged.insert(flag.terminal_id.to_owned(), share);
        }
    });
    // Millions of rows: none is kept longer than it takes to become columns.
    let flags = rows_to_batches(Table::TerminalFlags, flags)?;
    Ok(Terminals { flags, flagged })
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

/// Tells of each cell and carrier whether one terminal stands there alone.
fn alone<'c>(places: &Places<'c>) -> HashMap<&'c str, bool> {
    let mut first: HashMap<&str, (&str, bool)> = HashMap::new();
    for place in &places.0 {
        let (terminal, is_alone) = first.entry(place.stratum).or_insert((place.terminal, true));
        *is_alone &= *terminal == place.terminal;
    }
    let strata = first.into_iter();
    strata
        .map(|(stratum, (_, is_alone))| (stratum, is_alone))
        .collect()
}

/// Returns the terminals that cannot be told from the place they stand at.
fn undecidable<'c>(
    places: &Places<'c>,
    alone: &HashMap<&str, bool>,
    weak_places: &WeakPlaces,
) -> BTreeSet<&'c str> {
    let is_undecidable = |place: &&Place<'_>| {
        let is_lonely = alone[place.stratum];
        let is_weak =
            f64::from(place.weak_readings) >= f64::from(place.readings) * LONELY_WEAK_SHARE;
        weak_places.has(place.cell, place.plmn) || is_lonely && place.readings > 0 && is_weak
    };
    let current = places.0.iter().filter(|place| place.is_current);
    let found = current.filter(is_undecidable);
    found.map(|place| place.terminal).collect()
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
    pub(super) failures_avoidable: Option<f64>,
    #[serde(flatten)]
    signal: ModelColumns,
    flagged: bool,
    action: Option<&'static str>,
    #[serde(flatten)]
    origin: Origin,
}

/// Compares every model and firmware with the others in the same cell and on the same carrier.
///
/// Attempts of one terminal share its place and its faults, so the interval and the p-value take
/// terminals as the units, by a jackknife.
///
/// Weak places are left out: inside one the failure rate changes from house to house, and who stands
/// where says nothing of models.
///
/// The worst is taken out and the rest compared again, because a bad one among "the others" makes
/// sound ones look better than they are.
pub(super) fn models(
    places: &Places<'_>,
    flagged_terminals: &HashMap<String, f64>,
    weak_places: &WeakPlaces,
    signal: &Signal,
    origin: &Origin,
) -> Result<Vec<DeviceModel>, AnalyzeError> {
    let sound: Vec<&Place<'_>> = places
        .0
        .iter()
        .filter(|place| !flagged_terminals.contains_key(place.terminal))
        .filter(|place| !weak_places.has(place.cell, place.plmn))
        .collect();
    let mut condemned: Vec<DeviceModel> = Vec::new();
    loop {
        let out: BTreeSet<String> = condemned.iter().map(DeviceModel::device).collect();
        let compared = compare(&sound, &out, signal, origin)?;
        let lower_end = |model: &DeviceModel| model.odds_ratio_low.unwrap_or(0.0);
        let worst = compared
            .iter()
            .filter(|model| lower_end(model) >= MODEL_ODDS_RATIO)
            .filter(|model| model.q.is_some_and(|q| q <= MODEL_Q))
            .max_by(|one, other| lower_end(one).total_cmp(&lower_end(other)))
            .map(DeviceModel::device);
        let Some(worst) = worst else {
            condemned.extend(compared);
            return Ok(condemned);
        };
        let worst = compared.into_iter().find(|model| model.device() == worst);
        condemned.extend(worst.map(|worst| DeviceModel {
            flagged: true,
            explained_share: worst.odds_ratio.map(explained_by),
            action: Some("update or roll back the firmware, or replace the model"),
            ..worst
        }));
    }
}

impl DeviceModel {
    /// Model and firmware, as places name them.
    pub(super) fn device(&self) -> String {
        format!("{} {}", self.model, self.firmware.as_deref().unwrap_or("?"))
    }
}

fn compare(
    places: &[&Place<'_>],
    out: &BTreeSet<String>,
    signal: &Signal,
    origin: &Origin,
) -> Result<Vec<DeviceModel>, AnalyzeError> {
    let places: Vec<&Place<'_>> = places
        .iter()
        .copied()
        .filter(|place| !out.contains(place.device))
        .collect();
    let counts: Vec<models::TerminalCounts<'_>> = places
        .iter()
        .map(|place| models::TerminalCounts {
            terminal: place.terminal,
            counts: ModelCounts {
                stratum: place.stratum,
                model: place.device,
                attempts: place.attempts.into(),
                failures: place.failures.into(),
            },
        })
        .collect();
    let rows = compare_models_by_terminal(&counts, &ModelsOptions::default()).map_err(|error| {
        AnalyzeError::Method {
            method: "the comparison of models",
            reason: error.to_string(),
        }
    })?;
    let mut devices: BTreeMap<&str, (&Place<'_>, HashSet<&str>)> = BTreeMap::new();
    for place in places {
        let (_, terminals) = devices
            .entry(place.device)
            .or_insert_with(|| (place, HashSet::new()));
        terminals.insert(place.terminal);
    }
    let rows = rows.into_iter().map(|row| {
        let (place, terminals) = &devices[row.model.as_str()];
        DeviceModel {
            model: place.model.to_owned(),
            firmware: place.firmware.map(str::to_owned),
            compared_with: row.reference,
            terminals: terminals.len() as u64,
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
            explained_share: None,
            failures_avoidable: None,
            signal: signal.of_model(&row.model),
            flagged: false,
            action: None,
            origin: origin.clone(),
        }
    });
    Ok(rows.collect())
}
