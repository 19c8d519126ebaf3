//! The audit: clean after honest work, and every kind of fault found and named.

use std::path::PathBuf;

use deltalake_core::kernel::{Add, Transaction};
use ingest::audit::{AuditOptions, AuditProgress, AuditReport, Fault, FaultKind, audit};
use lake::{Commit, CommitKind, LakeFile, LakeTable};
use schemas::Table;
use testkit::Message;

use crate::{Case, heartbeat};

impl Case {
    pub(crate) fn audited(&self) -> AuditReport {
        let options = AuditOptions {
            lake: self.lake.path().to_string_lossy().into_owned(),
            topics: Vec::new(),
        };
        let progress = AuditProgress::default();
        let audit = audit(&options, &progress);
        runtime().block_on(audit).expect("a lake that can be read")
    }

    /// Proves that every offset is accounted for and every file sound.
    pub(crate) fn assert_sound(&self) -> AuditReport {
        let report = self.audited();
        assert_eq!(report.faults, [], "{:?}", report.partitions);
        report
    }

    fn table(&self) -> LakeTable {
        let lake = self.lake.path().to_string_lossy().into_owned();
        let found = runtime().block_on(LakeTable::found(&lake, Table::Heartbeats));
        found.expect("a lake").expect("a table")
    }

    fn file(&self, file: &LakeFile) -> PathBuf {
        self.lake.path().join("heartbeats").join(file.path.as_ref())
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

/// A lake of two flushes: twenty events of one partition, one quarantined, one tombstone.
fn case() -> Case {
    let case = Case::new(1);
    for round in 0..2 {
        let message = |n: i64| match (round, n) {
            (0, 5) => Message::new("T", "not json"),
            (1, 7) => Message {
                payload: None,
                ..Message::new("T", "")
            },
            _ => heartbeat(&format!("T{n}"), round),
        };
        case.produce(&(0..11).map(message).collect::<Vec<_>>());
        case.ingest().expect("read to the end");
    }
    case
}

fn one(report: &AuditReport) -> &Fault {
    assert_eq!(report.faults.len(), 1, "{:?}", report.faults);
    &report.faults[0]
}

#[test]
fn what_was_ingested_is_accounted_for_by_kind() {
    let report = case().assert_sound();
    let of = &report.partitions[0];
    assert_eq!((of.first_offset, of.next_offset), (0, 22));
    assert_eq!((of.rows, of.quarantined, of.without_event), (20, 1, 1));
    assert_eq!((of.missing, of.doubled), (0, 0));
}

#[test]
fn a_file_that_is_gone_is_named_with_the_offsets_that_are_missing() {
    let case = case();
    let files = runtime().block_on(case.table().files());
    let file = files.expect("a version").remove(0);
    std::fs::remove_file(case.file(&file)).expect("it was there");
    let report = case.audited();
    let gone: Vec<&Fault> = report
        .faults
        .iter()
        .filter(|fault| fault.kind == FaultKind::FileMissing)
        .collect();
    assert_eq!(gone.len(), 1, "{report:?}");
    assert_eq!(gone[0].files, [file.path.to_string()]);
    assert_eq!(report.partitions[0].missing, 10);
}

#[test]
fn a_row_that_is_there_twice_is_named_with_both_files() {
    let case = case();
    let mut table = case.table();
    let files = runtime().block_on(table.files());
    let file = files.expect("a version").remove(0);
    let rows = runtime().block_on(table.read(&file.path)).expect("rows");
    let add = runtime().block_on(async {
        let folder = file.path.to_string();
        let folder = folder.rsplit_once('/').expect("a folder").0.to_owned() + "/";
        let mut copy = lake::FileWriter::begin(&table, &folder, file.partition.clone(), None)?;
        copy.write(&rows[0].slice(2, 3)).await?;
        let add = copy.finish().await?;
        let commit = Commit {
            adds: vec![add.clone()],
            ..Commit::default()
        };
        table.commit(commit, CommitKind::Append).await?;
        Ok::<Add, lake::TableError>(add)
    });
    let add = add.expect("committed");
    let report = case.audited();
    assert_eq!(report.partitions[0].doubled, 3);
    for fault in &report.faults {
        assert_eq!(fault.kind, FaultKind::Doubled);
        let mut files = [file.path.to_string(), add.path.clone()];
        files.sort();
        let mut named = fault.files.clone();
        named.sort();
        assert_eq!(named, files);
    }
}

#[test]
fn an_offset_that_is_nowhere_is_named() {
    let case = case();
    let mut table = case.table();
    // As by a writer that moves a position and loses the rows.
    let positions = runtime().block_on(table.positions()).expect("a log");
    let (app_id, next) = positions
        .iter()
        .find(|(id, _)| schemas::lake::place_of(id).is_some())
        .expect("a position");
    let moved = Transaction::new_with_last_update(app_id, next + 4, Some(0));
    let commit = Commit {
        transactions: vec![moved],
        ..Commit::default()
    };
    runtime()
        .block_on(table.commit(commit, CommitKind::Append))
        .expect("committed");
    let report = case.audited();
    let fault = one(&report);
    assert_eq!(
        (fault.kind, fault.offsets),
        (FaultKind::Missing, Some((22, 25)))
    );
    assert_eq!(fault.place, Some((case.topic.clone(), 0)));
}

#[test]
fn a_footer_that_does_not_agree_with_the_log_is_named() {
    let case = case();
    let log = case.lake.path().join("heartbeats/_delta_log");
    let version = log.join("00000000000000000001.json");
    let text = std::fs::read_to_string(&version).expect("a commit");
    let changed = text.replace("\\\"numRecords\\\":10", "\\\"numRecords\\\":11");
    assert_ne!(text, changed);
    std::fs::write(&version, changed).expect("writable");
    let report = case.audited();
    let fault = one(&report);
    assert_eq!(fault.kind, FaultKind::FileDiffers);
    assert_eq!(fault.detail, "10 rows by its footer, 11 by the log");
}

#[test]
fn positions_are_found_behind_a_checkpoint_too() {
    let case = case();
    let table = case.table();
    assert!(
        runtime()
            .block_on(table.checkpoint())
            .expect("a checkpoint")
    );
    let before = runtime().block_on(table.positions()).expect("a log");
    case.produce(&[heartbeat("T", 1)]);
    case.ingest().expect("read to the end");
    assert_eq!(case.assert_sound().partitions[0].next_offset, 23);
    let table = case.table();
    let after = runtime().block_on(table.positions()).expect("a log");
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
}
