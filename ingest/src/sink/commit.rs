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
    let mut commit = Commit {
        adds,
        metadata: vec![(BATCH.to_owned(), batch.clone().into())],
        ..Commit::default()
    };
    let mut attempt = 0;
    loop {
        // The base version must be one whose positions were read and found where the batch begins.
        let (standing, new) = match standing(table, advances).await {
            Ok(found) => found,
            // Idle for longer than the log is kept, a writer knows only a version that is gone.
            Err(_) => {
                table.refresh().await?;
                standing(table, advances).await?
            }
        };
        match standing {
            Standing::AtStart => {}
            Standing::AtEnd if attempt > 0 && table.has_commit_with(BATCH, &batch).await => {
                return Ok(Outcome::Committed);
            }
            Standing::AtEnd | Standing::Elsewhere => return Ok(Outcome::Fenced),
        }
        attempt += 1;
        let positions = advances.iter().zip(new);
        commit.transactions = positions
            .flat_map(|(advance, new)| transactions(advance, new, now_ms))
            .collect();
        let result = table.commit(commit.clone(), CommitKind::Append).await;
        let Err(error) = result else {
            let name = table.table.name();
            metrics::histogram!("notspot_ingest_commit_attempts", "table" => name)
                .record(f64::from(attempt));
            return Ok(Outcome::Committed);
        };
        tracing::warn!(table = %table.table, attempt, %error, "commit unclear, reading positions back");
        metrics::counter!("notspot_ingest_commit_retries_total").increment(1);
        if attempt == ATTEMPTS {
            return Err(error);
        }
        tokio::time::sleep(backoff(attempt, &batch)).await;
        table.refresh().await?;
    }
}

/// The position, and the time that proves it to be of this topic; 0 stands for none. With the first
/// position of a partition goes where it began.
fn transactions(advance: &Advance, new: bool, now_ms: i64) -> Vec<Transaction> {
    let time_id = schemas::lake::last_time_app_id(&advance.app_id);
    let time_ms = advance.last_time_ms.unwrap_or(0);
    let mut kept = vec![(advance.app_id.clone(), advance.end), (time_id, time_ms)];
    if new {
        let first_id = schemas::lake::first_offset_app_id(&advance.app_id);
        kept.push((first_id, advance.start));
    }
    let transactions = kept.into_iter();
    transactions
        .map(|(id, value)| Transaction::new_with_last_update(id, value, Some(now_ms)))
        .collect()
}

/// Tells where the batch stands to the table, and which partitions have no position yet.
async fn standing(
    table: &LakeTable,
    advances: &[Advance],
) -> Result<(Standing, Vec<bool>), TableError> {
    let (mut at_start, mut at_end) = (true, true);
    let mut new = Vec::new();
    for advance in advances {
        let position = table.position(&advance.app_id).await?;
        // A partition never committed has no position, and begins where its first batch does.
        at_start &= position.is_none_or(|position| position == advance.start);
        at_end &= position == Some(advance.end);
        new.push(position.is_none());
    }
    let standing = match (at_start, at_end) {
        (true, _) => Standing::AtStart,
        (false, true) => Standing::AtEnd,
        (false, false) => Standing::Elsewhere,
    };
    Ok((standing, new))
}

/// 50 ms doubled per attempt, spread by the batch id so that two writers do not march in step.
fn backoff(attempt: u32, batch: &str) -> Duration {
    let spread = u64::from(batch.bytes().fold(0_u8, u8::wrapping_add));
    Duration::from_millis((50 << attempt.min(6)) + spread)
}
