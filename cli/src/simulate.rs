//! `notspot simulate`: a fleet's events from a scenario.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use chrono::{Days, NaiveDate};
use clap::Args;
use schemas::EventKind;
use simulator::publish::PublishSummary;
use simulator::{AnswerKey, CsvTrueCauses, Scenario, SimOptions, SimProgress, TrueCauses};

use crate::clock;
use crate::destination::DestinationArgs;
use crate::exit::{Exit, UsageError};
use crate::interrupt::Interrupt;
use crate::output::local_path;
use crate::progress::{Progress, grouped};

const EXAMPLES: &str = "\
Examples:
  notspot simulate --list
  notspot simulate demo --show > my.toml
  notspot simulate demo --brokers localhost:9092 --end today --answer-key key.json
  notspot simulate my.toml --output events --encoding avro --compress
  notspot simulate country --discard --set fleet.terminals=200000 --days 2";

/// Arguments of `notspot simulate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SimulateArgs {
    /// A shipped scenario, or a scenario file
    #[arg(required_unless_present = "list")]
    scenario: Option<String>,
    /// Name the shipped scenarios
    #[arg(long, exclusive = true)]
    list: bool,
    /// Print the scenario with every setting and do not run it
    #[arg(long, conflicts_with_all = ["brokers", "output", "discard"])]
    show: bool,
    /// Settings changed on the command line.
    #[command(flatten)]
    changes: ScenarioChanges,
    /// Where the events go.
    #[command(flatten)]
    destination: DestinationArgs,
    /// Write what was planted and counted to this JSON file
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    answer_key: Option<PathBuf>,
    /// Write the fleet's registry, terminals.csv and merchants.csv, to this folder
    #[arg(long, value_name = "FOLDER", value_parser = local_path())]
    registry_files: Option<PathBuf>,
    /// Write the true cause of every decline to this CSV file
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    true_causes: Option<PathBuf>,
}

/// Changes to a scenario.
#[derive(Debug, Default, Args)]
pub struct ScenarioChanges {
    /// Change a setting, such as fleet.sales_per_day=60
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Number of terminals
    #[arg(long, value_name = "COUNT")]
    terminals: Option<u32>,
    /// Number of days
    #[arg(long, value_name = "COUNT")]
    days: Option<u32>,
    /// Seed of everything random
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Day after the last one simulated, or `today`; a live ingester refuses events beyond its retention
    #[arg(long, value_name = "DATE", value_parser = read_day)]
    end: Option<Day>,
}

/// A day of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// The present UTC day.
    Today,
    /// This day.
    On(NaiveDate),
}

impl Day {
    /// Returns the day itself.
    pub fn date(self) -> NaiveDate {
        match self {
            Self::Today => clock::now().date_naive(),
            Self::On(date) => date,
        }
    }
}

/// Reads a day.
pub fn read_day(text: &str) -> Result<Day, String> {
    if text == "today" {
        return Ok(Day::Today);
    }
    text.parse()
        .map(Day::On)
        .map_err(|_| "expected a day such as 2026-11-24, or today".into())
}

impl ScenarioChanges {
    /// Applies the changes; `end` stands in when none was given.
    ///
    /// # Errors
    /// When one does not fit the scenario.
    pub fn apply(&self, scenario: &mut Scenario, end: Option<Day>) -> anyhow::Result<()> {
        for assignment in &self.set {
            scenario.apply_override(assignment)?;
        }
        let numbers = [
            ("fleet.terminals", self.terminals.map(u64::from)),
            ("window.days", self.days.map(u64::from)),
            ("seed", self.seed),
        ];
        for (key, number) in numbers {
            if let Some(number) = number {
                scenario.apply_override(&format!("{key}={number}"))?;
            }
        }
        if let Some(end) = self.end.or(end) {
            scenario.window.start = first_day(end.date(), scenario.window.days)?;
        }
        Ok(())
    }
}

fn first_day(end: NaiveDate, days: u32) -> Result<NaiveDate, UsageError> {
    end.checked_sub_days(Days::new(u64::from(days)))
        .ok_or_else(|| UsageError(format!("{days} days before {end} is no date")))
}

