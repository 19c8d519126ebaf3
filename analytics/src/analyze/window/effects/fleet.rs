//! Counts of the fleet around one day, and which terminals the treated are compared with.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::TryStreamExt;
use h3o::CellIndex;
use schemas::lake::cell_from_i64;
use statistics::effect::{BeforeAfter, most_alike};

use super::treated::Span;
use crate::analyze::{AnalyzeError, columns};
use crate::session::{LakeSession, SessionError};

const SUMS: &str = include_str!("../../../../sql/rollups/effect_sums.sql");
const DAYS: &str = include_str!("../../../../sql/rollups/effect_days.sql");

/// Comparison terminals for each treated one, and how many there are at least.
const FOR_EACH: usize = 5;
const AT_LEAST: usize = 40;

/// Attempts and failures on both sides of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) attempts_before: u64,
    pub(super) failures_before: u64,
    pub(super) attempts_after: u64,
    pub(super) failures_after: u64,
}

impl Sums {
    fn rate_before(&self) -> f64 {
        self.failures_before as f64 / self.attempts_before as f64
    }

    pub(super) fn before_after(&self) -> BeforeAfter {
        BeforeAfter {
            attempts_before: self.attempts_before,
            failures_before: self.failures_before,
            attempts_after: self.attempts_after,
            failures_after: self.failures_after,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.attempts_before += other.attempts_before;
        self.failures_before += other.failures_before;
        self.attempts_after += other.attempts_after;
        self.failures_after += other.failures_after;
    }
}

/// A terminal with attempts on both sides.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) terminal: String,
    pub(super) sums: Sums,
    carrier: Option<String>,
    cell: Option<CellIndex>,
    /// One carrier all the time, and at its place.
    is_steady: bool,
}

/// Every terminal with attempts on both sides of a day, by name.
#[derive(Debug)]
pub(super) struct Fleet(Vec<Member>);

fn dated(sql: &str, span: &Span) -> String {
    sql.replace("{from}", &span.before_from.to_string())
        .replace("{to}", &span.after_to.to_string())
        .replace("{start}", &span.start.to_string())
}

impl Fleet {
    pub(super) async fn read(lake: &LakeSession, span: &Span) -> Result<Self, AnalyzeError> {
        let mut members = Vec::new();
        for batch in &lake.collect(&dated(SUMS, span)).await?.batches {
            let terminals = columns::texts(batch, "terminal_id")?;
            let carriers = columns::texts(batch, "carrier_plmn")?;
            let cells = columns::optional_integers(batch, "cell_r8")?;
            let moved = columns::flags(batch, "has_moved")?;
            let count = |name: &str| columns::counts(batch, name);
            let (many, tried, failed) = (
                count("carriers")?,
                count("attempts_before")?,
                count("failures_before")?,
            );
            let (tried_after, failed_after) = (count("attempts_after")?, count("failures_after")?);
            for row in 0..batch.num_rows() {
                members.push(Member {
                    terminal: terminals.value(row).to_owned(),
                    sums: Sums {
                        attempts_before: tried[row],
                        failures_before: failed[row],
                        attempts_after: tried_after[row],
                        failures_after: failed_after[row],
                    },
                    carrier: columns::text(&carriers, row).map(str::to_owned),
                    cell: cells[row].and_then(cell_from_i64),
                    is_steady: many[row] == 1 && !moved[row],
                });
            }
        }
        Ok(Self(members))
    }

    /// Returns the members among these terminals.
    pub(super) fn among(&self, terminals: &BTreeSet<String>) -> Vec<&Member> {
        let members = self.0.iter();
        members
            .filter(|member| terminals.contains(&member.terminal))
            .collect()
    }

    /// Returns the terminals of the treated ones' carriers that nothing was done to.
    pub(super) fn untouched(&self, treated: &[&Member], barred: &HashSet<&str>) -> Vec<&Member> {
        let carriers: HashSet<&str> = treated
            .iter()
            .filter_map(|member| member.carrier.as_deref())
            .collect();
        let is_untouched = |member: &&Member| {
            let carrier = member.carrier.as_deref();
            member.is_steady
                && carrier.is_some_and(|carrier| carriers.contains(carrier))
                && !barred.contains(member.terminal.as_str())
        };
        self.0.iter().filter(is_untouched).collect()
    }

    /// Chooses comparison terminals: of the same carriers, as bad before, and not among `barred`.
    ///
    /// With `spills`, terminals of the treated cells and of those around are left out too: what helps
    /// a place helps its neighbours.
    pub(super) fn alike(
        &self,
        treated: &[&Member],
        barred: &HashSet<&str>,
        spills: bool,
    ) -> Vec<&Member> {
        let near: HashSet<CellIndex> = treated
            .iter()
            .filter_map(|member| member.cell.filter(|_| spills))
            .flat_map(|cell| cell.grid_disk::<Vec<_>>(1))
            .collect();
        let rounds = FOR_EACH.max(AT_LEAST.div_ceil(treated.len().max(1)));
        let mut by_carrier: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for member in treated {
            let rates = member
                .carrier
                .as_deref()
                .map(|it| by_carrier.entry(it).or_default());
            if let Some(rates) = rates {
                rates.push(member.sums.rate_before());
            }
        }
        let mut chosen = Vec::new();
        for (carrier, rates) in by_carrier {
            let is_fit = |member: &&Member| {
                member.is_steady
                    && member.carrier.as_deref() == Some(carrier)
                    && !barred.contains(member.terminal.as_str())
                    && member.cell.is_none_or(|cell| !near.contains(&cell))
            };
            let pool: Vec<&Member> = self.0.iter().filter(is_fit).collect();
            let before: Vec<f64> = pool
                .iter()
                .map(|member| member.sums.rate_before())
                .collect();
            let nearest = most_alike(&rates, &before, rounds);
            chosen.extend(nearest.into_iter().map(|at| pool[at]));
        }
        chosen
    }
}

/// Attempts and failures of one terminal on one day, counted from 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayCounts<'a> {
    pub(super) terminal: &'a str,
    pub(super) day: i64,
    pub(super) attempts: u64,
    pub(super) failures: u64,
}

/// Reads the days of some terminals; the others' pass by without being kept.
pub(super) async fn days<'a>(
    lake: &LakeSession,
    span: &Span,
    terminals: &HashSet<&'a str>,
) -> Result<Vec<DayCounts<'a>>, AnalyzeError> {
    let mut kept = Vec::new();
    let mut stream = lake.stream(&dated(DAYS, span)).await?;
    while let Some(batch) = stream.try_next().await.map_err(SessionError::from)? {
        let names = columns::texts(&batch, "terminal_id")?;
        let days = columns::optional_integers(&batch, "day")?;
        let attempts = columns::counts(&batch, "attempts")?;
        let failures = columns::counts(&batch, "failures")?;
        for row in 0..batch.num_rows() {
            let known = terminals.get(names.value(row)).zip(days[row]);
            kept.extend(known.map(|(terminal, day)| DayCounts {
                terminal,
                day,
                attempts: attempts[row],
                failures: failures[row],
            }));
        }
    }
    Ok(kept)
}
