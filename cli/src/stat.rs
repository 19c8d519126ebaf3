//! `notspot stat`: the statistics on a table of one's own.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use analytics::report::Format;
use analytics::stat::{Column, Results, effect, fdr, gi_star, models, rates, scan, terminals};
use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::local_path;
use crate::progress::Progress;

/// Time between two looks at whether a signal asked for a stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

const EXAMPLES: &str = "\
Input is CSV in UTF-8 (tabs or semicolons are seen by the header), JSON (an array of objects, or
objects that follow each other) or Parquet; gzip and zstd are unpacked. Columns a method does not
know are ignored, empty is undefined, an H3 cell is hexadecimal text or its number, a flag is true,
false, 1 or 0, an id is text or a number: 7, 7.0 and \"7\" are one. What nobody sees at the ends of
an id or a name is cut off; a number a spreadsheet shortened (8.6E+14) is refused.
Output is CSV, or Parquet or JSON by the ending of --output. The order of the input changes nothing.

Examples:
  notspot stat gi-star --input cells.csv --output hot.csv
  notspot stat scan --input shops.csv --runs 9999 --seed 7 --secondary
  notspot stat models --input models.parquet --reference A920 --output models.json";

/// The method, with its arguments.
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum StatCommand {
    /// Hot and cold cells: Gi* of Getis and Ord
    GiStar(GiStarArgs),
    /// Clusters of failures: the spatial scan of Kulldorff
    Scan(ScanArgs),
    /// Rates of small counts, shrunk: empirical Bayes
    Rates(RatesArgs),
    /// Device models compared within strata: Mantel-Haenszel
    Models(ModelsArgs),
    /// Terminals worse than their peers: beta-binomial
    Terminals(TerminalsArgs),
    /// What an intervention changed: difference in differences
    Effect(EffectArgs),
    /// False discovery rates of a family of tests
    Fdr(FdrArgs),
}

/// Where rows come from and results go.
#[derive(Debug, Clone, Args)]
struct Files {
    /// File of rows: .csv, .parquet, .json or .ndjson
    #[arg(long, short, value_name = "FILE")]
    input: PathBuf,
    /// File of results: .parquet, .json or .ndjson, else CSV; CSV to standard output when not given
    #[arg(long, short, value_name = "FILE", value_parser = local_path())]
    output: Option<PathBuf>,
}

/// Arguments of `notspot stat gi-star`.
#[derive(Debug, Clone, Args)]
#[command(after_help = help(
    "cell, then attempts and failures (rows of one cell are added), or value (one row a cell; value\n  \
     is taken where both are there)",
    gi_star::COLUMNS,
    "by cell",
    &["gi-star --input cells.csv --rings 2 --alpha 0.01"],
))]
pub struct GiStarArgs {
    /// Files.
    #[command(flatten)]
    files: Files,
    /// Rings of cells that are neighbours
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=100))]
    rings: u32,
    /// Largest q of a hot or cold cell
    #[arg(long, default_value_t = 0.05, value_parser = probability)]
    alpha: f64,
}

/// Arguments of `notspot stat scan`.
#[derive(Debug, Clone, Args)]
#[command(after_help = help(
    "id and lat, lon in degrees (or x, y in any unit), or cell; attempts, failures; for Poisson\n  \
     optionally expected failures; rows of one id are added",
    scan::COLUMNS,
    "by rank",
    &[
        "scan --input shops.csv --seed 7",
        "scan --input cells.csv --windows disks --max-share 0.25 --secondary 4",
    ],
))]
pub struct ScanArgs {
    /// Files.
    #[command(flatten)]
    files: Files,
    /// Failures dealt among attempts, or in proportion to them
    #[arg(long, value_enum, default_value_t = ModelName::Bernoulli)]
    model: ModelName,
    /// Circles round points, or disks of H3 cells; circles where there are coordinates, else disks
    #[arg(long, value_enum)]
    windows: Option<WindowsName>,
    /// Largest share of all attempts in a window
    #[arg(long, default_value_t = 0.5, value_parser = share)]
    max_share: f64,
    /// Fewest failures in a window
    #[arg(long, default_value_t = 2)]
    min_cases: u64,
    /// Monte Carlo runs for p; with 0 there is none
    #[arg(long, default_value_t = 999)]
    runs: u32,
    /// Seed of the runs
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also report at most COUNT further clusters, else all: the best windows of other centres, without
    /// overlap
    #[arg(long, value_name = "COUNT", num_args = 0..=1, default_missing_value = ALL)]
    secondary: Option<usize>,
}

/// More clusters than there can be.
const ALL: &str = "4294967295";

