//! What the advice rests on: causes of failures, attempts, and what was measured in each cell.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use h3o::CellIndex;
use rayon::prelude::*;
use schemas::lake::cell_from_i64;
use statistics::rates::{self, FittedPrior};
use statistics::special::beta_quantile;

use crate::analyze::{AnalyzeError, columns};
use crate::causes::explained_by;
use crate::session::LakeSession;
use crate::{causes, views};

const CAUSES: &str = include_str!("../../../../sql/rollups/action_causes.sql");
const ATTEMPTS: &str = include_str!("../../../../sql/rollups/action_attempts.sql");

/// Attempts of a carrier in the same cells from which its rate there is worth advising on.
const ADVICE_ATTEMPTS: u64 = 100;
/// How many times a carrier has to be better.
const BETTER_BY: f64 = 2.0;
/// Probability that an interval covers.
const LEVEL: f64 = 0.95;

/// Failures among attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) attempts: u64,
    pub(super) failures: u64,
}

impl Counts {
    pub(super) fn rate(self) -> f64 {
        self.failures as f64 / self.attempts.max(1) as f64
    }

    fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.failures += other.failures;
    }
}

/// How often another carrier fails in some cells, as far as its counts there and elsewhere tell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OtherCarrier {
    pub(super) plmn: String,
    pub(super) there: Counts,
    /// Its rate there, drawn towards those of its other cells.
    pub(super) rate: f64,
    /// The 95 % interval of the rate.
    pub(super) low: f64,
    pub(super) high: f64,
}

impl OtherCarrier {
    /// Returns what a change to it should save of so many failures in so many attempts: expected, lowest
    /// and highest.
    pub(super) fn saves(&self, attempts: u64, failures: f64) -> [f64; 3] {
        [self.rate, self.high, self.low].map(|rate| (failures - attempts as f64 * rate).max(0.0))
    }

    /// Says what it rests on.
    pub(super) fn counted(&self) -> String {
        format!(
            "on {} in the same cells {} of {}, {:.1} % ({:.1} to {:.1}) to be expected",
            self.plmn,
            self.there.failures,
            self.there.attempts,
            100.0 * self.rate,
            100.0 * self.low,
            100.0 * self.high
        )
    }
}

/// Every carrier's counts in every cell of the window.
#[derive(Debug, Default)]
pub(super) struct Cells {
    by_cell: HashMap<CellIndex, Vec<(String, Counts)>>,
    by_carrier: HashMap<String, Counts>,
    priors: HashMap<String, FittedPrior>,
}

impl Cells {
    pub(super) fn add(&mut self, cell: CellIndex, plmn: &str, counts: Counts) {
        self.by_cell
            .entry(cell)
            .or_default()
            .push((plmn.to_owned(), counts));
        self.by_carrier
            .entry(plmn.to_owned())
            .or_default()
            .add(counts);
    }

    /// Returns a carrier's rate in all its cells.
    pub(super) fn ordinary_rate(&self, plmn: &str) -> Option<f64> {
        self.by_carrier.get(plmn).map(|counts| counts.rate())
    }

    /// Returns the best other carrier in these cells, if one is measured and clearly better there.
    pub(super) fn better(
        &self,
        cells: &[CellIndex],
        own: &[&str],
        rate: f64,
    ) -> Option<OtherCarrier> {
        let mut others: HashMap<&str, Counts> = HashMap::new();
        for (plmn, counts) in cells
            .iter()
            .filter_map(|cell| self.by_cell.get(cell))
            .flatten()
        {
            if !own.contains(&plmn.as_str()) {
                others.entry(plmn).or_default().add(*counts);
            }
        }
        let measured = others
            .into_iter()
            .filter(|(_, there)| there.attempts >= ADVICE_ATTEMPTS);
        let others = measured.map(|(plmn, there)| self.other(plmn, there));
        let better = others.filter(|other| other.rate * BETTER_BY <= rate);
        better.min_by(|one, other| {
            let by_rate = one.rate.total_cmp(&other.rate);
            by_rate.then_with(|| one.plmn.cmp(&other.plmn))
        })
    }

    fn other(&self, plmn: &str, there: Counts) -> OtherCarrier {
        let counts = rates::Counts {
            id: plmn.to_owned(),
            attempts: there.attempts,
            failures: there.failures,
        };
        let prior = self.priors.get(plmn);
        let shrunk = prior.and_then(|prior| prior.estimate(&counts, LEVEL).ok());
        // A carrier of one cell has only its counts there, and Jeffreys' prior.
        let (failures, successes) = (
            there.failures as f64 + 0.5,
            there.attempts.saturating_sub(there.failures) as f64 + 0.5,
        );
        let end = |p| beta_quantile(p, failures, successes);
        let alone = || (end(0.5 * (1.0 - LEVEL)), end(0.5 * (1.0 + LEVEL)));
        let (rate, ends) = shrunk.unwrap_or((failures / (failures + successes), None));
        let (low, high) = ends.unwrap_or_else(alone);
        OtherCarrier {
            plmn: plmn.to_owned(),
            there,
            rate,
            low,
            high,
        }
    }

    /// Learns, once all cells are known, how the rates of each carrier's cells lie.
    pub(super) fn learn(&mut self) {
        let mut rows: HashMap<&str, Vec<rates::Counts<CellIndex>>> = HashMap::new();
        for (cell, carriers) in &self.by_cell {
            for (plmn, counts) in carriers {
                rows.entry(plmn).or_default().push(rates::Counts {
                    id: *cell,
                    attempts: counts.attempts,
                    failures: counts.failures,
                });
            }
        }
        let priors = rows
            .into_par_iter()
            .filter_map(|(plmn, rows)| Some((plmn.to_owned(), FittedPrior::of(&rows).ok()??)));
        self.priors = priors.collect();
    }
}

/// Carrier, cell, and the attempts there.
type AttemptsAt = (Option<String>, Option<CellIndex>, u64);

/// What the window says of the fleet.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) cells: Cells,
    /// Attempts by terminal, carrier and cell.
    attempts: HashMap<String, Vec<AttemptsAt>>,
    by_merchant: HashMap<String, u64>,
}

impl Facts {
    pub(super) async fn read(
        lake: &LakeSession,
        from: NaiveDate,
        to: NaiveDate,
        evidence: &[Evidence],
    ) -> Result<Self, AnalyzeError> {
        let mut facts = Self::default();
        facts.read_cells(lake, to).await?;
        facts.read_attempts(lake, from, to, evidence).await?;
        Ok(facts)
    }

    async fn read_cells(&mut self, lake: &LakeSession, to: NaiveDate) -> Result<(), AnalyzeError> {
        let sql = format!(
            "select cell_r8, carrier_plmn, attempts, failures from lake.cells \
             where window_to = date '{to}'"
        );
        for batch in &lake.collect(&sql).await?.batches {
            let cells = columns::optional_integers(batch, "cell_r8")?;
            let carriers = columns::texts(batch, "carrier_plmn")?;
            let attempts = columns::counts(batch, "attempts")?;
            let failures = columns::counts(batch, "failures")?;
            for row in 0..batch.num_rows() {
                let counts = Counts {
                    attempts: attempts[row],
                    failures: failures[row],
                };
                if let Some(cell) = cells[row].and_then(cell_from_i64) {
                    self.cells.add(cell, carriers.value(row), counts);
                }
            }
        }
        self.cells.learn();
        Ok(())
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
