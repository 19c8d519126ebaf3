//! The window's counts, as the methods take them.

use chrono::NaiveDate;
use h3o::CellIndex;
use schemas::lake::cell_from_i64;

use crate::analyze::{AnalyzeError, columns};
use crate::session::LakeSession;

const SQL: &str = include_str!("../../../sql/rollups/window_places.sql");

/// One terminal at one cell over one carrier and RAT.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) cell: CellIndex,
    pub(super) plmn: String,
    pub(super) terminal: String,
    pub(super) merchant: String,
    pub(super) model: String,
    pub(super) firmware: Option<String>,
    /// Model and firmware together.
    pub(super) device: String,
    pub(super) rat: String,
    /// Cell and carrier together.
    pub(super) stratum: String,
    pub(super) attempts: u64,
    pub(super) failures: u64,
    pub(super) readings: u64,
    pub(super) weak_readings: u64,
    pub(super) days: u32,
    pub(super) daypart_attempts: [u64; 4],
    pub(super) daypart_failures: [u64; 4],
}

/// Every place of the window, in the order of cell, carrier and terminal.
#[derive(Debug)]
pub(super) struct Places(pub(super) Vec<Place>);

impl Places {
    pub(super) async fn read(
        lake: &LakeSession,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Self, AnalyzeError> {
        let sql = SQL
            .replace("{from}", &from.to_string())
            .replace("{to}", &to.to_string());
        let answer = lake.collect(&sql).await?;
        let mut places = Vec::with_capacity(answer.rows());
        for batch in &answer.batches {
            let cells = columns::optional_integers(batch, "cell_r8")?;
            let count = |name: &str| columns::counts(batch, name);
            let [attempts, failures, readings, weak, days] =
                ["attempts", "failures", "readings", "weak_readings", "days"].map(count);
            let (attempts, failures, readings) = (attempts?, failures?, readings?);
            let (weak, days) = (weak?, days?);
            let mut tried = Vec::new();
            let mut failed = Vec::new();
            for daypart in 0..4 {
                tried.push(count(&format!("attempts_{daypart}"))?);
                failed.push(count(&format!("failures_{daypart}"))?);
            }
            let text = |name: &str| columns::texts(batch, name);
            let [plmn, terminal, merchant, model, firmware, rat] = [
                "carrier_plmn",
                "terminal_id",
                "merchant_id",
                "model",
                "firmware",
                "rat",
            ]
            .map(text);
            let (plmn, terminal, merchant) = (plmn?, terminal?, merchant?);
            let (model, firmware, rat) = (model?, firmware?, rat?);
            for row in 0..batch.num_rows() {
                let Some(cell) = cells[row].and_then(cell_from_i64) else {
                    continue;
                };
                let firmware = columns::text(&firmware, row);
                let model = model.value(row);
                places.push(Place {
                    cell,
                    plmn: plmn.value(row).to_owned(),
                    terminal: terminal.value(row).to_owned(),
                    // A terminal of nobody's stands for a merchant of its own.
                    merchant: columns::text(&merchant, row)
                        .unwrap_or(terminal.value(row))
                        .to_owned(),
                    device: format!("{model} {}", firmware.unwrap_or("?")),
                    model: model.to_owned(),
                    firmware: firmware.map(str::to_owned),
                    rat: rat.value(row).to_owned(),
                    stratum: format!("{cell}/{}", plmn.value(row)),
                    attempts: attempts[row],
                    failures: failures[row],
                    readings: readings[row],
                    weak_readings: weak[row],
                    days: u32::try_from(days[row]).unwrap_or(u32::MAX),
                    daypart_attempts: std::array::from_fn(|daypart| tried[daypart][row]),
                    daypart_failures: std::array::from_fn(|daypart| failed[daypart][row]),
                });
            }
        }
        Ok(Self(places))
    }
}
