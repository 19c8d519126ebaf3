//! A signal ends an analysis where it stands, and the next one takes up what is missing.

use std::path::Path;
use std::process::{Command, Stdio};

use schemas::Table;

use crate::support::{demo, notspot, run, text};

/// What an analysis publishes, in an order of its own.
fn published(lake: &str) -> Vec<String> {
    let tables = [
        "terminal_days",
        "outages",
        "weak_zones",
        "terminal_flags",
        "device_models",
        "actions",
    ];
    let rows = tables.map(|table| {
        let sql = format!("select * from lake.{table}");
        let answer = run(&["sql", "--lake", lake, "-c", &sql, "--format=ndjson"]).done();
        let mut rows: Vec<String> = answer.lines().map(str::to_owned).collect();
        rows.sort();
        rows
    });
    rows.concat()
}

/// The demo's lake as its ingester left it.
fn fresh_lake(folder: &Path) -> String {
    let lake = folder.join("lake");
    let copied = Command::new("cp")
        .args(["-r", &demo().lake(), text(&lake)])
        .status();
    assert!(copied.expect("cp is everywhere").success());
    for table in Table::ALL.into_iter().filter(|table| table.is_derived()) {
        std::fs::remove_dir_all(lake.join(table.name())).expect("the demo derived it");
    }
    text(&lake).to_owned()
}

#[test]
fn an_analysis_told_to_stop_ends_and_the_next_gives_the_answer_it_would_have_given() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = fresh_lake(folder.path());
    let arguments = ["analyze", "--window", "7d", "--lake", &lake];
    let mut told = notspot(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    // Its first table: outages, days and the window are still to come.
    let first = Path::new(&lake).join("activity_hours");
    while !first.exists() {
        let ended = told.try_wait().expect("our child");
        assert_eq!(ended, None, "it ended before it wrote anything");
        std::thread::yield_now();
    }
    let sent = Command::new("kill")
        .args(["-TERM", &told.id().to_string()])
        .status();
    assert!(sent.expect("kill is everywhere").success());
    let ended = told.wait().expect("our child");
    assert_eq!(ended.code(), Some(130));
    assert!(!Path::new(&lake).join("actions/_delta_log").exists());
    run(&arguments).done();
    assert_eq!(published(&lake), published(&demo().lake()));
}
