//! Rows of events as copies are told by them: owns which copy of an event is the one kept, and how
//! many rows are held in memory before they go to disk.

use std::hash::BuildHasher;
use std::io::Write;
use std::sync::Arc;

use bytes::Buf;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::spill_file::SpillFile;
use foldhash::fast::FixedState;
use futures::TryStreamExt;

/// Copies share their key and so their bucket: one is sorted at a time, and more than memory holds
/// lie on disk until then.
const BUCKETS: usize = 64;
/// The place of a row without a position in Kafka: after all others.
pub(super) const NO_PLACE: u32 = u32::MAX;
/// Bytes of a sighting on disk.
const ENCODED: usize = 36;

/// One row of an event. The order is that of preference: of the rows with one key, the least is kept.
///
/// What decides is what a copy says of itself, its position in Kafka, so that the same copy is kept
/// in any layout; file and row decide only between copies without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sighting {
    key: [u64; 2],
    /// Rank of topic and partition, or [`NO_PLACE`].
    pub(super) place: u32,
    /// Offset there; 0 without a position.
    pub(super) offset: i64,
    /// Number of the file, in the order of paths.
    pub(super) file: u32,
    /// Number of the row in the file.
    pub(super) row: u32,
}

/// Returns what all copies of an event share.
///
/// 128 bits, so that among a billion events two share a key with a probability of 1 in 10^21.
pub(super) fn key(event_id: &str, terminal_id: &str, event_time_us: i64) -> [u64; 2] {
    let key = (event_id, terminal_id, event_time_us);
    [1, 2].map(|seed| FixedState::with_seed(seed).hash_one(key))
}

impl Sighting {
    pub(super) const fn new(key: [u64; 2], file: u32, row: u32) -> Self {
        Self {
            key,
            place: NO_PLACE,
            offset: 0,
            file,
            row,
        }
    }

    fn bucket(&self) -> usize {
        usize::try_from(self.key[0] % BUCKETS as u64).expect("fewer than 64")
    }

    fn write(&self, out: &mut Vec<u8>) {
        for part in self.key {
            out.extend(part.to_le_bytes());
        }
        out.extend(self.offset.to_le_bytes());
        for part in [self.place, self.file, self.row] {
            out.extend(part.to_le_bytes());
        }
    }

    fn read(mut bytes: &[u8]) -> Self {
        Self {
            key: [bytes.get_u64_le(), bytes.get_u64_le()],
            offset: bytes.get_i64_le(),
            place: bytes.get_u32_le(),
            file: bytes.get_u32_le(),
            row: bytes.get_u32_le(),
        }
    }
}

/// The rows that one task saw.
pub(super) struct Sightings {
    buckets: Vec<Vec<Sighting>>,
    spilled: Vec<Option<Arc<dyn SpillFile>>>,
    memory: MemoryReservation,
    disk: Arc<DiskManager>,
}

impl Sightings {
    pub(super) fn new(runtime: &RuntimeEnv) -> Self {
        let memory = MemoryConsumer::new("copies of events").with_can_spill(true);
        Self {
            buckets: vec![Vec::new(); BUCKETS],
            spilled: vec![None; BUCKETS],
            memory: memory.register(&runtime.memory_pool),
            disk: runtime.disk_manager.clone(),
        }
    }

    /// Takes rows in; those that the session's memory does not hold go to disk.
    pub(super) fn take(&mut self, rows: impl Iterator<Item = Sighting>) -> Result<()> {
        for row in rows {
            self.buckets[row.bucket()].push(row);
        }
        if self.memory.try_resize(self.held_bytes()).is_err() {
            self.spill()?;
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        let rows: usize = self.buckets.iter().map(Vec::capacity).sum();
        rows * size_of::<Sighting>()
    }

    fn spill(&mut self) -> Result<()> {
        let mut bytes = Vec::new();
        for (bucket, spilled) in self.buckets.iter_mut().zip(&mut self.spilled) {
            let rows = std::mem::take(bucket);
            if rows.is_empty() {
                continue;
            }
            let file = match spilled {
                Some(file) => file,
                None => spilled.insert(self.disk.create_tmp_file("looking for copies")?),
            };
            bytes.clear();
            rows.iter().for_each(|row| row.write(&mut bytes));
            let mut writer = file.open_writer()?;
            writer.write_all(&bytes)?;
            writer.finish()?;
        }
        self.memory.free();
        Ok(())
    }
}

/// The rows that all tasks saw, bucket by bucket.
pub(super) struct Gathered {
    tasks: Vec<(Sightings, Vec<u32>)>,
    memory: MemoryReservation,
}

impl Gathered {
    /// Beside the rows of a task stands, for the number it knows a topic and partition by, their rank.
    pub(super) fn new(tasks: Vec<(Sightings, Vec<u32>)>, runtime: &RuntimeEnv) -> Self {
        let memory = MemoryConsumer::new("copies of events, a share of them");
        Self {
            tasks,
            memory: memory.register(&runtime.memory_pool),
        }
    }

