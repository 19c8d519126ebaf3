//! Rows of `radio_cell_days`, beside those of `terminal_days`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Field;
use arrow::error::ArrowError;
use schemas::Table;

use super::heard::{Heard, RadioCell};
use super::output::{FILE_ROWS, TerminalDays, places};
use super::terminal::Row;

/// What one terminal heard of one radio cell at one stand.
struct Line<'a> {
    terminal_id: &'a str,
    row: &'a Row,
    heard: &'a Heard,
    radio_cell: &'a RadioCell,
}

impl TerminalDays {
    /// Returns the rows of `radio_cell_days`, a file at a time.
    pub(in crate::analyze) fn radio_cell_batches(
        &self,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        self.order.chunks(FILE_ROWS).map(|rows| {
            let lines: Vec<Line<'_>> = rows
                .iter()
                .flat_map(|(at, row)| self.lines(*at as usize, *row as usize))
                .collect();
            let schema = Table::RadioCellDays.schema();
            let columns = schema.fields().iter();
            let columns = columns.map(|field| self.radio_cell_column(field, &lines));
            RecordBatch::try_new(schema.clone(), columns.collect())
        })
    }

    fn lines(&self, at: usize, row: usize) -> impl Iterator<Item = Line<'_>> {
        let terminal = &self.terminals[at];
        let terminal_id = self
            .ids
            .text(u32::try_from(at).expect("a terminal's number"));
        let heard = terminal
            .heard
            .iter()
            .filter(move |heard| heard.row() == row);
        heard.map(move |heard| Line {
            terminal_id,
            row: &terminal.rows[row],
            heard,
            radio_cell: &self.radio_cells[heard.radio_cell()],
        })
    }

    fn radio_cell_column(&self, field: &Field, lines: &[Line<'_>]) -> ArrayRef {
        let name = field.name().as_str();
        if let Some(column) = self.origin.column(name, lines.len()) {
            return column;
        }
        let count = |pick: fn(&Heard) -> i64| -> ArrayRef {
            let counts = lines.iter().map(|line| pick(line.heard));
            Arc::new(Int64Array::from_iter_values(counts))
        };
        match name {
            "terminal_id" => Arc::new(StringArray::from_iter_values(
                lines.iter().map(|line| line.terminal_id),
            )),
            "model" => {
                let models = lines.iter().map(|line| line.row.reported.said.model);
                self.texts.column(models)
            }
            "firmware" => {
                let firmwares = lines.iter().map(|line| line.row.stand.firmware);
                self.texts.column(firmwares)
            }
            "cell_r9" => places(lines.iter().map(|line| line.row.stand.place_r9)),
            "serving_plmn" => {
                let carriers = lines.iter().map(|line| line.radio_cell.plmn);
                self.texts.column(carriers)
            }
            "rat" => {
                let rats = lines.iter().map(|line| line.radio_cell.rat);
                self.texts.column(rats)
            }
            "tac" => {
                let areas = lines.iter().map(|line| line.radio_cell.tac);
                Arc::new(areas.collect::<Int32Array>())
            }
            "radio_cell_id" => {
                let ids = lines.iter().map(|line| line.radio_cell.id);
                Arc::new(Int64Array::from_iter_values(ids))
            }
            "readings" => count(Heard::readings),
            "strength_tenths" => count(Heard::strength_tenths),
            "strength_squares" => count(Heard::strength_squares),
            _ => panic!("nothing fills {name}"),
        }
    }
}
