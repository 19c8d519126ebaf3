//! `rates`: rates of small counts, shrunk by empirical Bayes.

use std::fmt::Display;
use std::path::Path;

pub use statistics::rates::Options;
use statistics::rates::{Counts, RateRow, RatesError, beta_binomial, marshall, marshall_local};

use super::StatError;
use super::input::Table;
use super::output::{Column, Filling, Results, column};

/// What a row of results says.
pub const COLUMNS: &[Column] = &[
    column("id", "id or cell"),
    column("rate", "failures / attempts; empty without attempts"),
    column(
        "eb_rate",
        "the rate drawn towards the prior; its mean without attempts",
    ),
    column(
        "low",
        "lower end of the 95 % interval, the prior known if it has spread; empty without attempts",
    ),
    column("high", "upper end of it"),
    column(
        "weight",
        "share of the raw rate in eb_rate, 0 (all prior) to 1",
    ),
];

/// The prior.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Moments over all rows (Marshall 1991).
    Marshall,
    /// Moments over each cell and its neighbours.
    MarshallLocal,
    /// Beta prior by maximum likelihood.
    BetaBinomial,
}

/// Estimates the rates of a file, whose rows are named by `id`, else by `cell`. The local prior
/// takes `cell`, else an `id` that is one.
///
/// # Errors
/// When the file, a value in it or an option is refused.
pub fn run(input: &Path, method: Method, options: &Options) -> Result<Results, StatError> {
    let table = Table::read(input, &["id", "cell", "attempts", "failures"])?;
    if !table.has("id") && !table.has("cell") {
        return Err(table.lacks("id or cell"));
    }
    match method {
        Method::MarshallLocal => {
            let column = if table.has("cell") { "cell" } else { "id" };
            let rows = counts(&table, table.cells(column)?)?;
            results(&table, marshall_local(&rows, options))
        }
        _ if table.has("id") => results(
            &table,
            shrink(method, &counts(&table, table.ids("id")?)?, options),
        ),
        _ => results(
            &table,
            shrink(method, &counts(&table, table.cells("cell")?)?, options),
        ),
    }
}

fn counts<Id>(table: &Table, ids: Vec<Id>) -> Result<Vec<Counts<Id>>, StatError> {
    let rows = ids.into_iter().zip(table.counts()?);
    let named = rows.map(|(id, counts)| Counts {
        id,
        attempts: counts.attempts,
        failures: counts.failures,
    });
    Ok(named.collect())
}

fn shrink<Id: Ord + Clone + Display + Send + Sync>(
    method: Method,
    rows: &[Counts<Id>],
    options: &Options,
) -> Result<Vec<RateRow<Id>>, RatesError> {
    match method {
        Method::BetaBinomial => beta_binomial(rows, options),
        Method::Marshall | Method::MarshallLocal => marshall(rows, options),
    }
}

fn results<Id: Display>(
    table: &Table,
    rows: Result<Vec<RateRow<Id>>, RatesError>,
) -> Result<Results, StatError> {
    let rows = rows.map_err(|error| table.refused(error))?;
    let results = Filling::default()
        .text("id", rows.iter().map(|row| row.id.to_string()))
        .number("rate", rows.iter().map(|row| row.rate))
        .number("eb_rate", rows.iter().map(|row| row.eb_rate))
        .number("low", rows.iter().map(|row| row.low))
        .number("high", rows.iter().map(|row| row.high))
        .number("weight", rows.iter().map(|row| row.weight));
    Ok(results.finish(COLUMNS, without_spread(&rows).into_iter().collect()))
}

/// Says of how many rows the prior has no variance, and what their intervals are.
fn without_spread<Id>(rows: &[RateRow<Id>]) -> Option<String> {
    let with_rate = || rows.iter().filter(|row| row.rate.is_some());
    let without = with_rate().filter(|row| row.weight == Some(0.0)).count();
    (without > 0).then(|| {
        format!(
            "the counts show no spread between rates around {without} of {}: eb_rate is the pooled rate there, and \
             low and high allow for a spread that so few attempts would not show",
            with_rate().count()
        )
    })
}
