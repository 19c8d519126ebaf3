//! `notspot replay`: recorded measurements as events.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{NaiveTime, TimeDelta};
use clap::Args;
use schemas::EventKind;
use simulator::replay::{
    Mapping, RefusedRow, ReplayObserver, ReplayOptions, ReplaySummary, Speed, TimeShift,
    builtin_mappings,
};

use crate::destination::DestinationArgs;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, grouped};
use crate::simulate::{Day, read_day};

const EXAMPLES: &str = "\
Examples:
  notspot replay --list
  notspot replay trai-mycall --brokers localhost:9092 --weeks-before today
  notspot replay my-mapping.toml drive-*.csv.gz --output events
  notspot replay dakar-gnettrack --brokers localhost:9092 --last-at today --speed 60

Files are CSV or other delimited text in UTF-8, JSON (an array of objects, or objects that follow
each other) or Parquet, also packed with gzip or zstd. Columns a mapping does not name are not read;
rows that cannot be used are told with their line and left out.

Without files the sample shipped with the mapping is replayed.";

/// Arguments of `notspot replay`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArgs {
    /// A ready mapping, or a mapping file
    #[arg(required_unless_present = "list")]
    mapping: Option<String>,
    /// Recorded files or folders, also compressed; the mapping's sample when none is given
    files: Vec<PathBuf>,
    /// Name the ready mappings
    #[arg(long, exclusive = true)]
    list: bool,
    /// Where the events go.
    #[command(flatten)]
    destination: DestinationArgs,
    /// `full`, `recorded`, or how many times as fast as recorded
    #[arg(long, default_value = "full", value_parser = read_speed)]
    speed: SpeedArg,
    /// Move times by whole weeks, so that the last event is in the week before this day
    #[arg(long, value_name = "DATE", value_parser = read_day, conflicts_with = "last_at")]
    weeks_before: Option<Day>,
    /// Move times so that the last event is at the start of this day
    #[arg(long, value_name = "DATE", value_parser = read_day)]
    last_at: Option<Day>,
}

/// A speed of the command line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct SpeedArg(Speed);

fn read_speed(text: &str) -> Result<SpeedArg, String> {
    Ok(SpeedArg(match text {
        "full" => Speed::Full,
        "recorded" => Speed::Recorded,
        number => match number.parse::<f64>() {
            Ok(times) if times.is_finite() && times > 0.0 => Speed::Scaled(times),
            _ => return Err("expected full, recorded or a number above 0".into()),
        },
    }))
}

/// Replays the files.
pub fn run(
    args: &ReplayArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let Some(name) = &args.mapping else {
        return list(out);
    };
    let mapping = Mapping::load(name)?;
    let options = ReplayOptions {
        speed: args.speed.0,
        shift: args.shift(),
        ..ReplayOptions::default()
    };
    let mut sink = args.destination.open(interrupt)?;
    let mut watch = Watch {
        progress: Progress::begin_open("replay"),
        began: None,
        interrupt: interrupt.clone(),
    };
    let summary =
        simulator::replay::replay(&mapping, &args.files, &options, &mut sink, &mut watch)?;
    watch.progress.end();
    print_summary(&summary, &mapping, out)?;
    if summary.stopped_early {
        return Ok(Exit::Interrupted);
    }
    Ok(if summary.refused() > 0 {
        Exit::Failed
    } else {
        Exit::Done
    })
}

impl ReplayArgs {
    fn shift(&self) -> TimeShift {
        let midnight = |day: Day| day.date().and_time(NaiveTime::MIN).and_utc();
        match (self.weeks_before, self.last_at) {
            (Some(day), _) => TimeShift::WholeWeeksBefore(midnight(day)),
            (None, Some(day)) => TimeShift::LastAt(midnight(day)),
            (None, None) => TimeShift::None,
        }
    }
}

struct Watch {
    progress: Progress,
    began: Option<Instant>,
    interrupt: Interrupt,
}

impl ReplayObserver for Watch {
    fn progress(&mut self, rows_read: u64) {
        self.progress.say(format!("{} rows", grouped(rows_read)));
    }

    fn refused(&mut self, row: &RefusedRow) {
        tracing::debug!(%row, "row refused");
    }

    fn wait_until(&mut self, since_start: Duration) -> ControlFlow<()> {
        /// Longest sleep between two looks at the signals.
        const NAP: Duration = Duration::from_millis(100);
        let due = *self.began.get_or_insert_with(Instant::now) + since_start;
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            if self.interrupt.is_raised() {
                return ControlFlow::Break(());
            }
            std::thread::sleep(left.min(NAP));
        }
        ControlFlow::Continue(())
    }
}

fn list(out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    for ready in builtin_mappings() {
        let mapping = Mapping::load(ready.name)?;
        let sample = if ready.has_sample() {
            "with a sample"
        } else {
            "files needed"
        };
        writeln!(
            out,
            "{:18} {} ({sample}; {})",
            ready.name, mapping.title, mapping.licence
        )?;
    }
    Ok(Exit::Done)
}

fn print_summary(
    summary: &ReplaySummary,
    mapping: &Mapping,
    out: &mut (dyn Write + Send),
) -> std::io::Result<()> {
    writeln!(out, "{}: {}", summary.mapping, mapping.title)?;
    writeln!(out, "  credit: {}", mapping.credit)?;
    writeln!(
        out,
        "  {:>10} rows read, {} used, {} without events, {} refused",
        grouped(summary.rows_read),
        grouped(summary.rows_used),
        grouped(summary.rows_without_events),
        grouped(summary.refused())
    )?;
    for kind in EventKind::ALL {
        writeln!(
            out,
            "  {:>10} {}",
            grouped(summary.events_of(kind)),
            kind.topic()
        )?;
    }
    writeln!(
        out,
        "  {:>10} attempts, {} of them without an answer",
        grouped(summary.attempts),
        grouped(summary.failures)
    )?;
    if let (Some(first), Some(last)) = (summary.first_event, summary.last_event) {
        writeln!(
            out,
            "  events from {first:?} to {last:?}{}",
            moved(summary.shifted_by_ms)
        )?;
    }
    for (field, count) in &summary.values_unmapped {
        writeln!(
            out,
            "  {:>10} values of {field} not in the mapping became null",
            grouped(*count)
        )?;
    }
    for (field, count) in &summary.values_invalid {
        writeln!(
            out,
            "  {:>10} values of {field} are not of its form (a network code is MCC-MNC, 310-410) and became null",
            grouped(*count)
        )?;
    }
    for row in &summary.first_refused {
        writeln!(out, "  refused {row}")?;
    }
    Ok(())
}

fn moved(shifted_by_ms: i64) -> String {
    match TimeDelta::milliseconds(shifted_by_ms) {
        none if none.is_zero() => String::new(),
        span => format!(
            ", moved by {:.2} days",
            span.num_seconds() as f64 / 86_400.0
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_word_or_a_number_above_zero() {
        assert_eq!(read_speed("60"), Ok(SpeedArg(Speed::Scaled(60.0))));
        for bad in ["0", "-1", "NaN", "fast"] {
            assert!(read_speed(bad).is_err(), "{bad}");
        }
    }
}
