//! `fdr`: false discovery rates of one family of tests.

use std::path::Path;

pub use statistics::fdr::Method;
use statistics::fdr::q_values;

use super::StatError;
use super::input::Table;
use super::output::{Column, Filling, Results, column};

/// What a row of results says.
pub const COLUMNS: &[Column] = &[
    column("id", "name of the test; rows with one name stay apart"),
    column("p", "its p-value"),
    column(
        "q",
        "least false discovery rate at which it is rejected; empty without p",
    ),
    column("rejected", "whether q <= alpha; empty without p"),
];

/// Adjusts the p-values of a file; those that are empty do not count.
///
/// # Errors
/// When the file or a value in it is refused.
pub fn run(input: &Path, method: Method, alpha: f64) -> Result<Results, StatError> {
    let table = Table::read(input, &["id", "p"])?;
    let mut rows: Vec<(&str, Option<f64>)> = table
        .ids("id")?
        .into_iter()
        .zip(table.probabilities("p")?)
        .collect();
    let key = |p: Option<f64>| p.unwrap_or(f64::INFINITY);
    rows.sort_by(|a, b| a.0.cmp(b.0).then(key(a.1).total_cmp(&key(b.1))));
    let p: Vec<Option<f64>> = rows.iter().map(|row| row.1).collect();
    let q = q_values(method, &p).map_err(|error| table.refused(error))?;
    let results = Filling::default()
        .text("id", rows.iter().map(|row| row.0))
        .number("p", p.iter().copied())
        .number("q", q.iter().copied())
        .flag("rejected", q.iter().map(|q| q.map(|q| q <= alpha)));
    Ok(results.finish(COLUMNS, Vec::new()))
}
