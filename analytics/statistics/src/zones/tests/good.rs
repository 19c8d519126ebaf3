//! Not-spots by cell and carrier: where one works, the place is cut or the carrier named.

use std::collections::BTreeSet;

use super::super::good::{GoodCells, cut};
use super::fleet::{hear, work};
use super::*;
use crate::rng::Stream;

/// Cells of the circle with most terminals, the fullest first.
fn fullest(plan: &Plan, fleet: &[Made]) -> Vec<CellIndex> {
    let mut counts: Vec<(usize, CellIndex)> = Vec::new();
    let here = fleet.iter().filter(|made| plan.circles[0].reaches(made));
    let cells: BTreeSet<CellIndex> = here.map(|made| made.cell).collect();
    for cell in cells {
        counts.push((fleet.iter().filter(|made| made.cell == cell).count(), cell));
    }
    counts.sort_by(|a, b| b.cmp(a));
    counts.into_iter().map(|(_, cell)| cell).collect()
}

/// Makes a carrier work in a cell; returns the attempts there.
fn mend(fleet: &mut [Made], cell: CellIndex, carrier: usize, seed: u64) -> u64 {
    let mut attempts = 0;
    for made in fleet {
        if made.cell == cell && made.carrier == carrier {
            fail_at(made, 0.01, seed);
            hear(made, 0.02, seed);
            attempts += made.attempts;
        }
    }
    attempts
}

fn check(report: &ZonesReport) {
    let options = ZoneOptions::default();
    let mut held = BTreeSet::new();
    for zone in &report.zones {
        for (plmn, cell) in zone.cells_of_carriers() {
            assert!(held.insert((plmn.to_owned(), cell)), "{plmn} {cell} twice");
        }
        let own: BTreeSet<(&str, CellIndex)> = zone.cells_of_carriers().collect();
        let of_zone = |cell: &&ZoneCell| own.contains(&(cell.plmn.as_str(), cell.cell));
        let cells: Vec<&ZoneCell> = report.cells.iter().filter(of_zone).collect();
        let attempts: u64 = cells.iter().map(|cell| cell.attempts).sum();
        let failures: u64 = cells.iter().map(|cell| cell.failures).sum();
        assert_eq!((zone.attempts, zone.failures), (attempts, failures));
        let with_data = cells.iter().filter(|cell| cell.attempts > 0);
        let with_data: BTreeSet<CellIndex> = with_data.map(|cell| cell.cell).collect();
        assert_eq!(zone.cells_with_data, with_data.len());
        if zone.kind != ZoneKind::NotSpot {
            continue;
        }
        for cell in report.cells.iter().filter(|cell| {
            zone.cells.contains(&cell.cell) && cell.attempts >= options.min_cell_attempts
        }) {
            let named = zone
                .good_parts
                .iter()
                .any(|part| part.plmn == cell.plmn && part.cells.contains(&cell.cell));
            assert!(cell.class != CellClass::Ordinary || named, "{cell:?}");
        }
        for part in &zone.good_parts {
            assert!(part.attempts >= options.min_cell_attempts);
            assert!(
                part.failures as f64 <= 0.1 * part.attempts as f64,
                "{part:?}"
            );
        }
    }
    for cell in &report.cells {
        let is_held = held.contains(&(cell.plmn.clone(), cell.cell));
        let is_bad = matches!(cell.class, CellClass::High | CellClass::Raised);
        assert!(!is_bad || is_held != cell.not_in_zone.is_some(), "{cell:?}");
        assert!(!is_held || cell.not_in_zone.is_none(), "{cell:?}");
    }
    for refused in &report.refused {
        assert!(!refused.missing.is_empty());
    }
}

#[test]
fn a_cell_where_one_carrier_works_is_cut_or_its_carrier_is_named() {
    let (mut cut, mut named) = (0, 0);
    for seed in 0..12 {
        let (plan, mut fleet) = planted(seed, vec![circle(ALL, -30.0, 0.30)]);
        let cell = fullest(&plan, &fleet)[seed as usize % 3];
        if mend(&mut fleet, cell, 2, seed) < 1500 {
            continue;
        }
        let report = found(&fleet);
        check(&report);
        for zone in report.zones.iter().filter(|zone| zone.plmn.is_none()) {
            cut += u32::from(!zone.cells.contains(&cell));
            named += u32::from(zone.good_parts.iter().any(|part| {
                part.plmn == CARRIERS[2] && part.cells == [cell] && zone.cells.contains(&cell)
            }));
        }
        let said = |plmn: &str| {
            let row = report
                .cells
                .iter()
                .find(|row| row.cell == cell && row.plmn == plmn);
            row.expect("a row").not_in_zone.clone()
        };
        assert_eq!(said(CARRIERS[2]), None, "it works there");
    }
    println!("cut {cut}, named {named}");
    assert!(cut >= 1 && named >= 1, "cut {cut}, named {named}");
}

