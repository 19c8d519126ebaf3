//! Maintenance of tables made by hand: the same rows afterwards, whatever others do meanwhile.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, TimeDelta, Utc};
use deltalake_core::kernel::{Add, Remove};
use futures::TryStreamExt;
use lake::{Commit, CommitKind, LakeTable};
use schemas::Table;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::merge::{Bounds, Merged, merge};
use super::plan::{Days, Job, jobs};
use super::publish::publish;
use super::{MaintainOptions, MaintainProgress, Mode, TableReport, maintain};
use crate::pipeline::Shutdown;
use crate::sink::commit::{Advance, Outcome, commit_fenced};

const DAY: &str = "2026-11-24";
/// 2026-11-24T06:00Z.
const EVENT_US: i64 = 1_795_500_000_000_000;

fn after() -> DateTime<Utc> {
    "2026-11-26T00:00:00Z".parse().expect("a time")
}

async fn open(folder: &tempfile::TempDir) -> LakeTable {
    let lake = folder.path().to_string_lossy();
    LakeTable::open_or_create(&lake, Table::Heartbeats, None)
        .await
        .expect("a lake")
}

/// A heartbeat of a day and place; its number makes everything else.
fn row(number: i64) -> Value {
    let cell = ["821fb7fffffffff", "822d57fffffffff"][usize::try_from(number % 2).expect("0 or 1")];
    json!({
        "event_id": format!("event-{number}"), "terminal_id": format!("T{}", number * 7 % 13),
        "event_time": EVENT_US + number * 31 % 17, "attempts": number, "interval_s": 300, "approvals": 0,
        "cell_r9": 600_000_000_000_000_000 + number * 5 % 11,
        "sentinels_nulled": 0, "out_of_range_nulled": 0, "kafka_topic_partition": "heartbeat/0",
        "kafka_offset": number, "ingest_time": EVENT_US, "event_date": DAY, "partition_cell": cell,
    })
}

fn batch(rows: &[Value]) -> RecordBatch {
    let schema = Table::Heartbeats.schema();
    let text: String = rows.iter().map(Value::to_string).collect();
    let mut reader = arrow_json::ReaderBuilder::new(schema)
        .build(text.as_bytes())
        .expect("a reader");
    reader.next().expect("rows").expect("rows of the contract")
}

/// Commits `files` small files of ten rows each and partition, numbered on from `first`.
async fn fill(table: &mut LakeTable, first: i64, files: i64) {
    for file in 0..files {
        let start = first + file * 20;
        let rows: Vec<Value> = (start..start + 20).map(row).collect();
        let sorted = lake::sort(Table::Heartbeats, &batch(&rows)).expect("columns are there");
        let commit = Commit {
            adds: lake::write(table, &sorted).await.expect("stored"),
            ..Commit::default()
        };
        table
            .commit(commit, CommitKind::Append)
            .await
            .expect("committed");
    }
}

/// Rows of the newest version by offset; as text, so that every column counts.
async fn rows(table: &mut LakeTable) -> Vec<String> {
    table.refresh().await.expect("a log");
    let mut rows = Vec::new();
    for file in table.files().await.expect("a version") {
        for batch in table.read(&file.path).await.expect("readable") {
            let options = arrow::util::display::FormatOptions::default();
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| arrow::util::display::ArrayFormatter::try_new(column, &options))
                .collect::<Result<_, _>>()
                .expect("columns print");
            let offsets = batch["kafka_offset"].as_primitive::<Int64Type>();
            for at in 0..batch.num_rows() {
                let values: Vec<String> = columns.iter().map(|c| c.value(at).to_string()).collect();
                rows.push(format!("{:08} {}", offsets.value(at), values.join("|")));
            }
        }
    }
    rows.sort();
    rows
}

fn options(folder: &tempfile::TempDir) -> MaintainOptions {
    MaintainOptions {
        lake: folder.path().to_string_lossy().into_owned(),
        tables: vec![Table::Heartbeats],
        from: None,
        to: None,
        target_bytes: 128 << 20,
        memory_bytes: 512 << 20,
        retain: Duration::from_secs(7 * 86_400),
        spill: None,
        mode: Mode::Run,
    }
}

