//! Weak zones, not-spots and failure zones: joined cells where terminals fail credibly often.
//!
//! Expected failures are indirectly standardised: device model, technology and carrier are fitted
//! together with the place by [`crate::logit`], then the place is taken off, so that a district full of a
//! bad model is no weak zone. Terminals differ, and so do ordinary cells: both spreads are estimated
//! from cells where nothing is raised, and every test carries them, so that three terminals weigh as
//! three. Cells with a credibly high empirical-Bayes rate are joined into candidates, and a candidate
//! must hold as a whole: by its counts, its rate, a p-value that pays for having been chosen (`judge`),
//! and without any one of its terminals or merchants (`leave_out`), or as many bad terminals as may
//! have met there (`bad`). What does not hold is listed with what it lacks. How many terminals may be shown to others is a matter of privacy, and not decided here.
//!
//! Each carrier is searched alone, and all carriers together: where several are observed and each
//! is raised, the place is a not-spot, which takes the carriers' own zones in. Where one of them works,
//! cell by cell, the place is cut, or the carrier named (`good`).
//!
//! Every step is bounded by the rows: the fit has 60 sweeps, baselines and spreads 6 rounds of 4 passes,
//! a bridge looks 3 cells far from each high one, growing, filling and cutting visit a cell once for each
//! of its neighbours, and a candidate is weighed again for at most 33 of its parts and once for each of
//! its carriers.
//!
//! This module knows counts and cells only. Outages, fixed lines and bad terminals are taken out
//! before; what a zone is called tomorrow is decided by [`keep_ids`].

mod bad;
mod describe;
mod expected;
mod fleet;
mod good;
mod grow;
mod identity;
mod inside;
mod judge;
mod layer;
mod leave_out;
mod refusal;
mod spread;
#[cfg(test)]
mod tests;
mod verdict;
mod why;

use h3o::{CellIndex, Resolution};

pub use identity::{Identities, KnownZone, ZoneState, keep_ids};
pub use refusal::Refusal;

use rayon::prelude::*;

use crate::gi_star;
use judge::Court;
use layer::{Layer, LayerCell};
use why::Reasons;

/// The counts of one terminal in one cell during the window; repeated rows are added up.
#[derive(Clone, Copy, Debug)]
pub struct PlaceCounts<'a> {
    /// The cell; all rows have one resolution.
    pub cell: CellIndex,
    /// The serving network.
    pub plmn: &'a str,
    /// The terminal.
    pub terminal: &'a str,
    /// The merchant that it stands at.
    pub merchant: &'a str,
    /// Its device model and firmware.
    pub model: &'a str,
    /// Its radio technology.
    pub rat: &'a str,
    /// Attempts; 0 is missing.
    pub attempts: u64,
    /// Out-of-range failures among them, outages and fixed lines taken out.
    pub failures: u64,
    /// Signal readings.
    pub readings: u64,
    /// Weak ones among them.
    pub weak_readings: u64,
    /// Days with attempts.
    pub days: u32,
    /// Failures by quarter of the local day.
    pub daypart_failures: [u64; 4],
    /// Attempts by quarter of the local day.
    pub daypart_attempts: [u64; 4],
}

/// What makes a zone; the defaults are those of the design.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZoneOptions {
    /// Fewest distinct terminals in a zone: without any one, two still agree.
    pub min_terminals: usize,
    /// Fewest distinct merchants in a zone.
    pub min_merchants: usize,
    /// Fewest attempts in a zone, and of a carrier that counts as observed there.
    pub min_attempts: u64,
    /// Fewest days with attempts; the busiest terminal of the zone decides.
    pub min_days: u32,
    /// Fewest quarters of the day with a raised rate.
    pub min_dayparts: usize,
    /// Smallest empirical-Bayes rate, in baselines of the carrier.
    pub rate_ratio: f64,
    /// Largest false discovery rate of cells, and then of zones, inside (0, 1).
    pub q: f64,
    /// Smallest share of weak readings in a weak zone.
    pub weak_share: f64,
    /// Fewest attempts of a cell that is tested.
    pub min_cell_attempts: u64,
    /// Widest gap, in cells without contrary data, that is bridged between high cells.
    pub gap: u32,
    /// Rings of neighbours of the Gi* column.
    pub rings: u32,
    /// Whether the report lists the cells too: their intervals take as long as the search.
    pub lists_cells: bool,
}