#[test]
fn one_terminal_without_a_failure_in_189_attempts_is_enough_to_say_so() {
    let (mut kept, mut alone) = (0, 0);
    for seed in 0..10 {
        let (plan, mut fleet) = planted(seed, vec![circle(ALL, -30.0, 0.30)]);
        let cell = fullest(&plan, &fleet)[0];
        let mut here = fleet
            .iter_mut()
            .filter(|made| made.cell == cell && made.carrier == 1);
        let one = here.next().expect("the fullest cell has every carrier");
        work(one, 189);
        hear(one, 0.0, seed);
        here.for_each(|made| made.carrier = 0);
        let report = found(&fleet);
        check(&report);
        let holds = |zone: &&Zone| zone.plmn.is_none() && zone.cells.contains(&cell);
        for zone in report.zones.iter().filter(holds) {
            kept += 1;
            let parts = zone.good_parts.iter();
            let mut own = parts.filter(|part| part.plmn == CARRIERS[1]);
            let own = own.find(|part| part.cells.contains(&cell));
            let part = own.expect("named");
            // It may work in other cells beside this one.
            assert!(part.attempts >= 189, "seed {seed}: {part:?}");
            if part.cells == [cell] {
                alone += 1;
                let counts = (part.terminals, part.attempts, part.failures);
                assert_eq!(counts, (1, 189, 0), "seed {seed}");
            }
        }
    }
    assert!(kept >= 1, "the cell was never inside");
    assert!(alone >= 1, "the carrier never worked there alone");
}

#[test]
fn cutting_takes_what_works_at_the_edge_and_keeps_what_is_enclosed() {
    let middle = cell_at(0.0, 0.0);
    let mut disk: Vec<CellIndex> = middle.grid_disk(2);
    disk.sort_unstable();
    let ring: Vec<CellIndex> = disk
        .iter()
        .copied()
        .filter(|cell| middle.grid_distance(*cell) == Ok(1))
        .collect();
    let outer = disk
        .iter()
        .find(|cell| middle.grid_distance(**cell) == Ok(2));
    let outer = *outer.expect("two rings");
    let good = |cells: &[CellIndex]| GoodCells::from([(0, cells.iter().copied().collect())]);
    let cut_but = |cells: &[CellIndex], stays: &[CellIndex]| {
        cut(&disk, &good(cells), |_| true, |cell| stays.contains(&cell))
    };
    let cut = |cells: &[CellIndex]| cut_but(cells, &[]);
    assert_eq!(cut(&[middle]), std::slice::from_ref(&disk));
    // At the edge too, where another carrier fails for its signal.
    assert_eq!(cut_but(&[outer], &[outer]), std::slice::from_ref(&disk));
    let left = cut(&[outer, middle]);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].len(), disk.len() - 1);
    assert!(!left[0].contains(&outer));
    // A way in from the edge: the enclosed one is not enclosed any more.
    let near = *ring
        .iter()
        .find(|cell| outer.grid_distance(**cell) == Ok(1))
        .expect("a neighbour inside");
    assert_eq!(cut(&[outer, near, middle]).concat().len(), disk.len() - 3);
    // Every second cell of the outer ring and the whole inner one: islands.
    let mut many = ring.clone();
    many.extend(
        disk.iter()
            .filter(|cell| middle.grid_distance(**cell) == Ok(2))
            .take(6),
    );
    let left = cut(&many);
    assert_eq!(left.concat().len(), disk.len() - 12);
    assert!(left.iter().any(|piece| *piece == [middle]));
}

#[test]
fn a_place_where_one_of_two_carriers_works_is_the_others_weak_zone() {
    for seed in 0..10 {
        let (plan, mut fleet) = planted(seed, vec![circle(ALL, -30.0, 0.30)]);
        for made in &mut fleet {
            made.carrier %= 2;
        }
        for cell in fullest(&plan, &fleet) {
            mend(&mut fleet, cell, 1, seed);
        }
        let report = found(&fleet);
        check(&report);
        assert!(!report.zones.is_empty(), "seed {seed}");
        let own = |zone: &Zone| zone.plmn.as_deref() == Some(CARRIERS[0]);
        assert!(report.zones.iter().all(own), "seed {seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_not_spot_holds_a_carrier_that_works_unless_it_is_named(
        seed in 0_u64..1000, mended in 0_usize..7, radius_km in 1.0..3.0_f64,
    ) {
        let place = Circle { radius_km, ..circle(ALL, -30.0, 0.30) };
        let (plan, mut fleet) = planted(seed, vec![place]);
        let mut stream = Stream::new(seed, 3);
        let cells = fullest(&plan, &fleet);
        for number in 0..mended {
            let cell = cells[stream.below(cells.len() as u64) as usize];
            mend(&mut fleet, cell, stream.below(3) as usize, seed + number as u64);
        }
        check(&found(&fleet));
    }
}
