//! `notspot report`: ready questions to the lake.

use std::io::{IsTerminal, Write};

use analytics::analyze::Stop;
use analytics::report::{self, Report};
use clap::Args;
use schemas::Table;

use crate::exit::{Exit, UsageError};
use crate::interrupt::Interrupt;
use crate::lake::LakeArgs;
use crate::left::until_stopped;
use crate::output::OutputArgs;

const EXAMPLES: &str = "\
Examples:
  notspot report list
  notspot report coverage --describe
  notspot report coverage top=20 min_attempts=100
  notspot report carriers from=2026-11-01 to=2026-11-07 --format csv
  notspot report coverage plmn=208-01 --output coverage.parquet";

/// Arguments of `notspot report`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// The report, or `list` for what there is
    name: String,
    /// Parameters of the report, `name=value`
    #[arg(value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// A parameter of the report, the same as without --set
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Say what the report answers, takes and gives, and do not run it
    #[arg(long)]
    describe: bool,
    /// Which lake.
    #[command(flatten)]
    lake: LakeArgs,
    /// Where the answer goes.
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the report.
pub fn run(
    args: &ReportArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    if args.name == "list" {
        list(out)?;
        return Ok(Exit::Done);
    }
    args.output.check()?;
    let report = report::find(&args.name)?;
    if args.describe {
        describe(report, out)?;
        return Ok(Exit::Done);
    }
    let given = args
        .params
        .iter()
        .chain(&args.set)
        .map(|text| assignment(text));
    let params = report.parse_params(given.collect::<Result<Vec<_>, _>>()?)?;
    let lake = args.lake.clone();
    let work = move || async move {
        let lake = lake.open().await?;
        let is_analysed = lake.has(Table::Actions).await?;
        Ok::<_, anyhow::Error>((report.run(&lake, &params).await?, is_analysed))
    };
    let Some((answer, is_analysed)) = until_stopped(work, interrupt, &Stop::default())? else {
        return Ok(Exit::Interrupted);
    };
    args.output.write(&answer, out)?;
    if !is_analysed && report.needs_analysis() {
        eprintln!(
            "note: the lake was not analysed: run notspot analyze, without it this report is empty or less sure"
        );
    }
    if args.output.is_table_on_stdout() && std::io::stdout().is_terminal() {
        for note in &report.notes {
            writeln!(out, "note: {note}")?;
        }
    }
    Ok(Exit::Done)
}

fn assignment(text: &str) -> Result<(&str, &str), UsageError> {
    text.split_once('=')
        .ok_or_else(|| UsageError(format!("parameter {text:?} is not of the form name=value")))
}

fn list(out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let width = report::catalog()
        .iter()
        .map(|report| report.name.len())
        .max()
        .unwrap_or(0);
    for report in report::catalog() {
        writeln!(out, "{:width$}  {}", report.name, report.question)?;
    }
    Ok(())
}

fn describe(report: &Report, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    writeln!(
        out,
        "{}: {}\n\n{}\n\nGrain: {}",
        report.name, report.title, report.question, report.grain
    )?;
    for note in &report.notes {
        writeln!(out, "Note: {note}")?;
    }
    writeln!(out, "\nParameters:")?;
    for param in &report.params {
        let default = param
            .default
            .as_ref()
            .map_or_else(String::new, |value| format!(" = {value}"));
        writeln!(
            out,
            "  {} ({}{default}): {}",
            param.name, param.kind, param.doc
        )?;
    }
    writeln!(out, "\nColumns:")?;
    for column in &report.columns {
        writeln!(out, "  {} [{}]: {}", column.name, column.unit, column.doc)?;
    }
    Ok(())
}
