//! The error rates that verdicts promise, measured on synthetic fleets whose truth is known.
//!
//! The fleets are made by another law than the methods assume (`fleet`): terminals that differ by
//! lognormal odds, bad days, runs of retries, signal that fades. What `analyze` runs, [`prove`], runs here.
//! The whole takes long and is run by hand or nightly; its tables are in the README of this crate:
//!
//! `cargo test --workspace --locked --test calibration -- --ignored --nocapture`

#![expect(
    clippy::print_stdout,
    reason = "the tables are what the long run is for"
)]

#[path = "calibration/fleet.rs"]
mod fleet;
#[path = "calibration/tally.rs"]
mod tally;

use fleet::{Fleet, Setting};
use rayon::prelude::*;
use statistics::proof::prove;
use statistics::stop::Stop;
use statistics::zones::ZoneOptions;
use tally::{Outcome, Row};

/// The promise.
const Q: f64 = 0.05;
const FIRST_SEED: u64 = 20_270_401;

fn outcomes(setting: Setting, seeds: u64) -> Vec<Outcome> {
    (0..seeds)
        .into_par_iter()
        .map(|seed| {
            let fleet = Fleet::new(setting, FIRST_SEED + seed);
            let options = ZoneOptions::default();
            let proof = prove(&fleet.places(), &options, &Stop::default())
                .expect("counts are shares of their wholes");
            fleet.score(&proof)
        })
        .collect()
}

/// Measures a setting, prints its rows and returns those whose error rate is proved too high.
fn measure(setting: Setting, seeds: u64) -> Vec<String> {
    let started = std::time::Instant::now();
    let outcomes = outcomes(setting, seeds);
    let seconds = started.elapsed().as_secs();
    let rows = ["terminals", "models", "zones"].map(|what| Row::of(what, &outcomes));
    for row in &rows {
        println!("| {setting} | {row} | {seconds} s |");
    }
    let too_high = rows.iter().filter(|row| row.fdr_low() > Q);
    too_high.map(|row| format!("{setting}: {row}")).collect()
}

fn settings(terminals: usize) -> impl Iterator<Item = Setting> {
    [2, 7, 28].into_iter().flat_map(move |days| {
        [false, true].map(|is_planted| Setting {
            terminals,
            days,
            is_planted,
        })
    })
}

fn assert_promise_holds(too_high: &[String]) {
    assert!(too_high.is_empty(), "above {Q}: {too_high:#?}");
}

#[test]
fn small_fleets_keep_their_promise_in_a_quick_look() {
    let quick = settings(100).filter(|setting| setting.days <= 7);
    let too_high: Vec<String> = quick.flat_map(|setting| measure(setting, 40)).collect();
    assert_promise_holds(&too_high);
}

#[test]
fn planted_faults_of_a_fleet_are_found() {
    let setting = Setting {
        terminals: 1000,
        days: 28,
        is_planted: true,
    };
    let outcomes = outcomes(setting, 8);
    for (what, least) in [("terminals", 0.2), ("models", 0.5), ("zones", 0.5)] {
        let row = Row::of(what, &outcomes);
        assert!(row.power().is_some_and(|power| power >= least), "{row}");
    }
}

/// Measures every window of a size by so many seeds.
fn calibrate(terminals: usize, seeds: u64) {
    println!("{}", Row::HEADER);
    let too_high: Vec<String> = settings(terminals)
        .flat_map(|setting| measure(setting, seeds))
        .collect();
    assert_promise_holds(&too_high);
}

#[test]
#[ignore = "long: by hand or nightly"]
fn a_hundred_terminals_keep_their_promise() {
    calibrate(100, 200);
}

#[test]
#[ignore = "long: by hand or nightly"]
fn a_thousand_terminals_keep_their_promise() {
    calibrate(1000, 200);
}

#[test]
#[ignore = "long: by hand or nightly"]
fn ten_thousand_terminals_keep_their_promise() {
    calibrate(10_000, 200);
}
