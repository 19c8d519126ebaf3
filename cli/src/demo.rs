//! `notspot demo`: from nothing to a map, with what was planted beside what was found.

mod broker;
mod counts;
mod feed;
mod findings;
mod folder;
mod interventions;
mod map;
mod planted;
mod question;
mod reports;
mod screen;
mod verdict;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use analytics::analyze::{AnalyzeOptions, Doing, Stop, analyze};
use analytics::{LakeSession, SessionOptions};
use anyhow::Context;
use chrono::TimeDelta;
use clap::Args;
use ingest::IngestConfig;
use ingest::registry::{BadRows, LoadMode, LoadOptions, RegistryTable};
use simulator::Scenario;
use simulator::publish::{Encoding, KafkaSinkConfig, SchemaIds};

use self::broker::DemoBroker;
use self::feed::Fed;
use self::folder::{DemoFolder, Foreign};
use crate::destination::{client_properties, encodings, property};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::local_path;
use crate::progress::{Progress, grouped};
use crate::simulate::{Day, ScenarioChanges, write_answer_key};
use crate::{clock, environment, runtime};

const EXAMPLES: &str = "\
Examples:
  notspot demo
  notspot demo --terminals 5000 --days 14 --out /data/demo
  notspot demo --brokers localhost:9092 --encoding json
  notspot demo --quick --end 2026-11-24 --seed 7";

/// Memory queries of the demo may take before they go to disk.
const QUERY_MEMORY_BYTES: usize = 400 << 20;

/// Arguments of `notspot demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Folder for lake, reports and map
    #[arg(long, value_name = "FOLDER", default_value = "demo", value_parser = local_path())]
    out: PathBuf,
    /// A Kafka broker of your own instead of the one inside the program, HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// A property of the Kafka client, such as security.protocol=SASL_SSL; a secret is better kept in the
    /// environment, sasl.password as NOTSPOT_KAFKA_SASL_PASSWORD
    #[arg(long = "kafka", value_name = "KEY=VALUE", value_parser = property, requires = "brokers")]
    properties: Vec<(String, String)>,
    /// A shipped scenario, or a scenario file
    #[arg(long, default_value = "demo")]
    scenario: String,
    /// Changes to the scenario.
    #[command(flatten)]
    changes: ScenarioChanges,
    /// A small fleet for a few days: half a minute instead of two
    #[arg(long)]
    quick: bool,
    /// Encoding of the messages
    #[arg(long, default_value = "avro", value_parser = encodings())]
    encoding: Encoding,
    /// Use the folder although it holds other things; only what the demo makes is replaced in it
    #[arg(long)]
    force: bool,
}

/// Runs the demo.
pub fn run(
    args: &DemoArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let foreign = if args.force {
        Foreign::Share
    } else {
        Foreign::Refuse
    };
    let scenario = args.scenario()?;
    let runtime = runtime()?;
    let folder = DemoFolder::prepare(&args.out, foreign)?;
    let broker = args.broker(&runtime)?;
    introduce(&scenario, &broker, out)?;
    runtime.block_on(load_registry(&scenario, &folder, out))?;
    let fed = feed::run(
        &scenario,
        &args.sink(&broker),
        args.config(&broker, &folder),
        &broker,
        interrupt,
        &runtime,
    )?;
    // The broker's memory is better used for queries.
    drop(broker);
    if interrupt.is_raised() {
        return Ok(Exit::Interrupted);
    }
    write_answer_key(&fed.answer_key, &folder.answer_key())?;
    let adds_up = tokio_select(&runtime, interrupt, look(&scenario, &fed, &folder, out))?;
    let Some(adds_up) = adds_up else {
        // What computes cannot be waited for; dropping the runtime would.
        runtime.shutdown_background();
        return Ok(Exit::Interrupted);
    };
    folder.finish()?;
    say_what_next(&args.out, &folder, began.elapsed(), out)?;
    Ok(if adds_up { Exit::Done } else { Exit::Failed })
}

/// Runs queries until they are done, or a signal stops them.
fn tokio_select<T>(
    runtime: &tokio::runtime::Runtime,
    interrupt: &Interrupt,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    runtime.block_on(async {
        tokio::select! {
            result = work => result.map(Some),
            () = interrupt.raised() => Ok(None),
        }
    })
}

