//! The search: take the best explanation, remove what it explains, begin anew.

use rayon::prelude::*;

use super::join;
use super::places::{Incident, overlap};
use super::release::{self, Rates};
use super::rows::{Data, Key};
use super::shape::Shape;
use super::verify::{
    Active, is_broad, is_mostly_one, is_one_hosts, is_seen_on_carriers, per_terminal,
    usual_dispersion,
};
use super::window::{self, Expected, Law, Least, Window};
use super::{Kind, Options, Outage, SLOTS_PER_HOUR, VersionLife};
use crate::stop::{Stop, Stopped};

/// Windows of one entity that are looked at before it is given up.
const TRIES: usize = 12;
/// Cells from which incidents are grown in a round, and incidents after which that ends.
const SEEDS: usize = 24;
const ENOUGH: usize = 4;
/// A terminal with more than this share of a window's failures is taken out before the window is.
const DOMINANT: f64 = 0.2;

/// State of a search.
pub(super) struct Search<'a> {
    data: Data,
    lives: &'a [VersionLife],
    options: &'a Options,
    found: Vec<Outage>,
    dispersion: f64,
    plmns: Vec<u32>,
}

/// What stays the same while one explanation is looked for.
pub(super) struct Round<'a> {
    pub(super) data: &'a Data,
    pub(super) shape: Shape,
    pub(super) daily: Expected,
    pub(super) options: &'a Options,
    pub(super) release_threshold: f64,
    /// All carriers, ascending.
    pub(super) plmns: &'a [u32],
    threshold: f64,
    dispersion: f64,
    lives: &'a [VersionLife],
    rates: Option<Rates>,
}

/// An explanation and how much better it is than none.
struct Candidate {
    score: f64,
    order: Key,
    outage: Outage,
}

impl<'a> Search<'a> {
    pub(super) fn new(data: Data, lives: &'a [VersionLife], options: &'a Options) -> Self {
        let carriers = data.entities.iter().filter_map(|(key, _)| match key {
            Key::Carrier(plmn) => Some(*plmn),
            _ => None,
        });
        Self {
            plmns: carriers.collect(),
            dispersion: usual_dispersion(&data),
            data,
            lives,
            options,
            found: Vec::new(),
        }
    }

    pub(super) fn run(mut self, stop: &Stop) -> Result<Vec<Outage>, Stopped> {
        for number in 0..self.options.max_outages {
            stop.check()?;
            let Some(best) = self.round().best() else {
                break;
            };
            self.data.remove(&best, number as u32);
            self.found.push(best);
        }
        Ok(join::joined(&self.data, &self.found))
    }

    fn round(&self) -> Round<'_> {
        let shape = Shape::of(&self.data);
        let rates = (!self.data.activity.is_empty()).then(|| Rates::of(&self.data, &self.found));
        let slots = self.data.slots();
        let longest = slots.min(self.options.max_slots as f64);
        let entities = self.data.entities.len() as f64;
        let threshold = |windows: f64| (entities * windows / self.options.alpha).ln();
        Round {
            data: &self.data,
            daily: shape.daily(),
            shape,
            options: self.options,
            threshold: threshold(slots * longest),
            release_threshold: threshold(slots * slots / 2.0),
            dispersion: self.dispersion,
            plmns: &self.plmns,
            lives: self.lives,
            rates,
        }
    }
}

