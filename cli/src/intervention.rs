//! `notspot intervention`: writes down what was done against failures.

mod given;
mod known;
mod rows;

use std::io::Write;
use std::path::PathBuf;

use analytics::AsOf;
use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Subcommand};
use ingest::interventions::{Added, add, remove};
use schemas::interventions::InterventionKind;

use self::given::Given;
use crate::exit::{Exit, UsageError};
use crate::lake::{LakeArgs, LakePlace};
use crate::output::OutputArgs;
use crate::{clock, runtime};

const EXAMPLES: &str = "\
Examples:
  notspot intervention add --kind booster --merchant M1 --merchant M2 --on 2026-11-10
  notspot intervention add --kind replace --terminal T7 --on 2026-11-10T08:30:00Z --note broken
  notspot intervention add --kind other --zone ZONE --on 2026-11-02 --note \"mast mended\"
  notspot intervention add --file done.csv && notspot analyze && notspot report intervention-effects

A file (CSV, JSON or Parquet) has the columns kind, target_kind (terminal, merchant, zone, cell),
target_ids (joined by ';') and started_at, and may have ended_at, note and recorded_by, as notspot
intervention list has. A cell is hexadecimal, in either case, or its number. A day stands for its
beginning in UTC; the day of the work counts neither as before nor as after. Nothing is written when
a row is bad. Adding the same work twice changes nothing.";

const LIST_EXAMPLES: &str = "\
Examples:
  notspot intervention list
  notspot intervention list --lake /data/lake --format csv --output done.csv";

const REMOVE_EXAMPLES: &str = "\
Examples:
  notspot intervention remove booster-20261110-3f9a1c2e

Only what was written down is taken away; the next notspot analyze forgets its effect.";

const LIST: &str = "select intervention_id, kind, target_kind, target_ids, started_at, ended_at, note, \
                    recorded_at, recorded_by from interventions order by started_at, intervention_id";

/// Commands over interventions.
#[derive(Debug, Subcommand)]
pub enum InterventionCommand {
    /// Write down what was done to terminals, merchants, a zone or cells
    Add(Box<AddArgs>),
    /// List what was written down
    List(ListArgs),
    /// Take back what was written down by mistake
    Remove(RemoveArgs),
}

/// Arguments of `notspot intervention add`.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("target").required(true).args(["terminal", "merchant", "zone", "cell", "file"]))
)]
pub struct AddArgs {
    /// What was done
    #[arg(long, value_name = "KIND", value_parser = kinds(), required_unless_present = "file")]
    kind: Option<InterventionKind>,
    /// To this terminal; may be given again
    #[arg(long, value_name = "ID")]
    terminal: Vec<String>,
    /// To all terminals of this merchant; may be given again
    #[arg(long, value_name = "ID")]
    merchant: Vec<String>,
    /// To the terminals in a zone of an analysis
    #[arg(long, value_name = "ID")]
    zone: Option<String>,
    /// To the terminals in this H3 cell of resolution 8; may be given again
    #[arg(long, value_name = "CELL")]
    cell: Vec<String>,
    /// When it was done, or begun: a day, or a time with its zone
    #[arg(long, value_name = "TIME", required_unless_present = "file")]
    on: Option<String>,
    /// When it was undone, or over
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// What else there is to say
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who writes it down
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// A file of many: CSV, JSON or Parquet
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kind", "on", "until", "note", "by"])]
    file: Option<PathBuf>,
    /// Which lake.
    #[command(flatten)]
    lake: LakePlace,
}

/// Arguments of `notspot intervention list`.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    /// Which lake.
    #[command(flatten)]
    lake: LakeArgs,
    /// Where the answer goes.
    #[command(flatten)]
    output: OutputArgs,
}

/// Arguments of `notspot intervention remove`.
#[derive(Debug, Args)]
#[command(after_help = REMOVE_EXAMPLES)]
pub struct RemoveArgs {
    /// Its id, as notspot intervention list shows it
    id: String,
    /// Which lake.
    #[command(flatten)]
    lake: LakePlace,
}

fn kinds() -> impl TypedValueParser<Value = InterventionKind> {
    PossibleValuesParser::new(InterventionKind::ALL.map(InterventionKind::as_str))
        .map(|word| word.parse().expect("only kinds are let through"))
}

/// Runs a command over interventions.
pub fn run(command: &InterventionCommand, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    let runtime = runtime()?;
    match command {
        InterventionCommand::Add(args) => {
            let given = args.given()?;
            let added = runtime.block_on(write(&args.lake, &given))?;
            say(&added, out)?;
        }
        InterventionCommand::List(args) => {
            args.output.check()?;
            let answer = runtime.block_on(async {
                let lake = args.lake.open().await?;
                Ok::<_, anyhow::Error>(lake.collect(LIST).await?)
            })?;
            args.output.write(&answer, out)?;
        }
        InterventionCommand::Remove(args) => {
            let removed = runtime.block_on(async {
                args.lake.open(AsOf::Latest).await?;
                Ok::<_, anyhow::Error>(remove(args.lake.as_str(), &args.id).await?)
            })?;
            if !removed {
                let id = &args.id;
                return Err(UsageError(format!(
                    "no intervention {id:?}: notspot intervention list shows those there are"
                ))
                .into());
            }
            writeln!(out, "removed {}", args.id)?;
        }
    }
    Ok(Exit::Done)
}

impl AddArgs {
    fn given(&self) -> anyhow::Result<Vec<Given>> {
        match &self.file {
            Some(file) => rows::read(file),
            None => Ok(vec![self.one()]),
        }
    }
}

/// Checks what is named against the lake, and writes all of it or nothing.
async fn write(place: &LakePlace, given: &[Given]) -> anyhow::Result<Added> {
    let now = clock::now();
    let lake = place.open(AsOf::Latest).await?;
    let checked = known::check(&lake, given, now)
        .await
        .context("nothing was written")?;
    Ok(add(place.as_str(), &checked, now).await?)
}

fn say(added: &Added, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    for id in &added.added {
        writeln!(out, "added {id}")?;
    }
    for id in &added.known {
        writeln!(out, "{id} was written down before: unchanged")?;
    }
    Ok(())
}
