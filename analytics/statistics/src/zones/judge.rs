//! Candidates: joined cells, one test for the whole, and what is left without any one part.
//!
//! Candidates are chosen for being high, so the tail probability of their counts is multiplied by the
//! number of connected sets of as many cells that the layer could have offered. Connected sets of k
//! hexagons, up to a shift, are fewer than 5.1832^k (growth constant by Vöge and Guttmann 2003), each at
//! as many places as the layer has cells. That bounds the search from above, without simulation.
//!
//! Tails of a few terminals that differ more than the beta distribution allows are too light far out:
//! over ordinary cells of three, a p-value of 0.0001 is met 6 to 12 times as often. Without the worst
//! of them it is met less often than it says, and a zone needs both.

use h3o::CellIndex;

use super::bad::may_meet;
use super::describe::{describe, llr, raised_dayparts};
use super::fleet::{Fleet, Seat};
use super::good;
use super::grow::grow;
use super::inside::Inside;
use super::layer::{Evidence, Ground, Layer, RAISED_P, RAISED_RATIO};
use super::leave_out::{Left, Parts, Tested};
use super::{CellClass, Zone, ZoneOptions};

/// Growth constant of fixed polyhexes.
const POLYHEX_GROWTH: f64 = 5.1832;
/// Share of weak readings from which it is the place that is weak, whatever is broken in it.
const MOSTLY_WEAK: f64 = 0.5;
/// Fewest readings by which a cell's signal is judged.
pub(super) const JUDGED_READINGS: u64 = 50;
/// A carrier with one terminal in a place says nothing about the place.
const OBSERVED_TERMINALS: usize = 2;

/// Joined cells with what is known about them.
pub(super) struct Candidate {
    pub(super) zone: Zone,
    pub(super) p: f64,
    /// How many bad terminals may have met there by chance, and what is left without so many.
    pub(super) bad: usize,
    pub(super) without_bad: Option<Left>,
    pub(super) without_terminal: Option<Left>,
    pub(super) without_merchant: Option<Left>,
}

/// A cell that was joined and taken out again.
pub(super) struct Cut {
    pub(super) cell: CellIndex,
    /// The carrier whose place it was; `None` when it was one of several carriers.
    pub(super) plmn: Option<usize>,
    pub(super) reason: CutReason,
}

/// Why a cell was taken out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CutReason {
    /// Its signal is good, and that of the place is weak.
    GoodSignal,
    /// Another carrier works there, and the place was to be one of every carrier.
    GoodCarrier,
}

/// A layer that candidates are judged in.
pub(super) struct Court<'a> {
    fleet: &'a Fleet<'a>,
    ground: &'a Ground,
    layer: &'a Layer,
    all: Evidence,
    options: &'a ZoneOptions,
}

impl<'a> Court<'a> {
    pub(super) fn of(
        fleet: &'a Fleet<'a>,
        ground: &'a Ground,
        layer: &'a Layer,
        options: &'a ZoneOptions,
    ) -> Self {
        Self {
            fleet,
            ground,
            layer,
            all: layer.evidence(),
            options,
        }
    }

    /// Every candidate of the layer; those of the layer of all carriers only where several are observed
    /// and each is raised.
    pub(super) fn candidates(&self, cuts: &mut Vec<Cut>) -> Vec<Candidate> {
        if !self.fleet.has_rates {
            return Vec::new();
        }
        let mut found = Vec::new();
        for grown in grow(self.layer, self.options.gap) {
            let cells = self.without_good_signal(&grown);
            self.note(&grown, &cells, CutReason::GoodSignal, cuts);
            match self.layer.plmn {
                Some(_) => found.extend(self.judge(self.inside(&cells), cells)),
                None => found.extend(self.everyones(&cells, cuts)),
            }
        }
        found
    }

    /// Connected pieces of cells of one carrier that a candidate could have started from, judged.
    pub(super) fn pieces(&self, cells: impl Iterator<Item = CellIndex>) -> Vec<Candidate> {
        let count = |cells: &[CellIndex], class: CellClass| {
            let known = cells.iter().filter_map(|cell| self.layer.at(*cell));
            known.filter(|known| known.class == class).count()
        };
        let pieces = good::pieces(cells.collect(), |cell| self.has_data(cell));
        let judged = pieces
            .into_iter()
            .filter(|cells| {
                count(cells, CellClass::High) > 0 || count(cells, CellClass::Raised) > 1
            })
            .filter_map(|cells| self.judge(self.inside(&cells), cells));
        judged.collect()
    }

    fn has_data(&self, cell: CellIndex) -> bool {
        let known = self.layer.at(cell);
        known.is_some_and(|known| known.sums.attempts > 0)
    }

