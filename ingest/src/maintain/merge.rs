//! One partition's files to fewer, sorted ones: reads, sorts and writes within a byte budget.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use deltalake_core::kernel::Add;
use futures::StreamExt;
use lake::{LakeFile, LakeTable, TableError};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::output::Output;
use super::plan::Job;
use super::sort::{Chunk, Keys};
use super::spill::{self, RUN_BYTES, Run, RunWriter};
use super::{MaintainError, MaintainOptions, MaintainProgress};

/// Files of a partition that are fetched at the same time.
const READS_AT_ONCE: usize = 16;

/// What the encoder of a worker's file holds: of some fifty columns each has a context of zstd and pages.
const ENCODER_BYTES: u64 = 64 << 20;
/// What a worker needs, bytes: as much again for rows.
pub(super) const WORKER_BYTES: u64 = 2 * ENCODER_BYTES;

/// What a worker may hold, and how it cuts files.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// Bytes of files on their way or being decoded, of rows being sorted, and of runs being merged;
    /// what the encoder holds is not in it.
    pub share_bytes: usize,
    pub target_bytes: u64,
    pub spill: Option<PathBuf>,
}

impl Bounds {
    /// Cuts the budget into equal shares.
    pub fn new(options: &MaintainOptions, workers: usize) -> Self {
        let share = (options.memory_bytes / workers as u64).saturating_sub(ENCODER_BYTES);
        Self {
            share_bytes: usize::try_from(share).unwrap_or(usize::MAX),
            target_bytes: options.target_bytes,
            spill: options.spill.clone(),
        }
    }

    /// Compressed files fetched and not yet decoded.
    pub fn fetched_bytes(&self) -> usize {
        self.share_bytes / 4
    }

    /// Rows in memory; the rest is for those on their way out.
    fn chunk_bytes(&self) -> usize {
        self.share_bytes / 2
    }

    fn runs_at_once(&self) -> usize {
        (self.chunk_bytes() / RUN_BYTES).max(2)
    }
}

/// A partition whose new files are stored; no version has them yet.
#[derive(Debug)]
pub(super) struct Merged {
    pub job: Job,
    pub adds: Vec<Add>,
}

/// Merges the files of a partition. Blocks: to be called on a thread of its own.
pub(super) fn merge(
    table: &Arc<LakeTable>,
    job: Job,
    bounds: &Bounds,
    runtime: &Handle,
    progress: &MaintainProgress,
) -> Result<Merged, MaintainError> {
    let partition = job.files[0].partition.clone();
    let keys = Keys::of(table.table)?;
    let output = Output::new(table, runtime, &job.folder, partition, bounds.target_bytes);
    let mut sorter = Sorter {
        keys: &keys,
        bounds,
        chunk: Chunk::default(),
        runs: Vec::new(),
    };
    let mut read = 0;
    let mut files = fetch(table, &job.files, bounds, runtime);
    while let Some(fetched) = files.blocking_recv() {
        let Fetched { file, bytes, held } = fetched?;
        let mut rows = 0;
        for batch in table.decode(&file.path, bytes)? {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            sorter.push(batch)?;
        }
        drop(held);
        check_rows(table, &file, rows)?;
        progress.read(file.size_bytes, rows);
        read += rows;
    }
    let (adds, written) = sorter.finish(output)?;
    match read == written && read == job.rows() {
        true => Ok(Merged { job, adds }),
        false => Err(MaintainError::RowsLost {
            table: table.table,
            folder: job.folder,
            read,
            written,
        }),
    }
}

fn check_rows(table: &LakeTable, file: &LakeFile, found: u64) -> Result<(), MaintainError> {
    match file.rows {
        Some(expected) if expected != found => Err(MaintainError::FileRows {
            table: table.table,
            file: file.path.to_string(),
            found,
            expected,
        }),
        _ => Ok(()),
    }
}

/// A file's bytes, and the room they take until they are decoded.
struct Fetched {
    file: LakeFile,
    bytes: Bytes,
    held: OwnedSemaphorePermit,
}

/// Fetches files in their order, some ahead of the one that is decoded.
fn fetch(
    table: &Arc<LakeTable>,
    files: &[LakeFile],
    bounds: &Bounds,
    runtime: &Handle,
) -> mpsc::Receiver<Result<Fetched, TableError>> {
    let (to, from) = mpsc::channel(READS_AT_ONCE);
    let room = u32::try_from(bounds.fetched_bytes()).unwrap_or(u32::MAX);
    let held = Arc::new(Semaphore::new(room as usize));
    let (table, files) = (table.clone(), files.to_vec());
    let fetches = async move {
        let fetch = |file: LakeFile| {
            let (table, held) = (table.clone(), held.clone());
            async move {
                let bytes = u32::try_from(file.size_bytes).unwrap_or(u32::MAX).min(room);
                let held = held.acquire_many_owned(bytes).await;
                let held = held.expect("the semaphore is not closed");
                let bytes = table.bytes(&file.path).await?;
                Ok(Fetched { file, bytes, held })
            }
        };
        let mut fetched = futures::stream::iter(files)
            .map(fetch)
            .buffered(READS_AT_ONCE);
        while let Some(result) = fetched.next().await {
            if to.send(result).await.is_err() {
                return;
            }
        }
    };
    // Ends with its receiver: the next send fails then.
    runtime.spawn(fetches);
    from
}

/// Sorts rows that come in any number, in memory or by way of runs.
struct Sorter<'a> {
    keys: &'a Keys,
    bounds: &'a Bounds,
    chunk: Chunk,
    runs: Vec<Run>,
}

impl Sorter<'_> {
    fn push(&mut self, batch: RecordBatch) -> Result<(), MaintainError> {
        self.chunk.push(self.keys, batch)?;
        match self.chunk.bytes() >= self.bounds.chunk_bytes() {
            true => self.spill(),
            false => Ok(()),
        }
    }

    fn spill(&mut self) -> Result<(), MaintainError> {
        let mut run: Option<RunWriter> = None;
        let folder = self.bounds.spill.as_deref();
        self.chunk
            .drain_sorted(|rows| write(&mut run, folder, &rows))?;
        self.runs.extend(run.map(RunWriter::end).transpose()?);
        Ok(())
    }

    fn finish(mut self, mut output: Output<'_>) -> Result<(Vec<Add>, u64), MaintainError> {
        if self.runs.is_empty() {
            self.chunk
                .drain_sorted(|rows| Ok::<_, MaintainError>(output.write(&rows)?))?;
            return Ok(output.finish()?);
        }
        if !self.chunk.is_empty() {
            self.spill()?;
        }
        let at_once = self.bounds.runs_at_once();
        while self.runs.len() > at_once {
            let mut left = std::mem::take(&mut self.runs).into_iter();
            while left.len() > 0 {
                let some = left.by_ref().take(at_once).collect();
                let mut run: Option<RunWriter> = None;
                let folder = self.bounds.spill.as_deref();
                spill::merge(self.keys, some, |rows| write(&mut run, folder, &rows))?;
                self.runs.extend(run.map(RunWriter::end).transpose()?);
            }
        }
        spill::merge(self.keys, self.runs, |rows| Ok(output.write(&rows)?))?;
        Ok(output.finish()?)
    }
}

fn write(
    run: &mut Option<RunWriter>,
    folder: Option<&std::path::Path>,
    rows: &RecordBatch,
) -> Result<(), MaintainError> {
    if run.is_none() {
        *run = Some(RunWriter::begin(folder, rows.schema())?);
    }
    run.as_mut().map_or(Ok(()), |run| run.write(rows))
}
