//! Checked rows to files of one day and partition cell each: owns which file is open, and that every
//! file is sorted, in whatever order rows come.

use std::ops::Range;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::array::{PrimitiveArray, TimestampMicrosecondArray};
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use deltalake_core::kernel::Add;
use lake::{FileWriter, LakeTable, TableError};
use tokio::task::JoinSet;

use super::order::Order;

/// Files that are stored at the same time.
const STORED_AT_ONCE: usize = 8;

/// The files of one flush.
pub(crate) struct FactFiles<'a> {
    table: &'a LakeTable,
    order: &'a Order,
    open: Option<Open>,
    storing: JoinSet<Result<Add, TableError>>,
    adds: Vec<Add>,
}

/// A file that may take further rows, and what its last row is.
struct Open {
    file: FileWriter,
    group: (i32, Option<String>),
    last: (Option<i64>, String, i64),
}

impl<'a> FactFiles<'a> {
    /// Begins with no file; `order` says how large each will be.
    pub(crate) fn new(table: &'a LakeTable, order: &'a Order) -> Self {
        Self {
            table,
            order,
            open: None,
            storing: JoinSet::new(),
            adds: Vec::new(),
        }
    }

    /// Takes rows of the table in.
    ///
    /// # Errors
    /// When they cannot be encoded or stored.
    pub(crate) async fn write(&mut self, rows: &RecordBatch) -> Result<(), TableError> {
        let keys = Keys::of(rows);
        match keys.runs() {
            Some(runs) => self.write_runs(rows, &keys, runs).await,
            // As the messages came that a glance did not understand.
            None => {
                let misfit = |error| TableError::unencodable(self.table.table, error);
                let sorted = lake::sort(self.table.table, rows).map_err(misfit)?;
                let keys = Keys::of(&sorted);
                let runs = keys.runs().expect("sorted rows are in order");
                self.write_runs(&sorted, &keys, runs).await
            }
        }
    }

    async fn write_runs(
        &mut self,
        rows: &RecordBatch,
        keys: &Keys<'_>,
        runs: Vec<Range<usize>>,
    ) -> Result<(), TableError> {
        for run in runs {
            let (day, partition) = keys.group(run.start);
            let of_run = rows.slice(run.start, run.len());
            let goes_on = self.open.as_ref().is_some_and(|open| {
                let (cell, terminal, time_us) = &open.last;
                let last = (*cell, terminal.as_str(), *time_us);
                (open.group.0, open.group.1.as_deref()) == (day, partition)
                    && last <= keys.place(run.start)
            });
            let mut open = match self.open.take() {
                Some(open) if goes_on => open,
                before => {
                    if let Some(before) = before {
                        self.store(before.file).await?;
                    }
                    let expected = self.order.expected_rows(day, partition);
                    let file = lake::begin(self.table, &of_run, expected.unwrap_or(run.len()))?;
                    Open {
                        file,
                        group: (day, partition.map(str::to_owned)),
                        last: (None, String::new(), 0),
                    }
                }
            };
            let (cell, terminal, time_us) = keys.place(run.end - 1);
            open.last = (cell, terminal.to_owned(), time_us);
            let values = lake::without_partitions(self.table.table, &of_run)?;
            open.file.write(&values).await?;
            self.open = Some(open);
        }
        Ok(())
    }

    /// Ends a file beside the rows to come.
    async fn store(&mut self, file: FileWriter) -> Result<(), TableError> {
        if self.storing.len() >= STORED_AT_ONCE {
            self.take_stored().await?;
        }
        self.storing.spawn(file.finish());
        Ok(())
    }

