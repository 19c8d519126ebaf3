//! One entry of the log: owns what two commits from one version mean to each other.

use bytes::Bytes;
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::{CommitConflictError, TransactionError};
use deltalake_core::kernel::{Remove, Transaction};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::Commit;

/// What a version changed, as far as it is another writer's business.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) positions: Vec<Transaction>,
    pub(super) added: usize,
    pub(super) removed: Vec<String>,
    has_protocol: bool,
    has_metadata: bool,
    pub(super) info: Map<String, Value>,
}

/// One line of an entry.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    txn: Option<Transaction>,
    add: Option<IgnoredAny>,
    remove: Option<Remove>,
    protocol: Option<IgnoredAny>,
    meta_data: Option<IgnoredAny>,
    commit_info: Option<Map<String, Value>>,
}

impl Entry {
    pub(super) fn of(commit: &Commit) -> Self {
        Self {
            positions: commit.transactions.clone(),
            added: commit.adds.len(),
            removed: commit
                .removes
                .iter()
                .map(|remove| remove.path.clone())
                .collect(),
            ..Self::default()
        }
    }

    pub(super) fn read(version: u64, bytes: &Bytes) -> Result<Self, DeltaTableError> {
        let mut entry = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_slice(line).map_err(|json_err| {
                let line = String::from_utf8_lossy(line).into_owned();
                DeltaTableError::InvalidJsonLog {
                    json_err,
                    line,
                    version,
                }
            })?;
            entry.positions.extend(line.txn);
            entry.added += usize::from(line.add.is_some());
            entry.removed.extend(line.remove.map(|remove| remove.path));
            entry.has_protocol |= line.protocol.is_some();
            entry.has_metadata |= line.meta_data.is_some();
            entry.info.extend(line.commit_info.into_iter().flatten());
        }
        Ok(entry)
    }

    /// Tells whether columns, properties or what a writer must be able to do are others now.
    pub(super) fn redefines(&self) -> bool {
        self.has_protocol || self.has_metadata
    }

    /// Refuses a version before this one that this one did not know of and depends on.
    pub(super) fn stands_behind(&self, winner: &Self) -> Result<(), TransactionError> {
        let is_moved =
            |own: &Transaction| winner.positions.iter().any(|of| of.app_id == own.app_id);
        let conflict = if winner.has_protocol {
            CommitConflictError::ProtocolChanged("by another program".to_owned())
        } else if winner.has_metadata {
            CommitConflictError::MetadataChanged
        } else if self.positions.iter().any(is_moved) {
            CommitConflictError::ConcurrentTransaction
        } else if self
            .removed
            .iter()
            .any(|path| winner.removed.contains(path))
        {
            CommitConflictError::ConcurrentDeleteDelete
        } else {
            return Ok(());
        };
        Err(conflict.into())
    }
}