impl Default for ZoneOptions {
    fn default() -> Self {
        Self {
            min_terminals: 3,
            min_merchants: 2,
            min_attempts: 100,
            min_days: 3,
            min_dayparts: 2,
            rate_ratio: 3.0,
            q: 0.05,
            weak_share: 0.10,
            min_cell_attempts: 20,
            gap: 2,
            rings: 1,
            lists_cells: true,
        }
    }
}

/// What a zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZoneKind {
    /// One carrier fails, and its signal is weak.
    WeakZone,
    /// Every carrier observed there fails, and the signal is weak.
    NotSpot,
    /// Failures are high and the signal is not weak: not the carrier's problem.
    FailureZone,
}

impl ZoneKind {
    /// Returns the word of the kind in tables: `weak_zone`, `not_spot` or `failure_zone`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WeakZone => "weak_zone",
            Self::NotSpot => "not_spot",
            Self::FailureZone => "failure_zone",
        }
    }
}

/// Verdict on one cell of one carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellClass {
    /// Credibly high: zones grow from it.
    High,
    /// Clearly raised: joins a zone next to it.
    Raised,
    /// Credibly not raised: no zone is bridged over it.
    Ordinary,
    /// Could be either.
    Open,
    /// Too few attempts for a test.
    Untested,
}

impl CellClass {
    /// Returns the word of the class in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Raised => "raised",
            Self::Ordinary => "ordinary",
            Self::Open => "open",
            Self::Untested => "untested",
        }
    }
}

/// One cell of one carrier.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneCell {
    /// The cell.
    pub cell: CellIndex,
    /// The carrier.
    pub plmn: String,
    /// Attempts of all terminals that were not left out.
    pub attempts: u64,
    /// Failures among them.
    pub failures: u64,
    /// Failures that such devices have in ordinary places of the carrier.
    pub expected: f64,
    /// Distinct terminals.
    pub terminals: usize,
    /// Distinct merchants.
    pub merchants: usize,
    /// Signal readings.
    pub readings: u64,
    /// Weak ones among them.
    pub weak_readings: u64,
    /// Failures / attempts; `None` without attempts.
    pub rate: Option<f64>,
    /// Rate shrunk towards the expected one.
    pub eb_rate: Option<f64>,
    /// Lower end of the 95 % interval of the rate.
    pub eb_low: Option<f64>,
    /// Upper end of the 95 % interval of the rate.
    pub eb_high: Option<f64>,
    /// Gi* of the empirical-Bayes rates among the carrier's cells.
    pub gi_z: Option<f64>,
    /// Probability of at least so many failures in an ordinary place.
    pub p: Option<f64>,
    /// Benjamini–Hochberg q-value over the tested cells of all carriers.
    pub q: Option<f64>,
    /// Verdict.
    pub class: CellClass,
    /// Why a cell that looks bad is in no zone; `None` for cells in one, and for the others.
    pub not_in_zone: Option<String>,
}

/// Counts of one carrier inside a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierCounts {
    /// The carrier.
    pub plmn: String,
    /// Distinct terminals.
    pub terminals: usize,
    /// Attempts.
    pub attempts: u64,
    /// Failures among them.
    pub failures: u64,
}

/// A carrier of a place of several that works in some of its cells: what helps there. These counts
/// are not the zone's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodPart {
    /// The carrier.
    pub plmn: String,
    /// The cells where it works, sorted.
    pub cells: Vec<CellIndex>,
    /// Distinct terminals there.
    pub terminals: usize,
    /// Attempts there.
    pub attempts: u64,
    /// Failures among them.
    pub failures: u64,
}

