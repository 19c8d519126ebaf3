//! The views every question starts from: owns which there are, and the order they build on each other.

use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::catalog::view::ViewTable;
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use schemas::Table;

use crate::causes;

/// Name and text of every view but those of failures and of [`NEWEST`].
const VIEWS: [(&str, &str); 13] = [
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
    ("terminal_days", "select * from lake.terminal_days"),
    ("radio_cell_days", "select * from lake.radio_cell_days"),
    ("failure_slots", "select * from lake.failure_slots"),
    ("activity_hours", "select * from lake.activity_hours"),
    (
        "offsets_without_event",
        "select * from lake.offsets_without_event",
    ),
];

const FAILURES: &str = include_str!("../sql/views/failures.sql");
const FAILURE_CAUSES: &str = include_str!("../sql/views/failure_causes.sql");
const CLOSED_REGIONS: &str = include_str!("../sql/views/closed_regions.sql");

/// Returns the statement that finds the regions which were closed in some days.
pub(crate) fn closed_regions(from: NaiveDate, to: NaiveDate) -> String {
    let days = format!("event_date between date '{from}' and date '{to}'");
    CLOSED_REGIONS.replace("{days}", &days)
}

/// Tables by window, of which the newest is what people ask about.
const NEWEST: [Table; 8] = [
    Table::Cells,
    Table::WeakZones,
    Table::FailureZones,
    Table::ZoneCandidates,
    Table::DeviceModels,
    Table::TerminalFlags,
    Table::InterventionEffects,
    Table::Actions,
];

/// Returns name and grain of the views that are no table under its plain name.
pub fn derived() -> [(&'static str, String); 2] {
    // The first sentence of the first comment, as the tables' own docs are written.
    let grain = |sql: &str| {
        let first = sql.trim_start_matches("-- ").split([':', '.']).next();
        first.unwrap_or("").replacen("One row", "one row", 1)
    };
    [
        ("failures", grain(FAILURES)),
        ("failure_causes", grain(FAILURE_CAUSES)),
    ]
}

/// Puts the views over the tables registered now.
pub(crate) async fn register(context: &SessionContext) -> Result<()> {
    for (name, sql) in VIEWS {
        register_one(context, name, causes::bind(sql, "")).await?;
    }
    let ever = CLOSED_REGIONS.replace("{days}", "true");
    let failures = FAILURES.replace("{closed_regions}", &ever);
    let failures = causes::bind(&failures, "(select window_to from newest)");
    register_one(context, "failures", failures).await?;
    register_one(context, "failure_causes", FAILURE_CAUSES.to_owned()).await?;
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
