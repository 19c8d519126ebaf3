//! The views every question starts from: owns which there are, and the order they build on each other.

use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::catalog::view::ViewTable;
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use schemas::Table;

/// Name and text of every view but those of [`NEWEST`].
const VIEWS: [(&str, &str); 9] = [
    ("heartbeats", include_str!("../sql/views/heartbeats.sql")),
    (
        "signal_readings",
        include_str!("../sql/views/signal_readings.sql"),
    ),
    ("declines", include_str!("../sql/views/declines.sql")),
    ("terminals", include_str!("../sql/views/terminals.sql")),
    ("merchants", include_str!("../sql/views/merchants.sql")),
    ("quarantine", include_str!("../sql/views/quarantine.sql")),
    ("interventions", "select * from lake.interventions"),
    ("outages", "select * from lake.outages"),
    ("failures", FAILURES),
];

const FAILURES: &str = include_str!("../sql/views/failures.sql");
/// How the view of failures finds the window whose zones, terminals and models it goes by.
const NEWEST_WINDOW: &str = "select max(window_to) as window_to from lake.cells";

/// Where the view of failures reads what happened.
const HAPPENED: [(&str, &str); 2] = [
    ("from declines", "declines"),
    ("from lake.terminal_days", "lake.terminal_days"),
];

/// Returns the view of failures of a window's days alone, by the zones, terminals and models of that
/// window. However long the history is, nothing else of it is read.
pub(crate) fn failures_of_window(from: NaiveDate, to: NaiveDate) -> String {
    let newest = format!("select date '{to}' as window_to");
    let view = FAILURES.replace(NEWEST_WINDOW, &newest);
    HAPPENED.iter().fold(view, |view, (read, table)| {
        let days = format!(
            "from (select * from {table} where event_date between date '{from}' and date '{to}') as {}",
            table.trim_start_matches("lake.")
        );
        view.replace(read, &days)
    })
}

/// Tables by window, of which the newest is what people ask about.
const NEWEST: [Table; 7] = [
    Table::Cells,
    Table::WeakZones,
    Table::FailureZones,
    Table::DeviceModels,
    Table::TerminalFlags,
    Table::InterventionEffects,
    Table::Actions,
];

/// Puts the views over the tables registered now.
pub(crate) async fn register(context: &SessionContext) -> Result<()> {
    for (name, sql) in VIEWS {
        register_one(context, name, sql.to_owned()).await?;
    }
    for table in NEWEST {
        let sql = format!(
            "select * from lake.{table} where window_to = (select max(window_to) from lake.cells)"
        );
        register_one(context, table.name(), sql).await?;
    }
    Ok(())
}

async fn register_one(context: &SessionContext, name: &str, sql: String) -> Result<()> {
    let plan = context.state().create_logical_plan(&sql).await?;
    context.deregister_table(name)?;
    context.register_table(name, Arc::new(ViewTable::new(plan, Some(sql))))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_a_window_go_by_that_window_only() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).expect("a day");
        let sql = failures_of_window(day(18), day(24));
        assert_eq!(sql.matches("date '2026-11-24' as window_to").count(), 1);
        let days = "between date '2026-11-18' and date '2026-11-24'";
        assert_eq!(sql.matches(days).count(), 3);
        assert!(!sql.contains("max(window_to)"), "{sql}");
    }
}