/// Arguments of `notspot stat rates`.
#[derive(Debug, Clone, Args)]
#[command(after_help = help(
    "id or cell (marshall-local needs cells), attempts, failures; rows of one id are added",
    rates::COLUMNS,
    "by id",
    &["rates --input cells.csv --method marshall-local"],
))]
pub struct RatesArgs {
    /// Files.
    #[command(flatten)]
    files: Files,
    /// Prior: moments of all rows, moments of the cell and its neighbours, or beta by likelihood
    #[arg(long, value_enum, default_value_t = MethodName::Marshall)]
    method: MethodName,
    /// Rings of cells that are neighbours, for marshall-local
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=100))]
    rings: u32,
    /// Attempts of a cell and its neighbours below which marshall-local takes the prior of marshall
    #[arg(long, value_name = "ATTEMPTS", default_value_t = 30)]
    min_local_attempts: u64,
}

/// Arguments of `notspot stat models`.
#[derive(Debug, Clone, Args)]
#[command(after_help = help(
    "stratum, model, attempts, failures; rows of one stratum and model are added",
    models::COLUMNS,
    "by model",
    &["models --input models.csv --reference A920"],
))]
pub struct ModelsArgs {
    /// Files.
    #[command(flatten)]
    files: Files,
    /// Model to compare with; without it each is compared with all others together
    #[arg(long, value_name = "MODEL")]
    reference: Option<String>,
}

/// Arguments of `notspot stat terminals`.
#[derive(Debug, Clone, Args)]
#[command(after_help = help(
    "terminal, model, cell, attempts, failures; a terminal may have rows in several cells",
    terminals::COLUMNS,
    "by terminal",
    &["terminals --input terminals.csv --alpha 0.05 --output terminals.json"],
))]
pub struct TerminalsArgs {
    /// Files.
    #[command(flatten)]
    files: Files,
    /// False discovery rate of the flags
    #[arg(long, default_value_t = 0.05, value_parser = probability)]
    alpha: f64,
}

/// Arguments of `notspot stat effect`.
#[derive(Debug, Clone, Args)]
#[command(after_help = help(
    "unit, treated (the same in all rows of a unit), post or period, attempts, failures; a period is\n  \
     a number, or a date with the year first (2026-11-04, 2026-Nov-4, 2026-W45, 2026-11, 2026-Q4),\n  \
     a day also with its time (15:00, 03:00 PM, 15:00+08:00); the periods of a unit before the\n  \
     start are pooled by their counts to one rate, and so are those from it on",
    effect::COLUMNS,
    "one row",
    &[
        "effect --input weeks.csv --start 2026-11-02 --weighted",
        "effect --input before-after.csv",
    ],
))]
pub struct EffectArgs {
    /// Files.
    #[command(flatten)]
    files: Files,
    /// Count every attempt the same, instead of every unit
    #[arg(long)]
    weighted: bool,
    /// First period after the intervention; needed with a column period
    #[arg(long, value_name = "PERIOD", allow_hyphen_values = true)]
    start: Option<String>,
}

