//! Refused messages tried again: events once the cause is mended, exactly once, the others as they were.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ingest::resubmit::{ResubmitOptions, ResubmitProgress, TopicReport, resubmit};
use schemas::Table;
use schemas::quarantine::Reason;
use serde_json::json;
use testkit::Message;

use crate::{Case, EVENT_MS, clock, heartbeat};

/// A clock of a terminal that is a day ahead.
const AHEAD_MS: i64 = 86_400_000;

impl Case {
    fn resubmit(&self, options: &ResubmitOptions) -> TopicReport {
        let progress = ResubmitProgress::default();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let reports = resubmit(&self.config, options, &progress, clock()());
        let mut reports = runtime.block_on(reports).expect("a lake");
        assert_eq!(reports.len(), 1);
        reports.remove(0)
    }

    fn folder(&self, table: Table) -> PathBuf {
        self.lake.path().join(table.name())
    }
}

/// Two flushes of a partition, each with a heartbeat from tomorrow, one that is none, and one with a
/// card number.
fn case() -> Case {
    let case = Case::new(1);
    for round in 0..2 {
        let ahead =
            testkit::events::heartbeat("T", EVENT_MS + AHEAD_MS, json!({"attempts": round}));
        let card = json!({"merchant_id": "4111 1111 1111 1111"});
        let card = testkit::events::heartbeat("T", EVENT_MS, card);
        case.produce(&[
            heartbeat("T1", round),
            Message::json("T", &ahead),
            Message::new("T", "not json"),
            Message::json("T", &card),
        ]);
        case.ingest().expect("read to the end");
    }
    case
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copied(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).expect("copied")),
        }
    }
}

fn offsets(case: &Case, table: Table, place: &str) -> Vec<i64> {
    let offsets = case.offsets(table, place).into_iter();
    offsets.map(|(_, offset)| offset).collect()
}

fn events(case: &Case) -> Vec<i64> {
    offsets(case, Table::Heartbeats, "kafka_topic_partition")
}

fn quarantined(case: &Case) -> Vec<i64> {
    offsets(case, Table::Quarantine, "kafka_partition")
}

#[test]
fn what_is_accepted_now_becomes_an_event_once_and_the_rest_stays() {
    let mut case = case();
    assert_eq!(events(&case), [0, 4]);
    let nothing_mended = case.resubmit(&ResubmitOptions::default());
    assert_eq!(nothing_mended.accepted, 0);
    assert_eq!(nothing_mended.refused[&Reason::TimeInFuture], 2);

    case.config.validation.max_future = Duration::from_secs(3 * 86_400);
    let dry_run = case.resubmit(&ResubmitOptions {
        dry_run: true,
        ..ResubmitOptions::default()
    });
    assert_eq!((dry_run.accepted, events(&case).len()), (2, 2));
    let other_reason = case.resubmit(&ResubmitOptions {
        reasons: vec![Reason::Undecodable],
        ..ResubmitOptions::default()
    });
    assert_eq!((other_reason.accepted, other_reason.masked), (0, 0));

    let report = case.resubmit(&ResubmitOptions::default());
    assert_eq!((report.accepted, report.masked, report.settled), (2, 2, 0));
    assert_eq!(report.refused[&Reason::Undecodable], 2);
    assert_eq!(events(&case), [0, 1, 4, 5]);
    assert_eq!(quarantined(&case), [2, 3, 6, 7]);
    let audit = case.assert_sound();
    assert_eq!(
        (audit.partitions[0].rows, audit.partitions[0].quarantined),
        (4, 4)
    );

    assert_eq!(case.resubmit(&ResubmitOptions::default()).accepted, 0);
    case.produce(&[heartbeat("T1", 9)]);
    case.ingest().expect("the ingester goes on");
    case.assert_sound();
}

#[test]
fn a_run_that_was_cut_off_between_its_commits_is_ended_by_the_next() {
    let mut case = case();
    case.config.validation.max_future = Duration::from_secs(3 * 86_400);
    let before = case.lake.path().join("before");
    copied(&case.folder(Table::Quarantine), &before);
    assert_eq!(case.resubmit(&ResubmitOptions::default()).accepted, 2);
    std::fs::remove_dir_all(case.folder(Table::Quarantine)).expect("it was there");
    std::fs::rename(&before, case.folder(Table::Quarantine)).expect("put back");
    assert_eq!(case.audited().partitions[0].doubled, 2);

    let other_reason = case.resubmit(&ResubmitOptions {
        reasons: vec![Reason::Undecodable],
        ..ResubmitOptions::default()
    });
    assert_eq!((other_reason.settled, other_reason.accepted), (2, 0));
    assert_eq!(events(&case), [0, 1, 4, 5]);
    assert_eq!(quarantined(&case), [2, 3, 6, 7]);
    case.assert_sound();
    assert_eq!(case.resubmit(&ResubmitOptions::default()).settled, 0);
}

#[test]
fn a_topic_that_is_not_in_the_settings_is_refused_by_name() {
    let case = Case::new(1);
    let options = ResubmitOptions {
        topics: vec!["terminal.other".into()],
        ..ResubmitOptions::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let progress = ResubmitProgress::default();
    let error = runtime
        .block_on(resubmit(&case.config, &options, &progress, clock()()))
        .expect_err("no such topic");
    assert!(error.to_string().contains("terminal.other"), "{error}");
}
