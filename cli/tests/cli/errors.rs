//! What people read when something is wrong, and the exit code scripts see.

use std::net::TcpListener;

use insta::{Settings, assert_snapshot};

use crate::support::{Ran, demo, run, text};

/// Error text and exit code, without what differs from run to run.
fn check(name: &str, ran: Ran) {
    let mut settings = Settings::clone_current();
    settings.add_filter(r"/[^ :,]*/\.tmp[A-Za-z0-9]+", "[TMP]");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\S+Z", "[TIME]");
    settings.add_filter(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:[PORT]");
    settings.bind(|| {
        assert_snapshot!(
            name,
            format!("exit {}\n{}{}", ran.code, ran.stdout, ran.stderr)
        )
    });
}

#[test]
fn a_wrong_argument_is_answered_with_what_there_is() {
    check(
        "unknown_option",
        run(&["report", "coverage", "--lakee", "x"]),
    );
    check("unknown_command", run(&["reprot"]));
    check("unknown_event", run(&["schema", "sale"]));
    check("no_destination", run(&["simulate", "null"]));
    check(
        "two_destinations",
        run(&[
            "simulate",
            "null",
            "--discard",
            "--brokers",
            "localhost:9092",
        ]),
    );
    check(
        "unreadable_day",
        run(&["simulate", "null", "--discard", "--end", "yesterday"]),
    );
}

#[test]
fn an_unknown_report_or_parameter_is_answered_with_the_nearest() {
    check("unknown_report", run(&["report", "covrage"]));
    check(
        "unknown_parameter",
        run(&["report", "coverage", "min_attemps=5"]),
    );
    check("bad_parameter", run(&["report", "coverage", "plmn=208"]));
    check(
        "no_assignment",
        run(&["report", "coverage", "min_attempts"]),
    );
}

#[test]
fn a_missing_lake_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let nowhere = folder.path().join("nowhere");
    check(
        "missing_lake",
        run(&["report", "coverage", "--lake", text(&nowhere)]),
    );
    check(
        "missing_lake_sql",
        run(&["sql", "--lake", text(&nowhere), "-c", "select 1"]),
    );
}

#[test]
fn a_scenario_tells_all_its_faults() {
    check("unknown_scenario", run(&["simulate", "demmo", "--discard"]));
    check(
        "scenario_faults",
        run(&[
            "simulate",
            "null",
            "--discard",
            "--terminals",
            "0",
            "--days",
            "400",
        ]),
    );
    check(
        "unknown_setting_of_scenario",
        run(&["simulate", "null", "--discard", "--set", "fleet.terminal=5"]),
    );
}

#[test]
fn settings_of_the_ingester_are_refused_all_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ingest.toml");
    std::fs::write(
        &file,
        "group = \"a\"\n[kafka]\nbroker = \"localhost:9092\"\n[flsh]\nmax_age = \"5s\"\n",
    )
    .expect("written");
    check(
        "unknown_settings",
        run(&["ingest", "--config", text(&file), "--check"]),
    );
    check(
        "bad_settings",
        run(&[
            "ingest",
            "--check",
            "--set",
            "partition_resolution=9",
            "--set",
            "flush.max_age=1h",
        ]),
    );
    check(
        "missing_settings",
        run(&[
            "ingest",
            "--check",
            "--config",
            text(&folder.path().join("none.toml")),
        ]),
    );
}

#[test]
fn checked_settings_are_printed_with_every_default_and_no_secret() {
    let ran = run(&[
        "ingest",
        "--check",
        "--brokers",
        "kafka:9092",
        "--set",
        "kafka.sasl_password=hunter2",
    ]);
    let settings = ran.done();
    assert!(settings.contains("brokers = \"kafka:9092\""), "{settings}");
    assert!(
        settings.contains("max_age") && !settings.contains("hunter2"),
        "{settings}"
    );
}

#[test]
fn the_environment_sets_what_options_do_not() {
    let mut command = crate::support::notspot(&["ingest", "--check", "--group", "mine"]);
    command
        .env("NOTSPOT_INGEST__GROUP", "theirs")
        .env("NOTSPOT_INGEST__KAFKA__BROKERS", "kafka:9093");
    let settings = crate::support::finish(&mut command).done();
    assert!(
        settings.contains("group = \"mine\"") && settings.contains("kafka:9093"),
        "{settings}"
    );
}

#[test]
fn an_unreachable_broker_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = folder.path().join("lake");
    let settings = [
        "--set",
        "kafka.connect_timeout=1s",
        "--set",
        "http.enabled=false",
    ];
    // Nothing listens on port 1.
    let arguments = [
        &["ingest", "--brokers", "127.0.0.1:1", "--lake", text(&lake)][..],
        &settings,
    ]
    .concat();
    let ran = run(&arguments);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("127.0.0.1:1"), "{ran:?}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = format!("http.listen={}", taken.local_addr().expect("an address"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = folder.path().join("lake");
    check(
        "port_taken",
        run(&["ingest", "--lake", text(&lake), "--set", &listen]),
    );
}

#[test]
fn a_lake_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder").expect("written");
    let lake = file.join("lake");
    let ran = run(&[
        "ingest",
        "--lake",
        text(&lake),
        "--set",
        "http.enabled=false",
    ]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stderr.contains("file/lake"), "{ran:?}");
}

#[test]
fn sql_that_does_not_run_says_where() {
    let lake = demo().lake();
    check(
        "bad_sql",
        run(&[
            "sql",
            "--lake",
            &lake,
            "-c",
            "select atempts from heartbeats",
        ]),
    );
    check(
        "unknown_table",
        run(&["sql", "--lake", &lake, "-c", "select * from heartbeat"]),
    );
    check("no_sql", run(&["sql", "--lake", &lake, "-c", "selec 1"]));
    check(
        "writing_sql",
        run(&[
            "sql",
            "--lake",
            &lake,
            "-c",
            "insert into lake.declines select * from lake.declines",
        ]),
    );
    check(
        "two_statements",
        run(&[
            "sql",
            "--lake",
            &lake,
            "-c",
            "select 1; select 2",
            "--format",
            "json",
        ]),
    );
}

#[test]
fn a_folder_of_other_things_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("thesis.txt"), "years").expect("written");
    check(
        "foreign_folder",
        run(&["demo", "--quick", "--out", text(folder.path())]),
    );
}

#[test]
fn logs_can_be_json() {
    let ran = run(&[
        "--log-format",
        "json",
        "--log",
        "nonsense=loud",
        "report",
        "list",
    ]);
    check("bad_log_filter", ran);
}
