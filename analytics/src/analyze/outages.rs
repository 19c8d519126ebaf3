//! Outages of some days: what is counted for the search, and the table it fills.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, Utc};
use h3o::CellIndex;
use schemas::Table;
use schemas::lake::cell_from_i64;
use serde::Serialize;
use statistics::outages::{
    self, Activity, FailingTerminals, Options, Outage, OutageError, VersionLife,
};
use statistics::stop::Stop;

use super::publish::{DerivedTables, rows_to_batches};
use super::rollup::{self, Failing, Name, Names, OutageWindow, Registry};
use super::steps::Steps;
use super::{AnalyzeError, METHOD_VERSION, columns, days};
use crate::session::LakeSession;

const ACTIVE: &str = "select cast(floor(date_part('epoch', hour_time) / 3600) as bigint) as hour, \
    host_id, carrier_plmn, cell_r4, app_version, terminals, attempts from lake.activity_hours \
    where event_date between date '{from}' and date '{to}'";
const LIVES: &str = include_str!("../../sql/rollups/version_lives.sql");
const SLOT_S: i64 = 300;
const DAY_US: i64 = 86_400_000_000;
/// Days looked at before and after, so that an ordinary level is known and no outage is cut.
const DAYS_AROUND: u64 = 3;

/// Returns the first and last day that a search for outages of these days looks at.
pub(super) fn days_around(days: &[(NaiveDate, u64)]) -> (NaiveDate, NaiveDate) {
    let [first, last] = [days.first(), days.last()].map(|day| day.expect("a block has days").0);
    let around = Days::new(DAYS_AROUND);
    (
        first.checked_sub_days(around).unwrap_or(first),
        last.checked_add_days(around).unwrap_or(last),
    )
}

/// Finds the outages that began in some blocks of days, and replaces the table's rows of them; returns
/// what was cut short.
pub(super) async fn publish(
    lake: &LakeSession,
    registry: &Arc<Registry>,
    tables: &mut DerivedTables,
    blocks: &[&[(NaiveDate, u64)]],
    steps: &mut Steps<'_>,
) -> Result<Vec<String>, AnalyzeError> {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    let options = Options::default();
    for days in blocks {
        steps.say(format!("outages of {}", days::name(days)))?;
        let names = Arc::new(Names::default());
        let found = search(lake, registry, days, &names, &options, steps.stop()).await?;
        if found.len() >= options.max_outages {
            notes.push(format!(
                "outages of {}: the search ended with the {} largest",
                days::name(days),
                options.max_outages
            ));
        }
        let of_days = found.iter();
        rows.extend(of_days.filter_map(|outage| OutageRow::of(outage, &names, days)));
    }
    let batches = rows_to_batches(Table::Outages, rows.iter())?;
    let batches = batches.into_iter().map(Ok);
    tables
        .replace(Table::Outages, &blocks.concat(), batches)
        .await?;
    Ok(notes)
}

async fn search(
    lake: &LakeSession,
    registry: &Arc<Registry>,
    days: &[(NaiveDate, u64)],
    names: &Arc<Names>,
    options: &Options,
    stop: &Stop,
) -> Result<Vec<Outage>, AnalyzeError> {
    let (from, to) = days_around(days);
    let failing = failing(lake, registry, (from, to), names).await?;
    let active = active(lake, from, to, names).await?;
    let lives = version_lives(lake, from, to, names).await?;
    let (options, stop) = (*options, stop.clone());
    tokio::task::spawn_blocking(move || outages::find(&failing, &active, &lives, &options, &stop))
        .await
        .expect("the search does not panic")
        .map_err(|error| match error {
            OutageError::Stopped(stopped) => stopped.into(),
            error => AnalyzeError::Method {
                method: "the search for outages",
                reason: error.to_string(),
            },
        })
}

