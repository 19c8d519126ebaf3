//! `notspot quarantine resubmit`: refused messages once more through decoding and checks.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use bytesize::ByteSize;
use clap::Args;
use ingest::IngestConfig;
use ingest::resubmit::{ResubmitOptions, ResubmitProgress, TopicReport, resubmit};
use simulator::publish::Encoding;

use super::Wanted;
use crate::destination::{encodings, property};
use crate::exit::Exit;
use crate::ingest::encoding_settings;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, grouped, shown};
use crate::{clock, environment, runtime};

const EXAMPLES: &str = "\
Examples:
  notspot quarantine resubmit --config ingest.toml --dry-run
  notspot quarantine resubmit --config ingest.toml --reason unknown_schema_id
  notspot quarantine resubmit --lake lake --topic terminal.signal --set validation.max_future=48h

Messages are decoded and checked by the settings the ingester has. Those accepted now become events,
with the offsets they had, and leave the quarantine; the others stay. Beside running ingesters, and
after an interruption, nothing is lost or doubled. What was too large to be kept, or had card data
taken out, is not what was sent and stays.";

/// Arguments of `notspot quarantine resubmit`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ResubmitArgs {
    /// Which messages.
    #[command(flatten)]
    wanted: Wanted,
    /// Say what would be accepted, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// TOML file with the settings of the ingester
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder or URL of the lake
    #[arg(long, value_name = "LAKE", env = "NOTSPOT_LAKE")]
    lake: Option<String>,
    /// Encoding of all topics
    #[arg(long, value_parser = encodings())]
    encoding: Option<Encoding>,
    /// Schema registry that knows the ids in Avro messages; the embedded ids when not given
    #[arg(long, value_name = "URL")]
    schema_registry: Option<String>,
    /// Any setting by its dotted name, such as validation.max_future=48h
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = property)]
    set: Vec<(String, String)>,
}

pub(super) fn run(
    args: &ResubmitArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let config = IngestConfig::load(
        args.config.as_deref(),
        environment::variables(),
        args.settings(),
    )?;
    let options = ResubmitOptions {
        reasons: args.wanted.reason.clone(),
        topics: args.wanted.topic.clone(),
        dry_run: args.dry_run,
    };
    let counts = ResubmitProgress::default();
    let tried = resubmit(&config, &options, &counts, clock::now());
    // A step that a signal cuts off is ended by the next run.
    let tried = shown("resubmit", interrupt, tried, |progress| {
        show(progress, &counts);
    });
    let Some(reports) = runtime()?.block_on(tried)? else {
        return Ok(Exit::Interrupted);
    };
    for report in &reports {
        print(report, args.dry_run, out)?;
    }
    Ok(Exit::Done)
}

impl ResubmitArgs {
    fn settings(&self) -> Vec<(String, String)> {
        let lake = self.lake.clone().map(|lake| ("lake".to_owned(), lake));
        let registry = self.schema_registry.clone();
        let registry = registry.map(|url| ("schema_registry.url".to_owned(), url));
        let settings = lake.into_iter().chain(registry);
        settings
            .chain(encoding_settings(self.encoding))
            .chain(self.set.iter().cloned())
            .collect()
    }
}

fn show(progress: &Progress, counts: &ResubmitProgress) {
    let wanted = counts.bytes_wanted.load(Ordering::Relaxed);
    let read = counts.bytes_read.load(Ordering::Relaxed);
    let message = format!("{} of {}", ByteSize(read), ByteSize(wanted));
    progress.at(read as f64 / wanted.max(1) as f64, message);
}

fn print(report: &TopicReport, dry_run: bool, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let accepted = match dry_run {
        true => "would become events",
        false => "became events",
    };
    writeln!(out, "{}", report.topic)?;
    let mut line = |count: u64, what: &str| match count {
        0 => Ok(()),
        count => writeln!(out, "  {:>12}  {what}", grouped(count)),
    };
    line(
        report.settled,
        "had become events in a run that was cut off",
    )?;
    line(report.accepted, accepted)?;
    for (reason, count) in &report.refused {
        line(*count, &format!("still refused: {reason}"))?;
    }
    line(report.masked, "stay: card data was taken out of them")?;
    line(report.not_kept, "stay: too large to be kept")
}
