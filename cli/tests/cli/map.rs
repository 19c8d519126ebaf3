//! The demo's map in a real browser.

use std::path::Path;
use std::process::Command;

use crate::support::{demo, text};

/// Opens a page headless and returns the document after its script ran.
fn open(page: &str) -> String {
    let profile = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args([
            "--window-size=1300,900",
            "--virtual-time-budget=10000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", text(profile.path())))
        // Whatever the page might ask for by name is not there.
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .arg(page)
        .output()
        .unwrap_or_else(|error| {
            panic!("chromium does not start ({error}): install it with `apt-get install chromium`")
        });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let errors: Vec<String> = text(&output.stderr)
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .map(str::to_owned)
        .collect();
    assert!(errors.is_empty(), "the page logs {errors:?}");
    text(&output.stdout)
}

fn url(path: &Path) -> String {
    format!("file://{}", text(path))
}

/// A number the page's script put on its body.
fn number(dom: &str, name: &str) -> usize {
    let marker = format!("data-{name}=\"");
    let rest = dom
        .split(&marker)
        .nth(1)
        .unwrap_or_else(|| panic!("no {name} on the page"));
    rest.split('"')
        .next()
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

#[test]
fn the_map_draws_its_cells_and_colours_those_with_enough_attempts() {
    let dom = open(&url(&demo().path("map.html")));
    let (loaded, drawn, coloured) = (
        number(&dom, "loaded"),
        number(&dom, "cells"),
        number(&dom, "coloured"),
    );
    assert!(loaded > 100, "{loaded} cells loaded");
    assert!(drawn > loaded / 2, "{drawn} of {loaded} cells drawn");
    assert!(
        coloured > 0 && coloured <= loaded,
        "{coloured} of {loaded} cells coloured"
    );
    assert!(dom.contains("too few attempts to say") && dom.contains("95 % interval"));
    assert!(
        dom.contains("default-src 'none'"),
        "the page forbids itself the network"
    );
    assert!(dom.contains("Natural Earth"), "the borders are credited");
}

#[test]
fn the_numbers_behind_a_cell_are_those_of_the_report() {
    let coverage = std::fs::read_to_string(demo().path("reports/coverage.json")).expect("a report");
    let coverage: serde_json::Value = serde_json::from_str(&coverage).expect("JSON");
    let row = coverage
        .as_array()
        .and_then(|rows| rows.iter().find(|row| row["cell_r8"].is_string()))
        .expect("a cell");
    let cell = row["cell_r8"].as_str().expect("text");
    let dom = open(&format!("{}#{cell}", url(&demo().path("map.html"))));
    let details = dom
        .split("id=\"details\"")
        .nth(1)
        .and_then(|rest| rest.split("</section>").next())
        .expect("details");
    assert!(details.contains(cell), "{details}");
    let (failures, attempts) = (&row["out_of_range_failures"], &row["attempts"]);
    let grouped = |number: &serde_json::Value| {
        let number = number.as_u64().expect("a count");
        if number < 1_000 {
            number.to_string()
        } else {
            format!("{},{:03}", number / 1_000, number % 1_000)
        }
    };
    let counts = format!("{} of {} attempts", grouped(failures), grouped(attempts));
    assert!(details.contains(&counts), "{counts} is not in {details}");
}

#[test]
fn the_map_lists_what_was_planted() {
    let dom = open(&url(&demo().path("map.html")));
    let list = dom
        .split("id=\"truth-list\"")
        .nth(1)
        .expect("the list of what was planted");
    assert!(list.contains("weak zone"), "{list}");
}
