//! The search for the highest window, in the data and in the runs without clusters.

use std::fmt::Display;

use rayon::prelude::*;

use super::likelihood::{Law, Tables};
use super::windows::{LAST, Windows};
use super::{Location, Model, Options, ScanError};
use crate::rng::Stream;

/// Runs that one walk over the windows serves.
const LANES: usize = 16;
/// Entries of windows held at a time: 256 MiB.
const MAX_ENTRIES: usize = 1 << 26;

/// The locations that have attempts, sorted by id, as columns.
pub(super) struct Data<Id, P> {
    pub(super) ids: Vec<Id>,
    pub(super) places: Vec<P>,
    pub(super) attempts: Vec<u64>,
    pub(super) failures: Vec<u64>,
    /// Attempts for Bernoulli, expected failures for Poisson.
    pub(super) measures: Vec<f64>,
    /// Most attempts in a window.
    pub(super) largest: f64,
    pub(super) law: Law,
}

/// The best window of one centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Best {
    pub(super) centre: usize,
    /// How many of the entries of the centre are inside.
    pub(super) size: usize,
    pub(super) llr: f64,
}

impl<Id: Ord + Clone + Display, P: Clone + PartialEq> Data<Id, P> {
    /// Checks, adds and sorts the rows.
    pub(super) fn of(rows: &[Location<Id, P>], options: &Options) -> Result<Self, ScanError> {
        if !(options.max_share > 0.0 && options.max_share <= 1.0) {
            return Err(ScanError::MaxShare(options.max_share));
        }
        let mut rows = merged(rows)?;
        let given = expected(&rows, options.model)?;
        if let Some(given) = &given {
            let mut given = given.iter();
            rows.retain_mut(|row| {
                row.expected = given.next().copied();
                row.attempts > 0
            });
        } else {
            rows.retain(|row| row.attempts > 0);
        }
        let attempts: Vec<u64> = rows.iter().map(|row| row.attempts).collect();
        let failures: Vec<u64> = rows.iter().map(|row| row.failures).collect();
        let total = checked_total(&attempts, 1 << 53)?;
        let cases = checked_total(&failures, (1 << 31) - 2)? as f64;
        if rows.len() >= LAST as usize {
            return Err(ScanError::TooMuch);
        }
        let weights: Vec<f64> = match given {
            Some(_) => rows.iter().map(|row| row.expected.unwrap_or(0.0)).collect(),
            None => attempts.iter().map(|attempts| *attempts as f64).collect(),
        };
        let sum: f64 = weights.iter().sum();
        let (measures, measure) = match options.model {
            Model::Bernoulli => (weights, total as f64),
            Model::Poisson => (
                weights.iter().map(|weight| weight / sum * cases).collect(),
                cases,
            ),
        };
        Ok(Self {
            ids: rows.iter().map(|row| row.id.clone()).collect(),
            places: rows.iter().map(|row| row.place.clone()).collect(),
            attempts,
            failures,
            measures,
            // A share of 1/3 of 3 attempts is 1 attempt, whatever the rounding.
            largest: options.max_share * total as f64 * (1.0 + 1e-12),
            law: Law {
                model: options.model,
                failures: cases,
                measure,
            },
        })
    }
}

fn checked_total(counts: &[u64], most: u64) -> Result<u64, ScanError> {
    let total = counts
        .iter()
        .try_fold(0_u64, |sum, count| sum.checked_add(*count));
    total
        .filter(|total| *total <= most)
        .ok_or(ScanError::TooMuch)
}

