//! `models`: device models compared where they stand side by side.

use std::path::Path;

use statistics::models::{Comparison, ModelCounts, ModelsError, ModelsOptions, compare_models};

use super::StatError;
use super::input::Table;
use super::output::{Column, Filling, Results, column};

/// What a row of results says.
pub const COLUMNS: &[Column] = &[
    column("model", "device model; the reference itself has no row"),
    column(
        "reference",
        "what it is compared with: the reference, or others for all other models",
    ),
    column("strata", "strata with both sides, failures and successes"),
    column("crude_or", "odds ratio of the sums, strata ignored"),
    column(
        "or",
        "odds ratio within strata (Mantel and Haenszel 1959); empty where infinite",
    ),
    column(
        "low",
        "lower end of its 95 % interval (Robins, Breslow and Greenland 1986)",
    ),
    column("high", "upper end of it"),
    column(
        "chi2",
        "Cochran-Mantel-Haenszel statistic without correction, 1 degree of freedom",
    ),
    column("p", "p-value of chi2"),
    column("q", "p after Benjamini and Hochberg over the models"),
    column(
        "breslow_day_p",
        "p-value of one odds ratio in all strata (Breslow and Day, Tarone)",
    ),
    column(
        "risk_difference",
        "difference of the failure rates within strata, a fraction (Mantel-Haenszel)",
    ),
    column(
        "avoidable",
        "risk_difference x attempts in the strata with both sides, at least 0",
    ),
];

/// Compares the models of a file with one of them, or each with all others, within `stratum`.
///
/// # Errors
/// When the file or a value in it is refused, or no row has the reference.
pub fn run(input: &Path, reference: Option<&str>) -> Result<Results, StatError> {
    let table = Table::read(input, &["stratum", "model", "attempts", "failures"])?;
    let names = table
        .names("stratum")?
        .into_iter()
        .zip(table.names("model")?);
    let counts: Vec<_> = names
        .zip(table.counts()?)
        .map(|((stratum, model), counts)| ModelCounts {
            stratum,
            model,
            attempts: counts.attempts,
            failures: counts.failures,
        })
        .collect();
    let options = ModelsOptions {
        comparison: reference.map_or(Comparison::Others, Comparison::Reference),
        ..ModelsOptions::default()
    };
    let rows = compare_models(&counts, &options).map_err(|error| match error {
        ModelsError::UnknownReference(_) => StatError::Option(error.to_string()),
        error => table.refused(error),
    })?;
    let results = Filling::default()
        .text("model", rows.iter().map(|row| &row.model))
        .text("reference", rows.iter().map(|row| &row.reference))
        .count("strata", rows.iter().map(|row| row.strata as u64))
        .number("crude_or", rows.iter().map(|row| row.crude_or))
        .number("or", rows.iter().map(|row| row.or))
        .number("low", rows.iter().map(|row| row.low))
        .number("high", rows.iter().map(|row| row.high))
        .number("chi2", rows.iter().map(|row| row.chi2))
        .number("p", rows.iter().map(|row| row.p))
        .number("q", rows.iter().map(|row| row.q))
        .number("breslow_day_p", rows.iter().map(|row| row.breslow_day_p))
        .number(
            "risk_difference",
            rows.iter().map(|row| row.risk_difference),
        )
        .number("avoidable", rows.iter().map(|row| row.avoidable));
    Ok(results.finish(COLUMNS, Vec::new()))
}
