//! Terminals against their peers, but for those that cannot be told from the place they stand at.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::FixedState;
use h3o::CellIndex;

use super::{Place, ProofError, WeakPlaces, Weakness, runs};
use crate::terminals::{self, TerminalCounts, TerminalRow, TerminalsOptions};

/// Share of weak readings from which the place of a terminal may be as weak as its antenna.
const WEAK_SHARE: f64 = 0.10;

/// How many times the fleet's rate the others of its carrier in its cell and those next to it fail, from
/// which the place of a terminal with weak signal may be bad, although no candidate of a zone holds it.
const RAISED: f64 = 1.5;
/// Failures that they must have at that rate to be able to clear the place.
const FEWEST_FAILURES: f64 = 5.0;

/// Why nothing that a terminal fails would prove it bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotTestable {
    /// Even failing every attempt would not set it apart.
    NoProof,
    /// It stands alone, and hears so little that its place may be the reason.
    NoPeer,
    /// Its place is probably bad.
    PossibleZone,
    /// Its place is a zone.
    WeakZone,
}

impl NotTestable {
    /// Returns what to tell of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoProof => "no failure it could have would be proof",
            Self::NoPeer => "no peer: alone in its cell, with weak signal",
            Self::PossibleZone => "its place may be bad: too little there to prove it",
            Self::WeakZone => "its place is a zone",
        }
    }
}

/// One terminal, and why it is not judged where it is not.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedTerminal {
    /// The verdict.
    pub row: TerminalRow,
    /// Why nothing would prove it bad; `None` when it is testable.
    pub because: Option<NotTestable>,
    /// Whether no other terminal uses its carrier in the cell where it has most attempts.
    pub is_alone: bool,
}

/// Every terminal, judged ones first, each part in the order of names.
#[derive(Clone, Debug, PartialEq)]
pub struct Terminals {
    /// The terminals.
    pub rows: Vec<JudgedTerminal>,
    /// Correlation of the attempts of a healthy terminal at the mean rate.
    pub overdispersion: f64,
    /// How many failures of healthy terminals come together.
    pub run_length: f64,
}

impl Terminals {
    /// Returns the names of those that fail too much.
    pub fn flagged(&self) -> BTreeSet<&str> {
        let flagged = self.rows.iter().filter(|judged| judged.row.flagged);
        flagged.map(|judged| judged.row.terminal.as_str()).collect()
    }
}

/// Judges every terminal by its peers, but for those where the place is known or likely to be weak.
///
/// Everybody's worst day is left out: one long absence of service makes dozens of failures and no bad
/// terminal, which fails on the other days too.
///
/// # Errors
/// When a place has more failures than attempts.
pub fn judge_terminals(
    places: &[Place<'_>],
    weak_places: &WeakPlaces,
) -> Result<Terminals, ProofError> {
    let alone = alone(places);
    let undecidable = undecidable(places, &alone, weak_places);
    let counts: Vec<TerminalCounts<'_>> = places
        .iter()
        .filter(|place| place.is_current && !undecidable.contains_key(place.terminal))
        .map(|place| TerminalCounts {
            terminal: place.terminal,
            model: place.device,
            cell: place.stratum,
            signal: place.signal,
            attempts: place.usual_attempts.into(),
            failures: place.usual_failures.into(),
        })
        .collect();
    let options = TerminalsOptions {
        least_run_length: runs::run_length(places, weak_places),
        ..TerminalsOptions::default()
    };
    let report = terminals::judge_terminals(&counts, &options)?;
    drop(counts);
    let lonely = lonely(places, &alone);
    let judged = |row: TerminalRow, because: Option<NotTestable>| JudgedTerminal {
        is_alone: lonely.contains(row.terminal.as_str()),
        because,
        row,
    };
    let mut rows: Vec<JudgedTerminal> = report
        .rows
        .into_iter()
        .map(|row| {
            let because = (!row.testable).then_some(NotTestable::NoProof);
            judged(row, because)
        })
        .collect();
    let mut unjudged: Vec<(&str, NotTestable)> = undecidable.into_iter().collect();
    unjudged.sort_unstable();
    let unjudged = unjudged.into_iter();
    rows.extend(
        unjudged.map(|(terminal, because)| {
            judged(TerminalRow::unjudged(terminal, 0, 0), Some(because))
        }),
    );
    Ok(Terminals {
        rows,
        overdispersion: report.overdispersion,
        run_length: report.run_length,
    })
}

/// Tells of each cell and carrier whether one terminal stands there alone.
fn alone<'a>(places: &[Place<'a>]) -> HashMap<&'a str, bool, FixedState> {
    let mut first: HashMap<&str, (&str, bool), FixedState> = HashMap::default();
    for place in places {
        let (terminal, is_alone) = first.entry(place.stratum).or_insert((place.terminal, true));
        *is_alone &= *terminal == place.terminal;
    }
    let strata = first.into_iter();
    strata
        .map(|(stratum, (_, is_alone))| (stratum, is_alone))
        .collect()
}

