//! Roll-ups of a day: which days are due, and their two tables.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt;
use schemas::Table;

use super::publish::{DerivedTable, conform};
use super::{AnalyzeError, METHOD_VERSION, columns, outages};
use crate::session::{LakeSession, SessionError};

const TERMINAL_DAYS: &str = include_str!("../../sql/rollups/terminal_days.sql");
const FAILURE_SLOTS: &str = include_str!("../../sql/rollups/failure_slots.sql");

/// Returns the days whose roll-up was made from other rows than there are now, or by another method.
pub(super) async fn changed(
    lake: &LakeSession,
    wanted: &[(NaiveDate, u64)],
) -> Result<Vec<(NaiveDate, u64)>, AnalyzeError> {
    let answer = lake
        .collect(
            "select event_date, max(source_rows) as source_rows, max(method_version) as method_version \
             from lake.terminal_days group by event_date",
        )
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

/// Computes and publishes a day's slots and terminals.
pub(super) async fn publish(
    lake: &LakeSession,
    day: NaiveDate,
    source_rows: u64,
    now: DateTime<Utc>,
) -> Result<(), AnalyzeError> {
    let outage = outages::predicate(lake, day).await?;
    for (table, sql) in [
        (Table::FailureSlots, FAILURE_SLOTS),
        (Table::TerminalDays, TERMINAL_DAYS),
    ] {
        let sql = sql
            .replace("{day}", &day.to_string())
            .replace("{outage}", &outage)
            .replace("{method_version}", &METHOD_VERSION.to_string())
            .replace("{source_rows}", &source_rows.to_string());
        let stream = lake.stream(&sql).await?;
        let rows: Vec<_> = stream.try_collect().await.map_err(SessionError::from)?;
        let rows = rows.iter().map(|batch| conform(table, batch));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let made_from = i64::try_from(source_rows).unwrap_or(i64::MAX);
        DerivedTable::open(lake.location(), table)
            .await?
            .replace(
                &[day],
                &rows,
                (&format!("analyze/{day}"), made_from),
                now.timestamp_millis(),
            )
            .await?;
    }
    Ok(())
}

/// Names a run of days.
pub(super) fn name(days: &[(NaiveDate, u64)]) -> String {
    match days {
        [] => String::new(),
        [(day, _)] => day.to_string(),
        [(first, _), .., (last, _)] => format!("{first} to {last}"),
    }
}
