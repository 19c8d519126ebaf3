//! `notspot analyze`: brings the derived tables up to date.

use std::io::Write;

use analytics::analyze::{Analysis, AnalyzeOptions, Doing, Stop, analyze};
use chrono::NaiveDate;
use clap::Args;

use crate::clock;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::lake::LakeArgs;
use crate::left::until_stopped;
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  notspot analyze
  notspot analyze --lake /data/lake --window 14d
  notspot analyze --from 2026-10-01 --to 2026-10-28
  notspot analyze --as-of 2026-11-01T06:00:00Z --to 2026-10-31
  notspot analyze && notspot report weak-zones plmn=208-01

What it writes is ready for notspot sql and notspot report: terminal_days, radio_cell_days,
failure_slots, outages, cells, weak_zones, failure_zones, zone_candidates, device_models,
terminal_flags, intervention_effects and actions.
Running it again changes nothing until events arrive; late events restate the days they belong to.
A signal ends it within a second, with exit code 130: what was published stays, and the next run
takes up what is missing.

--as-of gives the answer of a moment: events, registry and interventions are read as they stood in
the lake then, by the time of their commits, and days that had no events then lose their roll-up.
Days whose events are the same keep theirs, and zones are named after the windows analysed before.
The tables are written as always, for everybody; running it again without --as-of restates them.";

const AS_OF: &str = "Read events, registry and interventions as they stood in the lake at a time, such as \
                     2026-11-24 or 2026-11-24T08:00:00Z; what is derived is written as always";

/// Arguments of `notspot analyze`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("as_of", |as_of| as_of.help(AS_OF)))]
pub struct AnalyzeArgs {
    /// First day brought up to date; the window's first when not given
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,
    /// Last day of the window; the last with events when not given
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,
    /// Length of the window, in days
    #[arg(long, value_name = "DAYS", default_value = "28d", value_parser = read_window)]
    window: u32,
    /// Which lake.
    #[command(flatten)]
    lake: LakeArgs,
}

fn read_window(text: &str) -> Result<u32, String> {
    match text.strip_suffix('d').unwrap_or(text).parse() {
        Ok(days @ 1..=366) => Ok(days),
        _ => Err("expected 1d to 366d".into()),
    }
}

/// Runs the analysis.
pub fn run(
    args: &AnalyzeArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let options = AnalyzeOptions {
        from: args.from,
        to: args.to,
        window_days: args.window,
        now: clock::now(),
        stop: Stop::default(),
    };
    let stop = options.stop.clone();
    let lake = args.lake.clone();
    let work = move || async move {
        let progress = Progress::begin("analyze");
        let mut lake = lake.open_to_analyze().await?;
        let mut show = |doing: &Doing| progress.at(doing.done, doing.step.clone());
        let analysis = analyze(&mut lake, &options, &mut show).await?;
        progress.end();
        Ok::<_, anyhow::Error>(analysis)
    };
    let Some(analysis) = until_stopped(work, interrupt, &stop)? else {
        return Ok(Exit::Interrupted);
    };
    say(&analysis, out)?;
    Ok(Exit::Done)
}

/// Says what was done.
pub fn say(analysis: &Analysis, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    writeln!(
        out,
        "analyzed {} to {}: {} days computed, {} unchanged, window {}",
        analysis.window_from,
        analysis.window_to,
        analysis.days_computed,
        analysis.days_unchanged,
        if analysis.window_computed {
            "computed"
        } else {
            "unchanged"
        }
    )?;
    for note in &analysis.notes {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}
