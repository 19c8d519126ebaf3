//! The log of a table without the list of its files: what a writer must know to make the next version.
//!
//! A busy fleet makes a hundred thousand files a day. delta-rs keeps them all in memory and goes through
//! them at every commit ([delta-io/delta-rs#4584](https://github.com/delta-io/delta-rs/issues/4584)); its
//! `BlindDeltaTable`, which does not, knows neither positions nor the statistics of columns. So commits
//! are made here, of delta-rs's own parts: they take as much time and memory at night as in the morning.

mod entry;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use deltalake_core::kernel::transaction::{CommitConflictError, CommitData, TransactionError};
use deltalake_core::kernel::{Action, Snapshot};
use deltalake_core::logstore::{CommitOrBytes, LogStoreRef};
use deltalake_core::protocol::DeltaOperation;
use deltalake_core::table::config::TablePropertiesExt;
use deltalake_core::{DeltaTableError, Path};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use serde_json::Value;
use tokio::sync::OnceCell;
use uuid::Uuid;

use self::entry::Entry;
use crate::Commit;

/// Versions read one after the other; whoever is further behind reads the log anew, from its checkpoint.
const FAR_BEHIND: u64 = 100;
/// An entry is kept for longer than this, so whoever looked no longer ago cannot have missed one.
const FRESH: Duration = Duration::from_secs(30 * 60);
/// Attempts at which another commit may come first.
const OVERTAKERS: u32 = 15;
/// Commits looked at for one of which the answer was lost.
const NEWEST: usize = 100;
/// Entries of the log that are read at the same time.
const ENTRIES_AT_ONCE: usize = 8;
/// The last writer version whose rules are known: append-only tables and invariants, of which ours have none.
const LAST_WRITER_VERSION: i32 = 2;
/// The writer version from which on a table names every feature it uses.
const FEATURES_WRITER_VERSION: i32 = 7;
/// Features that ask nothing of a writer of whole files.
const KNOWN_FEATURES: [&str; 6] = [
    "appendOnly",
    "deletionVectors",
    "invariants",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
];

/// The newest version that was read.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) store: LogStoreRef,
    pub(crate) version: u64,
    /// Columns and properties: of this version, or of one before it that has the same.
    pub(crate) described: Snapshot,
    /// When this was known to be the newest version.
    newest_at: Instant,
    positions: OnceCell<BTreeMap<String, i64>>,
    file_count: OnceCell<usize>,
}

impl Log {
    /// Reads the newest version.
    pub(crate) async fn open(store: LogStoreRef) -> Result<Self, DeltaTableError> {
        let described = Snapshot::try_new(store.as_ref(), None).await?;
        Ok(Self {
            store,
            version: described.version(),
            described,
            newest_at: Instant::now(),
            positions: OnceCell::new(),
            file_count: OnceCell::new(),
        })
    }

    /// Reads what was committed since; `false` when that is too much, or gone, so that the log is to be
    /// opened anew.
    pub(crate) async fn advance(&mut self) -> Result<bool, DeltaTableError> {
        let before = self.version;
        let mut is_redefined = false;
        while let Some(bytes) = self.store.read_commit_entry(self.version + 1).await? {
            if self.version - before == FAR_BEHIND {
                return Ok(false);
            }
            let entry = Entry::read(self.version + 1, &bytes)?;
            is_redefined |= entry.redefines();
            self.apply(&entry);
        }
        if is_redefined {
            self.described = self.snapshot().await?;
        }
        let is_newest = !self.is_cut_off().await?;
        self.newest_at = Instant::now();
        Ok(is_newest)
    }

    /// Tells whether entries behind this version may have been deleted: their numbers are free then, and
    /// nobody would see a commit made under one of them.
    async fn is_cut_off(&self) -> Result<bool, DeltaTableError> {
        let is_fresh = self.newest_at.elapsed() < FRESH;
        if !is_fresh {
            let newest = self.store.get_latest_version(self.version).await?;
            let next = self.store.read_commit_entry(self.version + 1).await?;
            return Ok(newest > self.version && next.is_none());
        }
        let path = Path::from(format!("_delta_log/{:020}.json", self.version));
        match self.store.object_store(None).head(&path).await {
            Ok(_) => Ok(false),
            Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(source) => Err(source.into()),
        }
    }

