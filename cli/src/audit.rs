//! `notspot audit`: every offset accounted for, every file as the log says.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use analytics::Answer;
use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::error::ArrowError;
use clap::Args;
use ingest::audit::{AuditOptions, AuditProgress, AuditReport, Fault, audit};

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::OutputArgs;
use crate::progress::{Progress, grouped, shown};
use crate::runtime;

const EXAMPLES: &str = "\
Examples:
  notspot audit lake
  notspot audit lake --topic terminal.heartbeat --format json
  notspot audit lake --format csv --output audit.csv || notify-the-operator

Proves from the lake alone that of every partition each offset, from the first that was read to the
committed position, is an event, a quarantined message or recorded as having no event, exactly once,
and that every file of every table is there with the rows its log says. A row per partition, then a
row per fault (missing, doubled, beyond, file_missing, file_differs); the exit code is 1 when there
is a fault. It reads two columns of the events and changes nothing.";

/// Arguments of `notspot audit`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AuditArgs {
    /// Folder or URL of the lake
    #[arg(value_name = "LAKE", env = "NOTSPOT_LAKE")]
    lake: String,
    /// Topic to audit, several times for several; all when not given
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Form and place of the answer.
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the audit.
pub fn run(
    args: &AuditArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    args.output.check()?;
    let options = AuditOptions {
        lake: args.lake.clone(),
        topics: args.topic.clone(),
    };
    let counts = AuditProgress::default();
    // Nothing is changed, so nothing is to be ended.
    let audited = shown("audit", interrupt, audit(&options, &counts), |progress| {
        show(progress, &counts);
    });
    let Some(report) = runtime()?.block_on(audited)? else {
        return Ok(Exit::Interrupted);
    };
    let rows = rows(&report)?;
    let answer = Answer {
        schema: rows.schema(),
        batches: vec![rows],
    };
    args.output.write(&answer, out)?;
    Ok(match report.faults.is_empty() {
        true => Exit::Done,
        false => Exit::Failed,
    })
}

fn show(progress: &Progress, counts: &AuditProgress) {
    let wanted = counts.rows_wanted.load(Ordering::Relaxed);
    let read = counts.rows_read.load(Ordering::Relaxed);
    let message = format!("{} of {} rows", grouped(read), grouped(wanted));
    progress.at(read as f64 / wanted.max(1) as f64, message);
}

/// One line of the answer.
#[derive(Default)]
struct Line {
    finding: &'static str,
    table: String,
    place: Option<(String, i32)>,
    offsets: (Option<i64>, Option<i64>),
    /// Rows, quarantined, without event, missing, doubled.
    counts: [Option<u64>; 5],
    files: Option<String>,
    detail: Option<String>,
}

impl Line {
    fn of(fault: &Fault) -> Self {
        let text = |text: String| (!text.is_empty()).then_some(text);
        Self {
            finding: fault.kind.name(),
            table: fault.table.to_string(),
            place: fault.place.clone(),
            offsets: (
                fault.offsets.map(|(first, _)| first),
                fault.offsets.map(|(_, last)| last),
            ),
            files: text(fault.files.join(" ")),
            detail: text(fault.detail.clone()),
            ..Self::default()
        }
    }
}

fn rows(report: &AuditReport) -> Result<RecordBatch, ArrowError> {
    let partitions = report.partitions.iter().map(|of| Line {
        finding: "partition",
        table: of.table.to_string(),
        place: Some((of.topic.clone(), of.partition)),
        offsets: (Some(of.first_offset), Some(of.next_offset - 1)),
        counts: [
            of.rows,
            of.quarantined,
            of.without_event,
            of.missing,
            of.doubled,
        ]
        .map(Some),
        ..Line::default()
    });
    let lines: Vec<Line> = partitions
        .chain(report.faults.iter().map(Line::of))
        .collect();
    let text = |of: &dyn Fn(&Line) -> Option<String>| -> ArrayRef {
        Arc::new(lines.iter().map(of).collect::<StringArray>())
    };
    let offset = |of: &dyn Fn(&Line) -> Option<i64>| -> ArrayRef {
        Arc::new(lines.iter().map(of).collect::<Int64Array>())
    };
    let count = |at: usize| -> ArrayRef {
        Arc::new(
            lines
                .iter()
                .map(|line| line.counts[at])
                .collect::<UInt64Array>(),
        )
    };
    let partition = lines.iter().map(|line| line.place.as_ref().map(|of| of.1));
    let partition: ArrayRef = Arc::new(partition.collect::<Int32Array>());
    RecordBatch::try_from_iter_with_nullable([
        (
            "finding",
            text(&|line| Some(line.finding.to_owned())),
            false,
        ),
        ("table", text(&|line| Some(line.table.clone())), false),
        (
            "topic",
            text(&|line| Some(line.place.as_ref()?.0.clone())),
            true,
        ),
        ("partition", partition, true),
        ("first_offset", offset(&|line| line.offsets.0), true),
        ("last_offset", offset(&|line| line.offsets.1), true),
        ("rows", count(0), true),
        ("quarantined", count(1), true),
        ("without_event", count(2), true),
        ("missing", count(3), true),
        ("doubled", count(4), true),
        ("files", text(&|line| line.files.clone()), true),
        ("detail", text(&|line| line.detail.clone()), true),
    ])
}