impl DemoArgs {
    fn scenario(&self) -> anyhow::Result<Scenario> {
        let mut scenario = Scenario::load(&self.scenario)?;
        if self.quick {
            make_quick(&mut scenario);
        }
        self.changes.apply(&mut scenario, Some(Day::Today))?;
        Ok(scenario)
    }

    fn broker(&self, runtime: &tokio::runtime::Runtime) -> anyhow::Result<DemoBroker> {
        match &self.brokers {
            None => Ok(DemoBroker::embedded()?),
            Some(brokers) => DemoBroker::own(brokers, &self.client_properties(), runtime),
        }
    }

    /// Returns no properties for the broker inside: what the environment says is meant for real ones.
    fn client_properties(&self) -> Vec<(String, String)> {
        match self.brokers {
            None => Vec::new(),
            Some(_) => client_properties(environment::variables(), &self.properties),
        }
    }

    fn sink(&self, broker: &DemoBroker) -> KafkaSinkConfig {
        KafkaSinkConfig {
            brokers: broker.bootstrap_servers().to_owned(),
            encoding: self.encoding,
            schema_ids: SchemaIds::embedded(),
            properties: self.client_properties(),
        }
    }

    fn config(&self, broker: &DemoBroker, folder: &DemoFolder) -> IngestConfig {
        let mut config = IngestConfig {
            lake: folder.lake().display().to_string(),
            group: "notspot-demo".into(),
            ..IngestConfig::default()
        };
        config.kafka.brokers = broker.bootstrap_servers().to_owned();
        config.kafka.properties = self.client_properties().into_iter().collect();
        for topic in config.topics.values_mut() {
            topic.encoding = match self.encoding {
                Encoding::Json => ingest::config::Encoding::Json,
                Encoding::Avro => ingest::config::Encoding::Avro,
            };
        }
        config.flush.max_age = Duration::from_secs(4);
        config.http.enabled = false;
        config
    }
}

/// Days of a quick demo: a bad terminal needs some to be told from a bad day.
const QUICK_DAYS: u32 = 6;
/// How many times as bad the devices of a quick demo are: few terminals and days have to prove it.
const QUICK_FAULTS: f64 = 2.0;

/// Makes the fleet small, and leaves out what needs weeks or thousands of terminals.
fn make_quick(scenario: &mut Scenario) {
    scenario.fleet.terminals = scenario.fleet.terminals.min(1_200);
    scenario.window.days = scenario.window.days.min(QUICK_DAYS);
    let plant = std::mem::take(&mut scenario.plant);
    let days = f64::from(scenario.window.days);
    scenario.plant.weak_zone = plant.weak_zone.into_iter().take(1).collect();
    scenario.plant.not_spot = plant.not_spot;
    scenario.plant.bad_terminals = plant.bad_terminals;
    for terminals in &mut scenario.plant.bad_terminals {
        terminals.multiplier *= QUICK_FAULTS;
    }
    scenario.plant.bad_model = plant.bad_model;
    for model in &mut scenario.plant.bad_model {
        model.multiplier *= QUICK_FAULTS;
    }
    scenario.plant.host_outage = plant
        .host_outage
        .into_iter()
        .filter(|outage| outage.day + 0.5 < days)
        .collect();
    scenario.plant.card_limit = plant.card_limit;
}

fn introduce(
    scenario: &Scenario,
    broker: &DemoBroker,
    out: &mut (dyn Write + Send),
) -> std::io::Result<()> {
    writeln!(
        out,
        "Notspot demo: {} terminals in {}, {} to {}, seed {}.",
        grouped(u64::from(scenario.fleet.terminals)),
        scenario.fleet.country,
        scenario.start().date_naive(),
        scenario.end().date_naive(),
        scenario.seed
    )?;
    match broker {
        DemoBroker::Embedded(_) => writeln!(
            out,
            "Broker: a mock inside this program (librdkafka's), nothing to install and nothing kept; --brokers takes a real one.\n"
        )?,
        DemoBroker::Own(brokers) => writeln!(out, "Broker: {brokers}.\n")?,
    }
    out.flush()
}