    /// Waits for one file that is being stored; tells whether there was one.
    async fn take_stored(&mut self) -> Result<bool, TableError> {
        match self.storing.join_next().await {
            None => Ok(false),
            Some(Ok(stored)) => {
                self.adds.push(stored?);
                Ok(true)
            }
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Ends the last file, and returns what the log is to add.
    ///
    /// # Errors
    /// When one could not be stored.
    pub(crate) async fn finish(mut self) -> Result<Vec<Add>, TableError> {
        if let Some(open) = self.open.take() {
            self.store(open.file).await?;
        }
        while self.take_stored().await? {}
        Ok(self.adds)
    }
}

/// The columns that say in which file a row lies, and where in it.
struct Keys<'a> {
    days: &'a PrimitiveArray<Date32Type>,
    partitions: &'a StringArray,
    cells: &'a Int64Array,
    terminals: &'a StringArray,
    times: &'a TimestampMicrosecondArray,
}

impl<'a> Keys<'a> {
    fn of(rows: &'a RecordBatch) -> Self {
        Self {
            days: rows["event_date"].as_primitive::<Date32Type>(),
            partitions: rows["partition_cell"].as_string(),
            cells: rows["cell_r9"].as_primitive::<Int64Type>(),
            terminals: rows["terminal_id"].as_string(),
            times: rows["event_time"].as_primitive::<TimestampMicrosecondType>(),
        }
    }

    fn group(&self, row: usize) -> (i32, Option<&'a str>) {
        let partition = self.partitions.is_valid(row);
        (
            self.days.value(row),
            partition.then(|| self.partitions.value(row)),
        )
    }

    fn place(&self, row: usize) -> (Option<i64>, &'a str, i64) {
        let cell = self.cells.is_valid(row).then(|| self.cells.value(row));
        (cell, self.terminals.value(row), self.times.value(row))
    }

    /// Cuts rows into runs of one day and partition; `None` when one is not sorted.
    fn runs(&self) -> Option<Vec<Range<usize>>> {
        let rows = self.days.len();
        let (mut runs, mut from) = (Vec::new(), 0);
        for row in 1..rows {
            if self.group(row - 1) != self.group(row) {
                runs.push(from..row);
                from = row;
            } else if self.place(row - 1) > self.place(row) {
                return None;
            }
        }
        if from < rows {
            runs.push(from..rows);
        }
        Some(runs)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};
    use proptest::prelude::*;
    use schemas::{EventKind, Table};
    use serde_json::json;

    use super::*;
    use crate::accept::{Acceptance, Taken};
    use crate::config::{Encoding, RegistryConfig, TopicConfig};
    use crate::decode::schema_ids::SchemaIds;
    use crate::validate::Origin;
    use crate::validate::places::Places;

    const NOON_MS: i64 = 1_795_521_600_000;
    const CITIES: [(f64, f64); 3] = [(48.85, 2.35), (39.90, 116.40), (-33.87, 151.21)];

    /// What decides where an event goes, and whether its spelling hides that from a glance.
    #[derive(Debug, Clone)]
    struct Sent {
        terminal: u8,
        city: Option<usize>,
        minutes: i64,
        is_unusual: bool,
        is_bad: bool,
    }

    fn sent() -> impl Strategy<Value = Sent> {
        let city = prop::option::weighted(0.8, 0..CITIES.len());
        let rest = (prop::bool::weighted(0.1), prop::bool::weighted(0.1));
        (0_u8..6, city, -1500_i64..0, rest).prop_map(|(terminal, city, minutes, rest)| Sent {
            terminal,
            city,
            minutes,
            is_unusual: rest.0,
            is_bad: rest.1,
        })
    }

