use h3o::{LatLng, Resolution};

use super::*;
use crate::rng::Stream;

/// One terminal's counts in a cell.
fn place<'a>(cell: CellIndex, terminal: &'a str, device: &'a str, counts: (u32, u32)) -> Place<'a> {
    let (attempts, failures) = counts;
    Place {
        cell,
        plmn: "001-01",
        terminal,
        merchant: terminal,
        model: device,
        firmware: None,
        device,
        rat: "lte",
        stratum: "here/001-01",
        attempts,
        failures,
        usual_attempts: attempts,
        usual_failures: failures,
        pairs_of_days: 0,
        readings: 100,
        weak_readings: 0,
        signal: 0,
        days: 10,
        replaced: 0,
        is_current: true,
        daypart_attempts: [attempts / 4; 4],
        daypart_failures: [failures / 4; 4],
    }
}

fn here() -> CellIndex {
    let town = LatLng::new(47.05, 8.31).expect("a place on earth");
    town.to_cell(Resolution::Eight)
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("t{number:03}")).collect()
}

fn proved(places: &[Place<'_>]) -> Proof {
    prove(places, &ZoneOptions::default(), &Stop::default()).expect("counts are shares")
}

#[test]
fn the_order_of_places_changes_nothing() {
    let names = names(60);
    let mut stream = Stream::new(3, 0);
    let mut places: Vec<Place<'_>> = names
        .iter()
        .map(|name| {
            let failures = 4 + stream.below(9) as u32;
            let device = ["A", "B", "C"][stream.below(3) as usize];
            place(here(), name, device, (400, failures))
        })
        .collect();
    places[5].usual_failures = 190;
    places[5].failures = 190;
    let first = proved(&places);
    assert!(first.terminals.flagged().contains("t005"));
    places.reverse();
    places.rotate_left(17);
    let second = proved(&places);
    assert_eq!(first.terminals, second.terminals);
    assert_eq!(first.models, second.models);
    assert_eq!(first.zones, second.zones);
}

#[test]
fn condemning_models_one_by_one_is_bounded_and_told() {
    // Each model is ten times as bad as the one before, beside a crowd that never varies.
    let devices: Vec<String> = (0..30).map(|number| format!("m{number:02}")).collect();
    let names = names(30 * 12);
    let mut places = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let model = at / 12;
        let rate = 0.9 * 0.75_f64.powi(model as i32);
        let failures = (4000.0 * rate) as u32 + (at % 5) as u32;
        places.push(place(here(), name, &devices[model], (4000, failures)));
    }
    let judged = judge_models(
        &places,
        &Default::default(),
        &WeakPlaces::default(),
        &Stop::default(),
    )
    .expect("counts are shares");
    assert!(judged.is_cut_short);
    assert_eq!(judged.flagged().len(), 12);
    assert_eq!(judged.rows.len(), 30);
    assert!(judged.flagged().contains("m00"));
}

#[test]
fn a_request_to_stop_ends_the_proof() {
    let names = names(8);
    let places: Vec<Place<'_>> = names
        .iter()
        .map(|name| place(here(), name, "A", (100, 3)))
        .collect();
    let stop = Stop::default();
    stop.request();
    let error = prove(&places, &ZoneOptions::default(), &stop).expect_err("it was asked to");
    assert_eq!(error, ProofError::Stopped(Stopped));
}

#[test]
fn who_stands_alone_with_weak_signal_or_among_the_weak_is_not_testable() {
    let names = names(43);
    let far: Vec<CellIndex> = here().grid_ring::<Vec<_>>(12);
    let mut places: Vec<Place<'_>> = names[..40]
        .iter()
        .enumerate()
        .map(|(at, name)| place(here(), name, "A", (500, 5 + at as u32 % 7)))
        .collect();
    // One alone and weak, and two weak ones side by side of which one fails.
    for (at, failures) in [(40, 60), (41, 60), (42, 20)] {
        let (cell, stratum) = match at {
            40 => (far[0], "alone/001-01"),
            _ => (far[30], "pair/001-01"),
        };
        places.push(Place {
            weak_readings: 60,
            stratum,
            ..place(cell, &names[at], "A", (500, failures))
        });
    }
    let terminals = judge_terminals(&places, &WeakPlaces::default()).expect("counts are shares");
    let because = |name: &str| {
        let row = terminals.rows.iter().find(|row| row.row.terminal == name);
        row.expect("every terminal has a row").because
    };
    assert_eq!(because("t040"), Some(NotTestable::NoPeer));
    assert_eq!(because("t041"), Some(NotTestable::PossibleZone));
    assert_eq!(because("t000"), None);
    assert!(terminals.flagged().is_empty());
}

#[test]
fn a_device_is_not_judged_by_what_its_predecessor_failed() {
    let names = names(60);
    let mut places: Vec<Place<'_>> = names
        .iter()
        .map(|name| place(here(), name, "A", (1000, 10)))
        .collect();
    let swapped = |is_current, failures| Place {
        is_current,
        ..place(here(), "swapped", "A", (1000, failures))
    };
    places.extend([swapped(false, 400), swapped(true, 9)]);
    let judge = |places: &[Place<'_>]| {
        let terminals = judge_terminals(places, &WeakPlaces::default());
        let terminals = terminals.expect("counts are shares");
        let row = terminals
            .rows
            .iter()
            .find(|row| row.row.terminal == "swapped")
            .expect("every terminal has a row");
        (row.row.attempts, row.row.flagged)
    };
    assert_eq!(judge(&places), (1000, false));
    for place in &mut places {
        place.is_current = true;
    }
    assert_eq!(judge(&places), (2000, true));
}

#[test]
fn failures_that_share_days_lengthen_the_runs() {
    let names = names(200);
    let of = |pairs_of_days| {
        let places: Vec<Place<'_>> = names
            .iter()
            .map(|name| Place {
                pairs_of_days,
                ..place(here(), name, "A", (1000, 10))
            })
            .collect();
        runs::run_length(&places, &WeakPlaces::default())
    };
    // Ten failures dealt by chance over ten days share a day nine times; all on two days, forty.
    assert!((1.0..1.1).contains(&of(9)), "{}", of(9));
    assert!(of(40) > 1.5, "{}", of(40));
}