    fn apply(&mut self, entry: &Entry) {
        self.version += 1;
        if let Some(positions) = self.positions.get_mut() {
            let moved = entry.positions.iter();
            positions.extend(moved.map(|of| (of.app_id.clone(), of.version)));
        }
        if let Some(count) = self.file_count.get_mut() {
            *count = (*count + entry.added).saturating_sub(entry.removed.len());
        }
    }

    /// Makes the next version. Commits that come first are looked at: it is made behind them unless they
    /// moved a position or took a file away that it does, or changed what the table is.
    pub(crate) async fn commit(
        &mut self,
        commit: Commit,
        operation: DeltaOperation,
    ) -> Result<(), DeltaTableError> {
        self.check_writable(&commit)?;
        if self.is_cut_off().await? {
            return Err(DeltaTableError::InvalidVersion(self.version));
        }
        let own = Entry::of(&commit);
        let removes = commit.removes.into_iter().map(Action::Remove);
        let actions = removes.chain(commit.adds.into_iter().map(Action::Add));
        let data = CommitData::new(
            actions.collect(),
            operation,
            commit.metadata.into_iter().collect(),
            commit.transactions,
        );
        let bytes = data.get_bytes()?;
        let mut overtaken = 0;
        loop {
            let next = self.version + 1;
            let entry = CommitOrBytes::LogBytes(bytes.clone());
            let id = Uuid::new_v4();
            match self.store.write_commit_entry(next, entry, id).await {
                Ok(()) => break,
                Err(TransactionError::VersionAlreadyExists(_)) => {}
                Err(error) => return Err(error.into()),
            }
            let mut winner = self.store.read_commit_entry(next).await?;
            // The store's answer to an attempt before was lost: the commit that came first is this one.
            if winner.as_ref() == Some(&bytes) {
                break;
            }
            if overtaken == OVERTAKERS {
                return Err(TransactionError::VersionAlreadyExists(next).into());
            }
            overtaken += 1;
            while let Some(bytes) = winner {
                let entry = Entry::read(self.version + 1, &bytes)?;
                own.stands_behind(&entry)?;
                self.apply(&entry);
                winner = self.store.read_commit_entry(self.version + 1).await?;
            }
        }
        self.apply(&own);
        self.newest_at = Instant::now();
        Ok(())
    }

    /// Refuses tables that ask for what this writer does not do.
    fn check_writable(&self, commit: &Commit) -> Result<(), TransactionError> {
        let protocol = self.described.protocol();
        match protocol.min_writer_version() {
            ..=LAST_WRITER_VERSION => {}
            FEATURES_WRITER_VERSION => {
                let used = protocol.writer_features().unwrap_or_default().iter();
                let is_unknown = |feature: &&_| {
                    let name = format!("{feature}");
                    !KNOWN_FEATURES.contains(&name.as_str())
                };
                let unknown: Vec<_> = used.filter(is_unknown).cloned().collect();
                if !unknown.is_empty() {
                    return Err(TransactionError::UnsupportedTableFeatures(unknown));
                }
            }
            version => return Err(CommitConflictError::UnsupportedWriterVersion(version).into()),
        }
        let takes_rows_away = commit.removes.iter().any(|remove| remove.data_change);
        match takes_rows_away && self.described.table_properties().append_only() {
            true => Err(TransactionError::DeltaTableAppendOnly),
            false => Ok(()),
        }
    }

    /// Returns the newest value of every application's position (`txn`).
    pub(crate) async fn positions(&self) -> Result<&BTreeMap<String, i64>, DeltaTableError> {
        self.positions
            .get_or_try_init(|| self.read_positions())
            .await
    }

    async fn read_positions(&self) -> Result<BTreeMap<String, i64>, DeltaTableError> {
        let checkpoint = crate::positions::in_checkpoint(&self.store, self.version).await?;
        let (first, mut positions) = match checkpoint {
            Some((version, positions)) => (version + 1, positions),
            None => (0, BTreeMap::new()),
        };
        let mut entries = stream::iter(first..=self.version)
            .map(|version| self.entry(version))
            .buffered(ENTRIES_AT_ONCE);
        while let Some(entry) = entries.try_next().await? {
            let moved = entry.positions.into_iter();
            positions.extend(moved.map(|of| (of.app_id, of.version)));
        }
        Ok(positions)
    }

