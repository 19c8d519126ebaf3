//! What helps in a zone, in words.

use statistics::zones::{GoodPart, ZoneKind};

use crate::analyze::window::carriers::OtherCarrier;

/// Says what helps here, the cheapest that the counts support.
pub(super) fn action(kind: ZoneKind, better: Option<&OtherCarrier>, works: &[GoodPart]) -> String {
    let works: Vec<String> = works.iter().map(in_part).collect();
    match (kind, better) {
        (ZoneKind::FailureZone, _) => {
            "look at the shops' own wiring, power and set-up: the signal is good".into()
        }
        (_, Some(other)) => format!("SIM of {}: here {}", other.plmn, other.counted()),
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
            action(ZoneKind::NotSpot, None, &works),
            "SIM of 208-01: 0 of 189 attempts fail in 1 cell of it; \
             SIM of 208-20: 6 of 400 attempts fail in 3 cells of it; \
             elsewhere no carrier is better: booster or outside antenna, fixed line, or QR"
        );
        assert_eq!(
            action(ZoneKind::NotSpot, None, &[]),
            "no carrier is better: booster or outside antenna, fixed line, or QR"
        );
    }
}