    /// Returns file and row of every copy that is not the one kept, sorted.
    pub(super) async fn left_out(mut self) -> Result<Vec<(u32, u32)>> {
        let mut left_out = Vec::new();
        for bucket in 0..BUCKETS {
            let rows = self.bucket(bucket).await?;
            let of_bucket = tokio::task::spawn_blocking(move || copies(rows)).await;
            left_out.extend(of_bucket.map_err(|error| exec_datafusion_err!("{error}"))?);
            self.memory
                .try_resize(left_out.capacity() * size_of::<(u32, u32)>())?;
        }
        left_out.sort_unstable();
        Ok(left_out)
    }

    async fn bucket(&mut self, bucket: usize) -> Result<Vec<Sighting>> {
        let mut all: Vec<Sighting> = Vec::new();
        for (task, ranks) in &mut self.tasks {
            let first = all.len();
            all.append(&mut std::mem::take(&mut task.buckets[bucket]));
            task.memory.try_resize(task.held_bytes())?;
            if let Some(file) = task.spilled[bucket].take() {
                read(&*file, &mut all).await?;
            }
            for row in &mut all[first..] {
                if let Some(rank) = ranks.get(row.place as usize) {
                    row.place = *rank;
                }
            }
        }
        Ok(all)
    }
}

async fn read(file: &dyn SpillFile, rows: &mut Vec<Sighting>) -> Result<()> {
    let mut bytes = Vec::new();
    let mut chunks = file.read_stream()?;
    while let Some(chunk) = chunks.try_next().await? {
        bytes.extend_from_slice(&chunk);
        let whole = bytes.len() / ENCODED * ENCODED;
        rows.extend(bytes[..whole].chunks_exact(ENCODED).map(Sighting::read));
        bytes.drain(..whole);
    }
    Ok(())
}

/// Returns file and row of every sighting but the least of its key.
fn copies(mut rows: Vec<Sighting>) -> Vec<(u32, u32)> {
    rows.sort_unstable();
    let same_key = rows.chunk_by(|one, next| one.key == next.key);
    let others = same_key.flat_map(|same| &same[1..]);
    others.map(|row| (row.file, row.row)).collect()
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::FairSpillPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;

    use super::*;

    fn sighting(event: u32, place: u32, offset: i64, file: u32, row: u32) -> Sighting {
        Sighting {
            place,
            offset,
            ..Sighting::new(key(&event.to_string(), "T1", 7), file, row)
        }
    }

    async fn left_out(memory_bytes: usize, tasks: Vec<Vec<Sighting>>) -> (Vec<(u32, u32)>, bool) {
        let pool = Arc::new(FairSpillPool::new(memory_bytes));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool);
        let runtime = runtime.build().expect("a runtime");
        let tasks: Vec<Sightings> = tasks
            .into_iter()
            .map(|rows| {
                let mut task = Sightings::new(&runtime);
                for some in rows.chunks(100) {
                    task.take(some.iter().copied()).expect("a writable disk");
                }
                task
            })
            .collect();
        let has_spilled = tasks
            .iter()
            .any(|task| task.spilled.iter().any(Option::is_some));
        let ranked = tasks.into_iter().map(|task| (task, vec![1, 0]));
        let gathered = Gathered::new(ranked.collect(), &runtime);
        (gathered.left_out().await.expect("readable"), has_spilled)
    }

    #[tokio::test]
    async fn the_copy_with_the_lowest_position_is_kept_and_one_without_a_position_never_before_it()
    {
        let rows = vec![
            sighting(1, NO_PLACE, 0, 0, 0),
            // Place 0 ranks behind place 1.
            sighting(1, 0, 3, 0, 1),
            sighting(1, 1, 9, 0, 2),
            sighting(1, 1, 8, 0, 3),
            sighting(2, NO_PLACE, 0, 0, 4),
        ];
        let (found, _) = left_out(1 << 20, vec![rows]).await;
        assert_eq!(found, [(0, 0), (0, 1), (0, 2)]);
    }

    #[tokio::test]
    async fn rows_that_memory_does_not_hold_are_judged_from_disk_alike() {
        let rows = |task: u32| {
            let events = (0..5_000_u32).map(move |event| (event, event % 5 == 0 || task == 0));
            let wanted = events.filter(|(_, wanted)| *wanted);
            let row = move |(event, _): (u32, bool)| sighting(event, 0, task.into(), task, event);
            wanted.map(row).collect::<Vec<_>>()
        };
        let tasks = || vec![rows(1), rows(0), rows(2)];
        let (in_memory, has_spilled) = left_out(64 << 20, tasks()).await;
        assert!(!has_spilled);
        let expected = [1, 2].map(|task| (0..1_000).map(move |event| (task, event * 5)));
        assert_eq!(
            in_memory,
            expected.into_iter().flatten().collect::<Vec<_>>()
        );
        let (from_disk, has_spilled) = left_out(96 << 10, tasks()).await;
        assert!(has_spilled);
        assert_eq!(from_disk, in_memory);
    }
}
