//! Why a cell that looks bad is in no zone.

use std::collections::{HashMap, HashSet};

use h3o::CellIndex;

use super::judge::{Cut, CutReason};
use super::verdict::Verdicts;
use super::{CellClass, ZoneCell, ZoneOptions, refusal};

/// What is known of cells, by carrier and cell.
pub(super) struct Reasons<'a> {
    in_zone: HashSet<(&'a str, CellIndex)>,
    candidates: HashMap<(&'a str, CellIndex), &'a str>,
    cuts: HashMap<(Option<&'a str>, CellIndex), CutReason>,
    options: &'a ZoneOptions,
}

impl<'a> Reasons<'a> {
    pub(super) fn of(
        verdicts: &'a Verdicts,
        cuts: &[Cut],
        plmns: &[&'a str],
        options: &'a ZoneOptions,
    ) -> Self {
        let zones = verdicts.zones.iter();
        // A carrier's own candidate says more of it than one of all carriers.
        let (own, everyones): (Vec<_>, Vec<_>) = verdicts
            .refused
            .iter()
            .partition(|refused| refused.zone.plmn.is_some());
        let candidates = everyones.into_iter().chain(own).flat_map(|refused| {
            let cells = refused.zone.cells_of_carriers();
            cells.map(|cell| (cell, refused.missing.as_str()))
        });
        let cuts = cuts.iter().map(|cut| {
            let plmn = cut.plmn.map(|plmn| plmns[plmn]);
            ((plmn, cut.cell), cut.reason)
        });
        Self {
            in_zone: zones.flat_map(|zone| zone.cells_of_carriers()).collect(),
            candidates: candidates.collect(),
            cuts: cuts.collect(),
            options,
        }
    }

    /// Returns why the cell is in no zone; `None` when it is in one, or does not look bad. Bad is raised
    /// or high, or an observed rate of so many baselines as a zone needs.
    pub(super) fn say(&self, cell: &ZoneCell, baseline: Option<f64>) -> Option<String> {
        let key = (cell.plmn.as_str(), cell.cell);
        if self.in_zone.contains(&key) || !self.looks_bad(cell, baseline) {
            return None;
        }
        if let Some(missing) = self.candidates.get(&key) {
            return Some(format!("candidate: {missing}"));
        }
        let cut = |plmn| self.cuts.get(&(plmn, cell.cell));
        let cut = cut(Some(key.0)).or_else(|| cut(None));
        Some(match (cut, cell.class) {
            (Some(CutReason::GoodSignal), _) => {
                "the signal is good here, and weak in the place beside it".to_owned()
            }
            (Some(CutReason::GoodCarrier), _) => {
                "another carrier works here, so it is no not-spot".to_owned()
            }
            (None, CellClass::Untested) => format!(
                "too few attempts: {} of {}",
                cell.attempts, self.options.min_cell_attempts
            ),
            (None, CellClass::Raised) => {
                "raised alone: a zone starts from a high cell, or from two raised ones side by side"
                    .to_owned()
            }
            (None, _) => self.unproven(cell, baseline),
        })
    }

    fn looks_bad(&self, cell: &ZoneCell, baseline: Option<f64>) -> bool {
        let (Some(rate), Some(baseline)) = (cell.rate, baseline) else {
            return false;
        };
        match cell.class {
            CellClass::High | CellClass::Raised => true,
            CellClass::Ordinary => false,
            CellClass::Open | CellClass::Untested => {
                cell.failures > 0 && rate >= self.options.rate_ratio * baseline
            }
        }
    }

    fn unproven(&self, cell: &ZoneCell, baseline: Option<f64>) -> String {
        if 2.0 * cell.expected >= cell.failures as f64 {
            return format!(
                "such devices fail as much elsewhere: {:.0} of its {} failures are expected of them",
                cell.expected, cell.failures
            );
        }
        let by_chance = cell.q.is_none_or(|q| q > self.options.q);
        let ratio = cell.eb_rate.zip(baseline).map(|(rate, base)| rate / base);
        match ratio {
            Some(ratio) if !by_chance => {
                format!(
                    "too few attempts for its terminals: the shrunken rate is {ratio:.1} times the usual one"
                )
            }
            _ => refusal::could_be_chance(cell.q, self.options),
        }
    }
}
