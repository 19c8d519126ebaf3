//! Cells and zones of the window, under the names they had before, and what is not proven.

mod action;
mod rows;

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use h3o::CellIndex;
use rayon::prelude::*;
use schemas::lake::{cell_from_i64, cell_to_i64};
use statistics::zones::{Identities, KnownZone, Zone, ZoneKind, ZonesReport, keep_ids};

use self::rows::{CandidateRow, CellRow, ZoneRow};
use super::Origin;
use super::carriers::Carriers;
use super::explained::{ZonePlace, ZonePlaces};
use crate::analyze::{AnalyzeError, columns};
use crate::causes::explained_by;
use crate::session::LakeSession;

/// The rows of the four tables.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) cells: Vec<CellRow>,
    pub(super) weak: Vec<ZoneRow>,
    pub(super) failure: Vec<ZoneRow>,
    pub(super) candidates: Vec<CandidateRow>,
}

/// Zones that were named before.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Of this window, when it was analysed before.
    own: Vec<KnownZone>,
    /// Of the newest window that ended before this one.
    before: Vec<KnownZone>,
    /// Of the oldest window that ended after it.
    after: Vec<KnownZone>,
}

impl Known {
    /// Reads the zones of this window, of the one before and of the one after.
    pub(super) async fn read(lake: &LakeSession, to: NaiveDate) -> Result<Self, AnalyzeError> {
        let other = |of: &str| format!("(select {of} from lake.cells where window_to");
        Ok(Self {
            own: known(lake, &format!("date '{to}'")).await?,
            before: known(lake, &format!("{} < date '{to}')", other("max(window_to)"))).await?,
            after: known(lake, &format!("{} > date '{to}')", other("min(window_to)"))).await?,
        })
    }

    /// Names today's zones: as this window named them, else as its neighbours in time did, so that whoever
    /// looks at an older window renames nothing. States are against the window before.
    fn name(&self, zones: &[Zone], to: &str) -> Identities {
        let mut names = keep_ids(&self.before, zones, to);
        let mut used: HashSet<String> = HashSet::new();
        let mut kept: Vec<Option<String>> = vec![None; zones.len()];
        let ids = [
            (&self.own, keep_ids(&self.own, zones, to).today),
            (&self.before, names.today.clone()),
            (&self.after, keep_ids(&self.after, zones, to).today),
        ];
        for (known, ids) in ids {
            for (at, (id, _)) in ids.into_iter().enumerate() {
                let is_known = known.iter().any(|zone| zone.id == id);
                if is_known && kept[at].is_none() && used.insert(id.clone()) {
                    kept[at] = Some(id);
                }
            }
        }
        for ((id, _), kept) in names.today.iter_mut().zip(kept) {
            match kept {
                Some(kept) => *id = kept,
                None => {
                    // A new name, unless another zone has it from before.
                    while !used.insert(id.clone()) {
                        id.push_str("-2");
                    }
                }
            }
        }
        names.resolved.retain(|zone| !used.contains(&zone.id));
        names
    }
}

/// Returns the zones of a window.
async fn known(lake: &LakeSession, window: &str) -> Result<Vec<KnownZone>, AnalyzeError> {
    let mut known = Vec::new();
    for table in ["weak_zones", "failure_zones"] {
        let sql = format!(
            "select zone_id, kind, carrier_plmn, cells_r8, cast(eb_rate as text) as eb, \
             cast(eb_rate_low as text) as low, cast(eb_rate_high as text) as high from lake.{table} \
             where state <> 'resolved' and window_to = {window} order by zone_id"
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
    carriers: &Carriers,
    known: &Known,
    origin: &Origin,
    to: NaiveDate,
) -> Found {
    let names = known.name(&report.zones, &to.to_string());
    let mut weak = Vec::new();
    let mut failure = Vec::new();
    for (zone, (id, state)) in report.zones.iter().zip(&names.today) {
        let better = carriers.better_in(zone);
        let row = ZoneRow::of(zone, id.clone(), state.as_str(), better.as_ref(), origin);
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
    let candidates = report.refused.iter();
    Found {
        cells,
        weak,
        failure,
        candidates: candidates
            .map(|refused| CandidateRow::of(refused, origin))
            .collect(),
    }
}

fn cells(report: &ZonesReport, ids: &[&str], origin: &Origin) -> Vec<CellRow> {
    let mut zone_of = HashMap::new();
    for (zone, id) in report.zones.iter().zip(ids) {
        for (plmn, cell) in zone.cells_of_carriers() {
            zone_of.insert((cell, plmn), (*id, zone));
        }
    }
    let row = |cell: &statistics::zones::ZoneCell| {
        let zone = zone_of.get(&(cell.cell, cell.plmn.as_str()));
        CellRow {
            cell_r8: cell_to_i64(cell.cell),
            carrier_plmn: cell.plmn.clone(),
            zone_id: zone.map(|(id, _)| (*id).to_owned()),
            zone_kind: zone.map(|(_, zone)| zone.kind.as_str()),
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
            explained_share: zone.map(|(_, zone)| explained_by(zone.rate_ratio)),
            zone_rate: zone.map(|(_, zone)| (zone.baseline_rate * zone.rate_ratio).min(1.0)),
            readings: cell.readings,
            weak_readings: cell.weak_readings,
            not_in_zone_because: cell.not_in_zone.clone(),
            origin: origin.clone(),
        }
    };
    report.cells.par_iter().map(row).collect()
}

impl Found {
    /// Every zone, weak ones first.
    fn zones(&mut self) -> impl Iterator<Item = &mut ZoneRow> {
        self.weak.iter_mut().chain(&mut self.failure)
    }

    /// Returns how many zones there are.
    pub(super) fn len(&self) -> usize {
        self.weak.len() + self.failure.len()
    }

    /// Returns where the zones lie.
    pub(super) fn places(&self) -> ZonePlaces<'_> {
        let ids = self.weak.iter().chain(&self.failure);
        let numbers: HashMap<&str, usize> =
            ids.map(|zone| zone.zone_id.as_str()).zip(0..).collect();
        let inside = self.cells.iter().filter_map(|row| {
            let number = numbers.get(row.zone_id.as_deref()?)?;
            let at = (cell_from_i64(row.cell_r8)?, row.carrier_plmn.as_str());
            let place = ZonePlace {
                number: *number,
                explains: row.explained_share?,
                rate: row.zone_rate.unwrap_or(0.0),
            };
            Some((at, place))
        });
        inside.collect()
    }

    /// Takes over how many failures each zone could avoid.
    pub(super) fn avoid(&mut self, failures: &[f64]) {
        for (zone, avoidable) in self.zones().zip(failures) {
            zone.failures_avoidable = *avoidable;
        }
    }
}