async fn load_registry(
    scenario: &Scenario,
    folder: &DemoFolder,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let [terminals, merchants] = simulator::write_registry(scenario, &folder.registry())?;
    for (table, file) in [
        (RegistryTable::Merchants, merchants),
        (RegistryTable::Terminals, terminals),
    ] {
        let options = LoadOptions {
            lake: folder.lake().display().to_string(),
            table,
            inputs: vec![file],
            mode: LoadMode::Replace,
            bad_rows: BadRows::RefuseAll,
        };
        let report = ingest::registry::load(&options, clock::now())
            .await
            .context("the registry of the fleet")?;
        writeln!(out, "registry: {} {table}", grouped(report.rows_loaded))?;
    }
    Ok(out.flush()?)
}

/// Checks the counts, runs the reports, compares with what was planted, draws the map.
async fn look(
    scenario: &Scenario,
    fed: &Fed,
    folder: &DemoFolder,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<bool> {
    let lake = folder.lake().display().to_string();
    interventions::write_down(&lake, &fed.answer_key, clock::now())
        .await
        .context("cannot write down what was done")?;
    let options = SessionOptions {
        memory_limit_bytes: QUERY_MEMORY_BYTES,
        ..SessionOptions::default()
    };
    let mut lake = LakeSession::open(&lake, options).await?;
    let adds_up = counts::check(&lake, fed, out).await?;
    let progress = Progress::begin_open("ask");
    let options = AnalyzeOptions {
        from: None,
        to: None,
        window_days: scenario.window.days + 1,
        now: clock::now(),
        stop: Stop::default(),
    };
    let mut doing = |doing: &Doing| progress.say(format!("analyze: {}", doing.step));
    let analysis = analyze(&mut lake, &options, &mut doing).await?;
    crate::analyze::say(&analysis, out)?;
    progress.say("reports");
    reports::run(&lake, &folder.reports(), out).await?;
    progress.say("what was planted");
    let heartbeat = TimeDelta::seconds(i64::from(scenario.fleet.heartbeat_interval_s));
    let findings = findings::ask(&lake, &fed.answer_key, heartbeat).await?;
    planted::save(&findings, &folder.reports())?;
    planted::show(&findings, out)?;
    progress.say("map");
    let page = map::page(&lake, scenario, &fed.answer_key, &findings, clock::now()).await?;
    std::fs::write(folder.map(), page)
        .with_context(|| format!("cannot write {}", folder.map().display()))?;
    progress.end();
    Ok(adds_up)
}

fn say_what_next(
    root: &Path,
    folder: &DemoFolder,
    took: Duration,
    out: &mut (dyn Write + Send),
) -> std::io::Result<()> {
    let lake = folder.lake();
    let lake = lake.display();
    writeln!(
        out,
        "\nDone in {:.0} s. In {}:",
        took.as_secs_f64(),
        root.display()
    )?;
    writeln!(
        out,
        "  map.html         the cells on a map: open it in a browser, it needs no network"
    )?;
    writeln!(out, "  reports/         every report in full, CSV and JSON")?;
    writeln!(out, "  answer-key.json  what was planted")?;
    writeln!(
        out,
        "  lake/            the tables, Delta Lake: any engine reads them"
    )?;
    writeln!(out, "\nNext:")?;
    writeln!(out, "  notspot sql --lake {lake}")?;
    writeln!(out, "  notspot report list")?;
    writeln!(out, "  notspot report weak-zones --lake {lake}")?;
    writeln!(
        out,
        "  notspot report coverage --lake {lake} top=20 min_attempts=100"
    )?;
    writeln!(
        out,
        "  notspot sql --lake {lake} -c \"select outcome, count(*) from declines group by outcome order by 2 desc\""
    )?;
    writeln!(
        out,
        "  notspot ingest --help    to bring in your own events; notspot schema shows what they look like"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_demo_is_a_valid_scenario_that_still_plants_something() {
        let mut scenario = Scenario::load("demo").expect("a shipped scenario");
        make_quick(&mut scenario);
        let text = scenario.to_toml().expect("TOML");
        Scenario::parse(&text, "quick").expect("valid");
        assert!(!scenario.plant.weak_zone.is_empty());
    }
}
