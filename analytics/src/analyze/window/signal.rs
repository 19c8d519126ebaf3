//! How strong terminals and models hear the radio cells they share: the window's readings as
//! [`statistics::signal`] takes them, and its answer as columns.
//!
//! Peers hear the same radio cell at the same place, one shop in a cell of resolution 9: behind a hill,
//! behind thick walls or in a weak zone all of them hear it weakly, and nobody is accused of where it
//! stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::StringArray;
use chrono::NaiveDate;
use serde::Serialize;
use statistics::signal::{ModelSignal, SignalBias, SignalOptions, SignalRow, signal_bias};

use crate::analyze::{AnalyzeError, columns};
use crate::session::LakeSession;

const SQL: &str = include_str!("../../../sql/rollups/window_radio_cells.sql");

/// False discovery rate of antennas called bad.
const ANTENNA_Q: f64 = 0.05;
/// False discovery rate of model biases taken off their terminals.
const BIAS_Q: f64 = 0.05;
/// What an antenna called bad loses at least, in dB: three quarters of the power.
const ANTENNA_LOSS_DB: f64 = 6.0;

/// What `terminal_flags` says of a terminal's signal.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct TerminalColumns {
    signal_readings: u64,
    shared_radio_cells: u64,
    signal_residual_db: Option<f64>,
    signal_se_db: Option<f64>,
    signal_p: Option<f64>,
    signal_q: Option<f64>,
    pub(super) signal_flagged: bool,
    signal_testable: bool,
}

/// What `device_models` says of a model's signal.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct ModelColumns {
    signal_terminals: u64,
    shared_radio_cells: u64,
    signal_bias_db: Option<f64>,
    signal_bias_low_db: Option<f64>,
    signal_bias_high_db: Option<f64>,
    signal_p: Option<f64>,
    signal_q: Option<f64>,
    signal_testable: bool,
}

/// Terminals and models by name; one that shares no radio cell is not there.
#[derive(Debug, Default)]
pub(super) struct Signal {
    terminals: HashMap<String, TerminalColumns>,
    models: HashMap<String, ModelColumns>,
    beyond_bounds: usize,
}

impl Signal {
    /// Returns the columns of a terminal.
    pub(super) fn of_terminal(&self, terminal: &str) -> TerminalColumns {
        self.terminals.get(terminal).cloned().unwrap_or_default()
    }

    /// Says whose signal was not compared because it would have cost too much.
    pub(super) fn note(&self) -> Option<String> {
        (self.beyond_bounds > 0).then(|| {
            format!(
                "the antennas of {} terminals are not testable: they share too many radio cells to be compared",
                self.beyond_bounds
            )
        })
    }

    /// Returns the columns of a model with its firmware.
    pub(super) fn of_model(&self, device: &str) -> ModelColumns {
        self.models.get(device).cloned().unwrap_or_default()
    }
}

/// The window's sums, as they were read.
#[derive(Debug)]
pub(super) struct Heard(Vec<Batch>);

#[derive(Debug)]
struct Batch {
    terminals: StringArray,
    devices: StringArray,
    radio_places: StringArray,
    readings: Vec<u64>,
    strength_tenths: Vec<i64>,
    strength_squares: Vec<u64>,
}

impl Heard {
    /// Reads what terminals heard of radio cells that another one heard too.
    pub(super) async fn read(
        lake: &LakeSession,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Self, AnalyzeError> {
        let sql = SQL
            .replace("{from}", &from.to_string())
            .replace("{to}", &to.to_string());
        let answer = lake.collect(&sql).await?;
        let batches = answer.batches.iter().map(|batch| {
            let tenths = columns::optional_integers(batch, "strength_tenths")?;
            Ok(Batch {
                terminals: columns::texts(batch, "terminal_id")?,
                devices: columns::texts(batch, "device")?,
                radio_places: columns::texts(batch, "radio_place")?,
                readings: columns::counts(batch, "readings")?,
                strength_tenths: tenths.into_iter().map(|sum| sum.unwrap_or(0)).collect(),
                strength_squares: columns::counts(batch, "strength_squares")?,
            })
        });
        Ok(Self(batches.collect::<Result<_, AnalyzeError>>()?))
    }

    /// Compares terminals and models on the radio cells they share.
    pub(super) fn compare(&self) -> Result<Signal, AnalyzeError> {
        let mut rows = self.rows();
        let of_models = bias(&rows)?;
        let radio_cells = radio_cells_shared(&rows);
        let shifts = shifts(&of_models);
        for row in &mut rows {
            row.mean_dbm -= shifts.get(row.model).copied().unwrap_or(0.0);
        }
        let of_terminals = bias(&rows)?;
        Ok(Signal {
            beyond_bounds: of_terminals.terminals_beyond_bounds,
            terminals: terminals(of_terminals),
            models: of_models
                .models
                .into_iter()
                .map(|model| {
                    let shared = radio_cells.get(model.model.as_str()).copied();
                    (model.model.clone(), ModelColumns::of(&model, shared))
                })
                .collect(),
        })
    }

    /// Returns a row a terminal and radio cell, under the model and firmware that the terminal has
    /// most readings with: a firmware that came late in the window is judged in the next.
    fn rows(&self) -> Vec<SignalRow<'_>> {
        let mut by_device: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        let all = || self.0.iter().flat_map(Batch::rows);
        for row in all() {
            *by_device.entry((row.terminal, row.model)).or_default() += row.readings;
        }
        let mut device_of: HashMap<&str, (&str, u64)> = HashMap::new();
        for ((terminal, device), readings) in by_device {
            let known = device_of.entry(terminal).or_insert((device, readings));
            if readings > known.1 {
                *known = (device, readings);
            }
        }
        let is_main = |row: &SignalRow<'_>| device_of[row.terminal].0 == row.model;
        all().filter(is_main).collect()
    }
}

