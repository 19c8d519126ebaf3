//! What the advice rests on: causes of failures, attempts, and what was measured in each cell.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use h3o::CellIndex;
use schemas::lake::cell_from_i64;

use crate::analyze::window::carriers::{Carriers, Counts};
use crate::analyze::{AnalyzeError, columns};
use crate::causes::explained_by;
use crate::session::LakeSession;
use crate::{causes, views};

const CAUSES: &str = include_str!("../../../../sql/rollups/action_causes.sql");
const ATTEMPTS: &str = include_str!("../../../../sql/rollups/action_attempts.sql");

/// Carrier, cell, and the attempts there.
type AttemptsAt = (Option<String>, Option<CellIndex>, u64);

/// What the window says of the fleet.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) carriers: Carriers,
    /// Attempts by terminal, carrier and cell.
    attempts: HashMap<String, Vec<AttemptsAt>>,
    by_merchant: HashMap<String, u64>,
}

impl Facts {
    pub(super) async fn read(
        lake: &LakeSession,
        (from, to): (NaiveDate, NaiveDate),
        evidence: &[Evidence],
        carriers: Carriers,
    ) -> Result<Self, AnalyzeError> {
        let mut facts = Self {
            carriers,
            ..Self::default()
        };
        facts.read_attempts(lake, from, to, evidence).await?;
        Ok(facts)
    }

    async fn read_attempts(
        &mut self,
        lake: &LakeSession,
        from: NaiveDate,
        to: NaiveDate,
        evidence: &[Evidence],
    ) -> Result<(), AnalyzeError> {
        // Of millions of terminals those are kept that something is said of.
        let terminals: HashSet<&str> = evidence.iter().map(|one| &*one.terminal).collect();
        let merchants: HashSet<&str> = evidence
            .iter()
            .filter_map(|one| one.merchant.as_deref())
            .collect();
        for batch in &lake.collect(&dated(ATTEMPTS, from, to)).await?.batches {
            let terminal_ids = columns::texts(batch, "terminal_id")?;
            let merchant_ids = columns::texts(batch, "merchant_id")?;
            let carriers = columns::texts(batch, "carrier_plmn")?;
            let cells = columns::optional_integers(batch, "cell_r8")?;
            let attempts = columns::counts(batch, "attempts")?;
            for row in 0..batch.num_rows() {
                let merchant = columns::text(&merchant_ids, row);
                if let Some(merchant) = merchant.filter(|id| merchants.contains(id)) {
                    self.add_merchant(merchant, attempts[row]);
                }
                let terminal = terminal_ids.value(row);
                if terminals.contains(terminal) {
                    self.add_terminal(
                        terminal,
                        columns::text(&carriers, row),
                        cells[row].and_then(cell_from_i64),
                        attempts[row],
                    );
                }
            }
        }
        Ok(())
    }

    pub(super) fn add_terminal(
        &mut self,
        terminal: &str,
        carrier: Option<&str>,
        cell: Option<CellIndex>,
        attempts: u64,
    ) {
        let of_terminal = self.attempts.entry(terminal.to_owned()).or_default();
        of_terminal.push((carrier.map(str::to_owned), cell, attempts));
    }

    fn add_merchant(&mut self, merchant: &str, attempts: u64) {
        *self.by_merchant.entry(merchant.to_owned()).or_default() += attempts;
    }

    pub(super) fn attempts_of_terminal(&self, terminal: &str) -> u64 {
        let places = self.attempts.get(terminal).into_iter().flatten();
        places.map(|(_, _, attempts)| attempts).sum()
    }

    pub(super) fn attempts_of_merchant(&self, merchant: &str) -> u64 {
        self.by_merchant.get(merchant).copied().unwrap_or(0)
    }

    /// Returns what a terminal tried over a carrier in a cell.
    pub(super) fn attempts_at(&self, terminal: &str, carrier: &str, cell: CellIndex) -> u64 {
        let places = self.attempts.get(terminal).into_iter().flatten();
        let there = places
            .filter(|(plmn, place, _)| plmn.as_deref() == Some(carrier) && *place == Some(cell));
        there.map(|(_, _, attempts)| attempts).sum()
    }
}

/// What the causes of failures call for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remedy {
    Outage,
    Line,
    Terminal,
    Model,
    /// What the zone explains, on carriers whose signal is weak there.
    Place,
    /// Weak signal beside that.
    Signal,
    Wiring,
    Region,
    Geofence,
    Configuration,
}

/// Every remedy, and the column of the failures that call for it.
const REMEDIES: [(Remedy, &str); 10] = [
    (Remedy::Outage, "outage"),
    (Remedy::Line, "line"),
    (Remedy::Terminal, "terminal"),
    (Remedy::Model, "model"),
    (Remedy::Place, "place"),
    (Remedy::Signal, "signal"),
    (Remedy::Wiring, "wiring"),
    (Remedy::Region, "region"),
    (Remedy::Geofence, "geofence"),
    (Remedy::Configuration, "configuration"),
];

