//! What would help each zone, terminal and merchant, ranked by the failures it should save.
//!
//! The causes the analysis gave the failures of the window decide what is advised; how much it should
//! save is counted against what was measured beside it: another carrier in the same cells, the
//! carrier's ordinary rate, the peers. Where nothing was measured that says so, it is null.

mod facts;
mod units;
mod zones;

use std::cmp::Ordering;

use chrono::NaiveDate;
use rayon::prelude::*;
use schemas::interventions::{Action, TargetKind};
use serde::Serialize;

use super::Origin;
use super::carriers::Carriers;
use crate::analyze::AnalyzeError;
use crate::session::LakeSession;
use facts::{Evidence, Facts};

/// Failures from which something is advised; fewer happen to anybody.
const FEWEST_FAILURES: u64 = 5;
/// Failures an action has to save, where that can be counted.
const FEWEST_SAVED: f64 = 1.0;

/// A row of `actions`.
#[derive(Debug, Serialize)]
pub(super) struct ActionRow {
    target_kind: &'static str,
    target_id: String,
    rank: u64,
    action: &'static str,
    carrier_plmn: Option<String>,
    suggested_plmn: Option<String>,
    attempts: u64,
    failures: u64,
    expected_failures_saved: Option<f64>,
    saved_low: Option<f64>,
    saved_high: Option<f64>,
    reason: String,
    #[serde(flatten)]
    origin: Origin,
}

/// One thing that would help a target.
#[derive(Debug, Clone, PartialEq)]
struct Advice {
    action: Action,
    carrier: Option<String>,
    suggested: Option<String>,
    attempts: u64,
    failures: u64,
    saved: Option<f64>,
    /// The interval of `saved`, where it rests on a measured rate.
    interval: Option<(f64, f64)>,
    reason: String,
}

impl Advice {
    /// Whether it is worth a person's time.
    fn is_worth_it(&self) -> bool {
        self.failures >= FEWEST_FAILURES && self.saved.is_none_or(|saved| saved >= FEWEST_SAVED)
    }

    /// What saves more comes first, what cannot be counted last, the simpler of equals before.
    fn order(&self, other: &Self) -> Ordering {
        let saved = |advice: &Self| advice.saved.unwrap_or(-1.0);
        let by_saved = saved(other).total_cmp(&saved(self));
        by_saved
            .then(self.action.cmp(&other.action))
            .then_with(|| self.carrier.cmp(&other.carrier))
    }
}

/// Advises on every target of the window that has something to be helped with.
pub(super) async fn find(
    lake: &LakeSession,
    origin: &Origin,
    (from, to): (NaiveDate, NaiveDate),
    carriers: Carriers,
) -> Result<Vec<ActionRow>, AnalyzeError> {
    let evidence = facts::evidence(lake, from, to).await?;
    let facts = Facts::read(lake, (from, to), &evidence, carriers).await?;
    let mut rows = Vec::new();
    for zone in facts::zones(lake, to).await? {
        let advice = zones::advise(&zone, &facts.carriers);
        rows.extend(rank(TargetKind::Zone, &zone.id, advice, origin));
    }
    rows.extend(by_unit(
        &evidence,
        Evidence::terminal,
        |terminal, evidence| {
            let advice = units::advise(evidence, facts.attempts_of_terminal(terminal), &facts);
            rank(TargetKind::Terminal, terminal, advice, origin)
        },
    ));
    rows.extend(by_unit(
        &evidence,
        Evidence::merchant,
        |merchant, evidence| {
            let advice = units::advise(evidence, facts.attempts_of_merchant(merchant), &facts);
            rank(TargetKind::Merchant, merchant, advice, origin)
        },
    ));
    Ok(rows)
}

/// Asks for the rows of each terminal or merchant whose failures are enough to be advised on.
fn by_unit<'e>(
    evidence: &'e [Evidence],
    id: fn(&'e Evidence) -> Option<&'e str>,
    rows: impl Fn(&str, &[&Evidence]) -> Vec<ActionRow> + Sync,
) -> Vec<ActionRow> {
    let with_ids = evidence.iter().filter_map(|one| Some((id(one)?, one)));
    let mut sorted: Vec<(&str, &Evidence)> = with_ids.collect();
    sorted.par_sort_by_key(|(id, _)| *id);
    let units: Vec<&[(&str, &Evidence)]> = sorted.chunk_by(|one, next| one.0 == next.0).collect();
    let of_unit = |unit: &[(&str, &Evidence)]| {
        let of_unit: Vec<&Evidence> = unit.iter().map(|(_, one)| *one).collect();
        let failures: f64 = of_unit.iter().map(|one| one.failures).sum();
        match whole(failures) >= FEWEST_FAILURES {
            true => rows(unit[0].0, &of_unit),
            false => Vec::new(),
        }
    };
    units.into_par_iter().flat_map_iter(of_unit).collect()
}

/// Returns shares of failures that were added up as whole failures, for people: never fewer, so that no
/// more is saved of them than there are.
fn whole(failures: f64) -> u64 {
    // Counts are below 2^53 and not negative; sums of shares are off in their last digits.
    (failures - 1e-6).ceil() as u64
}

fn rank(target: TargetKind, id: &str, mut advice: Vec<Advice>, origin: &Origin) -> Vec<ActionRow> {
    advice.retain(Advice::is_worth_it);
    advice.sort_by(Advice::order);
    let ranked = (1..).zip(advice);
    let row = |(rank, advice): (u64, Advice)| ActionRow {
        target_kind: target.as_str(),
        target_id: id.to_owned(),
        rank,
        action: advice.action.as_str(),
        carrier_plmn: advice.carrier,
        suggested_plmn: advice.suggested,
        attempts: advice.attempts,
        failures: advice.failures,
        expected_failures_saved: advice.saved,
        saved_low: advice.interval.map(|(low, _)| low),
        saved_high: advice.interval.map(|(_, high)| high),
        reason: advice.reason,
        origin: origin.clone(),
    };
    ranked.map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_saves_most_comes_first_and_what_cannot_be_counted_last() {
        let advice = |action, saved| Advice {
            action,
            carrier: None,
            suggested: None,
            attempts: 100,
            failures: 50,
            saved,
            interval: None,
            reason: String::new(),
        };
        let mut all = [
            advice(Action::OfferQr, None),
            advice(Action::AskCarrier, Some(20.0)),
            advice(Action::BoosterOrAntenna, Some(20.0)),
            advice(Action::ChangeSim, Some(30.0)),
        ];
        all.sort_by(Advice::order);
        let order = all.map(|one| one.action.as_str());
        assert_eq!(
            order,
            [
                "change_sim",
                "booster_or_antenna",
                "ask_carrier",
                "offer_qr"
            ]
        );
        assert!(!advice(Action::Replace, Some(0.4)).is_worth_it());
    }
}