    async fn entry(&self, version: u64) -> Result<Entry, DeltaTableError> {
        match self.store.read_commit_entry(version).await? {
            Some(bytes) => Entry::read(version, &bytes),
            None => Err(DeltaTableError::InvalidVersion(version)),
        }
    }

    /// Tells whether one of the newest hundred commits says `value` under `key`.
    pub(crate) async fn has_commit_with(&self, key: &str, value: &str) -> bool {
        for version in (0..=self.version).rev().take(NEWEST) {
            let Ok(entry) = self.entry(version).await else {
                return false;
            };
            if entry.info.get(key).and_then(Value::as_str) == Some(value) {
                return true;
            }
        }
        false
    }

    /// Returns this version for one who wants its files.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, DeltaTableError> {
        Snapshot::try_new(self.store.as_ref(), Some(self.version)).await
    }

    /// Counts the files: once by going through them all, from then on by what is committed.
    pub(crate) async fn file_count(&self) -> Result<usize, DeltaTableError> {
        let count = async {
            let snapshot = self.snapshot().await?;
            let batches = snapshot.files(self.store.as_ref(), None);
            batches
                .try_fold(0, async |count, batch| Ok(count + batch.num_rows()))
                .await
        };
        self.file_count.get_or_try_init(|| count).await.copied()
    }
}

#[cfg(test)]
mod tests {
    use deltalake_core::kernel::{Remove, Transaction};
    use schemas::Table;

    use super::*;
    use crate::{CommitKind, LakeTable, TableError};

    struct Lake(tempfile::TempDir);

    impl Lake {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        async fn open(&self) -> LakeTable {
            let lake = self.0.path().to_string_lossy();
            let table = Table::Heartbeats;
            let opened = LakeTable::open_or_create(&lake, table, None).await;
            opened.expect("a table")
        }

        fn entry(&self, version: u64) -> std::path::PathBuf {
            let log = self
                .0
                .path()
                .join(Table::Heartbeats.name())
                .join("_delta_log");
            log.join(format!("{version:020}.json"))
        }

        /// Commits as another program does.
        fn write(&self, version: u64, line: &str) {
            std::fs::write(self.entry(version), line).expect("written");
        }
    }

    fn moves(app_id: &str, to: i64) -> Commit {
        Commit {
            transactions: vec![Transaction::new(app_id, to)],
            ..Commit::default()
        }
    }

    /// Moves a position one by one up to `to`, a commit each.
    async fn move_up(table: &mut LakeTable, app_id: &str, to: i64) {
        for to in 1..=to {
            let made = table.commit(moves(app_id, to), CommitKind::Append).await;
            made.expect("committed");
        }
    }

    fn conflict(made: Result<(), TableError>) -> String {
        made.expect_err("a conflict").to_string()
    }

    #[tokio::test]
    async fn a_commit_needs_nothing_of_the_log_before_the_version_it_is_made_from() {
        let lake = Lake::new();
        let mut table = lake.open().await;
        move_up(&mut table, "p0", 5).await;
        assert_eq!(table.position("p0").await.expect("a log"), Some(5));
        assert_eq!(table.file_count().await.expect("a log"), 0);
        for version in 0..5 {
            std::fs::remove_file(lake.entry(version)).expect("there");
        }
        table.refresh().await.expect("nothing new");
        table
            .commit(moves("p0", 6), CommitKind::Append)
            .await
            .expect("committed");
        assert_eq!(table.position("p0").await.expect("a log"), Some(6));
        assert_eq!(table.file_count().await.expect("a log"), 0);
        assert_eq!(table.version(), 6);
    }