impl Round<'_> {
    /// What a window of a host, carrier or region has at least.
    pub(super) fn least(&self) -> Least {
        Least {
            max_slots: self.options.max_slots,
            count: self.options.min_count,
            ratio: self.options.min_ratio,
        }
    }

    /// Rows that are left of some entities, ascending.
    pub(super) fn rows_of(&self, entities: impl Iterator<Item = usize>) -> Vec<u32> {
        let mut rows: Vec<u32> = entities.flat_map(|at| self.data.left(at)).collect();
        rows.sort_unstable();
        rows
    }

    /// First slot of a version and the slot after its last, counted from the first hour.
    pub(super) fn life(&self, version: u32) -> Option<(i64, i64)> {
        let start = self.data.first_hour * SLOTS_PER_HOUR;
        let mut lives = self.lives.iter().filter(|life| life.app_version == version);
        let first = lives.next()?;
        let life = lives.fold((first.first_slot, first.last_slot), |life, next| {
            (life.0.min(next.first_slot), life.1.max(next.last_slot))
        });
        let end = self.data.hours as i64 * SLOTS_PER_HOUR;
        Some((
            (life.0 - start).clamp(0, end),
            (life.1 + 1 - start).clamp(0, end),
        ))
    }

    /// Finds the best explanation of what is left.
    fn best(&self) -> Option<Outage> {
        let mut candidates: Vec<Candidate> = (0..self.data.entities.len())
            .into_par_iter()
            .filter(|at| !matches!(self.data.entities[*at].0, Key::Place(..)))
            .filter_map(|at| self.entity(at))
            .collect();
        candidates.extend(self.incidents());
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.order.cmp(&b.order)));
        candidates.into_iter().next().map(|best| best.outage)
    }

    /// Finds the best window of an entity that is an outage.
    fn entity(&self, at: usize) -> Option<Candidate> {
        let key = self.data.entities[at].0;
        let mut rows = self.data.left(at);
        for _ in 0..TRIES {
            let (mut window, law, weights, others) = self.window(key, &rows)?;
            let accepted = match key {
                Key::Release(version) => {
                    release::is_one(self, version, &rows, &window, others.as_ref()?)
                }
                _ => self.is_broad(&rows, &window, law),
            };
            let accepted = accepted
                && match key {
                    Key::Host(_) => is_seen_on_carriers(self.data, &rows, &window),
                    Key::Release(_) => true,
                    _ => !is_mostly_one(self.data, &rows, &window),
                };
            if accepted {
                if let Key::Release(version) = key {
                    release::sharpen(self, version, &rows, &mut window, &weights);
                }
                let outage = self.outage(self.empty(key), &rows, &window);
                if let Some(outage) = outage {
                    return Some(Candidate {
                        score: window.llr,
                        order: key,
                        outage,
                    });
                }
            }
            self.take_out(&mut rows, &window);
        }
        None
    }

    /// The window of rows that stands out most, with what it is compared with; for a release also
    /// what is usual of the other versions.
    fn window(&self, key: Key, rows: &[u32]) -> Option<(Window, Law, Expected, Option<Expected>)> {
        if rows.len() < self.options.min_count as usize {
            return None;
        }
        let series = self.data.series(rows);
        if let Key::Release(version) = key {
            let (expected, others) = self
                .rates
                .as_ref()?
                .expected(self.data, &self.daily, version);
            let least = Least {
                max_slots: i64::MAX,
                count: self.options.release_min_terminals as u64,
                ratio: self.options.release_min_ratio,
            };
            let window = window::best_by_hours(&series, &expected, Law::Poisson, least)?;
            return Some((window, Law::Poisson, expected, Some(others)));
        }
        let weights = self.shape.weights(&series);
        let law = Law::conditional(&series, &weights);
        let window = window::best(&series, &weights, law, self.least())?;
        Some((window, law, weights, None))
    }

    fn is_broad(&self, rows: &[u32], window: &Window, law: Law) -> bool {
        let counts = per_terminal(self.data, self.data.inside(rows, window.span));
        let bar = (self.threshold, self.dispersion);
        is_broad(window, law, &counts, bar, self.options)
    }

    /// Takes a terminal that makes a window, or else the window, out of rows.
    fn take_out(&self, rows: &mut Vec<u32>, window: &Window) {
        let counts = per_terminal(self.data, self.data.inside(rows, window.span));
        let worst = counts
            .first()
            .filter(|(count, _)| *count as f64 > DOMINANT * window.count as f64)
            .map(|(_, terminal)| *terminal);
        rows.retain(|row| {
            let at = self.data.slot(*row);
            let inside = window.span.0 <= at && at < window.span.1;
            let terminal = self.data.rows[*row as usize].terminal;
            !inside || worst.is_some_and(|worst| worst != terminal)
        });
    }

    /// Grows incidents from the cells that stand out most.
    fn incidents(&self) -> Vec<Candidate> {
        let mut seeds: Vec<Incident> = (0..self.data.entities.len())
            .into_par_iter()
            .filter_map(|at| self.seed(at))
            .collect();
        seeds.sort_by(|a, b| {
            let llr = b.window.llr.total_cmp(&a.window.llr);
            llr.then_with(|| a.cells.cmp(&b.cells).then_with(|| a.plmns.cmp(&b.plmns)))
        });
        let mut grown: Vec<Incident> = Vec::new();
        let mut found = Vec::new();
        for seed in seeds.into_iter().take(SEEDS) {
            let known = |other: &Incident| {
                seed.members.is_subset(&other.members)
                    && overlap(seed.window.span, other.window.span)
            };
            if grown.iter().any(known) {
                continue;
            }
            let incident = seed.grow(self);
            found.extend(self.incident(&incident));
            grown.push(incident);
            if found.len() >= ENOUGH {
                break;
            }
        }
        found
    }

    /// The window of a cell from which an incident may grow.
    fn seed(&self, at: usize) -> Option<Incident> {
        let Key::Place(plmn, cell) = self.data.entities[at].0 else {
            return None;
        };
        let mut rows = self.data.left(at);
        for _ in 0..TRIES {
            if rows.len() < 4 {
                return None;
            }
            let series = self.data.series(&rows);
            let weights = self.shape.weights(&series);
            let law = Law::conditional(&series, &weights);
            let least = Least {
                count: 4,
                ..self.least()
            };
            let window = window::best(&series, &weights, law, least)?;
            if window.llr < 0.4 * self.threshold {
                return None;
            }
            let counts = per_terminal(self.data, self.data.inside(&rows, window.span));
            let worst = counts.first().map_or(0, |(count, _)| *count);
            if counts.len() >= 3 && worst * 2 <= window.count {
                let left = self.data.left(at);
                return Some(Incident::seed((plmn, cell), at, left, (window, law)));
            }
            self.take_out(&mut rows, &window);
        }
        None
    }

    fn incident(&self, incident: &Incident) -> Option<Candidate> {
        let Incident { window, rows, .. } = incident;
        if !self.is_broad(rows, window, incident.law) || is_one_hosts(self.data, rows, window) {
            return None;
        }
        let plmn = *incident.plmns.first()?;
        let one = incident.plmns.len() == 1;
        let draft = Outage {
            kind: if one { Kind::Carrier } else { Kind::Region },
            plmn: one.then_some(plmn),
            cells_r4: incident.cells.iter().copied().collect(),
            ..self.empty(Key::Everything)
        };
        Some(Candidate {
            // Each cell more is a choice more.
            score: window.llr - (incident.members.len() - 1) as f64,
            order: Key::Place(plmn, *incident.cells.first()?),
            outage: self.outage(draft, rows, window)?,
        })
    }

    /// An outage of an entity, still without a time.
    fn empty(&self, key: Key) -> Outage {
        let mut outage = Outage {
            kind: Kind::Region,
            host: None,
            plmn: None,
            app_version: None,
            cells_r4: Vec::new(),
            from_slot: 0,
            to_slot: 0,
            terminals: 0,
            active_terminals: 0,
            failures: 0,
            count: 0,
            expected: 0.0,
            llr: 0.0,
        };
        match key {
            Key::Host(host) => (outage.kind, outage.host) = (Kind::Host, Some(host)),
            Key::Carrier(plmn) => (outage.kind, outage.plmn) = (Kind::Carrier, Some(plmn)),
            Key::Release(version) => {
                (outage.kind, outage.app_version) = (Kind::Release, Some(version));
            }
            Key::Everything | Key::Place(..) => {}
        }
        outage
    }

    /// Fills in the numbers of an outage; `None` when too small a share of what was active fails.
    fn outage(&self, draft: Outage, rows: &[u32], window: &Window) -> Option<Outage> {
        let start = self.data.first_hour * SLOTS_PER_HOUR;
        let inside = self.data.inside(rows, window.span);
        let failures = |row: &u32| u64::from(self.data.rows[*row as usize].failures);
        let mut outage = Outage {
            from_slot: start + window.span.0,
            to_slot: start + window.span.1,
            terminals: per_terminal(self.data, inside).len(),
            failures: inside.iter().map(failures).sum(),
            count: window.count,
            expected: window.expected,
            llr: window.llr,
            ..draft
        };
        let active = Active::of(self.data, &outage);
        outage.active_terminals = active.terminals;
        active.is_hit(&outage, self.options).then_some(outage)
    }
}
