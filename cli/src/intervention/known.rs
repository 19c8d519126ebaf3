//! Whether the lake knows what an intervention names: nothing is written about strangers.

use std::collections::BTreeSet;

use analytics::LakeSession;
use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};
use h3o::CellIndex;
use ingest::interventions::Intervention;
use schemas::ids::{check_id, parse_cell, trimmed};
use schemas::interventions::TargetKind;
use schemas::lake::ANALYSIS_RESOLUTION;

use super::given::{Given, read_time};
use crate::exit::UsageError;
use crate::predicate::{any_of, quoted};

/// Checks every intervention; the first bad one refuses all.
pub(super) async fn check(
    lake: &LakeSession,
    given: &[Given],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Intervention>> {
    let mut checked = Vec::with_capacity(given.len());
    for one in given {
        let refused = |reason: String| UsageError(format!("{}{reason}", one.origin));
        let (started_at, ended_at) = times(one, now).map_err(refused)?;
        let target_ids = target_ids(one).map_err(refused)?;
        let named = named(lake, one.target, &target_ids).await?;
        let named = named.map_err(refused)?;
        checked.push(Intervention {
            kind: one.kind,
            target: one.target,
            target_ids,
            cells: named.cells,
            carrier_plmn: named.carrier_plmn,
            started_at,
            ended_at,
            note: one.note.clone(),
            recorded_by: one.by.clone(),
        });
    }
    Ok(checked)
}

fn times(
    one: &Given,
    now: DateTime<Utc>,
) -> Result<(DateTime<Utc>, Option<DateTime<Utc>>), String> {
    let started_at = read_time(&one.on)?;
    let ended_at = one.until.as_deref().map(read_time).transpose()?;
    if started_at > now {
        return Err(format!(
            "{} is still to come: write down what was done",
            one.on
        ));
    }
    if let Some(until) = one.until.as_deref()
        && ended_at.is_some_and(|ended_at| ended_at <= started_at)
    {
        return Err(format!("it cannot be over {until} and begin {}", one.on));
    }
    Ok((started_at, ended_at))
}

/// Cells and carrier of what is named by its place.
#[derive(Debug, Default)]
struct Named {
    cells: Vec<String>,
    carrier_plmn: Option<String>,
}

/// Returns what is named, each in its one spelling: the same work is written down once.
fn target_ids(one: &Given) -> Result<Vec<String>, String> {
    let id = |text: &String| {
        let id = trimmed(text);
        if one.target == TargetKind::Cell {
            return cell(id).map(|cell| cell.to_string());
        }
        match check_id(id) {
            Ok(()) => Ok(id.to_owned()),
            Err(why) => Err(format!("{} {text:?} {why}", one.target)),
        }
    };
    one.target_ids.iter().map(id).collect()
}

async fn named(
    lake: &LakeSession,
    target: TargetKind,
    ids: &[String],
) -> anyhow::Result<Result<Named, String>> {
    let strangers = match target {
        TargetKind::Cell => {
            return Ok(Ok(Named {
                cells: ids.to_vec(),
                carrier_plmn: None,
            }));
        }
        TargetKind::Zone => return zone(lake, ids).await,
        TargetKind::Terminal => {
            let known = "select terminal_id as id from lake.terminals \
                         union select terminal_id from lake.terminal_days";
            strangers(lake, ids, known).await?
        }
        TargetKind::Merchant => {
            let known = "select merchant_id as id from lake.merchants \
                         union select merchant_id from lake.terminals \
                         union select merchant_id from lake.terminal_days";
            strangers(lake, ids, known).await?
        }
    };
    Ok(match &strangers[..] {
        [] => Ok(Named::default()),
        [stranger] => Err(format!(
            "unknown {target} {stranger:?}: neither in the registry nor in an analysed day"
        )),
        several => Err(format!(
            "unknown {target}s {}: neither in the registry nor in an analysed day",
            several.join(", ")
        )),
    })
}

fn cell(text: &str) -> Result<CellIndex, String> {
    let resolution = u8::from(ANALYSIS_RESOLUTION);
    let cell = parse_cell(text)
        .ok_or_else(|| format!("{text:?} is no H3 cell, such as 881f1d4887fffff"))?;
    if cell.resolution() != ANALYSIS_RESOLUTION {
        let its = u8::from(cell.resolution());
        return Err(format!(
            "cell {text} is of resolution {its}, not {resolution}"
        ));
    }
    Ok(cell)
}

async fn strangers(
    lake: &LakeSession,
    given: &[String],
    known: &str,
) -> anyhow::Result<Vec<String>> {
    let sql = format!(
        "select distinct id from ({known}) where {}",
        any_of("id", given)
    );
    let mut strangers: BTreeSet<&str> = given.iter().map(String::as_str).collect();
    let answer = lake.collect(&sql).await?;
    for batch in &answer.batches {
        let ids = cast(batch.column(0), &DataType::Utf8)?;
        for id in ids.as_string::<i32>().iter().flatten() {
            strangers.remove(id);
        }
    }
    Ok(strangers.into_iter().map(str::to_owned).collect())
}

/// Keeps a zone's cells as they are now: what is mended is no zone any more.
async fn zone(lake: &LakeSession, given: &[String]) -> anyhow::Result<Result<Named, String>> {
    let [id] = given else {
        return Ok(Err(
            "one zone at a time: name each on a row of its own".into()
        ));
    };
    let sql = format!(
        "select cells_r8, carrier_plmn from (select * from lake.weak_zones union all \
         select * from lake.failure_zones) where zone_id = {} order by window_to desc limit 1",
        quoted(id)
    );
    let answer = lake.collect(&sql).await?;
    let Some(row) = answer.batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Ok(Err(format!(
            "unknown zone {id:?}: no analysis found it; notspot report weak-zones shows zones"
        )));
    };
    let [cells, carriers] = [0, 1].map(|at| cast(row.column(at), &DataType::Utf8));
    let (cells, carriers) = (cells?, carriers?);
    let (cells, carriers) = (cells.as_string::<i32>(), carriers.as_string::<i32>());
    Ok(Ok(Named {
        cells: cells.value(0).split(';').map(str::to_owned).collect(),
        carrier_plmn: carriers.is_valid(0).then(|| carriers.value(0).to_owned()),
    }))
}
