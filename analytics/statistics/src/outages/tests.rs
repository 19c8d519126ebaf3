mod fleet;

use std::collections::BTreeSet;

use h3o::LatLng;

use fleet::{Fleet, PLANT, Plant, START, TOWNS};

use super::*;

fn search(fleet: &Fleet) -> Vec<Outage> {
    find(
        &fleet.failing,
        &fleet.activity,
        &fleet.lives,
        &Options::default(),
        &Stop::default(),
    )
    .unwrap()
}

/// Slot of a day and hour of the fleet.
fn at(day: i64, hour: f64) -> i64 {
    START + day * 288 + (hour * 12.0) as i64
}

fn assert_edges(outage: &Outage, plant: &Plant) {
    let edges = (outage.from_slot - plant.from, outage.to_slot - plant.to);
    assert!(
        edges.0.abs() <= 1 && edges.1.abs() <= 1,
        "edges differ by {edges:?}: {outage:?}"
    );
}

fn host_outage() -> Plant {
    Plant {
        from: at(3, 11.5),
        to: at(3, 11.5) + 11,
        host: Some(2),
        failing: 0.6,
        ..PLANT
    }
}

fn carrier_outage() -> Plant {
    Plant {
        from: at(5, 9.84),
        to: at(5, 9.84) + 26,
        plmn: Some(1),
        circle: Some((TOWNS[2].0, TOWNS[2].1, 22.0)),
        failing: 0.95,
        ..PLANT
    }
}

fn release() -> Plant {
    Plant {
        from: at(6, 4.8),
        to: at(8, 9.6),
        version: Some((2, 0.25)),
        failing: 0.12,
        ..PLANT
    }
}

#[test]
fn a_quiet_fleet_shows_no_outage() {
    let mut shown = 0;
    for seed in 0..40 {
        let fleet = Fleet::new(seed, if seed < 10 { 3000 } else { 600 }, 14, &[]);
        let found = search(&fleet);
        if !found.is_empty() {
            eprintln!("seed {seed}: {found:?}");
        }
        shown += usize::from(!found.is_empty());
    }
    // At most 5 % of runs: 5 of 40 would have a chance of 5 % at that rate.
    assert!(shown <= 2, "{shown} of 40 runs show an outage");
}

#[test]
fn a_host_outage_is_one_incident_with_its_edges() {
    for seed in 0..10 {
        let plant = host_outage();
        let fleet = Fleet::new(100 + seed, 2000, 10, std::slice::from_ref(&plant));
        let found = search(&fleet);
        assert_eq!(found.len(), 1, "seed {seed}: {found:?}");
        assert_eq!((found[0].kind, found[0].host), (Kind::Host, Some(2)));
        assert_edges(&found[0], &plant);
    }
}

#[test]
fn a_carrier_outage_is_one_incident_with_its_edges() {
    for seed in 0..10 {
        let plant = carrier_outage();
        let fleet = Fleet::new(200 + seed, 2000, 10, std::slice::from_ref(&plant));
        let found = search(&fleet);
        assert_eq!(found.len(), 1, "seed {seed}: {found:?}");
        assert_eq!((found[0].kind, found[0].plmn), (Kind::Carrier, Some(1)));
        assert_edges(&found[0], &plant);
        assert_covers(&fleet, &found[0], &plant);
    }
}

/// Checks that most of the terminals concerned lie in the cells of an outage.
fn assert_covers(fleet: &Fleet, outage: &Outage, plant: &Plant) {
    let concerned = fleet.failing.iter().filter(|row| {
        let terminal = &fleet.terminals[row.terminal as usize];
        plant.from <= row.slot && row.slot < plant.to && plant.concerns(terminal)
    });
    let covered = concerned.map(|row| {
        covers(
            outage,
            row.slot,
            row.host,
            row.plmn,
            row.cell_r4,
            row.app_version,
        )
    });
    let covered: Vec<bool> = covered.collect();
    let share = covered.iter().filter(|covered| **covered).count() as f64 / covered.len() as f64;
    assert!(share >= 0.85, "only {share} of its failures are covered");
}

#[test]
fn a_release_is_one_incident_with_its_edges() {
    for seed in 0..10 {
        let plant = release();
        let fleet = Fleet::new(300 + seed, 2000, 10, std::slice::from_ref(&plant));
        let found = search(&fleet);
        assert_eq!(found.len(), 1, "seed {seed}: {found:?}");
        assert_eq!(
            (found[0].kind, found[0].app_version),
            (Kind::Release, Some(2))
        );
        assert_edges(&found[0], &plant);
    }
}

