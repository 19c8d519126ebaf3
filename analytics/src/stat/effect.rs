//! `effect`: what an intervention changed.

use std::path::Path;

pub use statistics::effect::Weighting;
use statistics::effect::{EffectCounts, EffectError, EffectOptions, Estimate, estimate_effect};

mod time;

use super::StatError;
use super::input::Table;
use super::output::{Column, Filling, Results, column};
use time::Time;

/// What the row of results says.
pub const COLUMNS: &[Column] = &[
    column(
        "estimate",
        "change of the failure rate of treated units less that of the others, a fraction",
    ),
    column(
        "se",
        "standard error, clustered by unit (CR1); empty with one unit in a group",
    ),
    column(
        "low",
        "lower end of the 95 % interval, Student's t with units - 1 degrees of freedom",
    ),
    column("high", "upper end of it"),
    column("p", "two-sided p-value of no effect"),
    column(
        "placebo_p",
        "p-value of an effect before the start; empty with one period there",
    ),
    column(
        "warnings",
        "what speaks against it, joined by ';' (a list in JSON and Parquet)",
    ),
];

/// Choices of the estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options<'a> {
    /// First period after the intervention, for a file with `period`.
    pub start: Option<&'a str>,
    /// What counts as one observation.
    pub weighting: Weighting,
}

/// Estimates the effect from a file with `post`, or with `period` and a start.
///
/// # Errors
/// When the file or a value in it is refused, a start is missing or has no column to stand in, or a
/// group has no unit on both sides.
pub fn run(input: &Path, options: &Options<'_>) -> Result<Results, StatError> {
    let columns = ["unit", "treated", "post", "period", "attempts", "failures"];
    let table = Table::read(input, &columns)?;
    let time = Time::of(&table, options.start)?;
    let units = table.ids("unit")?.into_iter().zip(table.flags("treated")?);
    let counts: Vec<_> = units
        .zip(&time.periods)
        .zip(table.counts()?)
        .map(|(((unit, treated), &period), counts)| EffectCounts {
            unit,
            treated,
            period,
            attempts: counts.attempts,
            failures: counts.failures,
        })
        .collect();
    let choices = EffectOptions {
        weighting: options.weighting,
        ..EffectOptions::starting(time.start)
    };
    let row = estimate_effect(&counts, &choices).map_err(|error| match error {
        EffectError::EmptyGroup { group, .. } => table.refused(NoUnit {
            group,
            after: options
                .start
                .map_or("after".to_owned(), |start| format!("from {start} on")),
        }),
        error => table.refused(error),
    })?;
    let effect = [row.effect];
    let results = Filling::default()
        .number(
            "estimate",
            effect.iter().map(|effect| Some(effect.estimate)),
        )
        .number("se", effect.iter().map(|effect| effect.se))
        .number("low", effect.iter().map(|effect| effect.low))
        .number("high", effect.iter().map(|effect| effect.high))
        .number("p", effect.iter().map(|effect| effect.p))
        .number("placebo_p", [row.placebo_p].into_iter())
        .list("warnings", [&row.warnings].into_iter());
    let notes = row.matched.iter().map(matched_note).collect();
    Ok(results.finish(COLUMNS, notes))
}

/// A group without a unit that was seen on both sides.
#[derive(Debug, thiserror::Error)]
#[error("no {group} unit has attempts both before and {after}")]
struct NoUnit {
    group: &'static str,
    after: String,
}

fn matched_note(matched: &Estimate) -> String {
    let mut note = format!(
        "against the comparison units most alike before: {:.4}",
        matched.estimate
    );
    if let Some((low, high)) = matched.low.zip(matched.high) {
        note.push_str(&format!(", {low:.4} to {high:.4}"));
    }
    note
}