/// Failures of a terminal at a place that call for the same.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    pub(super) remedy: Remedy,
    pub(super) terminal: String,
    pub(super) merchant: Option<String>,
    pub(super) carrier: Option<String>,
    pub(super) cell: Option<CellIndex>,
    pub(super) device: String,
    /// Shares of failures, added up.
    pub(super) failures: f64,
}

impl Evidence {
    pub(super) fn terminal(&self) -> Option<&str> {
        Some(&self.terminal)
    }

    pub(super) fn merchant(&self) -> Option<&str> {
        self.merchant.as_deref()
    }
}

/// Returns the statement that counts what the failures of some days call for.
pub(super) fn remedies(from: NaiveDate, to: NaiveDate) -> String {
    let sql = causes::bind(CAUSES, &format!("date '{to}'"));
    dated(&sql, from, to).replace("{closed_regions}", &views::closed_regions(from, to))
}

/// Reads what the failures of the window call for.
pub(super) async fn evidence(
    lake: &LakeSession,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<Evidence>, AnalyzeError> {
    let sql = remedies(from, to);
    let answer = lake.collect(&sql).await?;
    let mut evidence = Vec::with_capacity(answer.rows());
    for batch in &answer.batches {
        let text = |name: &str| columns::texts(batch, name);
        let (terminals, merchants) = (text("terminal_id")?, text("merchant_id")?);
        let (carriers, devices) = (text("carrier_plmn")?, text("device")?);
        let cells = columns::optional_integers(batch, "cell_r8")?;
        for (remedy, column) in REMEDIES {
            let failures = columns::numbers(batch, column)?
                .into_iter()
                .map(Option::unwrap_or_default);
            for (row, failures) in failures.enumerate().filter(|(_, of)| *of > 0.0) {
                evidence.push(Evidence {
                    remedy,
                    terminal: terminals.value(row).to_owned(),
                    merchant: columns::text(&merchants, row).map(str::to_owned),
                    carrier: columns::text(&carriers, row).map(str::to_owned),
                    cell: cells[row].and_then(cell_from_i64),
                    device: devices.value(row).to_owned(),
                    failures,
                });
            }
        }
    }
    Ok(evidence)
}

/// A zone of the window.
#[derive(Debug, Clone)]
pub(super) struct ZoneFacts {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) carrier: Option<String>,
    pub(super) carriers: String,
    pub(super) cells: Vec<CellIndex>,
    pub(super) counts: Counts,
    pub(super) baseline_rate: f64,
    /// Failures that the place explains.
    pub(super) avoidable: f64,
    /// How many times the usual rate it has, devices taken off.
    pub(super) rate_ratio: f64,
    /// Carriers that work in some of its cells, with their counts.
    pub(super) working: Option<String>,
}

impl ZoneFacts {
    /// Returns the failures that bad terminals and models leave: what the place explains is a part of them.
    pub(super) fn not_of_devices(&self) -> f64 {
        match explained_by(self.rate_ratio) {
            share if share > 0.0 => self.avoidable / share,
            _ => 0.0,
        }
    }
}

/// Reads the zones of the window that are zones still.
pub(super) async fn zones(
    lake: &LakeSession,
    to: NaiveDate,
) -> Result<Vec<ZoneFacts>, AnalyzeError> {
    let mut zones = Vec::new();
    for table in ["weak_zones", "failure_zones"] {
        let sql = format!(
            "select zone_id, kind, carrier_plmn, carriers, cells_r8, attempts, failures, baseline_rate, \
             failures_avoidable, rate_ratio, working_carriers \
             from lake.{table} where window_to = date '{to}' and state <> 'resolved' order by zone_id"
        );
        for batch in &lake.collect(&sql).await?.batches {
            let text = |name: &str| columns::texts(batch, name);
            let (ids, kinds, carrier) = (text("zone_id")?, text("kind")?, text("carrier_plmn")?);
            let (carriers, cells) = (text("carriers")?, text("cells_r8")?);
            let attempts = columns::counts(batch, "attempts")?;
            let failures = columns::counts(batch, "failures")?;
            let baseline = columns::numbers(batch, "baseline_rate")?;
            let avoidable = columns::numbers(batch, "failures_avoidable")?;
            let ratio = columns::numbers(batch, "rate_ratio")?;
            let working = text("working_carriers")?;
            for row in 0..batch.num_rows() {
                let listed = cells.value(row).split(';');
                zones.push(ZoneFacts {
                    id: ids.value(row).to_owned(),
                    kind: kinds.value(row).to_owned(),
                    carrier: columns::text(&carrier, row).map(str::to_owned),
                    carriers: carriers.value(row).to_owned(),
                    cells: listed.filter_map(|cell| cell.parse().ok()).collect(),
                    counts: Counts {
                        attempts: attempts[row],
                        failures: failures[row],
                    },
                    baseline_rate: baseline[row].unwrap_or(0.0),
                    avoidable: avoidable[row].unwrap_or(0.0),
                    rate_ratio: ratio[row].unwrap_or(0.0),
                    working: columns::text(&working, row).map(str::to_owned),
                });
            }
        }
    }
    Ok(zones)
}

fn dated(sql: &str, from: NaiveDate, to: NaiveDate) -> String {
    sql.replace("{from}", &from.to_string())
        .replace("{to}", &to.to_string())
}
