//! Advice on zones: pure, from their counts and the other carriers' in the same cells.

use schemas::interventions::Action;

use super::Advice;
use super::facts::ZoneFacts;
use crate::analyze::window::carriers::Carriers;

/// Says what would help a zone.
pub(super) fn advise(zone: &ZoneFacts, carriers: &Carriers) -> Vec<Advice> {
    let counts = zone.counts;
    let (attempts, failures) = (counts.attempts, counts.failures);
    let advice = |action, saved, reason| Advice {
        action,
        carrier: zone.carrier.clone(),
        suggested: None,
        attempts,
        failures,
        saved,
        interval: None,
        reason,
    };
    let beyond = zone.avoidable;
    let at_baseline = attempts as f64 * zone.baseline_rate;
    let usual =
        format!("{failures} of {attempts} attempts fail here, {at_baseline:.0} at the usual rate");
    if zone.kind == "failure_zone" {
        let reason = format!("{usual}; the signal is good: look at wiring, power and set-up");
        return vec![advice(Action::CorrectConfiguration, Some(beyond), reason)];
    }
    let mut all = Vec::new();
    let own: Vec<&str> = zone.carriers.split(';').collect();
    if let Some(other) = carriers.better(&zone.cells, &own, counts.rate()) {
        let reason = format!(
            "{failures} of {attempts} attempts fail on {}; on {} in the same cells {}",
            zone.carriers,
            other.plmn,
            other.counted()
        );
        // Another carrier mends no terminal and no model.
        let [saved, low, high] = other.saves(attempts, zone.not_of_devices());
        all.push(Advice {
            suggested: Some(other.plmn),
            interval: Some((low, high)),
            ..advice(Action::ChangeSim, Some(saved), reason)
        });
    }
    if let Some(working) = &zone.working {
        let reason = format!("{usual}; in a part of it another carrier works: {working}");
        all.push(advice(Action::ChangeSim, None, reason));
    }
    all.push(advice(
        Action::BoosterOrAntenna,
        Some(beyond),
        format!("{usual}; at most what lies between is saved"),
    ));
    all.push(advice(
        Action::AskCarrier,
        Some(beyond),
        format!("{usual}; the signal of {} is weak", zone.carriers),
    ));
    all.push(advice(
        Action::OfferQr,
        None,
        format!("{failures} of {attempts} attempts fail here; how many customers would pay by their own phones is not known"),
    ));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::window::carriers::Counts;

    fn zone(kind: &str) -> (ZoneFacts, Carriers) {
        let cell: h3o::CellIndex = "881f1d4887fffff".parse().expect("a cell");
        let mut carriers = Carriers::default();
        for (plmn, attempts, failures) in [("a", 1000, 300), ("b", 200, 2), ("c", 99, 0)] {
            carriers.add(cell, plmn, Counts { attempts, failures });
        }
        let zone = ZoneFacts {
            id: "z".into(),
            kind: kind.into(),
            carrier: Some("a".into()),
            carriers: "a".into(),
            cells: vec![cell],
            counts: Counts {
                attempts: 1000,
                failures: 300,
            },
            baseline_rate: 0.05,
            avoidable: 240.0,
            rate_ratio: 5.0,
            working: None,
        };
        (zone, carriers)
    }

    #[test]
    fn a_sim_is_advised_of_the_carrier_that_was_measured_better_with_attempts_enough() {
        let (zone, carriers) = zone("weak_zone");
        let advice = advise(&zone, &carriers);
        assert_eq!(advice[0].action, Action::ChangeSim);
        assert_eq!(advice[0].suggested.as_deref(), Some("b"));
        // 2 of 200 failed on b, and nothing is known of its other cells: 2.5 of 201 by Jeffreys' prior.
        let saved = advice[0].saved.expect("counted");
        let (low, high) = advice[0].interval.expect("measured");
        assert!(low < saved && saved < high, "{low} {high}");
        assert!(
            (saved - (300.0 - 1000.0 * 2.5 / 201.0)).abs() < 1e-9,
            "{saved}"
        );
        assert_eq!(
            advice[0].reason,
            "300 of 1000 attempts fail on a; on b in the same cells 2 of 200 attempts fail, 1.2 % (0.2 to 3.2) to be expected"
        );
        let not_spot = ZoneFacts {
            carriers: "a;b".into(),
            carrier: None,
            ..zone
        };
        let advice = advise(&not_spot, &carriers);
        assert!(advice.iter().all(|one| one.action != Action::ChangeSim));
        assert_eq!(advice[0].saved, Some(240.0));
    }

    #[test]
    fn good_signal_is_not_the_carriers_problem() {
        let (zone, carriers) = zone("failure_zone");
        let advice = advise(&zone, &carriers);
        let actions: Vec<Action> = advice.iter().map(|one| one.action).collect();
        assert_eq!(actions, [Action::CorrectConfiguration]);
    }
}
