//! How failures of a quiet fleet go up and down with the hours.

use super::rows::Data;
use super::window::{Expected, Series};

/// Least weight of an hour against the mean: the quiet of the night is not known better.
const LEAST: f64 = 0.02;
/// Weight of the hours of the day, as failures, where others fail rarely.
const PRIOR: f64 = 5.0;
/// Days from which each hour of the day has a level of its own.
const MANY_DAYS: usize = 5;
/// Hours on each side of the running median, when there are few days.
const AROUND: usize = 3;

/// Failing terminals of the whole fleet by the hour, and by the hour of the day.
pub(super) struct Shape {
    actual: Vec<f64>,
    /// Weight of each hour by its hour of the day; the mean is 1.
    daily: Vec<f64>,
}

impl Shape {
    /// Learns the shape from the rows that are left.
    pub(super) fn of(data: &Data) -> Self {
        let left = (0..data.rows.len() as u32).filter(|row| data.is_left(*row));
        let series = data.series(&left.collect::<Vec<_>>());
        let actual = series.by_hour(data.hours);
        let hour_of_day = |at: usize| (data.first_hour + at as i64).rem_euclid(24) as usize;
        let mut by_hour: [Vec<f64>; 24] = Default::default();
        let many = data.hours >= MANY_DAYS * 24;
        for at in 0..data.hours {
            let level = if many {
                actual[at]
            } else {
                running_median(&actual, at)
            };
            by_hour[hour_of_day(at)].push(level);
        }
        let levels = by_hour.map(|levels| {
            if many {
                trimmed_mean(levels)
            } else {
                mean(&levels)
            }
        });
        let daily: Vec<f64> = (0..data.hours).map(|at| levels[hour_of_day(at)]).collect();
        Self {
            actual,
            daily: scaled(daily),
        }
    }

    /// Weights of the hours for an entity: the hour of the day, or what all others did then, the
    /// greater of the two.
    pub(super) fn weights(&self, own: &Series) -> Expected {
        let own = own.by_hour(self.actual.len());
        let others = self.actual.iter().zip(&own).map(|(all, own)| all - own);
        let others: Vec<f64> = others.collect();
        let mean = mean(&others);
        Expected::of(others.iter().zip(&self.daily).map(|(others, daily)| {
            let now = (others + PRIOR * daily) / (mean + PRIOR);
            now.max(*daily)
        }))
    }

    /// Weights by the hour of the day alone.
    pub(super) fn daily(&self) -> Expected {
        Expected::of(self.daily.iter().copied())
    }
}

fn scaled(levels: Vec<f64>) -> Vec<f64> {
    let mean = mean(&levels);
    if mean <= 0.0 {
        return vec![1.0; levels.len()];
    }
    let raised = levels.iter().map(|level| (level / mean).max(LEAST));
    raised.collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len().max(1)) as f64
}

/// Mean without the highest fifth: what an outage raised.
fn trimmed_mean(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let kept = values.len() - values.len().div_ceil(5);
    mean(&values[..kept.max(1).min(values.len())])
}

fn running_median(values: &[f64], at: usize) -> f64 {
    let end = (at + AROUND + 1).min(values.len());
    let mut near = values[at.saturating_sub(AROUND)..end].to_vec();
    near.sort_unstable_by(f64::total_cmp);
    near[near.len() / 2]
}
