//! Rows and positions become visible together, or not at all.
//!
//! A commit carries the next offset of every partition it read (`txn`). It is made from a table
//! version in which each of those positions was where the batch began, so a second writer of the
//! same partition meets a conflict. An unclear outcome is settled by reading the positions back.

use std::time::Duration;

use deltalake_core::kernel::{Add, Transaction};
use lake::{Commit, CommitKind, LakeTable, TableError};
use uuid::Uuid;

/// The offsets of one partition that a commit covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// Name of the position in the log.
    pub app_id: String,
    /// First offset covered.
    pub start: i64,
    /// Offset after the last one covered.
    pub end: i64,
    /// Kafka's time of the message before `end`: tells a topic that was made anew.
    pub last_time_ms: Option<i64>,
    /// Offsets covered that leave no row and no quarantined message.
    pub skipped: Skipped,
}

/// Offsets without a row, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Messages without a payload.
    pub tombstones: u64,
    /// Offsets without a message: control records, aborted or compacted away.
    pub holes: u64,
    /// Offsets that were gone from Kafka before they were read.
    pub gone: u64,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Rows and positions are in the table.
    Committed,
    /// Another writer moved a position: nothing was written, the buffer is void.
    Fenced,
}

/// Where the positions of a batch stand in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    AtStart,
    AtEnd,
    Elsewhere,
}

/// Key of a commit's information under which our name of the batch stands.
const BATCH: &str = "notspotBatch";
/// Key of a commit's information under which the offsets it covers stand.
pub const OFFSETS: &str = "notspotOffsets";
/// Attempts before the last error is returned.
const ATTEMPTS: u32 = 8;

/// Commits files with their positions, once.
///
/// `now_ms` fills `lastUpdated`, without which other engines drop positions.
///
/// # Errors
/// When the log keeps failing; the positions then say that nothing was written.
pub async fn commit_fenced(
    table: &mut LakeTable,
    adds: Vec<Add>,
    advances: &[Advance],
    now_ms: i64,
) -> Result<Outcome, TableError> {
    let batch = Uuid::new_v4().to_string();
    let transactions = advances.iter();
    let commit = Commit {
        adds,
        removes: Vec::new(),
        transactions: transactions
            .flat_map(|advance| self::transactions(advance, now_ms))
            .collect(),
        metadata: vec![
            (BATCH.to_owned(), batch.clone().into()),
            (OFFSETS.to_owned(), offsets(advances)),
        ],
    };
    let mut attempt = 0;
    // The base version must be one whose positions were read and found where the batch begins.
    let mut standing = standing(table, advances).await?;
    loop {
        match standing {
            Standing::AtStart => {}
            Standing::AtEnd if attempt > 0 && table.has_commit_with(BATCH, &batch).await => {
                return Ok(Outcome::Committed);
            }
            Standing::AtEnd | Standing::Elsewhere => return Ok(Outcome::Fenced),
        }
        attempt += 1;
        let result = table.commit(commit.clone(), CommitKind::Append).await;
        let Err(error) = result else {
            return Ok(Outcome::Committed);
        };
        tracing::warn!(table = %table.table, attempt, %error, "commit unclear, reading positions back");
        metrics::counter!("notspot_ingest_commit_retries_total").increment(1);
        if attempt == ATTEMPTS {
            return Err(error);
        }
        tokio::time::sleep(backoff(attempt, &batch)).await;
        table.refresh().await?;
        standing = self::standing(table, advances).await?;
    }
}

/// The position, and the time that proves it to be of this topic; 0 stands for none.
fn transactions(advance: &Advance, now_ms: i64) -> [Transaction; 2] {
    let time_id = schemas::lake::last_time_app_id(&advance.app_id);
    let time_ms = advance.last_time_ms.unwrap_or(0);
    [
        Transaction::new_with_last_update(&advance.app_id, advance.end, Some(now_ms)),
        Transaction::new_with_last_update(time_id, time_ms, Some(now_ms)),
    ]
}

/// What the commit covers and what of it left no row, for whoever accounts for every offset.
fn offsets(advances: &[Advance]) -> serde_json::Value {
    let of = |advance: &Advance| {
        serde_json::json!({
            "appId": advance.app_id, "from": advance.start, "to": advance.end,
            "tombstones": advance.skipped.tombstones, "holes": advance.skipped.holes,
            "gone": advance.skipped.gone,
        })
    };
    advances.iter().map(of).collect()
}

async fn standing(table: &LakeTable, advances: &[Advance]) -> Result<Standing, TableError> {
    let (mut at_start, mut at_end) = (true, true);
    for advance in advances {
        let position = table.position(&advance.app_id).await?;
        // A partition never committed has no position, and begins where its first batch does.
        at_start &= position.is_none_or(|position| position == advance.start);
        at_end &= position == Some(advance.end);
    }
    Ok(match (at_start, at_end) {
        (true, _) => Standing::AtStart,
        (false, true) => Standing::AtEnd,
        (false, false) => Standing::Elsewhere,
    })
}

/// 50 ms doubled per attempt, spread by the batch id so that two writers do not march in step.
fn backoff(attempt: u32, batch: &str) -> Duration {
    let spread = u64::from(batch.bytes().fold(0_u8, u8::wrapping_add));
    Duration::from_millis((50 << attempt.min(6)) + spread)
}
