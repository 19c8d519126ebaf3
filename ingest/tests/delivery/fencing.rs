//! Two writers on one table: a position only ever continues where the table has it.

use ingest::sink::commit::{Advance, Outcome, commit_fenced};
use lake::LakeTable;
use schemas::Table;

const NOW_MS: i64 = 1_795_500_000_000;

async fn open(lake: &tempfile::TempDir) -> LakeTable {
    let lake = lake.path().to_string_lossy();
    LakeTable::open_or_create(&lake, Table::Heartbeats, None)
        .await
        .expect("a lake")
}

/// Commits a window of one partition without rows, and says what became of it.
async fn commit(table: &mut LakeTable, partition: &str, start: i64, end: i64) -> Outcome {
    let advance = Advance {
        app_id: partition.to_owned(),
        start,
        end,
        last_time_ms: Some(NOW_MS),
    };
    commit_fenced(table, Vec::new(), &[advance], NOW_MS)
        .await
        .expect("the log can be written")
}

#[tokio::test]
async fn a_writer_that_does_not_know_of_the_other_is_fenced() {
    let lake = tempfile::tempdir().expect("a temporary folder");
    let (mut owner, mut zombie) = (open(&lake).await, open(&lake).await);
    assert_eq!(commit(&mut owner, "p0", 0, 10).await, Outcome::Committed);
    // Its table is of the time before: it still finds its batch to begin where the table ends.
    assert_eq!(commit(&mut zombie, "p0", 0, 8).await, Outcome::Fenced);
    assert_eq!(owner.position("p0").await.expect("a log"), Some(10));
    assert_eq!(commit(&mut owner, "p0", 10, 20).await, Outcome::Committed);
}

#[tokio::test]
async fn positions_neither_go_back_nor_leave_a_gap() {
    let lake = tempfile::tempdir().expect("a temporary folder");
    let mut table = open(&lake).await;
    assert_eq!(commit(&mut table, "p0", 0, 10).await, Outcome::Committed);
    for (start, end) in [(0, 10), (5, 20), (11, 20), (0, 5)] {
        assert_eq!(
            commit(&mut table, "p0", start, end).await,
            Outcome::Fenced,
            "{start}..{end}"
        );
    }
    assert_eq!(table.position("p0").await.expect("a log"), Some(10));
}

#[tokio::test]
async fn writers_of_other_partitions_do_not_meet() {
    let lake = tempfile::tempdir().expect("a temporary folder");
    let (mut one, mut two) = (open(&lake).await, open(&lake).await);
    assert_eq!(commit(&mut one, "p0", 0, 10).await, Outcome::Committed);
    assert_eq!(commit(&mut two, "p1", 0, 10).await, Outcome::Committed);
    assert_eq!(commit(&mut one, "p0", 10, 11).await, Outcome::Committed);
}
