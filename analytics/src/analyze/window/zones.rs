//! Cells and zones of the window, under the names they had before.

use std::collections::HashMap;

use chrono::NaiveDate;
use h3o::CellIndex;
use rayon::prelude::*;
use schemas::lake::cell_to_i64;
use serde::Serialize;
use statistics::zones::{KnownZone, Zone, ZoneKind, ZonesReport, keep_ids};

use super::Origin;
use crate::analyze::{AnalyzeError, columns};
use crate::session::LakeSession;

/// Attempts of another carrier in a zone from which its rate there is worth advising on.
const ADVICE_ATTEMPTS: u64 = 100;

/// The rows of the three tables.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) cells: Vec<CellRow>,
    pub(super) weak: Vec<ZoneRow>,
    pub(super) failure: Vec<ZoneRow>,
}

/// A row of `cells`.
#[derive(Debug, Serialize)]
pub(super) struct CellRow {
    cell_r8: i64,
    carrier_plmn: String,
    zone_id: Option<String>,
    zone_kind: Option<&'static str>,
    terminals: u64,
    merchants: u64,
    attempts: u64,
    failures: u64,
    expected_failures: f64,
    rate: Option<f64>,
    eb_rate: Option<f64>,
    eb_rate_low: Option<f64>,
    eb_rate_high: Option<f64>,
    gi_star_z: Option<f64>,
    p: Option<f64>,
    q: Option<f64>,
    class: &'static str,
    readings: u64,
    weak_readings: u64,
    #[serde(flatten)]
    origin: Origin,
}

/// A row of `weak_zones` or `failure_zones`.
#[derive(Debug, Serialize)]
pub(super) struct ZoneRow {
    zone_id: String,
    kind: &'static str,
    state: &'static str,
    carrier_plmn: Option<String>,
    carriers: String,
    cells_r8: String,
    center_cell_r8: i64,
    cells: u64,
    terminals: u64,
    merchants: u64,
    attempts: u64,
    failures: u64,
    expected_failures: f64,
    rate: f64,
    eb_rate: f64,
    eb_rate_low: f64,
    eb_rate_high: f64,
    baseline_rate: f64,
    rate_ratio: f64,
    log_likelihood_ratio: f64,
    p: f64,
    q: Option<f64>,
    readings: u64,
    weak_readings: u64,
    days: u32,
    dayparts: u64,
    survives_leave_one_out: bool,
    other_carriers: Option<String>,
    action: Option<String>,
    failures_avoidable: f64,
    reason: Option<String>,
    #[serde(flatten)]
    origin: Origin,
}

/// Returns the zones of the newest window that ended before this one.
pub(super) async fn known(
    lake: &LakeSession,
    to: NaiveDate,
) -> Result<Vec<KnownZone>, AnalyzeError> {
    let mut known = Vec::new();
    for table in ["weak_zones", "failure_zones"] {
        let sql = format!(
            "select zone_id, kind, carrier_plmn, cells_r8, cast(eb_rate as text) as eb, \
             cast(eb_rate_low as text) as low, cast(eb_rate_high as text) as high from lake.{table} \
             where state <> 'resolved' and window_to = \
             (select max(window_to) from lake.{table} where window_to < date '{to}') order by zone_id"
        );
        let answer = lake.collect(&sql).await?;
        for batch in &answer.batches {
            let [ids, kinds, carriers, cells, rates, lows, highs] = [
                "zone_id",
                "kind",
                "carrier_plmn",
                "cells_r8",
                "eb",
                "low",
                "high",
            ]
            .map(|name| columns::texts(batch, name));
            let (ids, kinds, carriers, cells) = (ids?, kinds?, carriers?, cells?);
            let (rates, lows, highs) = (rates?, lows?, highs?);
            for row in 0..batch.num_rows() {
                let number = |column: &arrow::array::StringArray| {
                    columns::text(column, row)
                        .and_then(|text| text.parse().ok())
                        .unwrap_or_default()
                };
                let kind = [ZoneKind::WeakZone, ZoneKind::NotSpot, ZoneKind::FailureZone]
                    .into_iter()
                    .find(|kind| kind.as_str() == kinds.value(row));
                let Some(kind) = kind else { continue };
                known.push(KnownZone {
                    id: ids.value(row).to_owned(),
                    kind,
                    plmn: columns::text(&carriers, row).map(str::to_owned),
                    cells: cells
                        .value(row)
                        .split(';')
                        .filter_map(|cell| cell.parse::<CellIndex>().ok())
                        .collect(),
                    eb_rate: number(&rates),
                    low: number(&lows),
                    high: number(&highs),
                });
            }
        }
    }
    Ok(known)
}

/// Names the zones that were found without the flagged terminals.
pub(super) fn name(
    report: &ZonesReport,
    known: &[KnownZone],
    origin: &Origin,
    to: NaiveDate,
) -> Found {
    let names = keep_ids(known, &report.zones, &to.to_string());
    let mut weak = Vec::new();
    let mut failure = Vec::new();
    for (zone, (id, state)) in report.zones.iter().zip(&names.today) {
        let row = ZoneRow::of(zone, id.clone(), state.as_str(), origin);
        match zone.kind {
            ZoneKind::FailureZone => failure.push(row),
            ZoneKind::WeakZone | ZoneKind::NotSpot => weak.push(row),
        }
    }
    for zone in &names.resolved {
        let row = ZoneRow::resolved(zone, origin);
        match zone.kind {
            ZoneKind::FailureZone => failure.push(row),
            ZoneKind::WeakZone | ZoneKind::NotSpot => weak.push(row),
        }
    }
    let ids: Vec<&str> = names.today.iter().map(|(id, _)| id.as_str()).collect();
    let cells = cells(report, &ids, origin);
    Found {
        cells,
        weak,
        failure,
    }
}

