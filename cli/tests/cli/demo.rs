//! The demo on a small setting.

use serde_json::Value;

use crate::support::{demo, run, text};

#[test]
fn every_message_sent_is_in_the_lake() {
    let screen = &demo().screen;
    assert_eq!(screen.matches("adds up").count(), 3, "{screen}");
    assert!(!screen.contains("DOES NOT ADD UP"), "{screen}");
    let key: Value = serde_json::from_str(
        &std::fs::read_to_string(demo().path("answer-key.json")).expect("a key"),
    )
    .expect("JSON");
    let sql = "select (select count(*) from lake.heartbeats) as heartbeats, (select count(*) from lake.signal_readings) as signals, \
               (select count(*) from lake.declines) as declines";
    let rows: Value = serde_json::from_str(
        &run(&[
            "sql",
            "--lake",
            &demo().lake(),
            "-c",
            sql,
            "--format",
            "json",
        ])
        .done(),
    )
    .expect("JSON");
    for kind in ["heartbeats", "signals", "declines"] {
        assert_eq!(rows[0][kind], key["counts"][kind], "{kind}");
        assert!(rows[0][kind].as_u64().expect("a count") > 1_000, "{kind}");
    }
}

#[test]
fn the_screen_says_that_the_broker_is_a_mock_and_what_to_run_next() {
    let screen = &demo().screen;
    assert!(
        screen.contains("a mock inside this program")
            && screen.contains("--brokers takes a real one"),
        "{screen}"
    );
    let next = screen.split("Next:").nth(1).expect("what to run next");
    assert!(
        next.contains(&format!("notspot sql --lake {}", demo().lake())),
        "{next}"
    );
}

#[test]
fn the_folder_holds_every_report_the_key_and_the_map() {
    for report in [
        "coverage",
        "device-models",
        "carriers",
        "silent-terminals",
        "data-quality",
        "planted-and-found",
    ] {
        let json = std::fs::read_to_string(demo().path("reports").join(format!("{report}.json")))
            .expect("a report");
        let rows: Value = serde_json::from_str(&json).expect("JSON");
        assert!(
            rows.as_array().is_some_and(|rows| !rows.is_empty()),
            "{report}"
        );
        assert!(
            demo()
                .path("reports")
                .join(format!("{report}.csv"))
                .is_file(),
            "{report}"
        );
    }
    assert!(demo().path("map.html").is_file());
    assert!(demo().path("registry").join("terminals.csv").is_file());
}

#[test]
fn the_analysis_finds_what_was_planted_without_the_key() {
    let findings =
        std::fs::read_to_string(demo().path("reports/planted-and-found.json")).expect("findings");
    let findings: Vec<Value> = serde_json::from_str(&findings).expect("JSON");
    for kind in ["not_spot", "host_outage", "bad_model", "card_limit"] {
        let finding = findings.iter().find(|finding| finding["kind"] == kind);
        let finding = finding.unwrap_or_else(|| panic!("{kind} is planted"));
        assert_eq!(finding["stands_out"], true, "{finding}");
        assert_eq!(finding["verdict"]["found"], true, "{finding}");
    }
}

#[test]
fn analyzing_again_changes_nothing() {
    let again = run(&["analyze", "--lake", &demo().lake(), "--window", "7d"]).done();
    assert!(again.contains(" 0 days computed"), "{again}");
    assert!(again.contains("window unchanged"), "{again}");
}

#[test]
fn reports_of_the_lake_come_in_every_format() {
    let lake = demo().lake();
    let csv = run(&[
        "report", "coverage", "top=3", "--lake", &lake, "--format", "csv",
    ])
    .done();
    assert_eq!(csv.lines().count(), 4, "{csv}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("coverage.parquet");
    run(&[
        "report",
        "coverage",
        "--set",
        "top=3",
        "--lake",
        &lake,
        "-o",
        text(&file),
    ])
    .done();
    let parquet = std::fs::read(&file).expect("a file");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    let table = run(&["report", "carriers", "--lake", &lake]).done();
    assert!(table.contains("268-0"), "{table}");
}
