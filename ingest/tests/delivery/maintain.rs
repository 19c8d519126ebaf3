//! Maintenance beside running ingesters, and beside itself: the same rows, in fewer files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ingest::Shutdown;
use ingest::maintain::{MaintainOptions, Mode, TableReport, maintain};
use schemas::Table;
use testkit::Message;

use crate::group::assert_once;
use crate::{Case, EVENT_MS, heartbeat};

/// The day after the events' day, when it is closed.
fn next_day() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(EVENT_MS + 86_400_000).expect("a time")
}

fn run(case: &Case) -> Vec<TableReport> {
    let options = MaintainOptions {
        lake: case.lake.path().to_string_lossy().into_owned(),
        tables: Vec::new(),
        from: None,
        to: None,
        target_bytes: 128 << 20,
        memory_bytes: 128 << 20,
        retain: Duration::from_secs(7 * 86_400),
        spill: None,
        mode: Mode::Run,
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (progress, shutdown) = (Arc::default(), Shutdown::default());
    let maintained = maintain(&options, next_day(), &progress, &shutdown);
    runtime.block_on(maintained).expect("maintained")
}

#[test]
fn two_maintenances_beside_an_ingester_lose_and_double_nothing() {
    let mut case = Case::new(4);
    case.config.flush.max_age = Duration::from_millis(200);
    let member = case.start();
    let done = AtomicBool::new(false);
    let (mut produced, reports) = thread::scope(|scope| {
        let maintainers = [(), ()].map(|()| {
            scope.spawn(|| {
                let mut reports = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(700));
                    if case.lake.path().join("heartbeats").exists() {
                        reports.extend(run(&case));
                    }
                }
                reports
            })
        });
        let mut produced = Vec::new();
        for round in 0..60 {
            let message = |n: i32| match n % 29 {
                28 => Message::new("T", "not json").to_partition(n % 4),
                _ => heartbeat(&format!("T{n}"), round).to_partition(n % 4),
            };
            produced.extend(case.produce(&(0..40).map(message).collect::<Vec<_>>()));
            thread::sleep(Duration::from_millis(150));
        }
        done.store(true, Ordering::Relaxed);
        let reports = maintainers
            .map(|one| one.join().expect("no panic"))
            .concat();
        (produced, reports)
    });
    member.has_consumed(produced.len() as u64);
    member.stop().expect("no failure");
    let facts = || {
        reports
            .iter()
            .filter(|report| report.table == Table::Heartbeats)
    };
    assert!(
        facts().map(|report| report.partitions).sum::<u64>() > 2,
        "{reports:?}"
    );
    assert!(
        reports.iter().all(|report| report.faults.is_empty()),
        "{reports:?}"
    );
    let before = case
        .offsets(Table::Heartbeats, "kafka_topic_partition")
        .len() as u64;
    let last = run(&case);
    let last = last.iter().find(|report| report.table == Table::Heartbeats);
    let last = last.expect("the table is there");
    assert_eq!((last.after.files, last.after.rows), (1, before), "{last:?}");
    produced.sort();
    assert_once(&case, produced);
}
