//! Advice on terminals and merchants: pure, from what their failures call for.

use std::collections::{BTreeMap, BTreeSet};

use h3o::CellIndex;
use schemas::interventions::Action;

use super::Advice;
use super::facts::{Counts, Evidence, Facts, Remedy};

/// Says what would help a terminal, or a merchant by all its terminals.
pub(super) fn advise(evidence: &[&Evidence], attempts: u64, facts: &Facts) -> Vec<Advice> {
    let mut by_remedy: BTreeMap<Remedy, Vec<&Evidence>> = BTreeMap::new();
    for one in evidence {
        by_remedy.entry(one.remedy).or_default().push(one);
    }
    let mut all = Vec::new();
    for (remedy, evidence) in by_remedy {
        if remedy == Remedy::Signal {
            all.extend(signal(&evidence, facts));
            continue;
        }
        let failures = failures(&evidence);
        // A failure whose heartbeat was lost is an attempt all the same.
        let attempts = attempts.max(failures);
        let counted = format!("{failures} of {attempts} attempts");
        let (action, saved, reason) = simple(remedy, &evidence, &counted, facts);
        all.push(Advice {
            action,
            carrier: carrier(&evidence),
            suggested: None,
            attempts,
            failures,
            saved,
            reason,
        });
    }
    all
}

fn failures(evidence: &[&Evidence]) -> u64 {
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

/// What helps where one thing does.
fn simple(
    remedy: Remedy,
    evidence: &[&Evidence],
    counted: &str,
    facts: &Facts,
) -> (Action, Option<f64>, String) {
    let all = Some(failures(evidence) as f64);
    match remedy {
        Remedy::Outage => (
            Action::Wait,
            None,
            format!("{counted} failed in outages of host, carrier, region or release"),
        ),
        Remedy::Line => (
            Action::CorrectConfiguration,
            all,
            format!("{counted} got no answer over a fixed line or Wi-Fi"),
        ),
        Remedy::Wiring => (
            Action::CorrectConfiguration,
            all,
            format!("{counted} got no answer where the signal is good and everybody fails"),
        ),
        Remedy::Terminal => {
            let terminals: BTreeSet<&str> = evidence.iter().map(|one| &*one.terminal).collect();
            let saved: f64 = terminals
                .iter()
                .filter_map(|it| facts.avoidable.get(*it))
                .sum();
            (
                Action::Replace,
                Some(saved),
                format!(
                    "{counted} failed on {}, which peers beside do not; check SIM and antenna first",
                    some(&terminals, "terminals")
                ),
            )
        }
        Remedy::Model => {
            let devices: BTreeSet<&str> = evidence.iter().map(|one| &*one.device).collect();
            let saved = evidence.iter().map(|one| {
                let odds_ratio = facts.odds_ratios.get(&one.device).copied().unwrap_or(1.0);
                one.failures as f64 * (1.0 - 1.0 / odds_ratio.max(1.0))
            });
            (
                Action::UpdateFirmware,
                Some(saved.sum()),
                format!(
                    "{counted} failed on {}, which fail more than others in the same cells",
                    some(&devices, "models")
                ),
            )
        }
        Remedy::Region => (
            Action::OpenRegion,
            all,
            format!("{counted} were refused: the region is not open to the acquirer"),
        ),
        Remedy::Geofence => (
            Action::Move,
            all,
            format!(
                "{counted} were refused outside the registered place: move back, or register the new place"
            ),
        ),
        Remedy::Configuration => (
            Action::CorrectConfiguration,
            all,
            format!("{counted} were refused for the set-up of merchant or terminal"),
        ),
        Remedy::Signal => unreachable!("signal has advice of its own"),
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
    let failures = failures(evidence);
    let counts = Counts {
        attempts: tried.sum::<u64>().max(failures),
        failures,
    };
    let counted = format!(
        "{failures} of {} attempts failed for weak signal of {carrier}",
        counts.attempts
    );
    let advice = |action, saved, reason| Advice {
        action,
        carrier: Some(carrier.to_owned()),
        suggested: None,
        attempts: counts.attempts,
        failures,
        saved,
        reason,
    };
    let cells: BTreeSet<CellIndex> = places.into_iter().map(|(_, cell)| cell).collect();
    let cells: Vec<CellIndex> = cells.into_iter().collect();
    let mut all = Vec::new();
    if let Some((plmn, there)) = facts.cells.better(&cells, &[carrier], counts.rate()) {
        let reason = format!(
            "{counted}; on {plmn} in the same cells {} of {}",
            there.failures, there.attempts
        );
        all.push(Advice {
            suggested: Some(plmn.to_owned()),
            ..advice(Action::ChangeSim, Some(counts.beyond(there.rate())), reason)
        });
    }
    let usual = facts.cells.ordinary_rate(carrier);
    let reason = match usual {
        Some(rate) => format!(
            "{counted}, {:.0} at its usual rate",
            counts.attempts as f64 * rate
        ),
        None => counted.clone(),
    };
    all.push(advice(
        Action::BoosterOrAntenna,
        usual.map(|rate| counts.beyond(rate)),
        reason,
    ));
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

    fn cell() -> CellIndex {
        "881f1d4887fffff".parse().expect("a cell")
    }

    fn evidence(remedy: Remedy, terminal: &str, failures: u64) -> Evidence {
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
        facts.cells.add(
            cell(),
            "a",
            Counts {
                attempts: 2000,
                failures: 200,
            },
        );
        facts.cells.add(
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
        facts.avoidable.insert("t1".into(), 36.0);
        facts.odds_ratios.insert("M1 1.0".into(), 4.0);
        facts
    }

    #[test]
    fn a_merchants_terminals_are_advised_on_together() {
        let evidence = [
            evidence(Remedy::Signal, "t1", 40),
            evidence(Remedy::Signal, "t2", 60),
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
        assert_eq!(
            (sim.attempts, sim.failures, sim.saved),
            (400, 100, Some(96.0))
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
            (Remedy::Terminal, Action::Replace, Some(36.0)),
            (Remedy::Model, Action::UpdateFirmware, Some(30.0)),
            (Remedy::Region, Action::OpenRegion, Some(40.0)),
            (Remedy::Geofence, Action::Move, Some(40.0)),
            (
                Remedy::Configuration,
                Action::CorrectConfiguration,
                Some(40.0),
            ),
        ] {
            let evidence = evidence(remedy, "t1", 40);
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
