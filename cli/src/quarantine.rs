//! `notspot quarantine`: refused messages listed, counted, shown, and tried again.

mod resubmit;
mod show;

use std::io::Write;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use schemas::quarantine::Reason;

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::lake::LakeArgs;
use crate::output::OutputArgs;
use crate::predicate::any_of;
use crate::runtime;

const EXAMPLES: &str = "\
Examples:
  notspot quarantine count --lake lake
  notspot quarantine list --lake lake --reason unknown_schema_id --limit 20
  notspot quarantine show --lake lake terminal.decline/3/1042
  notspot quarantine resubmit --config ingest.toml --reason unknown_schema_id --dry-run";

const LIST_EXAMPLES: &str = "\
Examples:
  notspot quarantine list
  notspot quarantine list --topic terminal.heartbeat --reason card_data --format csv -o refused.csv

The newest come first. Card data was taken out before a message was kept.";

const COUNT_EXAMPLES: &str = "\
Examples:
  notspot quarantine count
  notspot quarantine count --lake /data/lake --format json";

/// Commands over refused messages.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum QuarantineCommand {
    /// List refused messages, the newest first
    List(ListArgs),
    /// Count refused messages by topic and reason
    Count(CountArgs),
    /// Show one message and why it was refused
    Show(show::ShowArgs),
    /// Try refused messages again, after what refused them was mended
    Resubmit(Box<resubmit::ResubmitArgs>),
}

/// Which messages.
#[derive(Debug, Clone, Args)]
pub struct Wanted {
    /// Topic of the messages, several times for several; all when not given
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Why they were refused, several times for several; every reason when not given
    #[arg(long, value_name = "REASON", value_parser = reasons())]
    reason: Vec<Reason>,
}

fn reasons() -> impl TypedValueParser<Value = Reason> {
    PossibleValuesParser::new(Reason::ALL.map(Reason::as_str))
        .map(|name| name.parse().expect("only reasons are let through"))
}

/// Arguments of `notspot quarantine list`.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    /// Which messages.
    #[command(flatten)]
    wanted: Wanted,
    /// Most messages to list
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// Which lake.
    #[command(flatten)]
    lake: LakeArgs,
    /// Form and place of the answer.
    #[command(flatten)]
    output: OutputArgs,
}

/// Arguments of `notspot quarantine count`.
#[derive(Debug, Args)]
#[command(after_help = COUNT_EXAMPLES)]
pub struct CountArgs {
    /// Which messages.
    #[command(flatten)]
    wanted: Wanted,
    /// Which lake.
    #[command(flatten)]
    lake: LakeArgs,
    /// Form and place of the answer.
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs a command over refused messages.
pub fn run(
    command: &QuarantineCommand,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    match command {
        QuarantineCommand::List(args) => {
            let sql = format!(
                "select kafka_topic, kafka_partition, kafka_offset, kafka_time, kafka_key, reason, detail, \
                 schema_id, payload_size_bytes, payload_masked, ingest_time from lake.quarantine {} \
                 order by ingest_time desc, kafka_topic, kafka_partition, kafka_offset desc limit {}",
                args.wanted.condition(),
                args.limit
            );
            answer(&args.lake, &sql, &args.output, out)
        }
        QuarantineCommand::Count(args) => {
            let sql = format!(
                "select kafka_topic, reason, count(*) as messages, \
                 count(*) filter (where payload_masked) as masked, \
                 min(ingest_time) as first_ingest_time, max(ingest_time) as last_ingest_time \
                 from lake.quarantine {} group by kafka_topic, reason \
                 order by messages desc, kafka_topic, reason",
                args.wanted.condition()
            );
            answer(&args.lake, &sql, &args.output, out)
        }
        QuarantineCommand::Show(args) => show::run(args, out),
        QuarantineCommand::Resubmit(args) => resubmit::run(args, out, interrupt),
    }
}

impl Wanted {
    fn condition(&self) -> String {
        let reasons: Vec<&str> = self.reason.iter().map(|reason| reason.as_str()).collect();
        let topics: Vec<&str> = self.topic.iter().map(String::as_str).collect();
        let parts: Vec<String> = [("kafka_topic", topics), ("reason", reasons)]
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(column, values)| any_of(column, &values))
            .collect();
        match parts.is_empty() {
            true => String::new(),
            false => format!("where {}", parts.join(" and ")),
        }
    }
}

fn answer(
    lake: &LakeArgs,
    sql: &str,
    output: &OutputArgs,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    output.check()?;
    let answer = runtime()?
        .block_on(async { Ok::<_, anyhow::Error>(lake.open().await?.collect(sql).await?) })?;
    output.write(&answer, out)?;
    Ok(Exit::Done)
}