fn cells(report: &ZonesReport, ids: &[&str], origin: &Origin) -> Vec<CellRow> {
    let mut zone_of = HashMap::new();
    for (zone, id) in report.zones.iter().zip(ids) {
        for plmn in &zone.plmns {
            for cell in &zone.cells {
                zone_of.insert((*cell, plmn.as_str()), (*id, zone.kind.as_str()));
            }
        }
    }
    let row = |cell: &statistics::zones::ZoneCell| {
        let zone = zone_of.get(&(cell.cell, cell.plmn.as_str()));
        CellRow {
            cell_r8: cell_to_i64(cell.cell),
            carrier_plmn: cell.plmn.clone(),
            zone_id: zone.map(|(id, _)| (*id).to_owned()),
            zone_kind: zone.map(|(_, kind)| *kind),
            terminals: cell.terminals as u64,
            merchants: cell.merchants as u64,
            attempts: cell.attempts,
            failures: cell.failures,
            expected_failures: cell.expected,
            rate: cell.rate,
            eb_rate: cell.eb_rate,
            eb_rate_low: cell.eb_low,
            eb_rate_high: cell.eb_high,
            gi_star_z: cell.gi_z,
            p: cell.p,
            q: cell.q,
            class: cell.class.as_str(),
            readings: cell.readings,
            weak_readings: cell.weak_readings,
            origin: origin.clone(),
        }
    };
    report.cells.par_iter().map(row).collect()
}

impl ZoneRow {
    fn of(zone: &Zone, zone_id: String, state: &'static str, origin: &Origin) -> Self {
        let cells: Vec<String> = zone.cells.iter().map(CellIndex::to_string).collect();
        let others: Vec<String> = zone
            .other_carriers
            .iter()
            .map(|other| format!("{} {} of {}", other.plmn, other.failures, other.attempts))
            .collect();
        let at_baseline = zone.attempts as f64 * zone.baseline_rate;
        Self {
            zone_id,
            kind: zone.kind.as_str(),
            state,
            carrier_plmn: zone.plmn.clone(),
            carriers: zone.plmns.join(";"),
            cells: zone.cells.len() as u64,
            cells_r8: cells.join(";"),
            center_cell_r8: cell_to_i64(zone.centroid),
            terminals: zone.terminals as u64,
            merchants: zone.merchants as u64,
            attempts: zone.attempts,
            failures: zone.failures,
            expected_failures: zone.expected,
            rate: zone.rate,
            eb_rate: zone.eb_rate,
            eb_rate_low: zone.low,
            eb_rate_high: zone.high,
            baseline_rate: zone.baseline_rate,
            rate_ratio: zone.rate_ratio,
            log_likelihood_ratio: zone.llr,
            p: zone.p,
            q: zone.q,
            readings: zone.readings,
            weak_readings: zone.weak_readings,
            days: zone.days,
            dayparts: zone.dayparts as u64,
            survives_leave_one_out: zone.survives_leave_one_out,
            other_carriers: (!others.is_empty()).then(|| others.join(";")),
            action: Some(action(zone)),
            failures_avoidable: (zone.failures as f64 - at_baseline).max(0.0),
            reason: None,
            origin: origin.clone(),
        }
    }

    /// A zone of the window before that is none any more: its cells, and no counts.
    fn resolved(zone: &KnownZone, origin: &Origin) -> Self {
        let cells: Vec<String> = zone.cells.iter().map(CellIndex::to_string).collect();
        Self {
            zone_id: zone.id.clone(),
            kind: zone.kind.as_str(),
            state: "resolved",
            carrier_plmn: zone.plmn.clone(),
            carriers: zone.plmn.clone().unwrap_or_default(),
            cells: zone.cells.len() as u64,
            cells_r8: cells.join(";"),
            center_cell_r8: zone.cells.first().copied().map_or(0, cell_to_i64),
            terminals: 0,
            merchants: 0,
            attempts: 0,
            failures: 0,
            expected_failures: 0.0,
            rate: 0.0,
            eb_rate: zone.eb_rate,
            eb_rate_low: zone.low,
            eb_rate_high: zone.high,
            baseline_rate: 0.0,
            rate_ratio: 0.0,
            log_likelihood_ratio: 0.0,
            p: 1.0,
            q: None,
            readings: 0,
            weak_readings: 0,
            days: 0,
            dayparts: 0,
            survives_leave_one_out: false,
            other_carriers: None,
            action: None,
            failures_avoidable: 0.0,
            reason: Some("the rates are those of the window before".into()),
            origin: origin.clone(),
        }
    }
}

/// What helps here, the cheapest that the counts support.
fn action(zone: &Zone) -> String {
    let rate = |failures: u64, attempts: u64| failures as f64 / attempts.max(1) as f64;
    let better = zone
        .other_carriers
        .iter()
        .filter(|other| other.attempts >= ADVICE_ATTEMPTS)
        .filter(|other| rate(other.failures, other.attempts) * 2.0 <= zone.rate)
        .min_by(|one, other| {
            rate(one.failures, one.attempts).total_cmp(&rate(other.failures, other.attempts))
        });
    match (zone.kind, better) {
        (ZoneKind::FailureZone, _) => {
            "look at the shops' own wiring, power and set-up: the signal is good".into()
        }
        (_, Some(other)) => format!(
            "SIM of {}: {} of {} attempts fail here",
            other.plmn, other.failures, other.attempts
        ),
        (ZoneKind::NotSpot, None) => {
            "no carrier is better: booster or outside antenna, fixed line, or QR".into()
        }
        (ZoneKind::WeakZone, None) => "report to the carrier; booster or outside antenna".into(),
    }
}
