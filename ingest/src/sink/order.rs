//! The order of fact rows before they are written: one group a file, sorted inside, on packed
//! keys rather than on the columns themselves.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use foldhash::fast::FixedState;

/// Where a row lies: its batch, its row.
type Row = (usize, usize);

/// Rows of one day and partition cell, in the order of the file they become.
#[derive(Debug)]
pub struct Group(Vec<Row>);

impl Group {
    /// Copies the group's rows out of the batches they were found in.
    ///
    /// # Errors
    /// When the batches are not those that were grouped, which is a bug.
    pub fn rows(&self, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
        let Some(first) = batches.first() else {
            return Err(ArrowError::InvalidArgumentError("no batches".into()));
        };
        let schema = first.schema();
        let column = |at: usize| -> Result<ArrayRef, ArrowError> {
            let parts: Vec<&dyn Array> = batches.iter().map(|rows| &**rows.column(at)).collect();
            // A radio technology leaves the columns of the others empty.
            match parts.iter().all(|part| part.null_count() == part.len()) {
                true => Ok(new_null_array(schema.field(at).data_type(), self.0.len())),
                false => interleave(&parts, &self.0),
            }
        };
        let columns = (0..schema.fields().len()).map(column);
        RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
    }
}

/// A row's place in the order: group, then cell, terminal and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    group: u32,
    cell: i64,
    terminal: u32,
    time_us: i64,
    batch: u32,
    row: u32,
}

/// Rows without a cell come first; cells are never negative.
const NO_CELL: i64 = -1;

/// Sorts the rows of fact batches and groups them by day and partition cell.
///
/// # Errors
/// When a column is missing or of another type, which is a bug.
pub fn groups(batches: &[RecordBatch]) -> Result<Vec<Group>, ArrowError> {
    let mut days_and_cells = Ranks::default();
    let mut terminals = Ranks::default();
    let mut keys = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (batch, rows) in batches.iter().enumerate() {
        let day = column(rows, "event_date")?.as_primitive::<Date32Type>();
        let partition = column(rows, "partition_cell")?.as_string::<i32>();
        let cell = column(rows, "cell_r9")?.as_primitive::<Int64Type>();
        let terminal = column(rows, "terminal_id")?.as_string::<i32>();
        let time = column(rows, "event_time")?.as_primitive::<TimestampMicrosecondType>();
        for row in 0..rows.num_rows() {
            let partition = partition.is_valid(row).then(|| partition.value(row));
            keys.push(Key {
                group: days_and_cells.seen((day.value(row), partition)),
                cell: if cell.is_valid(row) {
                    cell.value(row)
                } else {
                    NO_CELL
                },
                terminal: terminals.seen(terminal.value(row)),
                time_us: time.value(row),
                batch: index(batch),
                row: index(row),
            });
        }
    }
    let (days_and_cells, terminals) = (days_and_cells.ranks(), terminals.ranks());
    for key in &mut keys {
        key.group = days_and_cells[key.group as usize];
        key.terminal = terminals[key.terminal as usize];
    }
    keys.sort_unstable();
    let place = |key: &Key| (key.batch as usize, key.row as usize);
    let grouped = keys.chunk_by(|left, right| left.group == right.group);
    Ok(grouped
        .map(|keys| Group(keys.iter().map(place).collect()))
        .collect())
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a arrow::array::ArrayRef, ArrowError> {
    rows.column_by_name(name)
        .ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))
}

fn index(position: usize) -> u32 {
    u32::try_from(position).expect("a flush has fewer than 2^32 rows")
}

/// Numbers values in the order they are seen, then says how they sort.
#[derive(Debug)]
struct Ranks<T>(HashMap<T, u32, FixedState>);

impl<T> Default for Ranks<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T: Ord + std::hash::Hash + Copy> Ranks<T> {
    fn seen(&mut self, value: T) -> u32 {
        let next = index(self.0.len());
        *self.0.entry(value).or_insert(next)
    }

    /// Returns the rank of each number.
    fn ranks(self) -> Vec<u32> {
        let mut values: Vec<(T, u32)> = self.0.into_iter().collect();
        values.sort_unstable();
        let mut ranks = vec![0; values.len()];
        for (rank, (_, number)) in values.into_iter().enumerate() {
            ranks[number as usize] = index(rank);
        }
        ranks
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use arrow::datatypes::{Field, Schema};
    use proptest::prelude::*;
    use schemas::Table;

    use super::*;

    type Fact = (i32, Option<(u8, i64)>, u8, i64);

    /// Rows with the columns that decide the order; the partition cell follows from the cell.
    fn batch(facts: &[Fact]) -> RecordBatch {
        let cell = |fact: &Fact| fact.1.map(|(coarse, fine)| i64::from(coarse) * 100 + fine);
        let partition = |fact: &Fact| fact.1.map(|(coarse, _)| format!("82{coarse:02x}"));
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "event_date",
                Arc::new(Date32Array::from_iter_values(facts.iter().map(|f| f.0))),
            ),
            (
                "partition_cell",
                Arc::new(facts.iter().map(partition).collect::<StringArray>()),
            ),
            (
                "cell_r9",
                Arc::new(facts.iter().map(cell).collect::<Int64Array>()),
            ),
            (
                "terminal_id",
                Arc::new(StringArray::from_iter_values(
                    facts.iter().map(|f| format!("T{}", f.2)),
                )),
            ),
            (
                "event_time",
                Arc::new(TimestampMicrosecondArray::from_iter_values(
                    facts.iter().map(|f| f.3),
                )),
            ),
        ];
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
            .collect();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns fit")
    }

    proptest! {
        #[test]
        fn rows_are_in_the_order_that_sorting_by_columns_gives(
            facts in prop::collection::vec(
                (0_i32..3, prop::option::of((0_u8..4, 0_i64..100)), 0_u8..20, 0_i64..5), 1..80),
            cut in 0_usize..80,
        ) {
            let (left, right) = facts.split_at(cut.min(facts.len()));
            let batches: Vec<RecordBatch> =
                [left, right].into_iter().filter(|part| !part.is_empty()).map(batch).collect();
            let groups = groups(&batches).expect("the columns are there");
            let files: Vec<RecordBatch> =
                groups.iter().map(|group| group.rows(&batches).expect("rows lie there")).collect();
            let ours = arrow::compute::concat_batches(&files[0].schema(), &files).expect("one schema");
            let sorted = lake::sort(Table::Heartbeats, &batch(&facts)).expect("columns are there");
            prop_assert_eq!(ours, sorted);
            for file in &files {
                let days = file.column(0).as_primitive::<Date32Type>();
                let cells = file.column(1).as_string::<i32>();
                prop_assert!(days.iter().all(|day| day == Some(days.value(0))));
                prop_assert!(cells.iter().all(|cell| cell == cells.iter().next().flatten()));
            }
        }
    }
}