/// Returns the terminals that stand alone where they have most attempts.
fn lonely<'a>(
    places: &[Place<'a>],
    alone: &HashMap<&str, bool, FixedState>,
) -> HashSet<&'a str, FixedState> {
    let mut busiest: HashMap<&str, (u32, &str), FixedState> = HashMap::default();
    for place in places.iter().filter(|place| place.is_current) {
        let here = (place.attempts, place.stratum);
        let most = busiest.entry(place.terminal).or_insert(here);
        *most = (*most).max(here);
    }
    let terminals = busiest.into_iter();
    terminals
        .filter(|(_, (_, stratum))| alone[stratum])
        .map(|(terminal, _)| terminal)
        .collect()
}

/// Returns the terminals that cannot be told from the place they stand at, and why.
fn undecidable<'a>(
    places: &[Place<'a>],
    alone: &HashMap<&str, bool, FixedState>,
    weak_places: &WeakPlaces,
) -> HashMap<&'a str, NotTestable, FixedState> {
    let mut found: HashMap<&str, NotTestable, FixedState> = HashMap::default();
    let around = Around::of(places);
    for place in places.iter().filter(|place| place.is_current) {
        let own = Sums::of(place);
        let is_weak = own.is_weak(WEAK_SHARE);
        let because = match weak_places.of(place.cell, place.plmn) {
            Some(Weakness::Zone) => NotTestable::WeakZone,
            Some(Weakness::Possible) => NotTestable::PossibleZone,
            None if alone[place.stratum] && is_weak => NotTestable::NoPeer,
            None if is_weak && around.may_be_bad(place, own) => NotTestable::PossibleZone,
            None => continue,
        };
        let known = found.entry(place.terminal).or_insert(because);
        *known = (*known).max(because);
    }
    found
}

/// The counts of every cell and carrier.
struct Around<'a> {
    cells: HashMap<(CellIndex, &'a str), Sums, FixedState>,
    fleet: Sums,
}

impl<'a> Around<'a> {
    fn of(places: &[Place<'a>]) -> Self {
        let mut around = Self {
            cells: HashMap::default(),
            fleet: Sums::default(),
        };
        for place in places {
            let counts = Sums::of(place);
            let cell = around.cells.entry((place.cell, place.plmn));
            cell.or_default().add(counts);
            around.fleet.add(counts);
        }
        around
    }

    /// Whether the others here and next door hear little too, and fail more or are too few to tell.
    fn may_be_bad(&self, place: &Place<'_>, own: Sums) -> bool {
        let mut others = Sums::default();
        for cell in place.cell.grid_disk::<Vec<_>>(1) {
            if let Some(sums) = self.cells.get(&(cell, place.plmn)) {
                others.add(*sums);
            }
        }
        let others = others.without(own);
        let raised = RAISED * self.fleet.rate() * others.attempts as f64;
        others.is_weak(WEAK_SHARE) && (raised < FEWEST_FAILURES || others.failures as f64 > raised)
    }
}

/// What is counted of a cell and carrier.
#[derive(Clone, Copy, Default)]
struct Sums {
    attempts: u64,
    failures: u64,
    readings: u64,
    weak_readings: u64,
}

impl Sums {
    fn of(place: &Place<'_>) -> Self {
        Self {
            attempts: place.attempts.into(),
            failures: place.failures.into(),
            readings: place.readings.into(),
            weak_readings: place.weak_readings.into(),
        }
    }

    fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.failures += other.failures;
        self.readings += other.readings;
        self.weak_readings += other.weak_readings;
    }

    fn without(self, part: Self) -> Self {
        Self {
            attempts: self.attempts - part.attempts,
            failures: self.failures - part.failures,
            readings: self.readings - part.readings,
            weak_readings: self.weak_readings - part.weak_readings,
        }
    }

    fn is_weak(&self, share: f64) -> bool {
        self.readings > 0 && self.weak_readings as f64 >= self.readings as f64 * share
    }

    fn rate(&self) -> f64 {
        self.failures as f64 / self.attempts.max(1) as f64
    }
}
