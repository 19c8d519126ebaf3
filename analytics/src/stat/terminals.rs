//! `terminals`: terminals worse than their peers.

use std::path::Path;

pub use statistics::terminals::TerminalsOptions as Options;
use statistics::terminals::{TerminalCounts, judge_terminals};

use super::StatError;
use super::input::Table;
use super::output::{Column, Filling, Results, column};

/// What a row of results says.
pub const COLUMNS: &[Column] = &[
    column("terminal", "the terminal, over all its cells"),
    column(
        "expected_rate",
        "failure rate of its peers (same cell, same model), the terminal left out",
    ),
    column(
        "probability",
        "probability that its odds of failing are above twice those of its peers",
    ),
    column(
        "p",
        "one-sided mid-p of failing no more than peers do; of few terminals warier",
    ),
    column(
        "q",
        "p after Benjamini and Hochberg over the testable terminals; empty for the others",
    ),
    column(
        "odds_ratio",
        "odds of failing over those of its peers, shrunk",
    ),
    column("flagged", "whether q <= alpha"),
    column(
        "testable",
        "false where even failing every attempt would prove nothing",
    ),
];

/// Judges the terminals of a file.
///
/// # Errors
/// When the file, a value in it or an option is refused.
pub fn run(input: &Path, options: &Options) -> Result<Results, StatError> {
    let columns = ["terminal", "model", "cell", "attempts", "failures"];
    let table = Table::read(input, &columns)?;
    let names = table.ids("terminal")?.into_iter();
    let names = names.zip(table.names("model")?).zip(table.ids("cell")?);
    let counts: Vec<_> = names
        .zip(table.counts()?)
        .map(|(((terminal, model), cell), counts)| TerminalCounts {
            terminal,
            model,
            cell,
            signal: 0,
            attempts: counts.attempts,
            failures: counts.failures,
        })
        .collect();
    let report = judge_terminals(&counts, options).map_err(|error| table.refused(error))?;
    let rows = &report.rows;
    let results = Filling::default()
        .text("terminal", rows.iter().map(|row| &row.terminal))
        .number("expected_rate", rows.iter().map(|row| row.expected_rate))
        .number("probability", rows.iter().map(|row| row.probability))
        .number("p", rows.iter().map(|row| row.p))
        .number("q", rows.iter().map(|row| row.q))
        .number("odds_ratio", rows.iter().map(|row| row.odds_ratio))
        .flag("flagged", rows.iter().map(|row| Some(row.flagged)))
        .flag("testable", rows.iter().map(|row| Some(row.testable)));
    let note = format!(
        "overdispersion of healthy terminals {:.4}, share of bad terminals {:.4}",
        report.overdispersion, report.bad_share
    );
    Ok(results.finish(COLUMNS, vec![note]))
}