/// Reads the failing terminals of some days.
async fn failing(
    lake: &LakeSession,
    registry: &Arc<Registry>,
    (from, to): (NaiveDate, NaiveDate),
    names: &Arc<Names>,
) -> Result<Vec<FailingTerminals>, AnalyzeError> {
    let mut all = Failing::default();
    for (day, _) in lake.fact_rows_by_day().await?.range(from..=to) {
        all.merge(rollup::failing(lake, registry, *day, names).await?);
    }
    Ok(all.rows)
}

async fn active(
    lake: &LakeSession,
    from: NaiveDate,
    to: NaiveDate,
    names: &Names,
) -> Result<Vec<Activity>, AnalyzeError> {
    let answer = lake.collect(&between(ACTIVE, from, to)).await?;
    let mut rows = Vec::with_capacity(answer.rows());
    for batch in &answer.batches {
        let hours = columns::optional_integers(batch, "hour")?;
        let cells = columns::optional_integers(batch, "cell_r4")?;
        let terminals = columns::counts(batch, "terminals")?;
        let attempts = columns::counts(batch, "attempts")?;
        let [hosts, carriers, versions] =
            ["host_id", "carrier_plmn", "app_version"].map(|name| columns::texts(batch, name));
        let (hosts, carriers, versions) = (hosts?, carriers?, versions?);
        for row in 0..batch.num_rows() {
            let Some(hour) = hours[row] else { continue };
            let number = |text: Option<&str>| text.map(|text| names.number(text));
            rows.push(Activity {
                hour,
                host: number(columns::text(&hosts, row)),
                plmn: number(columns::text(&carriers, row)),
                cell_r4: cells[row].and_then(cell_from_i64),
                app_version: number(columns::text(&versions, row)),
                terminals: u32::try_from(terminals[row]).unwrap_or(u32::MAX),
                attempts: u32::try_from(attempts[row]).unwrap_or(u32::MAX),
            });
        }
    }
    Ok(rows)
}

fn between(sql: &str, from: NaiveDate, to: NaiveDate) -> String {
    sql.replace("{from}", &from.to_string())
        .replace("{to}", &to.to_string())
}

async fn version_lives(
    lake: &LakeSession,
    from: NaiveDate,
    to: NaiveDate,
    names: &Names,
) -> Result<Vec<VersionLife>, AnalyzeError> {
    let answer = lake.collect(&between(LIVES, from, to)).await?;
    let mut lives = Vec::new();
    for batch in &answer.batches {
        let versions = columns::texts(batch, "app_version")?;
        let first = columns::optional_integers(batch, "first_slot")?;
        let last = columns::optional_integers(batch, "last_slot")?;
        for row in 0..batch.num_rows() {
            let version = columns::text(&versions, row).map(|text| names.number(text));
            if let (Some(app_version), Some(first_slot), Some(last_slot)) =
                (version, first[row], last[row])
            {
                lives.push(VersionLife {
                    app_version,
                    first_slot,
                    last_slot,
                });
            }
        }
    }
    Ok(lives)
}

/// A row of the table, as it is serialised.
#[derive(Debug, Serialize)]
struct OutageRow {
    outage_id: String,
    kind: &'static str,
    host_id: Option<String>,
    carrier_plmn: Option<String>,
    app_version: Option<String>,
    cells_r4: Option<String>,
    from_time: String,
    to_time: String,
    failing_terminals: u64,
    active_terminals: u64,
    failures: u64,
    expected_terminal_slots: f64,
    log_likelihood_ratio: f64,
    method_version: i32,
    source_rows: u64,
    event_date: String,
}

