//! Counts over time, and the window that stands out most.

/// Largest share of a series in a window that is compared with the rest of it.
const LARGEST_SHARE: f64 = 0.4;

/// Terminals that fail in each slot that has any.
#[derive(Debug, Default, Clone)]
pub(super) struct Series {
    /// Slots with failures, ascending.
    pub(super) slots: Vec<i64>,
    /// Pairs up to and with the slot.
    upto: Vec<u64>,
}

impl Series {
    /// Counts one more terminal in a slot that is not before the last.
    pub(super) fn push(&mut self, slot: i64) {
        let total = self.total();
        if self.slots.last() == Some(&slot) {
            self.upto.pop();
        } else {
            self.slots.push(slot);
        }
        self.upto.push(total + 1);
    }

    /// Counts all pairs.
    pub(super) fn total(&self) -> u64 {
        self.upto.last().copied().unwrap_or(0)
    }

    /// Counts the pairs before the slot at a position.
    fn before(&self, position: usize) -> u64 {
        position.checked_sub(1).map_or(0, |last| self.upto[last])
    }

    /// Counts the pairs in a window.
    pub(super) fn count(&self, (from, to): (i64, i64)) -> u64 {
        let position = |slot| self.slots.partition_point(|at| *at < slot);
        self.before(position(to)) - self.before(position(from))
    }

    /// Counts the pairs of each hour.
    pub(super) fn by_hour(&self, hours: usize) -> Vec<f64> {
        let mut counts = vec![0.0; hours];
        for (position, slot) in self.slots.iter().enumerate() {
            let hour = super::rows::hour_of(*slot) as usize;
            counts[hour] += (self.upto[position] - self.before(position)) as f64;
        }
        counts
    }
}

/// What is expected by the hour: summed up to the start of each.
pub(super) struct Expected(Vec<f64>);

impl Expected {
    /// Sums what is expected in each hour.
    pub(super) fn of(hourly: impl IntoIterator<Item = f64>) -> Self {
        let mut sums = vec![0.0];
        let mut sum = 0.0;
        for weight in hourly {
            sum += weight;
            sums.push(sum);
        }
        Self(sums)
    }

    /// What is expected before a slot.
    fn before(&self, slot: i64) -> f64 {
        let last = self.0.len() - 1;
        let hour = (super::rows::hour_of(slot).max(0) as usize).min(last);
        let next = (hour + 1).min(last);
        let part = slot.rem_euclid(super::SLOTS_PER_HOUR) as f64 / super::SLOTS_PER_HOUR as f64;
        self.0[hour] + (self.0[next] - self.0[hour]) * part
    }

    /// What is expected in a window.
    pub(super) fn within(&self, (from, to): (i64, i64)) -> f64 {
        self.before(to) - self.before(from)
    }

    /// What is expected in all.
    pub(super) fn total(&self) -> f64 {
        self.0.last().copied().unwrap_or(0.0)
    }
}

/// What a window's count is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Law {
    /// The rest of the series: weights are shares of its total.
    Conditional { total: f64, weight: f64 },
    /// A Poisson count whose expectation is known.
    Poisson,
}

impl Law {
    /// Compares with the rest of a series.
    pub(super) fn conditional(series: &Series, weights: &Expected) -> Self {
        Self::Conditional {
            total: series.total() as f64,
            weight: weights.total(),
        }
    }

    /// The law after some pairs are taken out of window and series.
    pub(super) fn without(self, pairs: f64) -> Self {
        match self {
            Self::Conditional { total, weight } => Self::Conditional {
                total: total - pairs,
                weight,
            },
            Self::Poisson => Self::Poisson,
        }
    }

    /// The count expected at the level outside of a window of this count and weight.
    pub(super) fn expected(self, count: f64, weight: f64) -> f64 {
        match self {
            Self::Poisson => weight,
            Self::Conditional { total, weight: all } => {
                let outside = all - weight;
                if outside > 0.0 {
                    (total - count) * weight / outside
                } else {
                    total
                }
            }
        }
    }

