//! Copies of an event that a terminal sent again: owns how much must be remembered to drop them.
//!
//! Copies share their cell of resolution 9, terminal and time. Files of a partition whose cells do not
//! overlap therefore hold no copies of each other's events, and in a file sorted by cell and terminal
//! they stand within the rows of one terminal. Only files as the ingester left them, which overlap, need
//! every event of theirs in memory; `notspot maintain` makes the others of them.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use schemas::Table;

use crate::tables::{DataFile, EventKeys};

/// What files are sorted by, as far as copies share it.
const ORDER: [&str; 2] = ["cell_r9", "terminal_id"];

/// Tells the first copy of an event from the others, file after file of a cluster.
#[derive(Debug, Default)]
pub(super) struct Copies {
    seen: EventKeys,
    /// Whether the rows to come are the only ones of the cluster, and sorted.
    pub(super) is_sorted: bool,
    last: Option<(Option<i64>, String)>,
}

impl Copies {
    /// Fills `rows` with the numbers of those whose event was not seen before.
    ///
    /// # Errors
    /// When rows are not in the order their file claims.
    pub(super) fn first(
        &mut self,
        batch: &RecordBatch,
        rows: &mut Vec<u32>,
    ) -> Result<(), ParquetError> {
        let [ids, terminals] =
            ["event_id", "terminal_id"].map(|name| column(batch, name).as_string::<i32>());
        let times = column(batch, "event_time").as_primitive::<TimestampMicrosecondType>();
        let cells = column(batch, "cell_r9").as_primitive::<Int64Type>();
        rows.clear();
        for row in 0..batch.num_rows() {
            let terminal = terminals.value(row);
            if self.is_sorted {
                self.enter(cells.is_valid(row).then(|| cells.value(row)), terminal)?;
            }
            if self.seen.insert(ids.value(row), terminal, times.value(row)) {
                rows.push(u32::try_from(row).expect("a batch has fewer rows than 2^32"));
            }
        }
        Ok(())
    }

    /// Forgets the events of the terminal before.
    fn enter(&mut self, cell: Option<i64>, terminal: &str) -> Result<(), ParquetError> {
        let before = self
            .last
            .as_ref()
            .map(|(cell, last)| (*cell, last.as_str()));
        match before.map(|before| before.cmp(&(cell, terminal))) {
            Some(Ordering::Equal) => return Ok(()),
            Some(Ordering::Greater) => {
                let fault = format!("terminal {terminal} stands before where {ORDER:?} puts it");
                return Err(ParquetError::General(fault));
            }
            Some(Ordering::Less) | None => {}
        }
        let (last_cell, last) = self.last.get_or_insert_default();
        *last_cell = cell;
        terminal.clone_into(last);
        self.seen.clear();
        Ok(())
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    batch.column_by_name(name).expect("every fact has a key")
}

/// Orders files by when they were written.
pub(super) fn by_age(one: &DataFile, other: &DataFile) -> Ordering {
    (one.modified, &one.path).cmp(&(other.modified, &other.path))
}

/// Groups the files of a partition so that no event has copies in two groups; each by age.
pub(super) fn clusters(table: Table, files: &[DataFile]) -> Vec<Vec<&DataFile>> {
    let mut spans: Vec<_> = files
        .iter()
        .map(|file| (cells(table, file), file))
        .collect();
    spans.sort_by_key(|((first, _), _)| *first);
    let mut clusters: Vec<Vec<&DataFile>> = Vec::new();
    let mut reach = None;
    for ((first, last), file) in spans {
        match clusters.last_mut() {
            Some(cluster) if reach >= Some(first) => cluster.push(file),
            _ => clusters.push(vec![file]),
        }
        reach = reach.max(Some(last));
    }
    for cluster in &mut clusters {
        cluster.sort_by(|one, other| by_age(one, other));
    }
    clusters
}

/// Returns the first and last cell of a file's rows; a row without one counts as before all cells.
fn cells(table: Table, file: &DataFile) -> (i64, i64) {
    let column = table
        .schema()
        .index_of("cell_r9")
        .expect("every fact has one");
    let known = &file.statistics.column_statistics[column];
    let cell = |value: Option<&ScalarValue>| match value {
        Some(ScalarValue::Int64(cell)) => *cell,
        _ => None,
    };
    let has_none = known.null_count.get_value() == Some(&0);
    let first = cell(known.min_value.get_value()).filter(|_| has_none);
    let last = cell(known.max_value.get_value());
    (first.unwrap_or(i64::MIN), last.unwrap_or(i64::MAX))
}

/// Tells whether a file says that it is sorted by cell and terminal.
pub(super) fn is_sorted(metadata: &ParquetMetaData) -> bool {
    let columns = metadata.file_metadata().schema_descr();
    let is_sorted = |group: &RowGroupMetaData| {
        let Some(order) = group.sorting_columns() else {
            return false;
        };
        order.len() >= ORDER.len()
            && order.iter().zip(ORDER).all(|(by, name)| {
                let column = usize::try_from(by.column_idx).unwrap_or(usize::MAX);
                !by.descending
                    && by.nulls_first
                    && column < columns.num_columns()
                    && columns.column(column).name() == name
            })
    };
    metadata.row_groups().iter().all(is_sorted)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    /// Rows of event, terminal, time in µs and cell.
    fn batch(rows: &[(&str, &str, i64, Option<i64>)]) -> RecordBatch {
        let column: [(&str, ArrayRef); 4] = [
            (
                "event_id",
                Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
            ),
            (
                "terminal_id",
                Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
            ),
            (
                "event_time",
                Arc::new(TimestampMicrosecondArray::from_iter_values(
                    rows.iter().map(|row| row.2),
                )),
            ),
            (
                "cell_r9",
                Arc::new(rows.iter().map(|row| row.3).collect::<Int64Array>()),
            ),
        ];
        RecordBatch::try_from_iter(column).expect("columns of one length")
    }

    #[test]
    fn a_copy_is_dropped_within_its_terminal_and_across_batches() {
        let mut copies = Copies {
            is_sorted: true,
            ..Copies::default()
        };
        let mut rows = Vec::new();
        let one = batch(&[
            ("e1", "T1", 1, None),
            ("e1", "T1", 1, None),
            ("e2", "T1", 2, None),
        ]);
        copies.first(&one, &mut rows).expect("sorted");
        assert_eq!(rows, [0, 2]);
        let next = batch(&[
            ("e2", "T1", 2, None),
            ("e1", "T0", 1, Some(5)),
            ("e1", "T1", 1, Some(5)),
        ]);
        copies.first(&next, &mut rows).expect("sorted");
        assert_eq!(
            rows,
            [1, 2],
            "another terminal's event and another cell's are no copies"
        );
    }

    #[test]
    fn without_an_order_copies_are_found_wherever_they_stand() {
        let mut copies = Copies::default();
        let mut rows = Vec::new();
        let all = batch(&[
            ("e1", "T2", 1, Some(5)),
            ("e1", "T1", 1, Some(3)),
            ("e1", "T2", 1, Some(5)),
        ]);
        copies.first(&all, &mut rows).expect("any order will do");
        assert_eq!(rows, [0, 1]);
    }

    #[test]
    fn rows_that_are_not_in_the_order_their_file_claims_are_an_error() {
        let mut copies = Copies {
            is_sorted: true,
            ..Copies::default()
        };
        let wrong = batch(&[("e1", "T2", 1, Some(5)), ("e2", "T1", 1, Some(5))]);
        let error = copies
            .first(&wrong, &mut Vec::new())
            .expect_err("T2 stands before T1");
        assert!(error.to_string().contains("T1"), "{error}");
    }
}
