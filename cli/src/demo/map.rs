//! The demo's map: the cells of the coverage report, the towns of the registry, and what was planted.

use std::collections::BTreeMap;

use analytics::map_page::{self, MapDocument, MapPlace, MapTruth};
use analytics::report;
use analytics::{LakeSession, map_cells};
use anyhow::Context;
use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use chrono::{DateTime, Days, Utc};
use h3o::LatLng;
use simulator::answer_key::Area;
use simulator::{AnswerKey, Scenario, Truth};

use super::findings::Finding;
use super::screen::percent;
use crate::progress::grouped;

/// Attempts below which a cell has no colour, as a weak zone needs them.
pub(super) const MINIMUM_ATTEMPTS: u64 = 100;

/// Renders the map.
pub(super) async fn page(
    lake: &LakeSession,
    scenario: &Scenario,
    key: &AnswerKey,
    findings: &[Finding],
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let params = report::find("coverage")?.parse_params([("min_attempts", "1")])?;
    let data = map_cells(lake, &params).await?;
    let last_day = key
        .to
        .date_naive()
        .checked_sub_days(Days::new(1))
        .unwrap_or(key.to.date_naive());
    let document = MapDocument {
        title: "Where terminals fall out of range".into(),
        subtitle: format!(
            "Simulated fleet of {} terminals, {}",
            grouped(key.terminals),
            key.country
        ),
        first_day: key.from.date_naive(),
        last_day,
        generated_at: now,
        minimum_attempts: MINIMUM_ATTEMPTS,
        carrier_names: carrier_names(scenario),
        cells: data.cells,
        truths: key
            .truths
            .iter()
            .zip(findings)
            .map(|(planted, finding)| truth(&planted.truth, finding))
            .collect(),
        places: places(lake).await?,
        credits: vec!["Towns: GeoNames, CC BY 4.0".into()],
    };
    Ok(map_page::render(&document))
}

fn carrier_names(scenario: &Scenario) -> BTreeMap<String, String> {
    scenario
        .carriers
        .iter()
        .map(|carrier| (carrier.plmn.clone(), carrier.name.clone()))
        .collect()
}

fn truth(truth: &Truth, finding: &Finding) -> MapTruth {
    let area = match truth {
        Truth::WeakZone { area, .. }
        | Truth::NotSpot { area }
        | Truth::CarrierOutage { area, .. } => circle(area),
        _ => None,
    };
    let counts = |failures: i64, attempts: i64| {
        format!(
            "{} of {}",
            grouped(failures.unsigned_abs()),
            grouped(attempts.unsigned_abs())
        )
    };
    let detail = format!(
        "{}: {} {} ({}); {}: {}.",
        finding.place,
        counts(finding.inside.failures, finding.inside.attempts),
        finding.counted,
        percent(finding.inside.rate()),
        finding.elsewhere_is,
        percent(finding.elsewhere.rate()),
    );
    MapTruth {
        name: finding.id.clone(),
        kind: finding.kind.clone(),
        detail,
        area,
    }
}

fn circle(area: &Area) -> Option<(LatLng, f64)> {
    let centre = LatLng::new(area.center_lat, area.center_lon).ok()?;
    Some((centre, area.radius_km * 1_000.0))
}

/// Towns with registered merchants, at the middle of their terminals.
async fn places(lake: &LakeSession) -> anyhow::Result<Vec<MapPlace>> {
    let sql = "
        select city, median(lat) as lat, median(lon) as lon, count(*) as terminals
        from terminals join merchants using (merchant_id)
        where city is not null and lat is not null and lon is not null
        group by city
        order by terminals desc, city
        limit 500";
    let answer = lake.collect(sql).await?;
    let mut places = Vec::with_capacity(answer.rows());
    for batch in &answer.batches {
        let columns = || {
            let column = |place| batch.columns().get::<usize>(place);
            Some((
                column(0)?.as_string_opt::<i32>()?,
                column(1)?.as_primitive_opt::<Float64Type>()?,
                column(2)?.as_primitive_opt::<Float64Type>()?,
                column(3)?.as_primitive_opt::<Int64Type>()?,
            ))
        };
        let (names, lats, lons, terminals) = columns().context("the towns have other columns")?;
        for row in 0..batch.num_rows() {
            if let Ok(position) = LatLng::new(lats.value(row), lons.value(row)) {
                places.push(MapPlace {
                    name: names.value(row).to_owned(),
                    position,
                    terminals: terminals.value(row).unsigned_abs(),
                });
            }
        }
    }
    Ok(places)
}
