//! Days that have a roll-up and no events: only an analysis as of a moment before the events meets them.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{AnalyzeError, columns};
use crate::session::LakeSession;

/// Returns the days with a roll-up and without events, each with no rows to be made from.
pub(super) async fn days(
    lake: &LakeSession,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<BTreeMap<NaiveDate, u64>, AnalyzeError> {
    let sql = format!(
        "select distinct event_date from lake.terminal_days \
         where event_date between date '{from}' and date '{to}'"
    );
    let facts = lake.fact_rows_by_day().await?;
    let mut emptied = BTreeMap::new();
    for batch in &lake.collect(&sql).await?.batches {
        let days = columns::days(batch, "event_date")?.into_iter().flatten();
        let without = days.filter(|day| !facts.contains_key(day));
        emptied.extend(without.map(|day| (day, 0)));
    }
    Ok(emptied)
}