/// Runs the scenario.
pub fn run(
    args: &SimulateArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let Some(name) = &args.scenario else {
        return list(out);
    };
    let mut scenario = Scenario::load(name)?;
    args.changes.apply(&mut scenario, None)?;
    if args.show {
        write!(out, "{}", scenario.to_toml()?)?;
        return Ok(Exit::Done);
    }
    let began = Instant::now();
    let mut sink = args.destination.open(interrupt)?;
    if let Some(folder) = &args.registry_files {
        simulator::write_registry(&scenario, folder)?;
    }
    let mut true_causes = args
        .true_causes
        .as_deref()
        .map(create_true_causes)
        .transpose()?;
    let options = SimOptions {
        true_causes: true_causes.as_mut().map(|file| file as &mut dyn TrueCauses),
    };
    let progress = Progress::begin("simulate");
    let (answer_key, delivered) =
        simulator::simulate_with(&scenario, &mut sink, options, &mut |at| show(&progress, at))?;
    progress.end();
    drop(true_causes);
    if let Some(path) = &args.answer_key {
        write_answer_key(&answer_key, path)?;
    }
    print_summary(&answer_key, delivered, began, out)?;
    Ok(Exit::Done)
}

/// Shows how far a simulation is.
pub fn show(progress: &Progress, at: &SimProgress) {
    let message = format!(
        "{} · {} events",
        at.time.format("%Y-%m-%d"),
        grouped(at.events)
    );
    progress.at(at.done, message);
}

/// Writes what was planted and counted.
///
/// # Errors
/// When the file cannot be written.
pub fn write_answer_key(answer_key: &AnswerKey, path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(answer_key)?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

fn create_true_causes(path: &Path) -> anyhow::Result<CsvTrueCauses<BufWriter<File>>> {
    File::create(path)
        .and_then(|file| CsvTrueCauses::new(BufWriter::new(file)))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn list(out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    let scenarios = Scenario::shipped()
        .map(Scenario::load)
        .collect::<Result<Vec<_>, _>>()?;
    let width = scenarios
        .iter()
        .map(|scenario| scenario.name.len())
        .max()
        .unwrap_or(0);
    for scenario in &scenarios {
        writeln!(
            out,
            "{:width$}  {} terminals, {} days in {}: {}",
            scenario.name,
            grouped(u64::from(scenario.fleet.terminals)),
            scenario.window.days,
            scenario.fleet.country,
            scenario.description
        )?;
    }
    Ok(Exit::Done)
}

fn print_summary(
    key: &AnswerKey,
    delivered: PublishSummary,
    began: Instant,
    out: &mut (dyn Write + Send),
) -> std::io::Result<()> {
    let seconds = began.elapsed().as_secs_f64();
    let total = delivered.total();
    writeln!(
        out,
        "{}: {} terminals of {} merchants, {} to {}, seed {}",
        key.scenario,
        grouped(key.terminals),
        grouped(key.merchants),
        key.from.date_naive(),
        key.to.date_naive(),
        key.seed
    )?;
    for kind in EventKind::ALL {
        writeln!(
            out,
            "  {:>12}  {}",
            grouped(delivered.messages[kind as usize]),
            kind.topic()
        )?;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    let per_second = (total as f64 / seconds) as u64;
    writeln!(
        out,
        "  {:>12}  messages in {seconds:.1} s, {} a second, {} payload bytes",
        grouped(total),
        grouped(per_second),
        grouped(delivered.payload_bytes)
    )?;
    writeln!(out, "  {:>12}  things planted", key.truths.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_ends_with_the_day_given() {
        let mut scenario = Scenario::load("null").expect("a shipped scenario");
        let changes = ScenarioChanges {
            days: Some(7),
            ..ScenarioChanges::default()
        };
        let end = NaiveDate::from_ymd_opt(2026, 11, 24).expect("a date");
        changes
            .apply(&mut scenario, Some(Day::On(end)))
            .expect("fits");
        assert_eq!(scenario.start().to_rfc3339(), "2026-11-17T00:00:00+00:00");
        assert_eq!(scenario.end().to_rfc3339(), "2026-11-24T00:00:00+00:00");
    }
}