    fn inside(&self, cells: &[CellIndex]) -> Inside<'a> {
        Inside::of(self.ground, self.fleet, self.layer, cells)
    }

    fn note(&self, from: &[CellIndex], left: &[CellIndex], reason: CutReason, cuts: &mut Vec<Cut>) {
        let gone = from.iter().filter(|cell| left.binary_search(cell).is_err());
        cuts.extend(gone.map(|&cell| Cut {
            cell,
            plmn: self.layer.plmn,
            reason,
        }));
    }

    /// Places of every carrier in joined cells: where one works it is cut off, or named.
    fn everyones(&self, cells: &[CellIndex], cuts: &mut Vec<Cut>) -> Vec<Candidate> {
        let good = good::good_cells(self.ground, cells, self.options);
        let fails = |cell| good::fails_by_signal(self.ground, cell, self.options);
        let pieces = good::cut(cells, &good, |cell| self.has_data(cell), fails);
        let mut left: Vec<CellIndex> = pieces.iter().flatten().copied().collect();
        left.sort_unstable();
        self.note(cells, &left, CutReason::GoodCarrier, cuts);
        let judged = pieces.into_iter().filter_map(|cells| {
            let inside = self.inside(&cells);
            if !is_everyones(&inside, self.options) {
                return None;
            }
            let mut good = good::good_cells(self.ground, &cells, self.options);
            good::add_whole(&inside, &mut good, self.options);
            let parts = good::good_parts(&inside, &good);
            let works = |seat: &Seat| {
                let own = good.get(&seat.plmn);
                own.is_some_and(|cells| cells.contains(&seat.cell))
            };
            let mut candidate = self.judge(inside.without(works), cells)?;
            candidate.zone.good_parts = parts;
            Some(candidate)
        });
        judged.collect()
    }

    /// Takes cells with good signal out of a place that is weak as a whole: growing and bridging took
    /// them in, and what fails in them fails for other reasons. A place that is not weak stays as it is.
    fn without_good_signal(&self, cells: &[CellIndex]) -> Vec<CellIndex> {
        let sums = |cell: &CellIndex| {
            let known = self.layer.at(*cell);
            known.map_or((0, 0), |known| {
                (known.sums.readings, known.sums.weak_readings)
            })
        };
        let is_weak =
            |(readings, weak): (u64, u64)| weak as f64 >= self.options.weak_share * readings as f64;
        let all = cells
            .iter()
            .map(sums)
            .fold((0, 0), |all, cell| (all.0 + cell.0, all.1 + cell.1));
        let stays = |cell: &CellIndex| {
            let measured = sums(cell);
            all.0 == 0 || !is_weak(all) || measured.0 < JUDGED_READINGS || is_weak(measured)
        };
        cells.iter().copied().filter(stays).collect()
    }

    fn judge(&self, inside: Inside<'_>, cells: Vec<CellIndex>) -> Option<Candidate> {
        let tries = self.layer.cells.len() as f64 * POLYHEX_GROWTH.powf(cells.len() as f64);
        let evidence = inside.evidence();
        let full = Tested::of(&evidence, tries)?;
        let terminals = Parts::of(&inside, |seat| seat.terminal);
        let merchants = Parts::of(&inside, |seat| seat.merchant);
        let mut zone = describe(&inside, self.layer, cells, self.options);
        let estimate = full.estimate;
        zone.expected = evidence.expected;
        zone.eb_rate = estimate.rate;
        (zone.low, zone.high) = estimate.interval();
        zone.baseline_rate = evidence.baseline_rate();
        zone.rate_ratio = estimate.ratio;
        zone.dayparts = raised_dayparts(&inside, zone.baseline_rate);
        zone.llr = llr(&self.all, &evidence);
        zone.p = full.p;
        zone.worst_terminal_share = terminals.share;
        zone.worst_merchant_share = merchants.share;
        let places = self.layer.cells.len() as f64;
        let is_mostly_weak = zone.weak_share.is_some_and(|share| share >= MOSTLY_WEAK);
        let bad = match is_mostly_weak {
            true => 1,
            false => may_meet(
                zone.terminals,
                self.ground.bad_share,
                places,
                self.options.q,
            ),
        };
        let of_terminal = |seat: &Seat| seat.terminal;
        Some(Candidate {
            zone,
            p: full.p,
            bad,
            without_bad: terminals.without_worst(&inside, tries, bad, of_terminal),
            without_terminal: terminals.without_any(&inside, tries, of_terminal),
            without_merchant: merchants.without_any(&inside, tries, |seat| seat.merchant),
        })
    }
}

/// Whether at least two carriers are observed and each of them is clearly raised.
fn is_everyones(inside: &Inside<'_>, options: &ZoneOptions) -> bool {
    let mut observed = 0;
    for plmn in inside.distinct(|seat| seat.plmn) {
        let mut terminals: Vec<u32> = inside
            .seats()
            .filter(|seat| seat.plmn == plmn && seat.sums.attempts > 0)
            .map(|seat| seat.terminal)
            .collect();
        terminals.sort_unstable();
        terminals.dedup();
        let evidence = inside.evidence_of(|seat| seat.plmn == plmn);
        let enough = evidence.attempts >= options.min_attempts.max(1) as f64;
        if !enough || terminals.len() < OBSERVED_TERMINALS {
            continue;
        }
        observed += 1;
        let raised = evidence.estimate().ratio >= RAISED_RATIO && evidence.upper_tail() <= RAISED_P;
        if !raised {
            return false;
        }
    }
    observed >= 2
}
