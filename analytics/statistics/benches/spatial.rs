//! Times Gi* and the scan on the inputs of `compare.py`, which starts this program and compares.
//!
//! Reads `gi_star.csv` and `scan.csv` of the folder, writes `z.f64` (the z of every cell in order
//! of ids, eight bytes each, little endian) and `ours.json` beside them. Times are of one call with
//! its input in memory, first with one thread, then with all.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use h3o::CellIndex;
use rayon::ThreadPool;
use serde_json::{Value, json};
use statistics::gi_star::{self, CellCounts, Class, GiStarRow};
use statistics::scan::{self, Location, Model, Position};

/// Calls of Gi* that are timed; the scan is timed once.
const CALLS: usize = 7;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is a program of its own, told by the one that starts it what to run"
)]
fn main() -> Outcome<()> {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let Some(folder) = words.next().map(PathBuf::from) else {
        println!("usage: spatial FOLDER RUNS bernoulli|poisson; benches/run starts this");
        return Ok(());
    };
    let options = scan::Options {
        runs: words.next().ok_or("no number of runs")?.parse()?,
        model: match words.next().as_deref() {
            Some("bernoulli") => Model::Bernoulli,
            Some("poisson") => Model::Poisson,
            other => return Err(format!("no model {other:?}").into()),
        },
        ..scan::Options::default()
    };
    let threads = std::thread::available_parallelism()?.get();
    let pools = [pool(1)?, pool(threads)?];
    let report = json!({
        "threads": threads,
        "gi_star": time_gi_star(&folder, &pools)?,
        "scan": time_scan(&folder, &pools, &options)?,
    });
    fs::write(folder.join("ours.json"), report.to_string())?;
    Ok(())
}

fn pool(threads: usize) -> Outcome<ThreadPool> {
    Ok(rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?)
}

/// Seconds of a call on the wall, and of processors where the system tells (Linux does): on a busy
/// machine the second is what can be compared.
#[derive(Clone, Copy)]
struct Seconds {
    wall: f64,
    processor: Option<f64>,
}

fn timed<T: Send>(pool: &ThreadPool, call: impl FnOnce() -> T + Send) -> (T, Seconds) {
    let before = processor_seconds();
    let start = Instant::now();
    let result = pool.install(call);
    let wall = start.elapsed().as_secs_f64();
    let processor = processor_seconds().zip(before);
    let processor = processor.map(|(after, before)| after - before);
    (result, Seconds { wall, processor })
}

/// What all threads have used so far.
fn processor_seconds() -> Option<f64> {
    let mut nanoseconds = 0.0;
    for task in fs::read_dir("/proc/self/task").ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split_whitespace().next()?.parse::<f64>().ok()?;
    }
    Some(nanoseconds * 1e-9)
}

/// The median on the wall, and the median of processors.
fn median(calls: &[Seconds]) -> Value {
    let middle = |mut seconds: Vec<f64>| {
        seconds.sort_unstable_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied()
    };
    json!({
        "wall": middle(calls.iter().map(|call| call.wall).collect()),
        "processor": middle(calls.iter().filter_map(|call| call.processor).collect()),
    })
}

fn time_gi_star(folder: &Path, pools: &[ThreadPool; 2]) -> Outcome<Value> {
    let rows = Table::read(&folder.join("gi_star.csv"))?.counts("failures")?;
    let options = gi_star::Options::default();
    let mut seconds = [Vec::new(), Vec::new()];
    let mut first: Option<Vec<GiStarRow>> = None;
    let mut equal = true;
    // By turns, so that a slow minute of the machine falls on both.
    for _ in 0..CALLS {
        for (pool, seconds) in pools.iter().zip(&mut seconds) {
            let (result, time) = timed(pool, || gi_star::from_counts(&rows, &options));
            let result = result?;
            seconds.push(time);
            equal &= first.as_ref().is_none_or(|first| *first == result);
            first.get_or_insert(result);
        }
    }
    let result = first.unwrap_or_default();
    let z: Option<Vec<f64>> = result.iter().map(|row| row.z).collect();
    let z = z.ok_or("a cell has no z")?;
    let bytes: Vec<u8> = z.iter().flat_map(|z| z.to_le_bytes()).collect();
    fs::write(folder.join("z.f64"), bytes)?;
    let hot_or_cold = [Class::Hot, Class::Cold];
    let flagged = result.iter().filter(|row| hot_or_cold.contains(&row.class));
    let flagged = flagged.count();
    let [one, all] = seconds;
    Ok(json!({
        "one_thread_s": median(&one), "all_threads_s": median(&all),
        "equal": equal, "flagged": flagged,
    }))
}

fn time_scan(folder: &Path, pools: &[ThreadPool; 2], options: &scan::Options) -> Outcome<Value> {
    let table = Table::read(&folder.join("scan.csv"))?;
    let observed = table.locations("failures")?;
    let (one, one_s) = timed(&pools[0], || scan::circles(&observed, options));
    let (all, all_s) = timed(&pools[1], || scan::circles(&observed, options));
    let (one, all) = (one?, all?);
    let cluster = all.first().ok_or("no window has an excess")?;
    // Failures that NumPy dealt anew: the highest ratio among them is a number to compare.
    let alone = scan::Options {
        runs: 0,
        ..*options
    };
    let mut dealt_llr = Vec::new();
    for column in table
        .columns
        .iter()
        .filter(|name| name.starts_with("dealt"))
    {
        let clusters = scan::circles(&table.locations(column)?, &alone)?;
        dealt_llr.push(clusters.first().map_or(0.0, |cluster| cluster.llr));
    }
    Ok(json!({
        "one_thread_s": median(&[one_s]), "all_threads_s": median(&[all_s]), "equal": one == all,
        "llr": cluster.llr, "failures": cluster.failures, "attempts": cluster.attempts,
        "p": cluster.p, "dealt_llr": dealt_llr,
    }))
}

/// A file without quoted fields.
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut lines = text
            .lines()
            .map(|line| line.split(',').map(str::to_owned).collect());
        let columns = lines.next().ok_or("no header")?;
        Ok(Self {
            columns,
            rows: lines.collect(),
        })
    }

    fn place(&self, column: &str) -> Outcome<usize> {
        let place = self.columns.iter().position(|name| name == column);
        Ok(place.ok_or_else(|| format!("no column {column}"))?)
    }

    fn counts(&self, failed: &str) -> Outcome<Vec<CellCounts>> {
        let cell = self.place("cell")?;
        let (attempts, failures) = (self.place("attempts")?, self.place(failed)?);
        let parse = |row: &Vec<String>| {
            Ok(CellCounts {
                cell: row[cell].parse()?,
                attempts: row[attempts].parse()?,
                failures: row[failures].parse()?,
            })
        };
        self.rows.iter().map(parse).collect()
    }

    fn locations(&self, failed: &str) -> Outcome<Vec<Location<CellIndex, Position>>> {
        let (lat, lon) = (self.place("lat")?, self.place("lon")?);
        let counts = self.counts(failed)?;
        let parse = |(row, counts): (&Vec<String>, CellCounts)| {
            Ok(Location {
                id: counts.cell,
                place: Position::Geographic {
                    lat: row[lat].parse()?,
                    lon: row[lon].parse()?,
                },
                attempts: counts.attempts,
                failures: counts.failures,
                expected: None,
            })
        };
        self.rows.iter().zip(counts).map(parse).collect()
    }
}