impl Batch {
    fn rows(&self) -> impl Iterator<Item = SignalRow<'_>> {
        (0..self.readings.len()).map(|row| {
            let readings = self.readings[row].max(1) as f64;
            let tenths = self.strength_tenths[row] as f64;
            let squares = self.strength_squares[row] as f64 - tenths * tenths / readings;
            SignalRow {
                terminal: self.terminals.value(row),
                model: self.devices.value(row),
                radio_cell: self.radio_places.value(row),
                readings: self.readings[row],
                mean_dbm: -100.0 + tenths / readings / 10.0,
                sum_squares: squares.max(0.0) / 100.0,
            }
        })
    }
}

fn bias(rows: &[SignalRow<'_>]) -> Result<SignalBias, AnalyzeError> {
    signal_bias(rows, &SignalOptions::default()).map_err(|error| AnalyzeError::Method {
        method: "the comparison of signal",
        reason: error.to_string(),
    })
}

/// Returns how many places on radio cells a model shares with another one.
fn radio_cells_shared(rows: &[SignalRow<'_>]) -> HashMap<String, u64> {
    let mut models: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for row in rows {
        models.entry(row.radio_cell).or_default().insert(row.model);
    }
    let mut shared: HashMap<String, u64> = HashMap::new();
    for together in models.values().filter(|together| together.len() > 1) {
        for model in together {
            *shared.entry((*model).to_owned()).or_default() += 1;
        }
    }
    shared
}

/// Returns what every model hears above the mean of the fleet, in dB.
///
/// Only a proved bias is taken off: that of a model that met few others is noise.
///
/// A bias is against the others alone; the mean holds the model's own terminals too.
fn shifts(bias: &SignalBias) -> HashMap<String, f64> {
    let terminals: usize = bias.models.iter().map(|model| model.terminals).sum();
    let shift = |model: &ModelSignal| {
        let others = 1.0 - model.terminals as f64 / terminals.max(1) as f64;
        Some((model.model.clone(), model.bias_db? * others))
    };
    let is_proved = |model: &&ModelSignal| model.q.is_some_and(|q| q <= BIAS_Q);
    let proved = bias.models.iter().filter(is_proved);
    proved.filter_map(shift).collect()
}

fn terminals(bias: SignalBias) -> HashMap<String, TerminalColumns> {
    let columns = bias.terminals.into_iter().map(|terminal| {
        let is_weak = terminal
            .residual_db
            .is_some_and(|residual| residual <= -ANTENNA_LOSS_DB);
        let columns = TerminalColumns {
            signal_readings: terminal.readings,
            shared_radio_cells: terminal.shared_radio_cells as u64,
            signal_residual_db: terminal.residual_db,
            signal_se_db: terminal.se_db,
            signal_p: terminal.p,
            signal_q: terminal.q,
            signal_flagged: is_weak && terminal.q.is_some_and(|q| q <= ANTENNA_Q),
            signal_testable: terminal.testable,
        };
        (terminal.terminal, columns)
    });
    columns.collect()
}

impl ModelColumns {
    fn of(model: &ModelSignal, shared_radio_cells: Option<u64>) -> Self {
        Self {
            signal_terminals: model.terminals as u64,
            shared_radio_cells: shared_radio_cells.unwrap_or(0),
            signal_bias_db: model.bias_db,
            signal_bias_low_db: model.low_db,
            signal_bias_high_db: model.high_db,
            signal_p: model.p,
            signal_q: model.q,
            signal_testable: model.testable,
        }
    }
}
