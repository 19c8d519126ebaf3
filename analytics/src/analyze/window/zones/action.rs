//! What helps in a zone, in words.

use statistics::zones::{CarrierCounts, GoodPart, Zone, ZoneKind};

/// Attempts of another carrier in a zone from which its rate there is worth advising on.
const ADVICE_ATTEMPTS: u64 = 100;

/// Says what helps here, the cheapest that the counts support.
pub(super) fn action(zone: &Zone) -> String {
    let (others, works) = (&zone.other_carriers, &zone.good_parts);
    words(zone.kind, zone.rate, others, works)
}

fn words(kind: ZoneKind, rate: f64, others: &[CarrierCounts], works: &[GoodPart]) -> String {
    let rate_of = |other: &CarrierCounts| other.failures as f64 / other.attempts.max(1) as f64;
    let better = others
        .iter()
        .filter(|other| other.attempts >= ADVICE_ATTEMPTS)
        .filter(|other| rate_of(other) * 2.0 <= rate)
        .min_by(|one, other| rate_of(one).total_cmp(&rate_of(other)));
    let works: Vec<String> = works.iter().map(in_part).collect();
    match (kind, better) {
        (ZoneKind::FailureZone, _) => {
            "look at the shops' own wiring, power and set-up: the signal is good".into()
        }
        (_, Some(other)) => format!(
            "SIM of {}: {} of {} attempts fail here",
            other.plmn, other.failures, other.attempts
        ),
        (ZoneKind::NotSpot, None) if works.is_empty() => {
            "no carrier is better: booster or outside antenna, fixed line, or QR".into()
        }
        (ZoneKind::NotSpot, None) => format!(
            "{}; elsewhere no carrier is better: booster or outside antenna, fixed line, or QR",
            works.join("; ")
        ),
        (ZoneKind::WeakZone, None) => "report to the carrier; booster or outside antenna".into(),
    }
}

/// A carrier that works in some of the cells.
fn in_part(part: &GoodPart) -> String {
    let cells = match part.cells.len() {
        1 => "1 cell".to_owned(),
        cells => format!("{cells} cells"),
    };
    format!(
        "SIM of {}: {} of {} attempts fail in {cells} of it",
        part.plmn, part.failures, part.attempts
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(plmn: &str, cells: usize, attempts: u64, failures: u64) -> GoodPart {
        let cell: h3o::CellIndex = "881f1d4887fffff".parse().expect("a cell");
        GoodPart {
            plmn: plmn.into(),
            cells: cell.grid_disk::<Vec<_>>(1)[..cells].to_vec(),
            terminals: 2,
            attempts,
            failures,
        }
    }

    #[test]
    fn a_carrier_that_works_in_part_of_a_not_spot_is_named_with_its_counts() {
        let works = [part("208-01", 1, 189, 0), part("208-20", 3, 400, 6)];
        assert_eq!(
            words(ZoneKind::NotSpot, 0.4, &[], &works),
            "SIM of 208-01: 0 of 189 attempts fail in 1 cell of it; \
             SIM of 208-20: 6 of 400 attempts fail in 3 cells of it; \
             elsewhere no carrier is better: booster or outside antenna, fixed line, or QR"
        );
        assert_eq!(
            words(ZoneKind::NotSpot, 0.4, &[], &[]),
            "no carrier is better: booster or outside antenna, fixed line, or QR"
        );
    }

    #[test]
    fn another_carrier_is_advised_with_attempts_enough_and_half_the_rate() {
        let other = |attempts, failures| CarrierCounts {
            plmn: "208-20".into(),
            terminals: 3,
            attempts,
            failures,
        };
        let advice = |other| words(ZoneKind::WeakZone, 0.3, &[other], &[]);
        assert_eq!(
            advice(other(100, 15)),
            "SIM of 208-20: 15 of 100 attempts fail here"
        );
        for worse in [other(99, 0), other(100, 16)] {
            assert_eq!(
                advice(worse),
                "report to the carrier; booster or outside antenna"
            );
        }
    }
}
