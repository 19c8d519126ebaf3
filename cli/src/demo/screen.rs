//! Tables for a screen: a few columns and rows of an answer, shares as percent, numbers to the right.

use std::io::{self, Write};

use analytics::Answer;
use analytics::report::Report;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::util::display::array_value_to_string;

use crate::progress::grouped;

/// A table of text.
#[derive(Debug, Default)]
pub(super) struct TextTable {
    heads: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// A value and the side it keeps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Left(String),
    Right(String),
}

impl Cell {
    fn text(&self) -> &str {
        let (Self::Left(text) | Self::Right(text)) = self;
        text
    }
}

impl TextTable {
    pub(super) fn new(heads: &[&str]) -> Self {
        Self {
            heads: heads.iter().map(|&head| head.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let widths: Vec<usize> = (0..self.heads.len())
            .map(|column| {
                let cells = self
                    .rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(Cell::text);
                cells
                    .chain([self.heads[column].as_str()])
                    .map(width)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let heads = self.heads.iter().enumerate().map(|(column, head)| {
            let is_number = self
                .rows
                .first()
                .is_some_and(|row| matches!(row.get(column), Some(Cell::Right(_))));
            if is_number {
                Cell::Right(head.clone())
            } else {
                Cell::Left(head.clone())
            }
        });
        write_row(&heads.collect::<Vec<_>>(), &widths, out)?;
        for row in &self.rows {
            write_row(row, &widths, out)?;
        }
        Ok(())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn write_row(row: &[Cell], widths: &[usize], out: &mut dyn Write) -> io::Result<()> {
    let mut line = String::from(" ");
    for (cell, wanted) in row.iter().zip(widths) {
        let room = " ".repeat(wanted.saturating_sub(width(cell.text())));
        line.push(' ');
        match cell {
            Cell::Left(text) => line.extend([text.as_str(), &room, " "]),
            Cell::Right(text) => line.extend([&room, text.as_str(), " "]),
        }
    }
    writeln!(out, "{}", line.trim_end())
}

/// Returns the first rows of a report's answer, with the columns named.
pub(super) fn excerpt(
    report: &Report,
    answer: &Answer,
    columns: &[&str],
    limit: usize,
) -> TextTable {
    let mut table = TextTable::new(columns);
    for batch in &answer.batches {
        for row in 0..batch.num_rows() {
            if table.rows.len() == limit {
                return table;
            }
            let cells = columns.iter().map(|name| {
                let unit = report
                    .columns
                    .iter()
                    .find(|column| column.name == *name)
                    .map(|column| column.unit.as_str());
                match batch.column_by_name(name) {
                    Some(column) => cell(column.as_ref(), row, unit.unwrap_or("none")),
                    None => Cell::Left("?".into()),
                }
            });
            table.push(cells.collect());
        }
    }
    table
}

fn cell(column: &dyn Array, row: usize, unit: &str) -> Cell {
    match column.data_type() {
        _ if column.is_null(row) => Cell::Right("–".into()),
        DataType::Float64 => Cell::Right(number(
            column.as_primitive::<Float64Type>().value(row),
            unit,
        )),
        DataType::Int64 => {
            let value = column.as_primitive::<Int64Type>().value(row);
            Cell::Right(u64::try_from(value).map_or_else(|_| value.to_string(), grouped))
        }
        _ => {
            Cell::Left(array_value_to_string(column, row).unwrap_or_else(|error| error.to_string()))
        }
    }
}

fn number(value: f64, unit: &str) -> String {
    match unit {
        "share" => percent(Some(value)),
        "degree" => format!("{value:.3}"),
        "dBm" => format!("{value:.0}"),
        // Shares of failures add up to fractions; a count is not negative.
        "count" if value >= 100.0 => grouped(value.round() as u64),
        "count" => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Writes a share as percent.
pub(super) fn percent(share: Option<f64>) -> String {
    match share {
        None => "–".into(),
        Some(share) if share < 0.0995 => format!("{:.1} %", share * 100.0),
        Some(share) => format!("{:.0} %", share * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let mut table = TextTable::new(&["place", "n"]);
        table.push(vec![Cell::Left("Covilhã".into()), Cell::Right("7".into())]);
        table.push(vec![
            Cell::Left("Évora".into()),
            Cell::Right("1,200".into()),
        ]);
        let mut out = Vec::new();
        table.write(&mut out).expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            text,
            "  place        n\n  Covilhã      7\n  Évora    1,200\n"
        );
    }

    #[test]
    fn small_shares_keep_a_digit() {
        assert_eq!(percent(Some(0.0949)), "9.5 %");
        assert_eq!(percent(Some(0.354)), "35 %");
        assert_eq!(percent(None), "–");
    }
}
