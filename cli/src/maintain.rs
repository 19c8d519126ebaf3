//! `notspot maintain`: small files merged, logs shortened, unneeded files deleted.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytesize::ByteSize;
use chrono::NaiveDate;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use ingest::Shutdown;
use ingest::maintain::{
    MaintainError, MaintainOptions, MaintainProgress, Mode, Size, TableReport, maintain,
};
use schemas::Table;

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, grouped};
use crate::{clock, runtime};

const EXAMPLES: &str = "\
Examples:
  notspot maintain lake
  notspot maintain lake --dry-run
  notspot maintain lake --table heartbeats --from 2026-11-01 --to 2026-11-07 --memory 1GiB
  notspot maintain lake --retain 2d

Run it every hour, beside running ingesters. Files are merged sorted by place, terminal and time:
those of a day until two hours after its end (UTC) with others of about their size, eight or more at
a time, then all of a place. No event is lost or doubled: rows are counted before each commit. A
second run at the same time only does what the first has not. Files that no version of the retained
time needs are deleted.";

/// Arguments of `notspot maintain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MaintainArgs {
    /// Folder or URL of the lake
    #[arg(value_name = "LAKE", env = "NOTSPOT_LAKE")]
    lake: String,
    /// Table to maintain, several times for several; all when not given
    #[arg(long, value_name = "TABLE", value_parser = tables())]
    table: Vec<Table>,
    /// First day whose files are merged
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// Last day whose files are merged
    #[arg(long, value_name = "DAY")]
    to: Option<NaiveDate>,
    /// Size that merged files are cut at; files of half of it are left as they are
    #[arg(long, value_name = "SIZE", default_value = "128MiB")]
    target_size: ByteSize,
    /// Memory for reading, sorting and writing; the list of the table's files comes on top, about 3 KiB each
    #[arg(long, value_name = "SIZE", default_value = "512MiB")]
    memory: ByteSize,
    /// How long versions of the past stay readable, such as 36h or 7d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = humantime::parse_duration)]
    retain: Duration,
    /// Folder for rows that do not fit into memory; the system's temporary folder when not given
    #[arg(long, value_name = "FOLDER")]
    spill: Option<PathBuf>,
    /// Say what would be merged, and change nothing
    #[arg(long)]
    dry_run: bool,
}

fn tables() -> impl TypedValueParser<Value = Table> {
    PossibleValuesParser::new(Table::ALL.map(Table::name))
        .map(|name| name.parse().expect("only names of tables are let through"))
}

/// Runs the maintenance.
pub fn run(
    args: &MaintainArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let options = args.options();
    let reports = runtime()?.block_on(watched(&options, interrupt))?;
    for report in &reports {
        print(report, options.mode, out)?;
    }
    let faults = reports.iter().any(|report| !report.faults.is_empty());
    Ok(match (interrupt.is_raised(), faults) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Done,
    })
}

impl MaintainArgs {
    fn options(&self) -> MaintainOptions {
        MaintainOptions {
            lake: self.lake.clone(),
            tables: self.table.clone(),
            from: self.from,
            to: self.to,
            target_bytes: self.target_size.as_u64(),
            memory_bytes: self.memory.as_u64(),
            retain: self.retain,
            spill: self.spill.clone(),
            mode: if self.dry_run {
                Mode::DryRun
            } else {
                Mode::Run
            },
        }
    }
}

async fn watched(
    options: &MaintainOptions,
    interrupt: &Interrupt,
) -> Result<Vec<TableReport>, MaintainError> {
    let shutdown = Shutdown::default();
    let counts = Arc::<MaintainProgress>::default();
    let progress = Progress::begin("maintain");
    let mut running = std::pin::pin!(maintain(options, clock::now(), &counts, &shutdown));
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let result = loop {
        tokio::select! {
            result = &mut running => break result,
            () = interrupt.raised(), if !shutdown.requested() => shutdown.request(),
            _ = ticks.tick() => show(&progress, &counts),
        }
    };
    progress.end();
    result
}

fn show(progress: &Progress, counts: &MaintainProgress) {
    let wanted = counts.bytes_wanted.load(Ordering::Relaxed);
    let read = counts.bytes_read.load(Ordering::Relaxed);
    let rows = grouped(counts.rows_read.load(Ordering::Relaxed));
    let message = format!("{} of {} · {rows} rows", ByteSize(read), ByteSize(wanted));
    progress.at(read as f64 / wanted.max(1) as f64, message);
}

fn print(report: &TableReport, mode: Mode, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let merged = match mode {
        Mode::Run => "merged",
        Mode::DryRun => "would be merged",
    };
    writeln!(out, "{}", report.table)?;
    writeln!(out, "  before   {}", of(report.before))?;
    if mode == Mode::Run {
        writeln!(out, "  after    {}", of(report.after))?;
    }
    writeln!(
        out,
        "  {merged}   {} in {} partitions",
        of(report.merged),
        grouped(report.partitions)
    )?;
    if report.overtaken > 0 {
        let overtaken = grouped(report.overtaken);
        writeln!(out, "  left to another program   {overtaken} partitions")?;
    }
    if report.deleted.files > 0 || report.log_entries_deleted > 0 {
        writeln!(
            out,
            "  deleted  {} files, {}; {} log entries",
            grouped(report.deleted.files),
            ByteSize(report.deleted.bytes),
            grouped(report.log_entries_deleted)
        )?;
    }
    for fault in &report.faults {
        writeln!(out, "  not merged: {fault}")?;
    }
    Ok(())
}

fn of(size: Size) -> String {
    format!(
        "{} files, {}, {} rows",
        grouped(size.files),
        ByteSize(size.bytes),
        grouped(size.rows)
    )
}