    #[tokio::test]
    async fn a_commit_is_not_made_where_an_entry_was_deleted() {
        let lake = Lake::new();
        let (mut one, mut asleep) = (lake.open().await, lake.open().await);
        move_up(&mut one, "p0", 3).await;
        assert!(one.checkpoint().await.expect("a checkpoint"));
        // As by a clean-up that was killed: the entry before is still there.
        std::fs::remove_file(lake.entry(1)).expect("there");
        asleep.log.newest_at -= FRESH;
        let made = asleep.commit(moves("p1", 1), CommitKind::Append).await;
        made.expect_err("not under the number of the entry that is gone");
        assert!(!lake.entry(1).exists());
        asleep.refresh().await.expect("a checkpoint to begin with");
        let made = asleep.commit(moves("p1", 1), CommitKind::Append).await;
        made.expect("behind the others");
        assert_eq!((asleep.version(), lake.entry(4).exists()), (4, true));
    }

    #[tokio::test]
    async fn a_commit_is_made_behind_those_it_does_not_depend_on() {
        let lake = Lake::new();
        let (mut one, mut two) = (lake.open().await, lake.open().await);
        move_up(&mut one, "p0", 3).await;
        two.commit(moves("p1", 7), CommitKind::Append)
            .await
            .expect("committed");
        assert_eq!((one.version(), two.version()), (3, 4));
        assert_eq!(two.position("p0").await.expect("a log"), Some(3));
        // `one` does not know version 4 yet.
        let moved = conflict(one.commit(moves("p1", 8), CommitKind::Append).await);
        assert!(moved.contains("Concurrent transaction"), "{moved}");
    }

    #[tokio::test]
    async fn a_file_is_taken_away_once_however_its_name_is_written() {
        let lake = Lake::new();
        let mut table = lake.open().await;
        lake.write(
            1,
            r#" {"remove" : {"path":"a%20b.parquet","dataChange":true}}"#,
        );
        let takes = |path: &str| Commit {
            removes: vec![Remove {
                path: path.into(),
                ..Remove::default()
            }],
            ..Commit::default()
        };
        let twice = conflict(
            table
                .commit(takes("a b.parquet"), CommitKind::Compact)
                .await,
        );
        assert!(twice.contains("deleted the same data"), "{twice}");
        table
            .commit(takes("c.parquet"), CommitKind::Compact)
            .await
            .expect("another file");
    }

    #[tokio::test]
    async fn a_table_that_became_another_is_not_written_to_unread() {
        let lake = Lake::new();
        let (mut table, mut fresh) = (lake.open().await, lake.open().await);
        let first = std::fs::read_to_string(lake.entry(0)).expect("there");
        let metadata = first
            .lines()
            .find(|line| line.starts_with(r#"{"metaData""#));
        lake.write(1, metadata.expect("every table has it"));
        let changed = conflict(table.commit(moves("p0", 1), CommitKind::Append).await);
        assert!(changed.contains("Metadata changed"), "{changed}");
        fresh.refresh().await.expect("a log");
        fresh
            .commit(moves("p0", 1), CommitKind::Append)
            .await
            .expect("the same columns");
    }

    #[tokio::test]
    async fn what_a_table_asks_of_writers_is_known_or_refused() {
        let rows = Commit {
            removes: vec![Remove {
                data_change: true,
                ..Remove::default()
            }],
            ..Commit::default()
        };
        let feature = |name: &str| {
            format!(
                r#"{{"protocol":{{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["{name}"]}}}}"#
            )
        };
        let version = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":4}}"#.to_owned();
        for (line, refusal) in [
            (feature("appendOnly"), None),
            (feature("rowTracking"), Some("RowTracking")),
            (version, Some("writer version 4")),
        ] {
            let lake = Lake::new();
            let mut table = lake.open().await;
            lake.write(1, &line);
            table.refresh().await.expect("a log");
            let made = table.commit(rows.clone(), CommitKind::Append).await;
            match refusal {
                None => made.expect("a known feature"),
                Some(text) => {
                    let refused = conflict(made);
                    assert!(refused.contains(text), "{line}: {refused}");
                }
            }
        }
    }

    #[tokio::test]
    async fn who_is_far_behind_reads_the_log_anew() {
        let lake = Lake::new();
        let (mut one, mut two) = (lake.open().await, lake.open().await);
        two.position("p0").await.expect("a log");
        let many = i64::try_from(FAR_BEHIND).expect("few") + 5;
        move_up(&mut one, "p0", many).await;
        two.refresh().await.expect("a log");
        assert_eq!(two.version(), one.version());
        assert_eq!(two.position("p0").await.expect("a log"), Some(many));
    }
}
