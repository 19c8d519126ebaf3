//! Offsets that are no events, in tables of their own: committed before the events beside them, and
//! under positions of their own that never go down.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use schemas::Table;

use super::engine::{Engine, Partition};
use super::window::Skipped;
use crate::error::IngestError;
use crate::sink::commit::{Advance, Outcome, commit_fenced};

/// Commits tried before the ingester stops.
const ATTEMPTS: u32 = 8;

/// What a commit covers of one partition.
pub(super) struct Cover {
    pub partition: Partition,
    pub start: i64,
    pub end: i64,
    pub skipped: Vec<Skipped>,
}

/// Positions of a table by partition; none for a partition of which it has nothing.
pub(super) type Positions = BTreeMap<i32, i64>;

impl Engine {
    /// Commits the rows that lie at or behind the table's own positions, and returns how many: a
    /// replay that cuts its batches elsewhere adds nothing twice. `rows` picks them.
    pub(super) async fn commit_aside(
        &mut self,
        table: Table,
        covers: &[Cover],
        rows: impl Fn(&Positions) -> Result<RecordBatch, ArrowError>,
        now: DateTime<Utc>,
    ) -> Result<usize, IngestError> {
        let app_ids: Vec<String> = covers.iter().map(|c| self.app_id(c.partition)).collect();
        let aside = self.aside.get_mut(&table).expect("both tables are open");
        // A conflict here is another partition's ingester or our own replay: read and try again.
        for _ in 0..ATTEMPTS {
            aside.refresh().await?;
            let mut positions = Positions::new();
            for (cover, app_id) in covers.iter().zip(&app_ids) {
                let position = aside.position(app_id).await?;
                positions.extend(position.map(|position| (cover.partition.1, position)));
            }
            let rows = rows(&positions).map_err(in_table(table))?;
            if rows.num_rows() == 0 {
                return Ok(0);
            }
            let touched = rows["kafka_partition"].as_primitive::<Int32Type>();
            let touched: BTreeSet<i32> = touched.values().iter().copied().collect();
            let of_touched = covers.iter().zip(&app_ids);
            let advances: Vec<Advance> = of_touched
                .filter(|(cover, _)| touched.contains(&cover.partition.1))
                .map(|(cover, app_id)| Advance {
                    app_id: app_id.clone(),
                    start: positions
                        .get(&cover.partition.1)
                        .copied()
                        .unwrap_or(cover.start),
                    end: cover.end,
                    last_time_ms: None,
                })
                .collect();
            let sorted = lake::sort(table, &rows).map_err(in_table(table))?;
            let adds = lake::write(aside, &sorted).await?;
            let now_ms = now.timestamp_millis();
            if commit_fenced(aside, adds, &advances, now_ms).await? == Outcome::Committed {
                return Ok(rows.num_rows());
            }
        }
        Err(IngestError::Worker(format!(
            "the positions of {table} keep moving: is another ingester of the same group and partitions running?"
        )))
    }
}

/// Says in which table rows do not fit together.
pub(super) fn in_table(table: Table) -> impl Fn(ArrowError) -> IngestError {
    move |source| IngestError::Columns { table, source }
}

/// Returns the day of a time, days since the epoch.
pub(super) fn day(time: DateTime<Utc>) -> i32 {
    i32::try_from(time.timestamp().div_euclid(86_400)).expect("before the year 5 million")
}
