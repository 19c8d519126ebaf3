//! Rows of the tables of zones.

use h3o::CellIndex;
use schemas::lake::cell_to_i64;
use serde::Serialize;
use statistics::zones::{KnownZone, RefusedZone, Zone};

use super::action::action;
use crate::analyze::window::Origin;
use crate::analyze::window::carriers::OtherCarrier;

/// A row of `cells`.
#[derive(Debug, Serialize)]
pub(in super::super) struct CellRow {
    pub(super) cell_r8: i64,
    pub(super) carrier_plmn: String,
    pub(super) zone_id: Option<String>,
    pub(super) zone_kind: Option<&'static str>,
    pub(super) terminals: u64,
    pub(super) merchants: u64,
    pub(super) attempts: u64,
    pub(super) failures: u64,
    pub(super) expected_failures: f64,
    pub(super) rate: Option<f64>,
    pub(super) eb_rate: Option<f64>,
    pub(super) eb_rate_low: Option<f64>,
    pub(super) eb_rate_high: Option<f64>,
    pub(super) gi_star_z: Option<f64>,
    pub(super) p: Option<f64>,
    pub(super) q: Option<f64>,
    pub(super) class: &'static str,
    pub(super) explained_share: Option<f64>,
    pub(super) zone_rate: Option<f64>,
    pub(super) readings: u64,
    pub(super) weak_readings: u64,
    pub(super) not_in_zone_because: Option<String>,
    #[serde(flatten)]
    pub(super) origin: Origin,
}

/// What zones and candidates have in common.
#[derive(Debug, Default, Serialize)]
struct PlaceColumns {
    carrier_plmn: Option<String>,
    carriers: String,
    cells_r8: String,
    center_cell_r8: i64,
    cells: u64,
    cells_with_data: u64,
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
}

impl PlaceColumns {
    fn of(zone: &Zone) -> Self {
        let others = zone
            .other_carriers
            .iter()
            .map(|other| format!("{} {} of {}", other.plmn, other.failures, other.attempts));
        Self {
            carrier_plmn: zone.plmn.clone(),
            carriers: zone.plmns.join(";"),
            cells: zone.cells.len() as u64,
            cells_with_data: zone.cells_with_data as u64,
            cells_r8: listed(zone.cells.iter().map(CellIndex::to_string)).unwrap_or_default(),
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
            other_carriers: listed(others),
        }
    }

    /// A zone of the window before that is none any more: its cells, and no counts.
    fn of_known(zone: &KnownZone) -> Self {
        Self {
            carrier_plmn: zone.plmn.clone(),
            carriers: zone.plmn.clone().unwrap_or_default(),
            cells: zone.cells.len() as u64,
            cells_r8: listed(zone.cells.iter().map(CellIndex::to_string)).unwrap_or_default(),
            center_cell_r8: zone.cells.first().copied().map_or(0, cell_to_i64),
            eb_rate: zone.eb_rate,
            eb_rate_low: zone.low,
            eb_rate_high: zone.high,
            p: 1.0,
            ..Self::default()
        }
    }
}

fn listed(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(";"))
}

/// A row of `weak_zones` or `failure_zones`.
#[derive(Debug, Serialize)]
pub(in super::super) struct ZoneRow {
    pub(super) zone_id: String,
    kind: &'static str,
    state: &'static str,
    #[serde(flatten)]
    place: PlaceColumns,
    working_carriers: Option<String>,
    action: Option<String>,
    /// Filled in once it is known what terminals and models explain.
    pub(super) failures_avoidable: f64,
    reason: Option<String>,
    #[serde(flatten)]
    origin: Origin,
}

impl ZoneRow {
    /// The row of a zone; `better` is the other carrier that its terminals could change to.
    pub(super) fn of(
        zone: &Zone,
        zone_id: String,
        state: &'static str,
        better: Option<&OtherCarrier>,
        origin: &Origin,
    ) -> Self {
        let works = zone.good_parts.iter().map(|part| {
            let (plmn, cells) = (&part.plmn, part.cells.len());
            format!(
                "{plmn} {} of {} in {cells} cells",
                part.failures, part.attempts
            )
        });
        Self {
            zone_id,
            kind: zone.kind.as_str(),
            state,
            place: PlaceColumns::of(zone),
            working_carriers: listed(works),
            action: Some(action(zone.kind, better, &zone.good_parts)),
            failures_avoidable: 0.0,
            reason: None,
            origin: origin.clone(),
        }
    }

    pub(super) fn resolved(zone: &KnownZone, origin: &Origin) -> Self {
        Self {
            zone_id: zone.id.clone(),
            kind: zone.kind.as_str(),
            state: "resolved",
            place: PlaceColumns::of_known(zone),
            working_carriers: None,
            action: None,
            failures_avoidable: 0.0,
            reason: Some("the rates are those of the window before".into()),
            origin: origin.clone(),
        }
    }
}

/// A row of `zone_candidates`.
#[derive(Debug, Serialize)]
pub(in super::super) struct CandidateRow {
    kind: &'static str,
    #[serde(flatten)]
    place: PlaceColumns,
    reason: &'static str,
    missing: String,
    #[serde(flatten)]
    origin: Origin,
}

impl CandidateRow {
    pub(super) fn of(refused: &RefusedZone, origin: &Origin) -> Self {
        Self {
            kind: refused.zone.kind.as_str(),
            place: PlaceColumns::of(&refused.zone),
            reason: refused.reason.as_str(),
            missing: refused.missing.clone(),
            origin: origin.clone(),
        }
    }
}
