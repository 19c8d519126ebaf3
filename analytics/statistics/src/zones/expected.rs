//! What such devices fail in a place like any other: the shrunken logit with the place taken off.

use super::PlaceCounts;
use crate::levels::Levels;
use crate::logit::{Factor, LogitOptions, LogitRows, expit, fit};

/// Intra-class correlation that weighs rows in the fit: a busy terminal is no crowd. A guess does, for
/// weights only shift precision between rows.
const ROW_RHO: f64 = 0.01;
const MAX_SWEEPS: usize = 60;
/// Effects are settled when they move less (logits): well below their standard errors.
const TOLERANCE: f64 = 1e-4;

/// Failure rate of each row without the effect of its cell; `None` when no attempt failed or all did.
/// Rates are right up to a factor for each carrier, which is scaled by its ordinary cells.
pub(super) fn rates_without_place(
    rows: &[PlaceCounts<'_>],
    plmns: &Levels<'_>,
) -> Option<Vec<f64>> {
    let attempts: Vec<u64> = rows.iter().map(|row| row.attempts).collect();
    let failures: Vec<u64> = rows.iter().map(|row| row.failures).collect();
    let weights: Vec<f64> = attempts
        .iter()
        .map(|&attempts| 1.0 / (1.0 + attempts.saturating_sub(1) as f64 * ROW_RHO))
        .collect();
    let models = Levels::of(rows.iter().map(|row| row.model));
    let places = numbered(rows, |row| (row.plmn, row.cell));
    let rats = by_rat(rows, plmns);
    let factors = [
        places.factor(),
        Factor {
            level_of_row: &models.of_row,
            count: models.names.len(),
        },
        rats.factor(),
    ];
    let fitted = fit(
        &LogitRows {
            attempts: &attempts,
            failures: &failures,
            weights: Some(&weights),
            factors: &factors,
        },
        &LogitOptions {
            max_sweeps: MAX_SWEEPS,
            tolerance: TOLERANCE,
            ..LogitOptions::default()
        },
    );
    // Nothing failed or nothing worked: the only error left after the checks.
    let fitted = fitted.ok()?;
    let effect = |factor: usize, level: u32| fitted.factors[factor].effects[level as usize];
    let rate = |row: usize| {
        expit(fitted.base + effect(1, models.of_row[row]) + effect(2, rats.of_row[row]))
    };
    Some((0..rows.len()).map(rate).collect())
}

struct Numbered {
    of_row: Vec<u32>,
    count: usize,
}

impl Numbered {
    fn factor(&self) -> Factor<'_> {
        Factor {
            level_of_row: &self.of_row,
            count: self.count,
        }
    }
}

/// Numbers runs of equal keys of rows that are sorted by the key.
fn numbered<'a, K: PartialEq>(
    rows: &[PlaceCounts<'a>],
    key: impl Fn(&PlaceCounts<'a>) -> K,
) -> Numbered {
    let mut of_row = Vec::with_capacity(rows.len());
    let mut level = 0;
    for (at, row) in rows.iter().enumerate() {
        level += u32::from(at > 0 && key(row) != key(&rows[at - 1]));
        of_row.push(level);
    }
    let count = rows.first().map_or(0, |_| level as usize + 1);
    Numbered { of_row, count }
}

fn by_rat(rows: &[PlaceCounts<'_>], plmns: &Levels<'_>) -> Numbered {
    let rats = Levels::of(rows.iter().map(|row| row.rat));
    let width = u32::try_from(rats.names.len()).expect("a handful of technologies");
    let of_row = plmns.of_row.iter().zip(&rats.of_row);
    Numbered {
        of_row: of_row.map(|(plmn, rat)| plmn * width + rat).collect(),
        count: plmns.names.len() * rats.names.len(),
    }
}
