//! New files into the place of the old: a commit that is made only when every old file is still there.

use std::collections::HashSet;
use std::time::Duration;

use deltalake_core::Path;
use deltalake_core::kernel::Remove;
use lake::{Commit, CommitKind, LakeTable, TableError};

use super::merge::Merged;

/// Commits tried before the merged files wait for another run.
const ATTEMPTS: u32 = 12;

/// What became of merged partitions.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// In the table now.
    pub landed: Vec<Merged>,
    /// Another program took their old files away first.
    pub overtaken: Vec<Merged>,
}

/// Commits merged partitions together. The commit is refused when another took one of the old files
/// away first, were it only to merge it, which delta-rs overlooks: their rows would be in the table twice.
pub(super) async fn publish(
    table: &mut LakeTable,
    merged: Vec<Merged>,
    now_ms: i64,
) -> Result<Published, TableError> {
    let mut published = Published::default();
    let mut open = merged;
    for attempt in 0_u32.. {
        table.refresh().await?;
        let files = table.files().await?.into_iter();
        let present: HashSet<Path> = files.map(|file| file.path).collect();
        // An answer may have been lost: our own names tell whether a commit landed.
        for one in std::mem::take(&mut open) {
            let is_in = |path: &Path| present.contains(path);
            if one
                .adds
                .iter()
                .any(|add| is_in(&Path::from(add.path.as_str())))
            {
                published.landed.push(one);
            } else if one.job.files.iter().all(|file| is_in(&file.path)) {
                open.push(one);
            } else {
                published.overtaken.push(one);
            }
        }
        if open.is_empty() {
            break;
        }
        let Err(error) = table
            .commit(commit(&open, now_ms), CommitKind::Compact)
            .await
        else {
            published.landed.append(&mut open);
            break;
        };
        tracing::info!(table = %table.table, attempt, %error, "another commit came first, looking again");
        if attempt + 1 == ATTEMPTS {
            return Err(error);
        }
        tokio::time::sleep(backoff(attempt, &open)).await;
    }
    let lost = published.overtaken.iter().flat_map(|one| &one.adds);
    let lost: Vec<Path> = lost.map(|add| add.path.as_str().into()).collect();
    table.delete(lost).await?;
    Ok(published)
}

fn commit(merged: &[Merged], now_ms: i64) -> Commit {
    let files = merged.iter().flat_map(|one| &one.job.files);
    Commit {
        adds: merged.iter().flat_map(|one| one.adds.clone()).collect(),
        removes: files
            .map(|file| Remove {
                data_change: false,
                deletion_timestamp: Some(now_ms),
                ..file.removal.clone()
            })
            .collect(),
        metadata: vec![("notspotMaintain".to_owned(), "merge".into())],
        ..Commit::default()
    }
}

/// Up to 100 ms doubled per attempt, at most about 3 s; by the files' random names, so that two
/// programs do not march in step.
fn backoff(attempt: u32, merged: &[Merged]) -> Duration {
    let names = merged.iter().flat_map(|one| &one.adds);
    let spread = names
        .flat_map(|add| add.path.bytes())
        .fold(0_u8, u8::wrapping_add);
    let full_ms = 100_u64 << attempt.min(5);
    Duration::from_millis(full_ms / 4 + full_ms * 3 / 4 * u64::from(spread) / 255)
}
