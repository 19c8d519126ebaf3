//! Releases: a version of the application against the others in the same hours and places.

use std::collections::BTreeMap;

use h3o::CellIndex;

use super::rows::{Data, hour_of};
use super::search::Round;
use super::verify::{dispersion, per_terminal};
use super::window::{Expected, Window};
use super::{Activity, Outage, SLOTS_PER_HOUR, concerns};

/// Terminal-hours at the common rate that each place is given.
const PLACE_PRIOR: f64 = 100.0;
/// Failures at the usual rate that each hour is given.
const HOUR_PRIOR: f64 = 5.0;
/// Slots that must be seen before a release: what was always there has no onset.
const ONSET: i64 = 6 * SLOTS_PER_HOUR;
/// Least rise of the terminals concerned against themselves before.
const OWN_RATIO: f64 = 1.25;
/// Share of the release's time by weight that must be known before it for that comparison.
const OWN_TIME: f64 = 0.25;
/// Largest likelihood ratio of the failures between the first sign of a version and the window
/// against the rate inside of the window.
const SAME_RATE: f64 = 4.0;
/// Share of the failures of the window below which such a time is too quiet to speak.
const QUIET: f64 = 0.02;
/// Failures of the other versions that must be due in a window, also as a share of the version's.
const OTHERS_DUE: f64 = 20.0;
const OTHERS_SHARE: f64 = 0.1;

type Stratum = (Option<u32>, Option<CellIndex>);

/// Failures of every version that the rates of the others predict.
pub(super) struct Rates {
    stratum: Vec<u32>,
    /// Active terminals of a row of activity in the part of its hour that no outage covers.
    exposure: Vec<f64>,
    /// Failing terminals by version, stratum and hour, that are left.
    failing: BTreeMap<(Option<u32>, u32, u32), f64>,
    strata: usize,
}

impl Rates {
    /// Counts what is left beside the outages found so far.
    pub(super) fn of(data: &Data, found: &[Outage]) -> Self {
        let mut strata: BTreeMap<Stratum, u32> = BTreeMap::new();
        let mut number = |stratum: Stratum| {
            let next = strata.len() as u32;
            *strata.entry(stratum).or_insert(next)
        };
        let active = data.activity.iter();
        let stratum = active.map(|row| number((row.plmn, row.cell_r4))).collect();
        let mut failing = BTreeMap::new();
        for (at, row) in data.rows.iter().enumerate() {
            if data.is_left(at as u32) {
                let hour = (hour_of(row.slot) - data.first_hour) as u32;
                let key = (row.app_version, number((row.plmn, row.cell_r4)), hour);
                *failing.entry(key).or_default() += 1.0;
            }
        }
        let exposure = data
            .activity
            .iter()
            .map(|row| exposure(row, found))
            .collect();
        Self {
            stratum,
            exposure,
            failing,
            strata: strata.len(),
        }
    }

    /// Predicts the failures of a version in each hour, and what is usual of the others then.
    pub(super) fn expected(
        &self,
        data: &Data,
        daily: &Expected,
        version: u32,
    ) -> (Expected, Expected) {
        let rates = self.rates_of_others(data, version);
        let mut own = vec![0.0; data.hours];
        let mut others = vec![0.0; data.hours];
        for (at, row) in data.activity.iter().enumerate() {
            let due = self.exposure[at] * rates[self.stratum[at] as usize];
            let hour = (row.hour - data.first_hour) as usize;
            let side = if row.app_version == Some(version) {
                &mut own
            } else {
                &mut others
            };
            side[hour] += due;
        }
        let mut failed = vec![0.0; data.hours];
        for ((of, _, hour), count) in &self.failing {
            if *of != Some(version) {
                failed[*hour as usize] += count;
            }
        }
        let expected = Expected::of((0..data.hours).map(|hour| {
            let slot = hour as i64 * SLOTS_PER_HOUR;
            let usual = daily.within((slot, slot + SLOTS_PER_HOUR));
            own[hour] * (failed[hour] + HOUR_PRIOR * usual) / (others[hour] + HOUR_PRIOR)
        }));
        (expected, Expected::of(others))
    }