/// Arguments of `notspot stat fdr`.
#[derive(Debug, Clone, Args)]
#[command(after_help = help(
    "id, p",
    fdr::COLUMNS,
    "by id, then p",
    &["fdr --input tests.csv --method by"],
))]
pub struct FdrArgs {
    /// Files.
    #[command(flatten)]
    files: Files,
    /// Benjamini and Hochberg, or Benjamini and Yekutieli for any dependence
    #[arg(long, value_enum, default_value_t = FdrName::Bh)]
    method: FdrName,
    /// Largest q of a rejected test
    #[arg(long, default_value_t = 0.05, value_parser = probability)]
    alpha: f64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModelName {
    Bernoulli,
    Poisson,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WindowsName {
    Circles,
    Disks,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MethodName {
    Marshall,
    MarshallLocal,
    BetaBinomial,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FdrName {
    Bh,
    By,
}

/// Runs the method.
pub fn run(
    command: &StatCommand,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let Some(results) = results_of(command, interrupt)? else {
        return Ok(Exit::Interrupted);
    };
    command.files().write(&results, out)?;
    for note in &results.notes {
        eprintln!("note: {note}");
    }
    Ok(Exit::Done)
}

/// Computes on a thread of its own, so that a signal ends even a long scan: `None` then.
fn results_of(command: &StatCommand, interrupt: &Interrupt) -> anyhow::Result<Option<Results>> {
    let (done, results) = mpsc::channel();
    let command = command.clone();
    // Nobody waits for the thread after a signal: the process ends, and with it the thread.
    std::thread::spawn(move || done.send(command.results()));
    loop {
        match results.recv_timeout(LOOK_EVERY) {
            Ok(results) => return results.map(Some),
            Err(RecvTimeoutError::Disconnected) => bail!("the computation did not end well"),
            Err(RecvTimeoutError::Timeout) if interrupt.is_raised() => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

impl StatCommand {
    fn files(&self) -> &Files {
        match self {
            Self::GiStar(args) => &args.files,
            Self::Scan(args) => &args.files,
            Self::Rates(args) => &args.files,
            Self::Models(args) => &args.files,
            Self::Terminals(args) => &args.files,
            Self::Effect(args) => &args.files,
            Self::Fdr(args) => &args.files,
        }
    }

    fn results(&self) -> anyhow::Result<Results> {
        match self {
            Self::GiStar(args) => args.run(),
            Self::Scan(args) => args.run(),
            Self::Rates(args) => args.run(),
            Self::Models(args) => args.run(),
            Self::Terminals(args) => args.run(),
            Self::Effect(args) => args.run(),
            Self::Fdr(args) => args.run(),
        }
    }
}

impl GiStarArgs {
    fn run(&self) -> anyhow::Result<Results> {
        let options = gi_star::Options {
            rings: self.rings,
            alpha: self.alpha,
        };
        Ok(gi_star::run(&self.files.input, &options)?)
    }
}

impl ScanArgs {
    fn run(&self) -> anyhow::Result<Results> {
        let options = scan::Options {
            model: match self.model {
                ModelName::Bernoulli => scan::Model::Bernoulli,
                ModelName::Poisson => scan::Model::Poisson,
            },
            max_share: self.max_share,
            min_cases: self.min_cases,
            runs: self.runs,
            seed: self.seed,
            secondary: self.secondary.unwrap_or(0),
        };
        let windows = self.windows.map(|windows| match windows {
            WindowsName::Circles => scan::Windows::Circles,
            WindowsName::Disks => scan::Windows::Disks,
        });
        let progress = Progress::begin_open("scan");
        progress.say(format!("{} runs", self.runs));
        let results = scan::run(&self.files.input, windows, &options);
        progress.end();
        Ok(results?)
    }
}

impl RatesArgs {
    fn run(&self) -> anyhow::Result<Results> {
        let method = match self.method {
            MethodName::Marshall => rates::Method::Marshall,
            MethodName::MarshallLocal => rates::Method::MarshallLocal,
            MethodName::BetaBinomial => rates::Method::BetaBinomial,
        };
        let options = rates::Options {
            rings: self.rings,
            min_local_attempts: self.min_local_attempts,
            ..rates::Options::default()
        };
        Ok(rates::run(&self.files.input, method, &options)?)
    }
}

impl ModelsArgs {
    fn run(&self) -> anyhow::Result<Results> {
        let reference = self.reference.as_deref();
        Ok(models::run(&self.files.input, reference)?)
    }
}

impl TerminalsArgs {
    fn run(&self) -> anyhow::Result<Results> {
        let options = terminals::Options {
            alpha: self.alpha,
            ..terminals::Options::default()
        };
        Ok(terminals::run(&self.files.input, &options)?)
    }
}

impl EffectArgs {
    fn run(&self) -> anyhow::Result<Results> {
        let options = effect::Options {
            start: self.start.as_deref(),
            weighting: if self.weighted {
                effect::Weighting::Attempts
            } else {
                effect::Weighting::Units
            },
        };
        Ok(effect::run(&self.files.input, &options)?)
    }
}

impl FdrArgs {
    fn run(&self) -> anyhow::Result<Results> {
        let method = match self.method {
            FdrName::Bh => fdr::Method::BenjaminiHochberg,
            FdrName::By => fdr::Method::BenjaminiYekutieli,
        };
        Ok(fdr::run(&self.files.input, method, self.alpha)?)
    }
}

impl Files {
    fn write(&self, results: &Results, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        let Some(path) = &self.output else {
            // One write: a reader that stops early then ends us as it ends every other command.
            let mut text = Vec::new();
            results.write(Format::Csv, &mut text)?;
            return Ok(out.write_all(&text)?);
        };
        let write = || -> anyhow::Result<()> {
            let mut file = BufWriter::new(File::create(path)?);
            results.write(format_of(path.extension()), &mut file)?;
            Ok(file.flush()?)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The form of a file of results; text for people is none.
fn format_of(ending: Option<&std::ffi::OsStr>) -> Format {
    let ending = ending.and_then(|ending| ending.to_str());
    let ending = ending.map(str::to_ascii_lowercase);
    match ending.as_deref() {
        Some("json") => Format::Json,
        Some("ndjson" | "jsonl") => Format::NdJson,
        Some("parquet") => Format::Parquet,
        _ => Format::Csv,
    }
}

fn probability(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    match number > 0.0 && number < 1.0 {
        true => Ok(number),
        false => Err("expected a number between 0 and 1".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    match number > 0.0 && number <= 1.0 {
        true => Ok(number),
        false => Err("expected a number above 0 and at most 1".to_owned()),
    }
}

/// What stands below the options: columns read, columns written with their meaning, examples.
fn help(input: &str, output: &[Column], order: &str, examples: &[&str]) -> String {
    let width = output.iter().map(|column| column.name.len()).max();
    let width = width.unwrap_or(0);
    let mut text = format!("Input columns:\n  {input}\n\nOutput columns, {order}:\n");
    for Column { name, doc } in output {
        writeln!(text, "  {name:width$}  {doc}").expect("a string takes all");
    }
    text.push_str("\nExamples:");
    for example in examples {
        write!(text, "\n  notspot stat {example}").expect("a string takes all");
    }
    text
}