impl OutageRow {
    /// Returns the row, unless the outage began on another day.
    fn of(outage: &Outage, names: &Names, days: &[(NaiveDate, u64)]) -> Option<Self> {
        let from = time_of(outage.from_slot)?;
        let to = time_of(outage.to_slot)?;
        let day = from.date_naive();
        let (_, source_rows) = days.iter().find(|(known, _)| *known == day)?;
        let name = |number: Option<Name>| names.text(number?).map(String::from);
        let host_id = name(outage.host);
        let carrier_plmn = name(outage.plmn);
        let app_version = name(outage.app_version);
        let of_whom = host_id
            .as_ref()
            .or(app_version.as_ref())
            .or(carrier_plmn.as_ref());
        let kind = outage.kind.as_str();
        let cells: Vec<String> = outage.cells_r4.iter().map(CellIndex::to_string).collect();
        let place = cells
            .first()
            .map(|cell| format!("/{cell}"))
            .unwrap_or_default();
        Some(Self {
            outage_id: format!(
                "{kind}/{}{place}/{}",
                of_whom.map_or("all", String::as_str),
                from.format("%Y-%m-%dT%H:%MZ")
            ),
            kind,
            cells_r4: (!cells.is_empty()).then(|| cells.join(";")),
            host_id,
            carrier_plmn,
            app_version,
            from_time: from.to_rfc3339(),
            to_time: to.to_rfc3339(),
            failing_terminals: outage.terminals as u64,
            active_terminals: outage.active_terminals,
            failures: outage.failures,
            expected_terminal_slots: outage.expected,
            log_likelihood_ratio: outage.llr,
            method_version: METHOD_VERSION,
            source_rows: *source_rows,
            event_date: day.to_string(),
        })
    }
}

fn time_of(slot: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(slot.checked_mul(SLOT_S)?, 0)
}

/// The outages that touch some days, as the table has them.
pub(super) struct KnownOutages(Vec<KnownOutage>);

struct KnownOutage {
    from_us: i64,
    to_us: i64,
    host: Option<String>,
    plmn: Option<String>,
    app: Option<String>,
    cells_r4: HashSet<CellIndex>,
}

impl KnownOutages {
    /// Reads those that touch any time from the first to the last of the days.
    pub(super) async fn read(
        lake: &LakeSession,
        days: &[(NaiveDate, u64)],
    ) -> Result<Self, AnalyzeError> {
        let [(first, _), ..] = days else {
            return Ok(Self(Vec::new()));
        };
        let (last, _) = days[days.len() - 1];
        let sql = format!(
            "select host_id, carrier_plmn, app_version, cells_r4, \
             date_part('epoch', from_time) * 1000000 as from_us, \
             date_part('epoch', to_time) * 1000000 as to_us from lake.outages \
             where from_time < date '{last}' + interval '1 day' and to_time > date '{first}'"
        );
        let mut known = Vec::new();
        for batch in &lake.collect(&sql).await?.batches {
            let [hosts, carriers, versions, cells] =
                ["host_id", "carrier_plmn", "app_version", "cells_r4"]
                    .map(|name| columns::texts(batch, name));
            let (hosts, carriers, versions, cells) = (hosts?, carriers?, versions?, cells?);
            let from = columns::optional_integers(batch, "from_us")?;
            let to = columns::optional_integers(batch, "to_us")?;
            for row in 0..batch.num_rows() {
                let (Some(from_us), Some(to_us)) = (from[row], to[row]) else {
                    continue;
                };
                let text = |column| columns::text(column, row).map(str::to_owned);
                let cells = columns::text(&cells, row).unwrap_or_default().split(';');
                known.push(KnownOutage {
                    from_us,
                    to_us,
                    host: text(&hosts),
                    plmn: text(&carriers),
                    app: text(&versions),
                    cells_r4: cells.filter_map(|cell| cell.parse().ok()).collect(),
                });
            }
        }
        Ok(Self(known))
    }

    /// Returns those that touch a day, under the numbers of `names`.
    pub(super) fn of(&self, day: NaiveDate, names: &Names) -> Vec<OutageWindow> {
        let from_us = rollup::midnight_us(day);
        let to_us = from_us + DAY_US;
        let touches = |outage: &&KnownOutage| outage.from_us < to_us && outage.to_us > from_us;
        let number = |text: &Option<String>| text.as_ref().map_or(0, |text| names.number(text));
        let windows = self.0.iter().filter(touches).map(|outage| OutageWindow {
            from_us: outage.from_us,
            to_us: outage.to_us,
            host: number(&outage.host),
            plmn: number(&outage.plmn),
            app: number(&outage.app),
            cells_r4: outage.cells_r4.clone(),
        });
        windows.collect()
    }
}