    /// Failing terminals per active terminal and hour of the other versions, by stratum.
    fn rates_of_others(&self, data: &Data, version: u32) -> Vec<f64> {
        let mut exposed = vec![0.0; self.strata];
        let mut failed = vec![0.0; self.strata];
        for (at, row) in data.activity.iter().enumerate() {
            if row.app_version != Some(version) {
                exposed[self.stratum[at] as usize] += self.exposure[at];
            }
        }
        for ((of, stratum, _), count) in &self.failing {
            if *of != Some(version) {
                failed[*stratum as usize] += count;
            }
        }
        let common = failed.iter().sum::<f64>() / exposed.iter().sum::<f64>().max(1.0);
        let both = failed.iter().zip(&exposed);
        both.map(|(failed, exposed)| (failed + PLACE_PRIOR * common) / (exposed + PLACE_PRIOR))
            .collect()
    }
}

fn exposure(row: &Activity, found: &[Outage]) -> f64 {
    let (from, to) = (row.hour * SLOTS_PER_HOUR, (row.hour + 1) * SLOTS_PER_HOUR);
    let covered = found
        .iter()
        .filter(|outage| concerns(outage, row.host, row.plmn, row.cell_r4, row.app_version))
        .map(|outage| (outage.to_slot.min(to) - outage.from_slot.max(from)).max(0))
        .max();
    let left = SLOTS_PER_HOUR - covered.unwrap_or(0);
    f64::from(row.terminals) * left as f64 / SLOTS_PER_HOUR as f64
}

/// Tells whether a window of a version is a release that made things worse.
pub(super) fn is_one(
    round: &Round<'_>,
    version: u32,
    rows: &[u32],
    window: &Window,
    others: &Expected,
) -> bool {
    let due = others.within(window.span);
    if due < OTHERS_DUE || due < OTHERS_SHARE * window.weight {
        return false;
    }
    let counts = per_terminal(round.data, round.data.inside(rows, window.span));
    counts.len() >= round.options.release_min_terminals
        && window.llr >= round.release_threshold * dispersion(&counts)
        && has_onset(round, version, window)
        && rises_against_itself(round, &counts, window)
}

fn has_onset(round: &Round<'_>, version: u32, window: &Window) -> bool {
    let first = match round.life(version) {
        Some((first, _)) => first.max(window.span.0.min(ONSET)),
        None => window.span.0,
    };
    first.max(window.span.0) >= ONSET
}

/// Compares the terminals that fail with themselves before: a version given to bad devices is not
/// to blame for them.
fn rises_against_itself(round: &Round<'_>, counts: &[(u64, u32)], window: &Window) -> bool {
    let mut terminals: Vec<u32> = counts.iter().map(|(_, terminal)| *terminal).collect();
    terminals.sort_unstable();
    let earlier = |row: &u32| {
        let terminal = round.data.rows[*row as usize].terminal;
        round.data.is_left(*row) && terminals.binary_search(&terminal).is_ok()
    };
    let rows: Vec<u32> = (0..round.data.rows.len() as u32).collect();
    let before = round.data.inside(&rows, (0, window.span.0));
    let before = before.iter().filter(|row| earlier(row)).count() as f64;
    let (time_before, time) = (
        round.daily.within((0, window.span.0)),
        round.daily.within(window.span),
    );
    if before == 0.0 || time_before < OWN_TIME * time {
        return true;
    }
    window.count as f64 / time >= OWN_RATIO * before / time_before
}

/// Moves the edges to where the version was first and last seen, when the failures in between do
/// not speak against the rate of the window.
pub(super) fn sharpen(
    round: &Round<'_>,
    version: u32,
    rows: &[u32],
    window: &mut Window,
    expected: &Expected,
) {
    let Some((first, end)) = round.life(version) else {
        return;
    };
    let raised = window.count as f64 / window.weight.max(1e-9);
    let agrees = |span: (i64, i64)| {
        let count = round.data.inside(rows, span).len() as f64;
        let due = (expected.within(span) * raised).max(1e-9);
        let log = if count > 0.0 {
            count * (count / due).ln()
        } else {
            0.0
        };
        due <= QUIET * window.count as f64 || log - count + due <= SAME_RATE
    };
    let (from, to) = window.span;
    if first < from && agrees((first, from)) {
        window.span.0 = first;
    }
    if end > to && agrees((to, end)) {
        window.span.1 = end;
    }
}
