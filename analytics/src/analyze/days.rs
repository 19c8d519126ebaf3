//! Roll-ups of a day: which days are due, and their tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use chrono::NaiveDate;
use schemas::Table;

use super::outages::KnownOutages;
use super::publish::DerivedTables;
use super::rollup::{self, Names, Registry, TerminalDays};
use super::steps::Steps;
use super::{AnalyzeError, METHOD_VERSION, ROWS_AT_ONCE, columns};
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

/// Brings the activity of every day with events up to date that lies in one of these spans.
pub(super) async fn publish_activity(
    lake: &LakeSession,
    registry: &Arc<Registry>,
    tables: &mut DerivedTables,
    spans: impl Iterator<Item = (NaiveDate, NaiveDate)>,
    steps: &mut Steps<'_>,
) -> Result<(), AnalyzeError> {
    let facts = lake.fact_rows_by_day().await?;
    let wanted: BTreeMap<NaiveDate, u64> = spans
        .flat_map(|(from, to)| facts.range(from..=to))
        .map(|(day, rows)| (*day, *rows))
        .collect();
    let wanted: Vec<(NaiveDate, u64)> = wanted.into_iter().collect();
    let due = changed(lake, Table::ActivityHours, &wanted).await?;
    for days in by_rows(&due) {
        let mut rows = Vec::with_capacity(days.len());
        for (day, source_rows) in days {
            steps.say(format!("activity of {day}"))?;
            rows.push(rollup::activity(lake, registry, *day, *source_rows).await?);
        }
        let rows = rows.into_iter().map(Ok);
        tables.replace(Table::ActivityHours, days, rows).await?;
    }
    Ok(())
}

/// Computes and publishes the slots and terminals of some days.
pub(super) async fn publish(
    lake: &LakeSession,
    registry: &Arc<Registry>,
    tables: &mut DerivedTables,
    days: &[(NaiveDate, u64)],
    steps: &mut Steps<'_>,
) -> Result<(), AnalyzeError> {
    let outages = KnownOutages::read(lake, days).await?;
    for days in by_rows(days) {
        let (mut slots, mut terminals) = (Vec::new(), Vec::new());
        for (day, source_rows) in days {
            steps.next(format!("terminals of {day}"))?;
            let names = Names::default();
            let outages = outages.of(*day, &names);
            let (of_slots, of_terminals) =
                rollup::day(lake, registry, *day, *source_rows, names, outages).await?;
            slots.push(Ok(of_slots));
            terminals.push(of_terminals);
        }
        let heard = terminals.iter().flat_map(TerminalDays::radio_cell_batches);
        let stood = terminals.iter().flat_map(TerminalDays::batches);
        tables.replace(Table::FailureSlots, days, slots).await?;
        tables.replace(Table::RadioCellDays, days, heard).await?;
        tables.replace(Table::TerminalDays, days, stood).await?;
    }
    Ok(())
}

/// Splits days into runs whose rows are kept until one commit: of at most [`ROWS_AT_ONCE`], or of one day.
fn by_rows(days: &[(NaiveDate, u64)]) -> impl Iterator<Item = &[(NaiveDate, u64)]> {
    let mut held = days.first().map_or(0, |(_, rows)| *rows);
    days.chunk_by(move |_, (_, next)| {
        held += next;
        let fits = held <= ROWS_AT_ONCE;
        if !fits {
            held = *next;
        }
        fits
    })
}

/// Names a run of days.
pub(super) fn name(days: &[(NaiveDate, u64)]) -> String {
    match days {
        [] => String::new(),
        [(day, _)] => day.to_string(),
        [(first, _), .., (last, _)] => format!("{first} to {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_held_together_up_to_a_number_of_rows_and_a_large_one_alone() {
        let first = NaiveDate::from_ymd_opt(2026, 9, 1).expect("a date");
        let rows = [100_000, 100_000, 100_000, 9_000_000, 1_000, 249_000, 1];
        let days: Vec<_> = first.iter_days().zip(rows).collect();
        let runs: Vec<usize> = by_rows(&days).map(<[_]>::len).collect();
        assert_eq!(runs, [2, 1, 1, 2, 1]);
    }
}