#[test]
fn overlapping_incidents_are_told_apart() {
    for seed in 0..10 {
        let mut plants = [carrier_outage(), host_outage(), release()];
        plants[1].from = plants[0].from + 8;
        plants[1].to = plants[1].from + 11;
        (plants[2].from, plants[2].to) = (at(5, 6.0), at(7, 11.0));
        let fleet = Fleet::new(400 + seed, 3000, 12, &plants);
        let found = search(&fleet);
        assert_eq!(found.len(), 3, "seed {seed}: {found:?}");
        for (kind, plant) in [
            (Kind::Carrier, &plants[0]),
            (Kind::Host, &plants[1]),
            (Kind::Release, &plants[2]),
        ] {
            let outage = found.iter().find(|outage| outage.kind == kind).unwrap();
            assert_edges(outage, plant);
        }
    }
}

#[test]
fn carriers_that_fail_together_in_one_place_are_a_region() {
    for seed in 0..6 {
        let plant = Plant {
            plmn: None,
            ..carrier_outage()
        };
        let fleet = Fleet::new(500 + seed, 2000, 7, std::slice::from_ref(&plant));
        let found = search(&fleet);
        assert_eq!(found.len(), 1, "seed {seed}: {found:?}");
        assert_eq!(found[0].kind, Kind::Region);
        assert_edges(&found[0], &plant);
    }
}

#[test]
fn a_carrier_that_fails_everywhere_is_one_incident() {
    for seed in 0..6 {
        let plant = Plant {
            circle: None,
            ..carrier_outage()
        };
        let fleet = Fleet::new(600 + seed, 2000, 7, std::slice::from_ref(&plant));
        let found = search(&fleet);
        assert_eq!(found.len(), 1, "seed {seed}: {found:?}");
        assert_eq!((found[0].kind, found[0].plmn), (Kind::Carrier, Some(1)));
        assert!(found[0].cells_r4.is_empty());
        assert_edges(&found[0], &plant);
    }
}

#[test]
fn one_day_mostly_is_enough_to_find_a_host_and_a_carrier_outage() {
    let shift = |plant: Plant, days: i64| Plant {
        from: plant.from - days * 288,
        to: plant.to - days * 288,
        ..plant
    };
    let plants = [shift(host_outage(), 3), shift(carrier_outage(), 5)];
    let mut right = 0;
    for seed in 700..766 {
        let found = search(&Fleet::new(seed, 2000, 1, &plants));
        let has = |kind, plant: &Plant| {
            found.iter().any(|outage| {
                outage.kind == kind
                    && (outage.from_slot - plant.from).abs() <= 1
                    && (outage.to_slot - plant.to).abs() <= 1
            })
        };
        let all = has(Kind::Host, &plants[0]) && has(Kind::Carrier, &plants[1]);
        right += usize::from(all && found.len() == 2);
    }
    // One day does not show what is usual: 3 of these 66 runs have a false incident or edge.
    assert!(right >= 62, "{right} of 66 runs are right");
}

#[test]
fn a_version_on_bad_terminals_alone_is_no_release() {
    for seed in 0..4 {
        let plant = release();
        let mut fleet = Fleet::new(800 + seed, 2000, 10, &[]);
        let mut counts = std::collections::BTreeMap::new();
        for row in &fleet.failing {
            *counts.entry(row.terminal).or_insert(0) += 1;
        }
        let bad: BTreeSet<u32> = counts
            .iter()
            .filter(|(_, count)| **count > 25)
            .map(|(id, _)| *id)
            .collect();
        assert!(bad.len() > 100);
        for row in &mut fleet.failing {
            if row.slot >= plant.from && bad.contains(&row.terminal) {
                row.app_version = Some(2);
            }
        }
        let share = bad.len() as f64 / 2000.0;
        let rows = fleet.activity.clone();
        for row in rows.iter().filter(|row| row.hour * 12 >= plant.from) {
            let moved = (f64::from(row.terminals) * share).round() as u32;
            fleet.activity.push(Activity {
                app_version: Some(2),
                terminals: moved,
                ..*row
            });
        }
        assert_eq!(search(&fleet), [], "seed {seed}");
    }
}