fn merged<Id: Ord + Clone + Display, P: Clone + PartialEq>(
    rows: &[Location<Id, P>],
) -> Result<Vec<Location<Id, P>>, ScanError> {
    let mut sorted: Vec<&Location<Id, P>> = rows.iter().collect();
    sorted.sort_by(|a, b| {
        let counts = |row: &Location<Id, P>| (row.attempts, row.failures);
        let expected = |row: &Location<Id, P>| row.expected.unwrap_or(0.0);
        let by_id = a.id.cmp(&b.id).then(counts(a).cmp(&counts(b)));
        by_id.then(expected(a).total_cmp(&expected(b)))
    });
    let mut merged: Vec<Location<Id, P>> = Vec::with_capacity(rows.len());
    for row in sorted {
        let id = || row.id.to_string();
        let (attempts, failures) = (row.attempts, row.failures);
        if failures > attempts {
            return Err(ScanError::FailuresExceedAttempts {
                id: id(),
                failures,
                attempts,
            });
        }
        match merged.last_mut() {
            Some(last) if last.id == row.id => {
                if last.place != row.place {
                    return Err(ScanError::TwoPositions { id: id() });
                }
                last.attempts = last
                    .attempts
                    .checked_add(attempts)
                    .ok_or(ScanError::TooMuch)?;
                last.failures += failures;
                last.expected = last.expected.zip(row.expected).map(|(a, b)| a + b);
            }
            _ => merged.push(row.clone()),
        }
    }
    Ok(merged)
}

/// The expected failures of all rows, or `None` when the attempts stand for them.
fn expected<Id: Display, P>(
    rows: &[Location<Id, P>],
    model: Model,
) -> Result<Option<Vec<f64>>, ScanError> {
    let with = rows
        .iter()
        .filter(|row| row.attempts > 0 && row.expected.is_some())
        .count();
    if model == Model::Bernoulli || with == 0 {
        return Ok(None);
    }
    let refused = |row: &Location<Id, P>| ScanError::Expected {
        id: row.id.to_string(),
    };
    let mut sum = 0.0;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let value = if row.attempts > 0 {
            row.expected
        } else {
            Some(0.0)
        };
        let value = value.filter(|value| value.is_finite() && *value >= 0.0);
        let value = value.ok_or_else(|| refused(row))?;
        // Failures where none can be expected would be infinitely unlikely.
        if value == 0.0 && row.failures > 0 {
            return Err(refused(row));
        }
        sum += value;
        all.push(value);
    }
    if sum > 0.0 && sum.is_finite() {
        Ok(Some(all))
    } else {
        Err(refused(&rows[0]))
    }
}

impl<Id: Sync, P: Sync> Data<Id, P> {
    /// Searches the best window of every centre, and the highest likelihood ratio of every run.
    pub(super) fn search(
        &self,
        windows: &impl Windows,
        options: &Options,
    ) -> (Vec<Best>, Vec<f64>) {
        let largest = match self.law.model {
            Model::Bernoulli => self.largest,
            Model::Poisson => self.law.measure,
        };
        let tables = Tables::new(&self.law, largest, options.min_cases, self.ids.len());
        let observed: Vec<[i32; 1]> = self.failures.iter().map(|cases| [lane(*cases)]).collect();
        let mut bests = Vec::new();
        let mut runs = vec![[0.0; LANES]; (options.runs as usize).div_ceil(LANES)];
        let mut centre = 0;
        while centre < self.ids.len() {
            let chunk = Chunk::grow(windows, centre, self.ids.len());
            centre += chunk.centres();
            bests.extend(chunk.best_windows(self, &tables, &observed));
            runs.par_iter_mut()
                .enumerate()
                .for_each(|(batch, highest)| {
                    let dealt = self.deal(batch, options);
                    for entries in chunk.each() {
                        self.scan(entries, &tables, &dealt, highest, |_, _| ());
                    }
                });
        }
        let mut maxima: Vec<f64> = runs.into_iter().flatten().collect();
        maxima.truncate(options.runs as usize);
        (bests, maxima)
    }

