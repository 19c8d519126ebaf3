//! The command line: which commands there are. Each command's own arguments stand with it.

use clap::{Parser, Subcommand};

use crate::logging::LogArgs;
use crate::{
    analyze, audit, completions, demo, exit, ingest, intervention, maintain, quarantine, registry,
    replay, report, schema, simulate, sql, stat,
};

/// See where payment terminals fall out of range: Kafka in, a lake of Parquet, answers out
#[derive(Debug, Parser)]
#[command(
    name = "notspot",
    version = env!("NOTSPOT_VERSION"),
    after_help = exit::HELP,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulate a fleet, ingest it, and show what was found beside what was planted
    Demo(demo::DemoArgs),
    /// Simulate a fleet's events, to Kafka or to files
    Simulate(simulate::SimulateArgs),
    /// Turn recorded measurements into events, to Kafka or to files
    Replay(replay::ReplayArgs),
    /// Terminals and merchants in the lake
    #[command(subcommand)]
    Registry(registry::RegistryCommand),
    /// Bring events from Kafka into the lake, exactly once
    Ingest(Box<ingest::IngestArgs>),
    /// Merge small files, shorten logs, delete files no version needs
    Maintain(maintain::MaintainArgs),
    /// Prove that every offset is accounted for, once, and every file is as its log says
    Audit(audit::AuditArgs),
    /// Messages that were refused: look at them, and try them again after a fix
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Ask the lake in SQL
    Sql(sql::SqlArgs),
    /// Run a ready report over the lake
    Report(report::ReportArgs),
    /// Find outages, weak zones, bad devices, effects of work and actions; only what changed
    Analyze(analyze::AnalyzeArgs),
    /// What was done against failures: write it down, so that its effect can be measured
    #[command(subcommand)]
    Intervention(intervention::InterventionCommand),
    /// Run a statistical method on a table of one's own
    #[command(subcommand)]
    Stat(stat::StatCommand),
    /// Print the contract of an event
    Schema(schema::SchemaArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

impl Command {
    /// Returns what is logged when nothing else is asked for.
    pub const fn usual_log(&self) -> &'static str {
        // delta-rs's kernel calls it an error that a table is not there yet; what matters reaches us as one.
        match self {
            Self::Ingest(_) => "warn,notspot=info,notspot_ingest=info,buoyant_kernel=off",
            _ => {
                "warn,notspot=info,notspot_ingest=warn,buoyant_kernel=off,librdkafka=error,rdkafka=error"
            }
        }
    }
}