async fn run(options: &MaintainOptions, now: DateTime<Utc>) -> TableReport {
    let progress = Arc::<MaintainProgress>::default();
    let reports = maintain(options, now, &progress, &Shutdown::default()).await;
    reports.expect("maintained").remove(0)
}

async fn planned(table: &LakeTable) -> Vec<Job> {
    let days = Days {
        from: None,
        to: None,
        now: after(),
    };
    jobs(
        Table::Heartbeats,
        table.files().await.expect("a version"),
        &days,
        1 << 20,
    )
}

async fn merged(table: &LakeTable, job: Job, share_bytes: usize) -> Merged {
    let bounds = Bounds {
        share_bytes,
        target_bytes: 1 << 20,
        spill: None,
    };
    let (table, runtime) = (Arc::new(table.clone()), Handle::current());
    let progress = MaintainProgress::default();
    tokio::task::spawn_blocking(move || merge(&table, job, &bounds, &runtime, &progress))
        .await
        .expect("no panic")
        .expect("merged")
}

async fn all_merged(table: &LakeTable) -> Vec<Merged> {
    let mut all = Vec::new();
    for job in planned(table).await {
        all.push(merged(table, job, 64 << 20).await);
    }
    all
}

#[tokio::test]
async fn small_files_become_one_sorted_file_a_partition_with_the_same_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = open(&folder).await;
    fill(&mut table, 0, 12).await;
    let before = rows(&mut table).await;
    assert_eq!(before.len(), 240);
    let dry = MaintainOptions {
        mode: Mode::DryRun,
        ..options(&folder)
    };
    assert_eq!(run(&dry, after()).await.merged.files, 24);
    assert_eq!(rows(&mut table).await, before);
    let report = run(&options(&folder), after()).await;
    assert_eq!((report.before.files, report.after.files), (24, 2));
    assert_eq!((report.merged.rows, report.after.rows), (240, 240));
    assert_eq!((report.partitions, report.overtaken), (2, 0));
    assert_eq!(rows(&mut table).await, before);
    for file in table.files().await.expect("a version") {
        assert_eq!(file.rows, Some(120));
        let found = table.read(&file.path).await.expect("readable");
        let found = arrow::compute::concat_batches(&found[0].schema(), &found).expect("one schema");
        let keys: Vec<(i64, &str, i64)> = (0..found.num_rows())
            .map(|at| {
                (
                    found["cell_r9"].as_primitive::<Int64Type>().value(at),
                    found["terminal_id"].as_string::<i32>().value(at),
                    found["event_time"]
                        .as_primitive::<TimestampMicrosecondType>()
                        .value(at),
                )
            })
            .collect();
        assert!(keys.is_sorted(), "{}", file.path);
    }
    let again = run(&options(&folder), after()).await;
    assert_eq!((again.partitions, again.merged.files), (0, 0));
    assert_eq!(rows(&mut table).await, before);
}

#[tokio::test]
async fn a_budget_far_below_the_rows_gives_the_same_files_by_way_of_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = open(&folder).await;
    fill(&mut table, 0, 40).await;
    let before = rows(&mut table).await;
    for job in planned(&table).await {
        let (in_memory, spilled) = (
            merged(&table, job.clone(), 64 << 20).await,
            // A run a file, merged two at a time.
            merged(&table, job, 1_024).await,
        );
        let read = async |one: &Merged| {
            let path = one.adds[0].path.as_str().into();
            let batches = table.read(&path).await.expect("readable");
            arrow::compute::concat_batches(&batches[0].schema(), &batches).expect("one schema")
        };
        assert_eq!(read(&in_memory).await, read(&spilled).await);
        let published = publish(&mut table, vec![spilled], 0)
            .await
            .expect("committed");
        assert_eq!(published.landed.len(), 1);
    }
    assert_eq!(rows(&mut table).await, before);
    assert_eq!(table.files().await.expect("a version").len(), 2);
}

