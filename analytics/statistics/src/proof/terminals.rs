//! Terminals against their peers, but for those that cannot be told from the place they stand at.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::FixedState;

use super::{Place, ProofError, WeakPlaces, Weakness, runs};
use crate::terminals::{self, TerminalCounts, TerminalRow, TerminalsOptions};

/// Share of weak readings from which a terminal without a peer in its cell is not judged: its place
/// may be as weak as its antenna.
const LONELY_WEAK_SHARE: f64 = 0.10;

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
        .filter(|place| !undecidable.contains_key(place.terminal))
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
    for place in places {
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
    for place in places {
        let is_weak = place.readings > 0
            && f64::from(place.weak_readings) >= f64::from(place.readings) * LONELY_WEAK_SHARE;
        let because = match weak_places.of(place.cell, place.plmn) {
            Some(Weakness::Zone) => NotTestable::WeakZone,
            Some(Weakness::Possible) => NotTestable::PossibleZone,
            None if alone[place.stratum] && is_weak => NotTestable::NoPeer,
            None => continue,
        };
        let known = found.entry(place.terminal).or_insert(because);
        *known = (*known).max(because);
    }
    found
}