#[test]
fn neither_order_nor_repetition_changes_the_result() {
    let plants = [carrier_outage(), host_outage()];
    let fleet = Fleet::new(900, 800, 7, &plants);
    let found = search(&fleet);
    assert!(!found.is_empty());
    let mut failing: Vec<_> = fleet.failing.iter().rev().copied().collect();
    // A row of two failures is the same as two rows of one.
    let split: Vec<_> = failing
        .iter()
        .filter(|row| row.failures > 1)
        .copied()
        .collect();
    failing.retain(|row| row.failures == 1);
    for row in split {
        failing.push(FailingTerminals { failures: 1, ..row });
        failing.insert(
            0,
            FailingTerminals {
                failures: row.failures - 1,
                ..row
            },
        );
    }
    let activity: Vec<_> = fleet.activity.iter().rev().copied().collect();
    assert_eq!(
        find(
            &failing,
            &activity,
            &[],
            &Options::default(),
            &Stop::default()
        ),
        Ok(found)
    );
}

#[test]
fn impossible_input_is_refused_and_nothing_shows_nothing() {
    let options = Options::default();
    assert_eq!(
        find(&[], &[], &[], &options, &Stop::default()),
        Ok(Vec::new())
    );
    let row = FailingTerminals {
        slot: START,
        terminal: 1,
        host: None,
        plmn: None,
        cell_r4: None,
        app_version: None,
        failures: 1,
    };
    assert_eq!(
        find(&[row], &[], &[], &options, &Stop::default()),
        Ok(Vec::new())
    );
    let old = FailingTerminals { slot: 0, ..row };
    assert!(matches!(
        find(&[row, old], &[], &[], &options, &Stop::default()),
        Err(OutageError::Span { .. })
    ));
    let cell = LatLng::new(38.7, -9.1).unwrap().to_cell(Resolution::Five);
    let fine = FailingTerminals {
        cell_r4: Some(cell),
        ..row
    };
    assert!(matches!(
        find(&[fine], &[], &[], &options, &Stop::default()),
        Err(OutageError::CellResolution { .. })
    ));
    let never = Options {
        alpha: 0.0,
        ..options
    };
    assert_eq!(
        find(&[row], &[], &[], &never, &Stop::default()),
        Err(OutageError::Alpha(0.0))
    );
}

#[test]
fn a_search_ends_when_it_is_told_to() {
    let fleet = Fleet::new(950, 2000, 7, &[carrier_outage()]);
    let stop = Stop::default();
    stop.request();
    let found = find(
        &fleet.failing,
        &fleet.activity,
        &[],
        &Options::default(),
        &stop,
    );
    assert_eq!(found, Err(OutageError::Stopped(Stopped)));
}

#[test]
fn what_an_outage_covers_is_its_kind_time_and_place() {
    let plant = carrier_outage();
    let fleet = Fleet::new(950, 2000, 7, std::slice::from_ref(&plant));
    let outage = &search(&fleet)[0];
    let cell = outage.cells_r4.first().copied();
    let inside = |slot, plmn, cell| covers(outage, slot, None, plmn, cell, None);
    assert!(inside(outage.from_slot, Some(1), cell));
    assert!(!inside(outage.to_slot, Some(1), cell));
    assert!(!inside(outage.from_slot - 1, Some(1), cell));
    assert!(!inside(outage.from_slot, Some(2), cell));
    assert!(!inside(outage.from_slot, None, cell));
    assert!(!inside(outage.from_slot, Some(1), None));
}

#[test]
fn a_million_rows_take_seconds() {
    let mut failing = Vec::new();
    for copy in 0.. {
        if failing.len() >= 1_000_000 {
            break;
        }
        // The same country again, farther east.
        let moved = |cell: CellIndex| {
            let centre = LatLng::from(cell);
            let east = LatLng::new(centre.lat(), centre.lng() + 4.0 * f64::from(copy)).unwrap();
            east.to_cell(Resolution::Four)
        };
        let plants = [host_outage(), carrier_outage()];
        let fleet = Fleet::new(
            1000 + u64::from(copy),
            2000,
            14,
            &plants[..1 + usize::from(copy == 0)],
        );
        failing.extend(fleet.failing.iter().map(|row| FailingTerminals {
            terminal: row.terminal + copy * 10_000,
            cell_r4: row.cell_r4.map(moved),
            ..*row
        }));
    }
    let start = std::time::Instant::now();
    let found = find(&failing, &[], &[], &Options::default(), &Stop::default())
        .expect("counts that can be searched");
    let taken = start.elapsed();
    eprintln!("{} rows in {taken:?}", failing.len());
    let kinds: Vec<Kind> = found.iter().map(|outage| outage.kind).collect();
    assert_eq!(kinds, [Kind::Host, Kind::Carrier], "{found:?}");
    // Generous: other tests run beside it.
    assert!(taken.as_secs() < 30, "{taken:?}");
}
