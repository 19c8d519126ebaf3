//! Models within places: the worst is condemned and the rest compared again.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::FixedState;

use super::{Place, ProofError, WeakPlaces};
use crate::models::{
    ModelCounts, ModelRow, ModelsOptions, TerminalCounts, compare_models_by_terminal,
};
use crate::stop::Stop;

/// Lowest odds ratio, at the lower end of its interval, that condemns a model: less is not worth a
/// release.
const ODDS_RATIO: f64 = 1.2;
/// False discovery rate of flagged models.
const Q: f64 = 0.05;
/// Most models that are condemned one after the other. A fleet where more stand out has no sound
/// model to compare with, and each round costs a comparison of all.
const MOST_CONDEMNED: usize = 12;

/// One model with its firmware.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedModel {
    /// The comparison that decided, or the last one for those that are not condemned.
    pub row: ModelRow,
    /// Distinct terminals.
    pub terminals: usize,
    /// Whether it fails so much more that something must be done.
    pub flagged: bool,
}

/// Every model, condemned ones first in the order of their condemnation.
#[derive(Clone, Debug, PartialEq)]
pub struct Models {
    /// The models.
    pub rows: Vec<JudgedModel>,
    /// Whether the rounds ended by their bound: more models might have been condemned.
    pub is_cut_short: bool,
}

impl Models {
    /// Returns the names of the condemned.
    pub fn flagged(&self) -> BTreeSet<&str> {
        let flagged = self.rows.iter().filter(|model| model.flagged);
        flagged.map(|model| model.row.model.as_str()).collect()
    }
}

/// Compares every model and firmware with the others in the same cell and on the same carrier.
///
/// Attempts of one terminal share its place and its faults, so the interval and the p-value take
/// terminals as the units, by a jackknife.
///
/// Weak places are left out: inside one the failure rate changes from house to house, and who stands
/// where says nothing of models.
///
/// The worst is taken out and the rest compared again, because a bad one among "the others" makes
/// sound ones look better than they are.
///
/// # Errors
/// When a place has more failures than attempts, or a stop was asked for.
pub fn judge_models(
    places: &[Place<'_>],
    flagged_terminals: &BTreeSet<&str>,
    weak_places: &WeakPlaces,
    stop: &Stop,
) -> Result<Models, ProofError> {
    let sound = places
        .iter()
        .filter(|place| !flagged_terminals.contains(place.terminal))
        .filter(|place| !weak_places.has(place.cell, place.plmn));
    let mut counts: Vec<TerminalCounts<'_>> = sound.map(counts_of).collect();
    let terminals = terminals_by_model(&counts);
    let judged = |row: ModelRow, flagged: bool| JudgedModel {
        terminals: terminals[row.model.as_str()],
        row,
        flagged,
    };
    let mut rows: Vec<JudgedModel> = Vec::new();
    loop {
        stop.check()?;
        let mut compared = compare_models_by_terminal(&counts, &ModelsOptions::default())?;
        let worst = worst(&compared);
        let is_cut_short = worst.is_some() && rows.len() == MOST_CONDEMNED;
        let Some(worst) = worst.filter(|_| !is_cut_short) else {
            rows.extend(compared.into_iter().map(|row| judged(row, false)));
            return Ok(Models { rows, is_cut_short });
        };
        let worst = compared.swap_remove(worst);
        counts.retain(|row| row.counts.model != worst.model);
        rows.push(judged(worst, true));
    }
}

fn counts_of<'a>(place: &Place<'a>) -> TerminalCounts<'a> {
    TerminalCounts {
        terminal: place.terminal,
        counts: ModelCounts {
            stratum: place.stratum,
            model: place.device,
            attempts: place.attempts.into(),
            failures: place.failures.into(),
        },
    }
}

/// The position of the model that is proved worst, if any is.
fn worst(compared: &[ModelRow]) -> Option<usize> {
    let lower_end = |row: &ModelRow| row.low.unwrap_or(0.0);
    let q = |row: &ModelRow| row.by_terminal.and_then(|by_terminal| by_terminal.q);
    let proved = compared
        .iter()
        .enumerate()
        .filter(|(_, row)| lower_end(row) >= ODDS_RATIO && q(row).is_some_and(|q| q <= Q));
    proved
        .max_by(|one, other| lower_end(one.1).total_cmp(&lower_end(other.1)))
        .map(|(at, _)| at)
}

fn terminals_by_model<'a>(counts: &[TerminalCounts<'a>]) -> HashMap<&'a str, usize, FixedState> {
    let mut found: HashMap<&str, HashSet<&str, FixedState>, FixedState> = HashMap::default();
    for row in counts {
        found
            .entry(row.counts.model)
            .or_default()
            .insert(row.terminal);
    }
    let sizes = found.into_iter();
    sizes
        .map(|(model, terminals)| (model, terminals.len()))
        .collect()
}