/// INGEST's experiment with delta-rs: two compactions from one version both commit there, and the
/// rows are in the table twice.
#[tokio::test]
async fn of_two_merges_from_one_version_the_second_does_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = open(&folder).await;
    fill(&mut first, 0, 4).await;
    let mut second = first.clone();
    let before = rows(&mut first).await;
    let (mine, theirs) = (all_merged(&first).await, all_merged(&second).await);
    let published = publish(&mut first, mine, 0).await.expect("committed");
    assert_eq!((published.landed.len(), published.overtaken.len()), (2, 0));
    let lost: Vec<String> = theirs.iter().map(|one| one.adds[0].path.clone()).collect();
    let published = publish(&mut second, theirs, 0).await.expect("given up");
    assert_eq!((published.landed.len(), published.overtaken.len()), (0, 2));
    assert_eq!(rows(&mut second).await, before);
    for path in lost {
        assert!(!folder.path().join("heartbeats").join(path).exists());
    }
}

/// The other half of it: a compaction by delta-rs itself is no conflict to it either.
#[tokio::test]
async fn a_foreign_compaction_that_comes_first_is_seen_and_the_rows_stay_single() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = open(&folder).await;
    fill(&mut table, 0, 4).await;
    let before = rows(&mut table).await;
    let ours = all_merged(&table).await;
    let mut foreign = table.clone();
    for one in all_merged(&foreign).await {
        let unchanged = |remove: Remove| Remove {
            data_change: false,
            ..remove
        };
        let commit = Commit {
            adds: one.adds,
            removes: one
                .job
                .files
                .into_iter()
                .map(|file| unchanged(file.removal))
                .collect(),
            ..Commit::default()
        };
        // As delta-rs does: with retries, and without a look at what others removed.
        foreign
            .commit(commit, CommitKind::Append)
            .await
            .expect("committed");
    }
    let published = publish(&mut table, ours, 0).await.expect("given up");
    assert_eq!((published.landed.len(), published.overtaken.len()), (0, 2));
    assert_eq!(rows(&mut table).await, before);
}

#[tokio::test]
async fn rows_that_come_meanwhile_stay_and_the_merge_lands_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = open(&folder).await;
    fill(&mut table, 0, 4).await;
    let ours = all_merged(&table).await;
    let mut ingester = open(&folder).await;
    fill(&mut ingester, 80, 3).await;
    let published = publish(&mut table, ours, 0).await.expect("committed");
    assert_eq!((published.landed.len(), published.overtaken.len()), (2, 0));
    assert_eq!(rows(&mut table).await.len(), 140);
    assert_eq!(table.files().await.expect("a version").len(), 2 + 6);
    // What the ingester knew is old now, and still no conflict.
    fill(&mut ingester, 140, 1).await;
    assert_eq!(rows(&mut table).await.len(), 160);
}

#[tokio::test]
async fn a_file_with_other_rows_than_its_log_says_is_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = open(&folder).await;
    fill(&mut table, 0, 2).await;
    let sorted = lake::sort(Table::Heartbeats, &batch(&[row(40)])).expect("columns are there");
    let mut adds = lake::write(&table, &sorted).await.expect("stored");
    let stats = adds[0].stats.take().expect("statistics");
    adds[0] = Add {
        stats: Some(stats.replace("\"numRecords\":1", "\"numRecords\":2")),
        ..adds[0].clone()
    };
    let file = adds[0].path.clone();
    let commit = Commit {
        adds,
        ..Commit::default()
    };
    table
        .commit(commit, CommitKind::Append)
        .await
        .expect("committed");
    let report = run(&options(&folder), after()).await;
    assert_eq!((report.partitions, report.faults.len()), (1, 1));
    let told = &report.faults[0];
    assert!(
        told.contains(&file) && told.contains("has 1 rows, its log says 2"),
        "{told}"
    );
    assert_eq!(rows(&mut table).await.len(), 41);
}

