//! Roll-ups of a day: which days are due, and their tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use chrono::{DateTime, NaiveDate, Utc};
use schemas::Table;

use super::publish::DerivedTable;
use super::rollup::{self, Names, Registry};
use super::{AnalyzeError, METHOD_VERSION, columns, outages};
use crate::session::LakeSession;

/// Returns the days whose rows in `table` were made from other rows than there are now, or by another method.
pub(super) async fn changed(
    lake: &LakeSession,
    table: Table,
    wanted: &[(NaiveDate, u64)],
) -> Result<Vec<(NaiveDate, u64)>, AnalyzeError> {
    let days = || wanted.iter().map(|(day, _)| *day);
    let (Some(first), Some(last)) = (days().min(), days().max()) else {
        return Ok(Vec::new());
    };
    let answer = lake
        .collect(&format!(
            "select event_date, max(source_rows) as source_rows, max(method_version) as method_version \
             from lake.{table} where event_date between date '{first}' and date '{last}' group by event_date"
        ))
        .await?;
    let mut done = BTreeMap::new();
    for batch in &answer.batches {
        let days = cast(batch.column(0), &DataType::Date32)?;
        let days = days.as_primitive::<Date32Type>();
        let rows = columns::counts(batch, "source_rows")?;
        let methods = columns::counts(batch, "method_version")?;
        for row in 0..batch.num_rows() {
            let day = Date32Type::to_naive_date_opt(days.value(row));
            done.insert(day, (rows[row], methods[row]));
        }
    }
    let is_done = |(day, rows): &&(NaiveDate, u64)| {
        done.get(&Some(*day)) == Some(&(*rows, u64::from(METHOD_VERSION.unsigned_abs())))
    };
    Ok(wanted.iter().filter(|day| !is_done(day)).copied().collect())
}

/// Brings the activity of every day from `from` to `to` that has events up to date.
pub(super) async fn publish_activity(
    lake: &LakeSession,
    registry: &Arc<Registry>,
    (from, to): (NaiveDate, NaiveDate),
    now: DateTime<Utc>,
) -> Result<(), AnalyzeError> {
    let facts = lake.fact_rows_by_day().range(from..=to);
    let wanted: Vec<(NaiveDate, u64)> = facts.map(|(day, rows)| (*day, *rows)).collect();
    for (day, source_rows) in changed(lake, Table::ActivityHours, &wanted).await? {
        let rows = rollup::activity(lake, registry, day, source_rows).await?;
        DerivedTable::open(lake.location(), Table::ActivityHours)
            .await?
            .replace(
                &[day],
                [Ok(rows)],
                (&format!("analyze/{day}"), as_version(source_rows)),
                now.timestamp_millis(),
            )
            .await?;
    }
    Ok(())
}

/// Computes and publishes a day's slots and terminals.
pub(super) async fn publish(
    lake: &LakeSession,
    registry: &Arc<Registry>,
    (day, source_rows): (NaiveDate, u64),
    now: DateTime<Utc>,
) -> Result<(), AnalyzeError> {
    let names = Names::default();
    let outages = outages::windows(lake, day, &names).await?;
    let (slots, terminals) = rollup::day(lake, registry, day, source_rows, names, outages).await?;
    let app_id = format!("analyze/{day}");
    let made_from = (app_id.as_str(), as_version(source_rows));
    DerivedTable::open(lake.location(), Table::FailureSlots)
        .await?
        .replace(&[day], [Ok(slots)], made_from, now.timestamp_millis())
        .await?;
    DerivedTable::open(lake.location(), Table::RadioCellDays)
        .await?
        .replace(
            &[day],
            terminals.radio_cell_batches(),
            made_from,
            now.timestamp_millis(),
        )
        .await?;
    DerivedTable::open(lake.location(), Table::TerminalDays)
        .await?
        .replace(
            &[day],
            terminals.batches(),
            made_from,
            now.timestamp_millis(),
        )
        .await?;
    Ok(())
}

fn as_version(source_rows: u64) -> i64 {
    i64::try_from(source_rows).unwrap_or(i64::MAX)
}

/// Names a run of days.
pub(super) fn name(days: &[(NaiveDate, u64)]) -> String {
    match days {
        [] => String::new(),
        [(day, _)] => day.to_string(),
        [(first, _), .., (last, _)] => format!("{first} to {last}"),
    }
}