/// Joined cells with a high failure rate. Counts are those of `plmns` in `cells`, without `good_parts`.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// What it is.
    pub kind: ZoneKind,
    /// The carrier; `None` when it is a place of several carriers.
    pub plmn: Option<String>,
    /// The carriers whose counts these are, sorted.
    pub plmns: Vec<String>,
    /// The cells, sorted; bridged ones without data included.
    pub cells: Vec<CellIndex>,
    /// How many of them have attempts.
    pub cells_with_data: usize,
    /// The cell in the middle of the attempts.
    pub centroid: CellIndex,
    /// Distinct terminals.
    pub terminals: usize,
    /// Distinct merchants.
    pub merchants: usize,
    /// Attempts.
    pub attempts: u64,
    /// Failures among them.
    pub failures: u64,
    /// Failures that such devices have in ordinary places.
    pub expected: f64,
    /// Failures / attempts.
    pub rate: f64,
    /// Rate shrunk towards the expected one.
    pub eb_rate: f64,
    /// Lower end of the 95 % interval of the rate.
    pub low: f64,
    /// Upper end of the 95 % interval of the rate.
    pub high: f64,
    /// Rate of the carrier's ordinary cells.
    pub baseline_rate: f64,
    /// `eb_rate` over the baseline, after the odds that worse devices explain are taken off.
    pub rate_ratio: f64,
    /// Kulldorff's (1997) log likelihood ratio for Poisson counts against `expected`.
    pub llr: f64,
    /// p-value of the zone as the best of all connected sets of as many cells.
    pub p: f64,
    /// Benjamini–Hochberg q-value over the candidates with enough terminals and attempts.
    pub q: Option<f64>,
    /// Signal readings.
    pub readings: u64,
    /// Weak ones among them.
    pub weak_readings: u64,
    /// Their share; `None` without readings.
    pub weak_share: Option<f64>,
    /// Days with attempts of the terminal that has most.
    pub days: u32,
    /// Quarters of the day with a raised rate.
    pub dayparts: usize,
    /// Share of the failures that the worst terminal has.
    pub worst_terminal_share: f64,
    /// Share of the failures that the worst merchant has.
    pub worst_merchant_share: f64,
    /// Whether rate and test hold without any one terminal and without any one merchant.
    pub survives_leave_one_out: bool,
    /// Carriers in the same cells that are not `plmns`, sorted.
    pub other_carriers: Vec<CarrierCounts>,
    /// Carriers of a place of several, where they work all the same, sorted.
    pub good_parts: Vec<GoodPart>,
}

impl Zone {
    /// Returns the carriers and cells that it is made of, without its good parts.
    pub fn cells_of_carriers(&self) -> impl Iterator<Item = (&str, CellIndex)> {
        self.plmns.iter().flat_map(|plmn| {
            let good = self.good_parts.iter().find(|part| part.plmn == *plmn);
            let is_bad = move |cell: &CellIndex| {
                good.is_none_or(|part| part.cells.binary_search(cell).is_err())
            };
            let cells = self.cells.iter().copied().filter(is_bad);
            cells.map(|cell| (plmn.as_str(), cell))
        })
    }
}

/// A candidate that is no zone.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedZone {
    /// What it would have been.
    pub zone: Zone,
    /// Why it is not: the first rule that it breaks.
    pub reason: Refusal,
    /// Every rule that it breaks, in words.
    pub missing: String,
}

/// Baseline of one carrier.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// The carrier.
    pub plmn: String,
    /// Failure rate of its ordinary cells; `None` without attempts there.
    pub rate: Option<f64>,
}

/// Everything found in one window.
#[derive(Clone, Debug, PartialEq)]
pub struct ZonesReport {
    /// Every cell of every carrier, sorted by cell and carrier; empty unless asked for.
    pub cells: Vec<ZoneCell>,
    /// The zones, sorted by lowest cell, carrier and kind.
    pub zones: Vec<Zone>,
    /// Candidates that are none, likewise sorted.
    pub refused: Vec<RefusedZone>,
    /// Baselines, sorted by carrier.
    pub baselines: Vec<Baseline>,
    /// Intra-class correlation of the attempts of one terminal in ordinary places.
    pub terminal_spread: f64,
    /// Correlation between attempts of two terminals in one ordinary cell.
    pub cell_spread: f64,
    /// Share of terminals that fail by themselves, wherever they stand.
    pub bad_share: f64,
}

/// Input that has no zones.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ZonesError {
    /// Counts that are no share.
    #[error("terminal {terminal} in cell {cell} has {part} {what} in {whole}")]
    PartAboveWhole {
        /// The terminal of the row.
        terminal: String,
        /// Its cell.
        cell: CellIndex,
        /// What is counted.
        what: &'static str,
        /// The part.
        part: u64,
        /// The whole.
        whole: u64,
    },
    /// Cells of different sizes in one input.
    #[error("cell {cell} has resolution {found}, the first cell {expected}")]
    MixedResolutions {
        /// The cell that differs.
        cell: CellIndex,
        /// Its resolution.
        found: Resolution,
        /// Resolution of the first.
        expected: Resolution,
    },
    /// More attempts or readings than 2^53.
    #[error("the counts add up to more than 2^53")]
    TooMuch,
    /// An option that is not in its range.
    #[error("option {option} is {value}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// Its value.
        value: f64,
    },
}

