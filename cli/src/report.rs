//! `notspot report`: ready questions to the lake.

use std::io::{IsTerminal, Write};

use analytics::analyze::Stop;
use analytics::report::{self, Report};
use clap::Args;
use schemas::Table;
use serde_json::{Value, json};

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

/// Rows that a table on a terminal shows.
const SCREEN_ROWS: usize = 200;

/// Runs the report.
pub fn run(
    args: &ReportArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    args.output.check()?;
    if args.name == "list" || args.describe {
        args.output.check_printed()?;
    }
    if args.name == "list" {
        match args.output.is_json() {
            true => print_json(&report::catalog().iter().map(described).collect(), out)?,
            false => list(out)?,
        }
        return Ok(Exit::Done);
    }
    let report = report::find(&args.name)?;
    if args.describe {
        match args.output.is_json() {
            true => print_json(&described(report), out)?,
            false => describe(report, out)?,
        }
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
        let answer = report.run(&lake, &params).await?;
        let why_empty = match answer.rows() {
            0 => Some(report.why_empty(&lake, &params).await?),
            _ => None,
        };
        Ok::<_, anyhow::Error>((answer, is_analysed, why_empty))
    };
    let Some((answer, is_analysed, why_empty)) = until_stopped(work, interrupt, &Stop::default())?
    else {
        return Ok(Exit::Interrupted);
    };
    let on_screen = args.output.is_table_on_stdout() && std::io::stdout().is_terminal();
    let left = match on_screen {
        true => answer.rows().saturating_sub(SCREEN_ROWS),
        false => 0,
    };
    args.output
        .write(&answer.first(answer.rows() - left), out)?;
    if left > 0 {
        eprintln!(
            "note: {left} more rows: --output FILE.csv writes all, top=COUNT shows as many as you like"
        );
    }
    if let Some(why_empty) = why_empty {
        eprintln!("note: {why_empty}");
    }
    if !is_analysed && report.needs_analysis() {
        eprintln!(
            "note: the lake was not analysed: run notspot analyze, without it this report is empty or less sure"
        );
    }
    if on_screen {
        for note in &report.notes {
            writeln!(out, "note: {note}")?;
        }
    }
    Ok(Exit::Done)
}

/// A report's description as data.
fn described(report: &Report) -> Value {
    let params = report.params.iter().map(|param| {
        json!({
            "name": param.name, "kind": param.kind.to_string(), "default": param.default, "doc": param.doc,
        })
    });
    let columns = report
        .columns
        .iter()
        .map(|column| json!({ "name": column.name, "unit": column.unit, "doc": column.doc }));
    json!({
        "name": report.name, "title": report.title, "question": report.question, "grain": report.grain,
        "notes": report.notes,
        "params": params.collect::<Vec<_>>(), "columns": columns.collect::<Vec<_>>(),
    })
}

fn print_json(value: &Value, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    Ok(writeln!(out, "{}", serde_json::to_string_pretty(value)?)?)
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