    /// Tells whether a window's count is this many times what is expected, without a division, and
    /// the window leaves enough of the series to compare with.
    fn stands_out(self, count: f64, weight: f64, ratio: f64) -> bool {
        match self {
            Self::Poisson => count >= ratio * weight,
            Self::Conditional { total, weight: all } => {
                weight <= LARGEST_SHARE * all
                    && count * (all - weight) >= ratio * (total - count) * weight
            }
        }
    }

    /// Logarithm of the likelihood ratio of a window; 0 without excess.
    pub(super) fn llr(self, count: f64, weight: f64) -> f64 {
        match self {
            Self::Poisson if count > weight && weight > 0.0 => {
                count * (count / weight).ln() - (count - weight)
            }
            Self::Conditional { total, weight: all } if weight > 0.0 => {
                let expected = total * weight / all;
                let (rest, expected_rest) = (total - count, total - expected);
                if count <= expected {
                    return 0.0;
                }
                let outside = if rest > 0.0 {
                    rest * (rest / expected_rest).ln()
                } else {
                    0.0
                };
                count * (count / expected).ln() + outside
            }
            _ => 0.0,
        }
    }
}

/// A stretch of time with its count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    /// First slot, and the slot after the last.
    pub(super) span: (i64, i64),
    pub(super) count: u64,
    /// Weight by which the law compares it.
    pub(super) weight: f64,
    pub(super) expected: f64,
    pub(super) llr: f64,
}

/// What a window must have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Least {
    pub(super) max_slots: i64,
    pub(super) count: u64,
    pub(super) ratio: f64,
}

/// Finds the window that maximises the likelihood ratio: it begins and ends with a failure.
pub(super) fn best(series: &Series, weights: &Expected, law: Law, least: Least) -> Option<Window> {
    let all: Vec<usize> = (0..series.slots.len()).collect();
    best_of(series, weights, law, least, (&all, &all))
}

/// As `best`, first with edges at the first and last failures of hours, then sharpened.
pub(super) fn best_by_hours(
    series: &Series,
    weights: &Expected,
    law: Law,
    least: Least,
) -> Option<Window> {
    const AROUND: i64 = 36;
    let hour = |position: usize| super::rows::hour_of(series.slots[position]);
    let all = 0..series.slots.len();
    let opens = |at: &usize| *at == 0 || hour(*at - 1) != hour(*at);
    let closes = |at: &usize| *at + 1 == series.slots.len() || hour(*at + 1) != hour(*at);
    let firsts: Vec<usize> = all.clone().filter(opens).collect();
    let lasts: Vec<usize> = all.clone().filter(closes).collect();
    let mut found = best_of(series, weights, law, least, (&firsts, &lasts))?;
    let near = |slot: i64| -> Vec<usize> {
        let close = |at: &usize| (series.slots[*at] - slot).abs() <= AROUND;
        all.clone().filter(close).collect()
    };
    let edges = (near(found.span.0), near(found.span.1));
    if let Some(sharper) = best_of(series, weights, law, least, (&edges.0, &edges.1)) {
        found = sharper;
    }
    Some(found)
}

fn best_of(
    series: &Series,
    weights: &Expected,
    law: Law,
    least: Least,
    (starts, ends): (&[usize], &[usize]),
) -> Option<Window> {
    let mut best: Option<Window> = None;
    let before: Vec<f64> = series.slots.iter().map(|at| weights.before(*at)).collect();
    let after: Vec<f64> = series
        .slots
        .iter()
        .map(|at| weights.before(*at + 1))
        .collect();
    for &start in starts {
        let from = series.slots[start];
        let counted = series.before(start);
        let first = ends.partition_point(|end| *end < start);
        let latest = from.saturating_add(least.max_slots);
        let last = ends.partition_point(|end| series.slots[*end] < latest);
        for &end in &ends[first..last.max(first)] {
            let count = series.upto[end] - counted;
            let weight = after[end] - before[start];
            if count < least.count || !law.stands_out(count as f64, weight, least.ratio) {
                continue;
            }
            let llr = law.llr(count as f64, weight);
            if best.is_none_or(|best| llr > best.llr) {
                best = Some(Window {
                    span: (from, series.slots[end] + 1),
                    count,
                    weight,
                    expected: law.expected(count as f64, weight),
                    llr,
                });
            }
        }
    }
    best
}
