//! The views every question starts from: owns which there are, and the order they build on each other.

use std::sync::Arc;

use datafusion::catalog::view::ViewTable;
use datafusion::error::Result;
use datafusion::prelude::SessionContext;

/// Name and text of every view.
const VIEWS: [(&str, &str); 6] = [
    ("heartbeats", include_str!("../sql/views/heartbeats.sql")),
    (
        "signal_readings",
        include_str!("../sql/views/signal_readings.sql"),
    ),
    ("declines", include_str!("../sql/views/declines.sql")),
    ("terminals", include_str!("../sql/views/terminals.sql")),
    ("merchants", include_str!("../sql/views/merchants.sql")),
    ("quarantine", include_str!("../sql/views/quarantine.sql")),
];

/// Puts the views over the tables registered now.
pub(crate) async fn register(context: &SessionContext) -> Result<()> {
    for (name, sql) in VIEWS {
        let plan = context.state().create_logical_plan(sql).await?;
        context.deregister_table(name)?;
        context.register_table(name, Arc::new(ViewTable::new(plan, Some(sql.to_owned()))))?;
    }
    Ok(())
}
