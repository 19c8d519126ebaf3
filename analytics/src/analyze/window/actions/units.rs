//! Advice on terminals and merchants: pure, from what their failures call for.

use std::collections::{BTreeMap, BTreeSet};

use h3o::CellIndex;
use schemas::interventions::Action;

use super::facts::{Evidence, Facts, Remedy};
use super::{Advice, whole};

/// Says what would help a terminal, or a merchant by all its terminals.
pub(super) fn advise(evidence: &[&Evidence], attempts: u64, facts: &Facts) -> Vec<Advice> {
    let mut by_remedy: BTreeMap<Remedy, Vec<&Evidence>> = BTreeMap::new();
    for one in evidence {
        by_remedy.entry(one.remedy).or_default().push(one);
    }
    let mut radio = by_remedy.remove(&Remedy::Place).unwrap_or_default();
    radio.extend(by_remedy.remove(&Remedy::Signal).unwrap_or_default());
    let mut all = signal(&radio, facts);
    for (remedy, evidence) in by_remedy {
        let saved = failures(&evidence);
        let failures = whole(saved);
        // A failure whose heartbeat was lost is an attempt all the same.
        let attempts = attempts.max(failures);
        let counted = format!("{failures} of {attempts} attempts");
        let (action, is_saved, reason) = simple(remedy, &evidence, &counted);
        all.push(Advice {
            action,
            carrier: carrier(&evidence),
            suggested: None,
            attempts,
            failures,
            saved: is_saved.then_some(saved),
            interval: None,
            reason,
        });
    }
    all
}

fn failures(evidence: &[&Evidence]) -> f64 {
    evidence.iter().map(|one| one.failures).sum()
}

/// Returns the carrier, when it is one.
fn carrier(evidence: &[&Evidence]) -> Option<String> {
    let carriers: BTreeSet<&str> = evidence
        .iter()
        .filter_map(|one| one.carrier.as_deref())
        .collect();
    match carriers.into_iter().collect::<Vec<_>>()[..] {
        [carrier] => Some(carrier.to_owned()),
        _ => None,
    }
}

/// What helps where one thing does, and whether that saves what it is for.
fn simple(remedy: Remedy, evidence: &[&Evidence], counted: &str) -> (Action, bool, String) {
    match remedy {
        Remedy::Outage => (
            Action::Wait,
            false,
            format!("{counted} failed in outages of host, carrier, region or release"),
        ),
        Remedy::Line => (
            Action::CorrectConfiguration,
            true,
            format!("{counted} got no answer over a fixed line or Wi-Fi"),
        ),
        Remedy::Wiring => (
            Action::CorrectConfiguration,
            true,
            format!("{counted} got no answer where the signal is good and everybody fails"),
        ),
        Remedy::Terminal => {
            let terminals: BTreeSet<&str> = evidence.iter().map(|one| &*one.terminal).collect();
            (
                Action::Replace,
                true,
                format!(
                    "{counted} failed on {} beyond what peers beside do; check SIM and antenna first",
                    some(&terminals, "terminals")
                ),
            )
        }
        Remedy::Model => {
            let devices: BTreeSet<&str> = evidence.iter().map(|one| &*one.device).collect();
            (
                Action::UpdateFirmware,
                true,
                format!(
                    "{counted} failed on {} beyond what others in the same cells do",
                    some(&devices, "models")
                ),
            )
        }
        Remedy::Region => (
            Action::OpenRegion,
            true,
            format!("{counted} were refused: the region is not open to the acquirer"),
        ),
        Remedy::Geofence => (
            Action::Move,
            true,
            format!(
                "{counted} were refused outside the registered place: move back, or register the new place"
            ),
        ),
        Remedy::Configuration => (
            Action::CorrectConfiguration,
            true,
            format!("{counted} were refused for the set-up of merchant or terminal"),
        ),
        Remedy::Place | Remedy::Signal => unreachable!("weak signal has advice of its own"),
    }
}

/// Names one thing, counts several.
fn some(names: &BTreeSet<&str>, what: &str) -> String {
    match names.first() {
        Some(one) if names.len() == 1 => (*one).to_owned(),
        _ => format!("{} {what}", names.len()),
    }
}

/// What helps against weak signal, carrier by carrier.
fn signal(evidence: &[&Evidence], facts: &Facts) -> Vec<Advice> {
    let mut by_carrier: BTreeMap<&str, Vec<&Evidence>> = BTreeMap::new();
    for one in evidence {
        if let Some(carrier) = &one.carrier {
            by_carrier.entry(carrier).or_default().push(one);
        }
    }
    let mut all = Vec::new();
    for (carrier, evidence) in by_carrier {
        all.extend(weak(carrier, &evidence, facts));
    }
    all
}