    /// Deals all failures anew for each lane of a batch, each from the stream of its own run.
    fn deal(&self, batch: usize, options: &Options) -> Vec<[i32; LANES]> {
        let mut dealt = vec![[0; LANES]; self.ids.len()];
        let mut counts = vec![0; self.ids.len()];
        let failures = self.law.failures as u64;
        for l in 0..LANES {
            let run = batch * LANES + l;
            if run >= options.runs as usize {
                break;
            }
            let mut stream = Stream::new(options.seed, run as u64);
            match options.model {
                Model::Bernoulli => {
                    stream.multivariate_hypergeometric(failures, &self.attempts, &mut counts);
                }
                Model::Poisson => stream.multinomial(failures, &self.measures, &mut counts),
            }
            for (row, count) in dealt.iter_mut().zip(&counts) {
                row[l] = lane(*count);
            }
        }
        dealt
    }

    /// Raises `highest` of each lane to the best window round one centre, and tells of each rise.
    fn scan<const N: usize>(
        &self,
        entries: &[u32],
        tables: &Tables,
        cases: &[[i32; N]],
        highest: &mut [f64; N],
        mut rise: impl FnMut(usize, f64),
    ) {
        let mut table = tables.below(lowest(highest));
        let mut own = highest.map(|llr| tables.below(llr));
        let mut inside = [0_i32; N];
        let mut measure = 0.0;
        for (place, entry) in entries.iter().enumerate() {
            let at = (entry & !LAST) as usize;
            measure += self.measures[at];
            for (sum, count) in inside.iter_mut().zip(&cases[at]) {
                *sum += count;
            }
            if entry & LAST == 0 {
                continue;
            }
            let fewest = table.fewest(measure);
            let mut reached = false;
            for sum in &inside {
                reached |= *sum >= fewest;
            }
            if !reached {
                continue;
            }
            for l in 0..N {
                // The lanes share the lowest table, so most that reach it do not reach their own.
                if inside[l] < fewest || inside[l] < own[l].fewest(measure) {
                    continue;
                }
                let llr = self.law.llr(f64::from(inside[l]), measure);
                if llr > highest[l] {
                    highest[l] = llr;
                    own[l] = tables.below(llr);
                    table = tables.below(lowest(highest));
                    rise(place + 1, llr);
                }
            }
        }
    }
}

fn lane(cases: u64) -> i32 {
    i32::try_from(cases).expect("all failures together are fewer than 2^31")
}

fn lowest<const N: usize>(highest: &[f64; N]) -> f64 {
    highest
        .iter()
        .fold(f64::INFINITY, |lowest, llr| lowest.min(*llr))
}

/// The windows of some centres that follow each other.
struct Chunk {
    first: usize,
    windows: Vec<Vec<u32>>,
}

impl Chunk {
    /// Grows windows round as many centres as fit into memory, at least a few.
    fn grow(windows: &impl Windows, first: usize, end: usize) -> Self {
        let mut chunk = Self {
            first,
            windows: Vec::new(),
        };
        let mut held = 0;
        while held < MAX_ENTRIES && first + chunk.centres() < end {
            let from = first + chunk.centres();
            let some: Vec<Vec<u32>> = (from..end.min(from + 256))
                .into_par_iter()
                .map(|centre| {
                    let mut entries = Vec::new();
                    windows.grow(centre, &mut entries);
                    entries.shrink_to_fit();
                    entries
                })
                .collect();
            held += some.iter().map(Vec::len).sum::<usize>();
            chunk.windows.extend(some);
        }
        chunk
    }

    fn centres(&self) -> usize {
        self.windows.len()
    }

    fn each(&self) -> impl Iterator<Item = &[u32]> {
        self.windows.iter().map(Vec::as_slice)
    }

    fn best_windows<Id: Sync, P: Sync>(
        &self,
        data: &Data<Id, P>,
        tables: &Tables,
        observed: &[[i32; 1]],
    ) -> Vec<Best> {
        self.windows
            .par_iter()
            .enumerate()
            .filter_map(|(place, entries)| {
                let mut best = None;
                let centre = self.first + place;
                data.scan(entries, tables, observed, &mut [0.0], |size, llr| {
                    best = Some(Best { centre, size, llr });
                });
                best
            })
            .collect()
    }
}
