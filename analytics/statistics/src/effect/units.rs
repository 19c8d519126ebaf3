//! The counts of units by period, and their sums before and after a date.

use super::{EffectCounts, EffectError, EffectOptions};
use crate::levels::Levels;
use std::collections::BTreeSet;

/// Attempts and failures on one side of a date.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Side {
    pub(super) attempts: u64,
    pub(super) failures: u64,
}

/// One unit on both sides of a date.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitCounts {
    pub(super) treated: bool,
    pub(super) before: Side,
    pub(super) after: Side,
}

/// Rows with attempts, with the number of their unit; units are numbered by name.
pub(super) struct Units {
    treated: Vec<bool>,
    rows: Vec<(u32, i64, Side)>,
}

impl Units {
    pub(super) fn of(
        rows: &[EffectCounts<'_>],
        options: &EffectOptions,
    ) -> Result<Self, EffectError> {
        check(rows, options)?;
        let names = Levels::of(rows.iter().map(|row| row.unit));
        let mut treated: Vec<Option<bool>> = vec![None; names.names.len()];
        for (row, &unit) in rows.iter().zip(&names.of_row) {
            if *treated[unit as usize].get_or_insert(row.treated) != row.treated {
                return Err(EffectError::MixedTreatment(row.unit.to_owned()));
            }
        }
        let side = |row: &EffectCounts<'_>| Side {
            attempts: row.attempts,
            failures: row.failures,
        };
        Ok(Self {
            treated: treated
                .into_iter()
                .map(|treated| treated == Some(true))
                .collect(),
            rows: rows
                .iter()
                .zip(&names.of_row)
                .filter(|(row, _)| row.attempts > 0)
                .map(|(row, &unit)| (unit, row.period, side(row)))
                .collect(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.treated.len()
    }

    /// The periods with attempts, in ascending order.
    pub(super) fn periods(&self) -> BTreeSet<i64> {
        self.rows.iter().map(|&(_, period, _)| period).collect()
    }

    /// The same units without what came from `start` on.
    pub(super) fn before(&self, start: i64) -> Self {
        let rows = self.rows.iter().filter(|&&(_, period, _)| period < start);
        Self {
            treated: self.treated.clone(),
            rows: rows.copied().collect(),
        }
    }

    /// The units by name, those with attempts on both sides.
    pub(super) fn split(&self, is_after: impl Fn(i64) -> bool) -> Vec<UnitCounts> {
        let empty = |&treated| UnitCounts {
            treated,
            before: Side::default(),
            after: Side::default(),
        };
        let mut units: Vec<UnitCounts> = self.treated.iter().map(empty).collect();
        for &(unit, period, side) in &self.rows {
            let unit = &mut units[unit as usize];
            let sum = if is_after(period) {
                &mut unit.after
            } else {
                &mut unit.before
            };
            sum.attempts += side.attempts;
            sum.failures += side.failures;
        }
        units.retain(|unit| unit.before.attempts > 0 && unit.after.attempts > 0);
        units
    }
}

fn check(rows: &[EffectCounts<'_>], options: &EffectOptions) -> Result<(), EffectError> {
    if !(options.confidence > 0.0 && options.confidence < 1.0) {
        return Err(EffectError::Confidence(options.confidence));
    }
    match rows.iter().find(|row| row.failures > row.attempts) {
        None => Ok(()),
        Some(row) => Err(EffectError::FailuresAboveAttempts {
            unit: row.unit.to_owned(),
            period: row.period,
            failures: row.failures,
            attempts: row.attempts,
        }),
    }
}
