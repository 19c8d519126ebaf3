//! Whether a window is an outage: its breadth, its significance and its share.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::{Data, hour_of};
use super::window::{Law, Window};
use super::{Activity, Kind, Options, Outage, SLOTS_PER_HOUR, concerns};

/// Slots over which failures of one terminal belong together.
const BLOCK: i64 = 24;
/// Terminals without which a window must still stand out, at half the threshold.
const WORST: usize = 2;
/// Share of the failures due on other hosts that an outage which is not of one host has at least.
const OTHERS: f64 = 0.3;
/// Observed over expected above which other hosts, or a carrier, are hit too.
const RAISED: f64 = 2.0;
/// Failures on other hosts, or on a carrier, that must be due before their absence means anything.
const DUE: f64 = 6.0;
/// Smallest part of a host's failures that makes a carrier one of its own.
const CARRIER_SHARE: f64 = 0.05;

/// How often each terminal fails among rows, highest first.
pub(super) fn per_terminal(data: &Data, rows: &[u32]) -> Vec<(u64, u32)> {
    let mut terminals: Vec<u32> = rows
        .iter()
        .map(|row| data.rows[*row as usize].terminal)
        .collect();
    terminals.sort_unstable();
    let same = terminals.chunk_by(|a, b| a == b);
    let mut counts: Vec<(u64, u32)> = same.map(|same| (same.len() as u64, same[0])).collect();
    counts.sort_unstable_by_key(|(count, terminal)| (std::cmp::Reverse(*count), *terminal));
    counts
}

/// Variance over mean of a sum of failures that come in clusters, one a terminal.
pub(super) fn dispersion(counts: &[(u64, u32)]) -> f64 {
    let sum: u64 = counts.iter().map(|(count, _)| count).sum();
    let squares: u64 = counts.iter().map(|(count, _)| count * count).sum();
    if sum == 0 {
        1.0
    } else {
        squares as f64 / sum as f64
    }
}

/// Dispersion within two hours: the median over all of them, which no outage moves.
pub(super) fn usual_dispersion(data: &Data) -> f64 {
    let rows: Vec<u32> = (0..data.rows.len() as u32).collect();
    let block = |row: &u32| data.slot(*row) / BLOCK;
    let blocks = rows.chunk_by(|a, b| block(a) == block(b));
    let mut values: Vec<f64> = blocks
        .map(|rows| dispersion(&per_terminal(data, rows)))
        .collect();
    values.sort_unstable_by(f64::total_cmp);
    values
        .get(values.len() / 2)
        .map_or(1.0, |value| value.max(1.0))
}

/// Tells whether a window stands out by enough terminals, and not by its worst ones alone.
pub(super) fn is_broad(
    window: &Window,
    law: Law,
    counts: &[(u64, u32)],
    (threshold, dispersion): (f64, f64),
    options: &Options,
) -> bool {
    let worst: u64 = counts.iter().take(WORST).map(|(count, _)| count).sum();
    let worst = worst as f64;
    let rest = law
        .without(worst)
        .llr(window.count as f64 - worst, window.weight);
    counts.len() >= options.min_terminals
        && window.llr >= threshold * dispersion
        && rest >= 0.5 * threshold * dispersion
}

/// Tells whether the failures of a host are seen on enough of its carriers: three, or two when it
/// has no more or the others are too quiet to tell.
pub(super) fn is_seen_on_carriers(data: &Data, rows: &[u32], window: &Window) -> bool {
    let plmn = |row: u32| data.rows[row as usize].plmn;
    let (inside, outside) = split_counts(data, rows, window, plmn);
    let total: f64 = outside.values().sum();
    let raised = window.count as f64 / window.expected.max(0.5);
    let (mut seen, mut telling) = (0, 0);
    let carriers: BTreeSet<u32> = inside.keys().chain(outside.keys()).copied().collect();
    for plmn in carriers {
        let count = inside.get(&plmn).copied().unwrap_or(0.0);
        let share = outside.get(&plmn).copied().unwrap_or(0.0) / total.max(1.0);
        let expected = window.expected * share;
        let stands_out = count >= 3.0 && count >= RAISED * expected;
        seen += usize::from(stands_out);
        let due = share >= CARRIER_SHARE && expected * raised >= DUE;
        telling += usize::from(stands_out || due);
    }
    seen >= telling.clamp(2, 3)
}