#[tokio::test]
async fn files_are_deleted_only_when_no_retained_version_and_no_commit_in_flight_needs_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = open(&folder).await;
    fill(&mut table, 0, 4).await;
    let stored = async |table: &LakeTable| -> Vec<_> {
        let all: Vec<_> = table
            .store()
            .list(None)
            .try_collect()
            .await
            .expect("a folder");
        let is_data = |path: &str| path.contains("partition_cell=");
        all.into_iter()
            .filter(|file| is_data(file.location.as_ref()))
            .collect()
    };
    // Stored and never committed, as by a killed ingester or one about to commit.
    let sorted = lake::sort(Table::Heartbeats, &batch(&[row(1)])).expect("columns are there");
    lake::write(&table, &sorted).await.expect("stored");
    let made = stored(&table).await[0].last_modified;
    let retain = TimeDelta::days(7);
    let report = run(&options(&folder), made + retain - TimeDelta::hours(1)).await;
    assert_eq!(
        (
            report.before.files,
            report.after.files,
            report.deleted.files
        ),
        (8, 2, 0)
    );
    assert_eq!(stored(&table).await.len(), 8 + 2 + 1);
    // The orphan is old enough now; what was merged was still read an hour ago.
    let report = run(&options(&folder), made + retain + TimeDelta::hours(1)).await;
    assert_eq!(report.deleted.files, 1);
    let report = run(&options(&folder), made + retain * 2 + TimeDelta::hours(1)).await;
    assert_eq!(report.deleted.files, 8);
    assert_eq!(stored(&table).await.len(), 2);
    assert_eq!(rows(&mut table).await.len(), 80);
}

#[tokio::test]
async fn positions_outlive_checkpoints_and_the_end_of_the_old_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = open(&folder).await;
    let commit = Commit {
        transactions: vec![deltalake_core::kernel::Transaction::new_with_last_update(
            "group/0/cluster/heartbeat/0",
            20,
            Some(0),
        )],
        ..Commit::default()
    };
    table
        .commit(commit, CommitKind::Append)
        .await
        .expect("committed");
    fill(&mut table, 0, 4).await;
    let entry = table
        .store()
        .list(None)
        .try_collect::<Vec<_>>()
        .await
        .expect("a folder");
    let made = entry
        .iter()
        .map(|file| file.last_modified)
        .max()
        .expect("files");
    let report = run(&options(&folder), made + TimeDelta::days(8)).await;
    assert!(report.log_entries_deleted > 0, "{report:?}");
    let mut anew = open(&folder).await;
    let position = anew
        .position("group/0/cluster/heartbeat/0")
        .await
        .expect("a log");
    assert_eq!(position, Some(20));
    assert_eq!(rows(&mut anew).await.len(), 80);
}

#[tokio::test]
async fn a_writer_that_slept_through_the_end_of_the_log_it_knows_writes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut asleep = open(&folder).await;
    let app_id = "group/0/cluster/heartbeat/0";
    // It remembers positions, and need not look at the log to know where it stands.
    assert_eq!(asleep.position(app_id).await.expect("a log"), None);
    let mut other = open(&folder).await;
    fill(&mut other, 0, 6).await;
    let checkpointed = other.checkpoint().await.expect("a checkpoint");
    fill(&mut other, 120, 1).await;
    let later = "2100-01-01T00:00:00Z".parse().expect("a time");
    let deleted = other.forget_log_before(later).await;
    assert!(checkpointed && deleted.expect("a log") >= 6);
    // The number of its next version is one that is deleted: what it wrote there nobody would see.
    let sorted = lake::sort(Table::Heartbeats, &batch(&[row(140)])).expect("columns are there");
    let adds = lake::write(&asleep, &sorted).await.expect("stored");
    let advance = Advance {
        app_id: app_id.to_owned(),
        start: 140,
        end: 141,
        last_time_ms: None,
    };
    let committed = commit_fenced(&mut asleep, adds, &[advance], 0).await;
    assert_eq!(committed.expect("a log"), Outcome::Committed);
    assert_eq!(rows(&mut other).await.len(), 141);
    assert_eq!(rows(&mut asleep).await.len(), 141);
}

#[tokio::test]
async fn bounds_that_cannot_hold_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = MaintainOptions {
        memory_bytes: 1 << 20,
        target_bytes: 1,
        retain: Duration::from_secs(60),
        ..options(&folder)
    };
    let progress = Arc::<MaintainProgress>::default();
    let refused = maintain(&wrong, after(), &progress, &Shutdown::default()).await;
    let told = refused.expect_err("refused").to_string();
    for part in ["128 MiB", "1 MiB", "retain at least 1h"] {
        assert!(told.contains(part), "{told}");
    }
}
