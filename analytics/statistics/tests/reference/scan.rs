//! The scan against a plain NumPy version: members, counts, ratios, and p within its noise.

use h3o::CellIndex;
use statistics::scan::{Cluster, Location, Model, Options, Position, circles, disks};

use crate::csv::{Row, assert_close, rows};

const RUNS: u32 = 999;

/// A cluster without the type of its ids.
fn named<Id: ToString>(cluster: Cluster<Id>) -> Cluster<String> {
    let mut members: Vec<String> = cluster.members.iter().map(Id::to_string).collect();
    members.sort_unstable();
    Cluster {
        rank: cluster.rank,
        centre: cluster.centre.to_string(),
        members,
        attempts: cluster.attempts,
        failures: cluster.failures,
        expected: cluster.expected,
        relative_risk: cluster.relative_risk,
        llr: cluster.llr,
        p: cluster.p,
    }
}

fn location<Id, P>(id: Id, place: P, expected: Option<f64>, row: &Row) -> Location<Id, P> {
    Location {
        id,
        place,
        attempts: row.count("attempts"),
        failures: row.count("failures"),
        expected,
    }
}

fn number(row: &Row, column: &str) -> f64 {
    row.value(column).unwrap()
}

fn scanned(input: &str, options: &Options) -> Vec<Cluster<String>> {
    let input_rows = rows(&format!("scan_{input}_input.csv"));
    if input == "cells" {
        let cell = |row: &Row| {
            let id: CellIndex = row.text("cell").parse().unwrap();
            location(id, (), None, row)
        };
        let found = disks(&input_rows.iter().map(cell).collect::<Vec<_>>(), options).unwrap();
        return found.into_iter().map(named).collect();
    }
    let point = |row: &Row| {
        let place = if input.starts_with("grid") {
            Position::Planar {
                x: number(row, "x"),
                y: number(row, "y"),
            }
        } else {
            Position::Geographic {
                lat: number(row, "lat"),
                lon: number(row, "lon"),
            }
        };
        let expected = if input == "grid_adjusted" {
            row.value("expected")
        } else {
            None
        };
        location(row.text("id").to_owned(), place, expected, row)
    };
    let found = circles(&input_rows.iter().map(point).collect::<Vec<_>>(), options).unwrap();
    found.into_iter().map(named).collect()
}

fn options(row: &Row) -> Options {
    Options {
        model: if row.text("model") == "poisson" {
            Model::Poisson
        } else {
            Model::Bernoulli
        },
        max_share: number(row, "max_share"),
        min_cases: row.count("min_cases"),
        runs: RUNS,
        seed: 20,
        secondary: 4,
    }
}

#[test]
fn clusters_are_the_same_and_p_within_noise() {
    let expected = rows("scan_expected.csv");
    let family = |row: &Row| {
        let columns = ["input", "windows", "model", "max_share", "min_cases"];
        columns.map(|column| row.text(column).to_owned())
    };
    for same in expected.chunk_by(|a, b| family(a) == family(b)) {
        let found = scanned(same[0].text("input"), &options(&same[0]));
        for (row, got) in same.iter().zip(&found) {
            let what = format!("{:?} rank {}", family(row), row.text("rank"));
            let mut members: Vec<&str> = row.text("members").split(';').collect();
            members.sort_unstable();
            assert_eq!(got.members, members, "{what}");
            assert_eq!(got.rank as u64, row.count("rank"), "{what}");
            assert_eq!(got.attempts, row.count("attempts"), "{what}");
            assert_eq!(got.failures, row.count("failures"), "{what}");
            assert_close(&what, Some(got.expected), row.value("expected"), 1e-9);
            assert_close(&what, got.relative_risk, row.value("relative_risk"), 1e-9);
            assert_close(&what, Some(got.llr), row.value("llr"), 1e-8);
            let (p, got_p) = (number(row, "p"), got.p.unwrap());
            // Two simulations: five standard deviations of the difference of their shares.
            let runs = 1.0 / number(row, "runs") + 1.0 / f64::from(RUNS);
            let noise = (p * (1.0 - p) * runs).sqrt();
            assert!(
                (got_p - p).abs() <= 5.0 * noise + 2e-3,
                "{what}: {got_p} for {p}"
            );
        }
        assert!(found.len() >= same.len());
    }
}