    fn payload(sent: &Sent) -> Vec<u8> {
        let position = match sent.city {
            Some(city) => json!({"lat": CITIES[city].0, "lon": CITIES[city].1, "datum": "WGS84"}),
            None => json!({}),
        };
        let time_ms = NOON_MS + sent.minutes * 60_000;
        let text = testkit::events::heartbeat(&format!("T{}", sent.terminal), time_ms, position);
        let text = text.to_string();
        match (sent.is_bad, sent.is_unusual) {
            (true, _) => text.into_bytes()[..20].to_vec(),
            // An escape, which only the general decoder reads.
            (false, true) => text.replace("\"T", "\"\\u0054").into_bytes(),
            (false, false) => text.into_bytes(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_file_is_of_one_day_and_cell_and_sorted_and_no_row_is_missing(
            events in prop::collection::vec(sent(), 1..120),
        ) {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let payloads: Vec<Vec<u8>> = events.iter().map(payload).collect();
            let taken: Vec<Taken<'_>> = (0..).zip(&payloads).map(|(offset, payload)| Taken {
                origin: Origin { partition: 0, offset, time_ms: None },
                key: None,
                payload,
            }).collect();
            let folder = tempfile::tempdir().expect("a folder");
            let lake = folder.path().to_string_lossy().into_owned();
            let (topic, validation) = (
                TopicConfig { name: "heartbeat".into(), encoding: Encoding::Json },
                crate::IngestConfig::default().validation,
            );
            let ids = SchemaIds::of(&RegistryConfig::default());
            let files = runtime.block_on(async {
                let resolution = h3o::Resolution::Two;
                let table = LakeTable::open_or_create(&lake, Table::Heartbeats, Some(resolution)).await;
                let mut table = table.expect("a table");
                let acceptance = Acceptance {
                    kind: EventKind::Heartbeat,
                    topic: &topic,
                    validation: &validation,
                    partition_resolution: resolution,
                    ids: &ids,
                };
                let now = Utc.timestamp_millis_opt(NOON_MS).single().expect("a time");
                let mut places = Places::default();
                let accepted = acceptance.accept(&taken, &mut places, Some(&table), now).await;
                let accepted = accepted.expect("stored");
                let refused = events.iter().filter(|sent| sent.is_bad).count();
                assert_eq!(accepted.refused.len(), refused);
                let commit = lake::Commit { adds: accepted.adds, ..lake::Commit::default() };
                table.commit(commit, lake::CommitKind::Append).await.expect("committed");
                let mut files = Vec::new();
                for file in table.files().await.expect("a log") {
                    files.push((file.partition, table.read(&file.path).await.expect("rows")));
                }
                files
            });
            let mut offsets = Vec::new();
            for (partition, rows) in files {
                let mut last = None;
                for rows in rows {
                    for row in 0..rows.num_rows() {
                        let cells = rows["cell_r9"].as_primitive::<Int64Type>();
                        let cell = cells.is_valid(row).then(|| cells.value(row));
                        let terminal = rows["terminal_id"].as_string::<i32>().value(row).to_owned();
                        let times = rows["event_time"].as_primitive::<TimestampMicrosecondType>();
                        let place = Some((cell, terminal, times.value(row)));
                        prop_assert!(last <= place, "{last:?} before {place:?}");
                        last = place;
                        let offset = rows["kafka_offset"].as_primitive::<Int64Type>().value(row);
                        offsets.push(offset);
                        let index = usize::try_from(offset).expect("a place in the input");
                        let ms = NOON_MS + events[index].minutes * 60_000;
                        let day = chrono::DateTime::from_timestamp_millis(ms).expect("a time");
                        let day = Some(day.date_naive().to_string());
                        prop_assert_eq!(&partition["event_date"], &day);
                        let parent = cell.map(|cell| {
                            let cell = h3o::CellIndex::try_from(cell.cast_unsigned());
                            cell.expect("a cell").parent(h3o::Resolution::Two).expect("coarser")
                        });
                        let parent = parent.map(|parent| parent.to_string());
                        prop_assert_eq!(&partition["partition_cell"], &parent);
                    }
                }
            }
            offsets.sort_unstable();
            let good = (0..).zip(&events).filter(|(_, sent)| !sent.is_bad);
            prop_assert_eq!(offsets, good.map(|(offset, _)| offset).collect::<Vec<i64>>());
        }
    }
}