fn weak(carrier: &str, evidence: &[&Evidence], facts: &Facts) -> Vec<Advice> {
    let places: BTreeSet<(&str, CellIndex)> = evidence
        .iter()
        .filter_map(|one| Some((&*one.terminal, one.cell?)))
        .collect();
    let tried = places
        .iter()
        .map(|(terminal, cell)| facts.attempts_at(terminal, carrier, *cell));
    let failed = failures(evidence);
    let failures = whole(failed);
    let attempts = tried.sum::<u64>().max(failures);
    let counted = format!("{failures} of {attempts} attempts failed for weak signal of {carrier}");
    let advice = |action, saved, reason| Advice {
        action,
        carrier: Some(carrier.to_owned()),
        suggested: None,
        attempts,
        failures,
        saved,
        interval: None,
        reason,
    };
    let cells: BTreeSet<CellIndex> = places.into_iter().map(|(_, cell)| cell).collect();
    let cells: Vec<CellIndex> = cells.into_iter().collect();
    let mut all = Vec::new();
    let rate = failed / attempts.max(1) as f64;
    if let Some(other) = facts.carriers.better(&cells, &[carrier], rate) {
        let [saved, low, high] = other.saves(attempts, failed);
        all.push(Advice {
            suggested: Some(other.plmn.clone()),
            interval: Some((low, high)),
            ..advice(
                Action::ChangeSim,
                Some(saved),
                format!(
                    "{counted}; on {} in the same cells {}",
                    other.plmn,
                    other.counted()
                ),
            )
        });
    }
    let usual = facts.carriers.ordinary_rate(carrier);
    let reason = match usual {
        Some(rate) => format!("{counted}, {:.0} at its usual rate", attempts as f64 * rate),
        None => counted.clone(),
    };
    // What a zone explains is beyond the usual already; the rest is measured against it.
    let (of_places, beside): (Vec<&Evidence>, Vec<&Evidence>) = evidence
        .iter()
        .copied()
        .partition(|one| one.remedy == Remedy::Place);
    let beyond = |rate: f64| {
        let beside = self::failures(&beside) - attempts as f64 * rate;
        self::failures(&of_places) + beside.max(0.0)
    };
    all.push(advice(Action::BoosterOrAntenna, usual.map(beyond), reason));
    // Where nothing else is worth doing, neither is this.
    if all.iter().any(Advice::is_worth_it) {
        all.push(advice(
            Action::OfferQr,
            None,
            format!("{counted}; how many customers would pay by their own phones is not known"),
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::window::carriers::Counts;

    fn cell() -> CellIndex {
        "881f1d4887fffff".parse().expect("a cell")
    }

    fn evidence(remedy: Remedy, terminal: &str, failures: f64) -> Evidence {
        Evidence {
            remedy,
            terminal: terminal.into(),
            merchant: Some("m".into()),
            carrier: Some("a".into()),
            cell: Some(cell()),
            device: "M1 1.0".into(),
            failures,
        }
    }

    fn facts() -> Facts {
        let mut facts = Facts::default();
        facts.carriers.add(
            cell(),
            "a",
            Counts {
                attempts: 2000,
                failures: 200,
            },
        );
        facts.carriers.add(
            cell(),
            "b",
            Counts {
                attempts: 500,
                failures: 5,
            },
        );
        for terminal in ["t1", "t2"] {
            facts.add_terminal(terminal, Some("a"), Some(cell()), 200);
        }
        facts
    }

    #[test]
    fn a_merchants_terminals_are_advised_on_together() {
        let evidence = [
            evidence(Remedy::Signal, "t1", 40.0),
            evidence(Remedy::Signal, "t2", 60.0),
        ];
        let evidence: Vec<&Evidence> = evidence.iter().collect();
        let advice = advise(&evidence, 400, &facts());
        let [sim, booster, qr] = &advice[..] else {
            panic!("three: {advice:?}")
        };
        assert_eq!(
            (sim.action, sim.suggested.as_deref()),
            (Action::ChangeSim, Some("b"))
        );
        // Of carrier b 5 of 500 failed here, and nothing is known of other cells: 5.5 of 501 by Jeffreys' prior.
        let saved = sim.saved.expect("counted");
        assert_eq!((sim.attempts, sim.failures), (400, 100));
        assert!(
            (saved - (100.0 - 400.0 * 5.5 / 501.0)).abs() < 1e-9,
            "{saved}"
        );
        let (low, high) = sim.interval.expect("measured");
        assert!(
            low < saved - 1.0 && saved + 1.0 < high && high < 100.0,
            "{low} {high}"
        );
        assert_eq!(booster.saved, Some(60.0));
        assert_eq!((qr.action, qr.saved), (Action::OfferQr, None));
    }

    #[test]
    fn each_cause_calls_for_its_action() {
        for (remedy, action, saved) in [
            (Remedy::Outage, Action::Wait, None),
            (Remedy::Line, Action::CorrectConfiguration, Some(40.0)),
            (Remedy::Wiring, Action::CorrectConfiguration, Some(40.0)),
            (Remedy::Terminal, Action::Replace, Some(40.0)),
            (Remedy::Model, Action::UpdateFirmware, Some(40.0)),
            (Remedy::Region, Action::OpenRegion, Some(40.0)),
            (Remedy::Geofence, Action::Move, Some(40.0)),
            (
                Remedy::Configuration,
                Action::CorrectConfiguration,
                Some(40.0),
            ),
        ] {
            let evidence = evidence(remedy, "t1", 40.0);
            let advice = advise(&[&evidence], 200, &facts());
            assert_eq!(advice.len(), 1);
            assert_eq!(
                (advice[0].action, advice[0].saved),
                (action, saved),
                "{remedy:?}"
            );
            assert!(
                advice[0].reason.starts_with("40 of 200 attempts"),
                "{}",
                advice[0].reason
            );
        }
    }
}