/// Tells whether failures in some cells are those of one host, others being fine.
pub(super) fn is_one_hosts(data: &Data, rows: &[u32], window: &Window) -> bool {
    is_one(data, rows, window, RAISED, |row| {
        data.rows[row as usize].host
    })
}

/// Tells whether failures everywhere are mostly those of one host, or of one carrier of several:
/// an outage of that one and a smaller other at once are not one of all.
pub(super) fn is_mostly_one(data: &Data, rows: &[u32], window: &Window) -> bool {
    let any = f64::INFINITY;
    is_one(data, rows, window, any, |row| data.rows[row as usize].host)
        || is_one(data, rows, window, any, |row| data.rows[row as usize].plmn)
}

/// Tells whether one group makes the excess: the others lack what would be due if they were hit as
/// hard, and are not `raised` times above what is usual either.
fn is_one(
    data: &Data,
    rows: &[u32],
    window: &Window,
    raised: f64,
    group: impl Fn(u32) -> Option<u32>,
) -> bool {
    let (inside, outside) = split_counts(data, rows, window, group);
    let total: f64 = outside.values().sum();
    let expected = |group: &u32| match outside.get(group) {
        Some(count) => window.expected * count / total,
        None => 0.0,
    };
    let excess = |group: &u32, count: f64| count - expected(group);
    let top = inside
        .iter()
        .max_by(|a, b| excess(a.0, *a.1).total_cmp(&excess(b.0, *b.1)));
    let Some((top, count)) = top else {
        return false;
    };
    let rest: f64 = inside.values().sum::<f64>() - count;
    let usual = window.expected - expected(top);
    let due = usual * (count + 0.5) / (expected(top) + 0.5);
    due >= DUE && rest < OTHERS * due && rest < raised * usual + 3.0
}

type Counts = BTreeMap<u32, f64>;

/// Counts rows inside and outside of a window by what `group` returns.
fn split_counts(
    data: &Data,
    rows: &[u32],
    window: &Window,
    group: impl Fn(u32) -> Option<u32>,
) -> (Counts, Counts) {
    let (mut inside, mut outside) = (Counts::new(), Counts::new());
    for row in rows {
        let at = data.slot(*row);
        let Some(group) = group(*row) else { continue };
        let within = window.span.0 <= at && at < window.span.1;
        let counts = if within { &mut inside } else { &mut outside };
        *counts.entry(group).or_default() += 1.0;
    }
    (inside, outside)
}

/// Activity round an outage.
pub(super) struct Active {
    /// Most terminals in one hour.
    pub(super) terminals: u64,
    /// Attempts in the time of the outage.
    attempts: f64,
}

impl Active {
    /// Adds up what an outage concerns, from the hour before to the hour after: heartbeats report
    /// attempts late, and none come while there is no network.
    pub(super) fn of(data: &Data, outage: &Outage) -> Self {
        let from = hour_of(outage.from_slot) - data.first_hour - 1;
        let to = hour_of(outage.to_slot - 1) - data.first_hour + 1;
        let concerned =
            |row: &&Activity| concerns(outage, row.host, row.plmn, row.cell_r4, row.app_version);
        let rows: Vec<&Activity> = data.active(from, to).iter().filter(concerned).collect();
        let hours = rows.chunk_by(|a, b| a.hour == b.hour);
        let terminals = hours.map(|rows| rows.iter().map(|row| u64::from(row.terminals)).sum());
        let attempts: u64 = rows.iter().map(|row| u64::from(row.attempts)).sum();
        let hours = (outage.to_slot - outage.from_slot) as f64 / SLOTS_PER_HOUR as f64;
        Self {
            terminals: terminals.max().unwrap_or(0),
            attempts: attempts as f64 / (to - from + 1) as f64 * hours,
        }
    }

    /// Tells whether a good share of what was active fails; nothing known is no objection.
    pub(super) fn is_hit(&self, outage: &Outage, options: &Options) -> bool {
        let everywhere = outage.cells_r4.is_empty();
        let least = match outage.kind {
            Kind::Release => return true,
            Kind::Carrier | Kind::Region if !everywhere => options.min_place_share,
            _ => options.min_entity_share,
        };
        if self.terminals == 0 || self.attempts <= 0.0 {
            return true;
        }
        let hours = (outage.to_slot - outage.from_slot) as f64 / SLOTS_PER_HOUR as f64;
        let terminals = outage.terminals as f64 / (self.terminals as f64 * hours.max(1.0));
        terminals.max(outage.failures as f64 / self.attempts) >= least
    }
}
