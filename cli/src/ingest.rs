//! `notspot ingest`: events from Kafka into the lake.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use ingest::config::IngestConfig;
use ingest::{Clock, Shutdown, Summary};
use simulator::publish::Encoding;

use crate::destination::{encodings, property};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, grouped};
use crate::{clock, environment, runtime};

const EXAMPLES: &str = "\
Examples:
  notspot ingest --brokers localhost:9092 --lake lake
  notspot ingest --config ingest.toml --check
  NOTSPOT_INGEST__KAFKA__SASL_PASSWORD=… notspot ingest --config ingest.toml
  notspot ingest --config ingest.toml --until-end --set flush.max_age=10s

Settings come from the file, then from NOTSPOT_INGEST__SECTION__KEY variables, then from options; the later
wins. A clean stop after a signal is exit code 0: the next run goes on where this one ended.";

/// Arguments of `notspot ingest`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct IngestArgs {
    /// TOML file with the settings
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the settings, print them with every default and without secrets, and do not run
    #[arg(long)]
    check: bool,
    /// Kafka brokers, HOST:PORT separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// Folder or URL of the lake
    #[arg(long, value_name = "LAKE", env = "NOTSPOT_LAKE")]
    lake: Option<String>,
    /// Consumer group; also names the positions in the lake
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Encoding of all topics
    #[arg(long, value_parser = encodings())]
    encoding: Option<Encoding>,
    /// Schema registry that knows the ids in Avro messages; the embedded ids when not given
    #[arg(long, value_name = "URL")]
    schema_registry: Option<String>,
    /// Stop when everything that was there at the start is in the lake
    #[arg(long)]
    until_end: bool,
    /// Read on behind messages that Kafka deleted before they were read, recording them as lost
    #[arg(long)]
    allow_gap: bool,
    /// Any setting by its dotted name, such as http.listen=127.0.0.1:9500
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = property)]
    set: Vec<(String, String)>,
}

/// Runs the ingester.
pub fn run(
    args: &IngestArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let config = IngestConfig::load(
        args.config.as_deref(),
        environment::variables(),
        args.settings(),
    )?;
    if args.check {
        write!(out, "{}", config.redacted_toml())?;
        return Ok(Exit::Done);
    }
    let until_end = config.until_end;
    let summary = runtime()?.block_on(watched(config, interrupt))?;
    print_summary(summary, out)?;
    Ok(if until_end && interrupt.is_raised() {
        Exit::Interrupted
    } else {
        Exit::Done
    })
}

impl IngestArgs {
    /// Returns the options as settings; those of `--set` last, so that they win.
    fn settings(&self) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        let mut set = |key: &str, value: Option<String>| {
            settings.extend(value.map(|value| (key.to_owned(), value)));
        };
        set("kafka.brokers", self.brokers.clone());
        set("lake", self.lake.clone());
        set("group", self.group.clone());
        set("schema_registry.url", self.schema_registry.clone());
        set("until_end", self.until_end.then(|| "true".into()));
        set("allow_gap", self.allow_gap.then(|| "true".into()));
        settings.extend(encoding_settings(self.encoding));
        settings.extend(self.set.iter().cloned());
        settings
    }
}

/// Returns the settings that give every topic an encoding.
pub fn encoding_settings(encoding: Option<Encoding>) -> impl Iterator<Item = (String, String)> {
    let setting = move |topic| {
        let value = encoding?.to_string();
        Some((format!("topics.{topic}.encoding"), value))
    };
    ["heartbeat", "signal", "decline"]
        .into_iter()
        .filter_map(setting)
}

/// Returns the wall clock as the ingester takes it.
pub fn wall_clock() -> Clock {
    Arc::new(clock::now)
}

async fn watched(
    config: IngestConfig,
    interrupt: &Interrupt,
) -> Result<Summary, ingest::IngestError> {
    let shutdown = Shutdown::default();
    let counts = Arc::new(ingest::Progress::default());
    let progress = Progress::begin_open("ingest");
    let mut running = std::pin::pin!(ingest::run(
        config,
        shutdown.clone(),
        counts.clone(),
        wall_clock()
    ));
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let result = loop {
        tokio::select! {
            result = &mut running => break result,
            () = interrupt.raised(), if !shutdown.requested() => shutdown.request(),
            _ = ticks.tick() => progress.say(state(&counts)),
        }
    };
    progress.end();
    result
}

fn state(counts: &ingest::Progress) -> String {
    let read = |count: &std::sync::atomic::AtomicU64| grouped(count.load(Ordering::Relaxed));
    format!(
        "{} consumed · {} rows · {} quarantined · {} commits",
        read(&counts.consumed),
        read(&counts.rows),
        read(&counts.quarantined),
        read(&counts.commits)
    )
}

fn print_summary(summary: Summary, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let entries = [
        (summary.consumed, "messages consumed"),
        (summary.rows, "rows committed"),
        (summary.quarantined, "messages quarantined"),
        (summary.tombstones, "messages without a payload"),
        (summary.commits, "commits"),
    ];
    for (count, name) in entries {
        writeln!(out, "  {:>12}  {name}", grouped(count))?;
    }
    Ok(())
}
