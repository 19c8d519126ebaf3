//! One table's maintenance, readable top to bottom: merge, checkpoint, forget, delete.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use chrono::{DateTime, TimeDelta, Utc};
use deltalake_core::Path;
use lake::{LakeFile, LakeTable, TableError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::merge::{Bounds, Merged, WORKER_BYTES, merge};
use super::plan::{Days, Job, jobs};
use super::publish::publish;
use super::{MaintainError, MaintainOptions, MaintainProgress, Mode, Size, TableReport};
use crate::pipeline::Shutdown;

/// Old files of one commit: a commit costs time by the files of the table, so there are to be few,
/// and a conflict or a kill throws the work since the last one away, so they are to be small.
const COMMIT_FILES: usize = 4_096;

pub(super) async fn maintain(
    mut table: LakeTable,
    options: &MaintainOptions,
    now: DateTime<Utc>,
    progress: &Arc<MaintainProgress>,
    shutdown: &Shutdown,
) -> Result<TableReport, MaintainError> {
    let kept = table.removals_are_kept();
    if options.retain > kept {
        return Err(MaintainError::Options(format!(
            "table {} remembers removed files for {} hours, less than is to be retained: raise its property \
             delta.deletedFileRetentionDuration",
            table.table,
            kept.as_secs() / 3600
        )));
    }
    let files = table.files().await?;
    let mut report = TableReport::new(&table, size(&files));
    let bounds = Bounds::new(options, most_workers(options));
    let days = Days {
        from: options.from,
        to: options.to,
        now,
    };
    // What is larger than a worker may fetch is left as it is.
    let small = (options.target_bytes / 2).min(bounds.fetched_bytes() as u64);
    let jobs = jobs(table.table, files, &days, small);
    let bytes = jobs.iter().map(Job::bytes).sum();
    progress.bytes_wanted.fetch_add(bytes, Ordering::Relaxed);
    if options.mode == Mode::DryRun {
        report.partitions = jobs.len() as u64;
        report.merged = jobs.iter().map(|job| size(&job.files)).sum();
        return Ok(report);
    }
    if !jobs.is_empty() {
        // A derived or foreign layout is never merged: what is written must be of this contract.
        table = table.checked()?;
        merge_all(
            &mut table,
            jobs,
            options,
            now,
            progress,
            shutdown,
            &mut report,
        )
        .await?;
    }
    if !shutdown.requested() {
        tidy(&mut table, options, now, &mut report).await?;
    }
    report.after = size(&table.files().await?);
    Ok(report)
}

/// Merges partitions on as many threads as there are cores, and commits as they get done.
async fn merge_all(
    table: &mut LakeTable,
    jobs: Vec<Job>,
    options: &MaintainOptions,
    now: DateTime<Utc>,
    progress: &Arc<MaintainProgress>,
    shutdown: &Shutdown,
    report: &mut TableReport,
) -> Result<(), MaintainError> {
    let workers = most_workers(options).min(jobs.len());
    let bounds = Bounds::new(options, workers);
    let queue = Arc::new(Mutex::new(VecDeque::from(jobs)));
    let read = Arc::new(table.clone());
    let (done, mut results) = mpsc::channel(workers);
    let workers: Vec<_> = (0..workers)
        .map(|_| {
            let worker = Worker {
                table: read.clone(),
                bounds: bounds.clone(),
                queue: queue.clone(),
                progress: progress.clone(),
                shutdown: shutdown.clone(),
                runtime: Handle::current(),
            };
            let done = done.clone();
            tokio::task::spawn_blocking(move || worker.run(&done))
        })
        .collect();
    drop(done);
    let mut pending: Vec<Merged> = Vec::new();
    while let Some(result) = results.recv().await {
        match result {
            Ok(merged) => pending.push(merged),
            Err(fault) => report.faults.push(fault.to_string()),
        }
        if pending.iter().map(|one| one.job.files.len()).sum::<usize>() >= COMMIT_FILES {
            commit(table, std::mem::take(&mut pending), now, report).await?;
        }
    }
    for worker in workers {
        worker.await.map_err(|_| MaintainError::Worker)?;
    }
    Ok(commit(table, pending, now, report).await?)
}

/// One a core, as far as the budget goes.
fn most_workers(options: &MaintainOptions) -> usize {
    let fit = usize::try_from(options.memory_bytes / WORKER_BYTES).unwrap_or(usize::MAX);
    available_parallelism()
        .map_or(1, NonZero::get)
        .min(fit)
        .max(1)
}

struct Worker {
    table: Arc<LakeTable>,
    bounds: Bounds,
    queue: Arc<Mutex<VecDeque<Job>>>,
    progress: Arc<MaintainProgress>,
    shutdown: Shutdown,
    runtime: Handle,
}

impl Worker {
    /// Merges one partition after the other until none is left, nobody listens or a stop is asked for.
    fn run(&self, done: &mpsc::Sender<Result<Merged, MaintainError>>) {
        while !self.shutdown.requested() {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(job) = queue.pop_front() else {
                return;
            };
            drop(queue);
            let merged = merge(
                &self.table,
                job,
                &self.bounds,
                &self.runtime,
                &self.progress,
            );
            if done.blocking_send(merged).is_err() {
                return;
            }
        }
    }
}

async fn commit(
    table: &mut LakeTable,
    merged: Vec<Merged>,
    now: DateTime<Utc>,
    report: &mut TableReport,
) -> Result<(), TableError> {
    if merged.is_empty() {
        return Ok(());
    }
    let published = publish(table, merged, now.timestamp_millis()).await?;
    report.overtaken += published.overtaken.len() as u64;
    report.partitions += published.landed.len() as u64;
    for one in &published.landed {
        report.merged += size(&one.job.files);
    }
    Ok(())
}

/// Shortens the log and deletes files that no version of the time to be retained needs.
async fn tidy(
    table: &mut LakeTable,
    options: &MaintainOptions,
    now: DateTime<Utc>,
    report: &mut TableReport,
) -> Result<(), MaintainError> {
    let retain = TimeDelta::from_std(options.retain)
        .map_err(|_| MaintainError::Options("the time to retain is out of range".into()))?;
    let since = now - retain;
    table.refresh().await?;
    if table.version() > 0 {
        table.checkpoint().await?;
    }
    let unneeded = table.unneeded_before(since).await?;
    report.deleted = Size {
        files: unneeded.len() as u64,
        bytes: unneeded.iter().map(|file| file.size).sum(),
        rows: 0,
    };
    let paths: Vec<Path> = unneeded.into_iter().map(|file| file.location).collect();
    table.delete(paths).await?;
    // Last: what the log says of removed files is read above, from these very entries.
    report.log_entries_deleted = table.forget_log_before(since).await? as u64;
    Ok(())
}

impl TableReport {
    fn new(table: &LakeTable, before: Size) -> Self {
        Self {
            table: table.table,
            before,
            after: before,
            merged: Size::default(),
            partitions: 0,
            overtaken: 0,
            faults: Vec::new(),
            deleted: Size::default(),
            log_entries_deleted: 0,
        }
    }
}

fn size(files: &[LakeFile]) -> Size {
    Size {
        files: files.len() as u64,
        bytes: files.iter().map(|file| file.size_bytes).sum(),
        rows: files.iter().filter_map(|file| file.rows).sum(),
    }
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.rows += other.rows;
    }
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        let mut sum = Self::default();
        sizes.for_each(|size| sum += size);
        sum
    }
}