/// Finds the zones of a window; terminals in `flagged` are left out everywhere.
///
/// Neither the order of the rows nor the number of threads changes the result. Without any failure,
/// or without any success, nothing can be tested and there are no zones.
///
/// # Errors
/// When counts are no shares, resolutions differ, or an option is out of range.
pub fn find_zones(
    rows: Vec<PlaceCounts<'_>>,
    flagged: &[&str],
    options: &ZoneOptions,
) -> Result<ZonesReport, ZonesError> {
    fleet::check(&rows, options)?;
    let fleet = fleet::Fleet::of(rows, flagged);
    let ground = layer::Ground::of(&fleet, options);
    let together = ground.together(&fleet, options);
    let courts: Vec<Court<'_>> = ground
        .carriers
        .iter()
        .map(|layer| Court::of(&fleet, &ground, layer, options))
        .collect();
    let mut cuts = Vec::new();
    let own = courts.iter().map(|court| court.candidates(&mut cuts));
    let own = own.collect();
    let everyones = together.as_ref().map(|layer| {
        let court = Court::of(&fleet, &ground, layer, options);
        court.candidates(&mut cuts)
    });
    let verdicts = verdict::verdicts(&courts, own, everyones.unwrap_or_default(), options);
    let baselines = ground.baselines(&fleet);
    let mut cells = Vec::new();
    if options.lists_cells {
        cells = cell_rows(&fleet, &ground.carriers, options);
        let reasons = Reasons::of(&verdicts, &cuts, &fleet.plmns, options);
        explain(&mut cells, &reasons, &baselines);
    }
    Ok(ZonesReport {
        cells,
        zones: verdicts.zones,
        refused: verdicts.refused,
        baselines,
        terminal_spread: ground.spread.terminal,
        cell_spread: ground.spread.cell,
        bad_share: ground.bad_share,
    })
}

fn explain(cells: &mut [ZoneCell], reasons: &Reasons<'_>, baselines: &[Baseline]) {
    cells.par_iter_mut().for_each(|cell| {
        let of_carrier = |baseline: &Baseline| baseline.plmn.as_str().cmp(&cell.plmn);
        let baseline = baselines.binary_search_by(of_carrier);
        let rate = baseline.ok().and_then(|at| baselines[at].rate);
        cell.not_in_zone = reasons.say(cell, rate);
    });
}

fn cell_rows(fleet: &fleet::Fleet<'_>, layers: &[Layer], options: &ZoneOptions) -> Vec<ZoneCell> {
    let row = |layer: &Layer, cell: &LayerCell, gi_z| {
        let interval = cell.estimate.map(|estimate| estimate.interval());
        ZoneCell {
            cell: cell.cell,
            plmn: fleet.plmns[layer.plmn.expect("a carrier's layer")].to_owned(),
            attempts: cell.sums.attempts,
            failures: cell.sums.failures,
            expected: cell.sums.expected,
            terminals: cell.terminals,
            merchants: cell.merchants,
            readings: cell.sums.readings,
            weak_readings: cell.sums.weak_readings,
            rate: cell.rate(),
            eb_rate: cell.estimate.map(|estimate| estimate.rate),
            eb_low: interval.map(|(low, _)| low),
            eb_high: interval.map(|(_, high)| high),
            gi_z,
            p: cell.p,
            q: cell.q,
            class: cell.class,
            not_in_zone: None,
        }
    };
    let mut rows: Vec<ZoneCell> = Vec::new();
    for layer in layers {
        let z = gi_z(layer, options);
        let cells = layer.cells.par_iter().zip(z);
        rows.par_extend(cells.map(|(cell, gi_z)| row(layer, cell, gi_z)));
    }
    rows.par_sort_by(|a, b| (a.cell, &a.plmn).cmp(&(b.cell, &b.plmn)));
    rows
}

fn gi_z(layer: &Layer, options: &ZoneOptions) -> Vec<Option<f64>> {
    let values: Vec<gi_star::CellValue> = layer
        .cells
        .iter()
        .map(|cell| gi_star::CellValue {
            cell: cell.cell,
            value: cell.estimate.map(|estimate| estimate.rate),
        })
        .collect();
    let options = gi_star::Options {
        rings: options.rings,
        ..gi_star::Options::default()
    };
    let rows = gi_star::from_values(&values, &options);
    let rows = rows.expect("cells are distinct, of one resolution, and their rates finite");
    rows.iter().map(|row| row.z).collect()
}
