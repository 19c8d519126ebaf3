//! `gi-star`: hot and cold cells.

use std::path::Path;

pub use statistics::gi_star::Options;
use statistics::gi_star::{CellCounts, CellValue, from_counts, from_values};

use super::StatError;
use super::input::Table;
use super::output::{Column, Filling, Results, column};

/// What a row of results says.
pub const COLUMNS: &[Column] = &[
    column("cell", "H3 cell, hexadecimal"),
    column(
        "neighbours",
        "other cells within the rings that have a value",
    ),
    column(
        "value",
        "the value, or failures / attempts; empty without attempts",
    ),
    column(
        "z",
        "standardised sum over the cell and its neighbours (Gi* of Ord and Getis 1995)",
    ),
    column("p", "two-sided p-value of z, normal"),
    column(
        "q",
        "p after Benjamini and Hochberg over all cells with a p",
    ),
    column(
        "class",
        "hot or cold where q <= alpha, none, or undefined without z",
    ),
];

/// Tests the cells of a file: their `value` where the file has that column, else `failures` in
/// `attempts`.
///
/// # Errors
/// When the file, a value in it or an option is refused.
pub fn run(input: &Path, options: &Options) -> Result<Results, StatError> {
    let table = Table::read(input, &["cell", "value", "attempts", "failures"])?;
    let cells = table.cells("cell")?.into_iter();
    let rows = if table.has("value") {
        let values = cells.zip(table.numbers("value")?);
        let values: Vec<_> = values
            .map(|(cell, value)| CellValue { cell, value })
            .collect();
        from_values(&values, options)
    } else if table.has("attempts") || table.has("failures") {
        let counts = cells.zip(table.counts()?);
        let counts: Vec<_> = counts
            .map(|(cell, counts)| CellCounts {
                cell,
                attempts: counts.attempts,
                failures: counts.failures,
            })
            .collect();
        from_counts(&counts, options)
    } else {
        return Err(table.lacks("value, or attempts and failures"));
    };
    let rows = rows.map_err(|error| table.refused(error))?;
    let results = Filling::default()
        .text("cell", rows.iter().map(|row| row.cell.to_string()))
        .count("neighbours", rows.iter().map(|row| row.neighbours as u64))
        .number("value", rows.iter().map(|row| row.value))
        .number("z", rows.iter().map(|row| row.z))
        .number("p", rows.iter().map(|row| row.p))
        .number("q", rows.iter().map(|row| row.q))
        .text("class", rows.iter().map(|row| row.class.as_str()));
    Ok(results.finish(COLUMNS, Vec::new()))
}
