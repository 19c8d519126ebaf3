//! What helps in a zone, in words.

use statistics::zones::{GoodPart, Zone, ZoneKind};

/// Attempts of another carrier in a zone from which its rate there is worth advising on.
const ADVICE_ATTEMPTS: u64 = 100;

/// Says what helps here, the cheapest that the counts support.
pub(super) fn action(zone: &Zone) -> String {
    let rate = |failures: u64, attempts: u64| failures as f64 / attempts.max(1) as f64;
    let better = zone
        .other_carriers
        .iter()
        .filter(|other| other.attempts >= ADVICE_ATTEMPTS)
        .filter(|other| rate(other.failures, other.attempts) * 2.0 <= zone.rate)
        .min_by(|one, other| {
            rate(one.failures, one.attempts).total_cmp(&rate(other.failures, other.attempts))
        });
    let works: Vec<String> = zone.good_parts.iter().map(in_part).collect();
    match (zone.kind, better) {
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
