//! `notspot registry`: terminals and merchants into the lake.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use ingest::registry::{
    BadRows, LoadMode, LoadOptions, LoadReport, RegistryError, RegistryTable, RowFault, load,
};

use crate::exit::{Exit, UsageError};
use crate::progress::grouped;
use crate::{clock, runtime};

const EXAMPLES: &str = "\
Examples:
  notspot registry load --merchants merchants.csv --terminals terminals.csv --lake lake
  notspot registry load --terminals new.parquet --merge
  notspot registry load --terminals terminals.csv.zst --keep-good

Files are CSV in UTF-8 (tabs or semicolons are seen by the header), JSON (an array of objects, or
objects that follow each other) or Parquet, also packed with gzip or zstd. An id is the same however
a tool writes it: 10023.0 is 10023, and what nobody sees at its ends is cut off. What a spreadsheet
shortened (8.6E+14) is refused.

Merchants are loaded before terminals, so that terminals at unknown merchants are told. A bad row is reported
with its file and line, and nothing is loaded then, or only the good rows with --keep-good; the exit code is 1.";

/// Commands over the registry.
#[derive(Debug, Subcommand)]
pub enum RegistryCommand {
    /// Load terminals and merchants from CSV, JSON or Parquet files, checked row by row
    Load(RegistryLoadArgs),
}

/// Arguments of `notspot registry load`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RegistryLoadArgs {
    /// Files of terminals
    #[arg(long, value_name = "FILE", num_args = 1..)]
    terminals: Vec<PathBuf>,
    /// Files of merchants
    #[arg(long, value_name = "FILE", num_args = 1..)]
    merchants: Vec<PathBuf>,
    /// Folder or URL of the lake; made when there is none
    #[arg(
        long,
        value_name = "LAKE",
        env = "NOTSPOT_LAKE",
        default_value = "lake"
    )]
    lake: String,
    /// Keep what is in the lake and not in the files; else the files are the whole registry
    #[arg(long)]
    merge: bool,
    /// Load the good rows although there are bad ones
    #[arg(long)]
    keep_good: bool,
}

/// Runs a command over the registry.
pub fn run(command: &RegistryCommand, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    let RegistryCommand::Load(args) = command;
    if args.terminals.is_empty() && args.merchants.is_empty() {
        return Err(UsageError(
            "nothing to load: name files with --terminals or --merchants".into(),
        )
        .into());
    }
    let runtime = runtime()?;
    let mut exit = Exit::Done;
    for (table, files) in [
        (RegistryTable::Merchants, &args.merchants),
        (RegistryTable::Terminals, &args.terminals),
    ] {
        if files.is_empty() {
            continue;
        }
        match runtime.block_on(load(&args.options(table, files), clock::now())) {
            Ok(report) => {
                print(&report, out)?;
                if report.rows_bad > 0 {
                    exit = Exit::Failed;
                }
            }
            Err(RegistryError::BadRows(report)) => {
                print(&report, out)?;
                writeln!(
                    out,
                    "nothing was loaded into {}: mend the rows, or --keep-good",
                    report.table
                )?;
                exit = Exit::Failed;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit)
}

impl RegistryLoadArgs {
    fn options(&self, table: RegistryTable, files: &[PathBuf]) -> LoadOptions {
        LoadOptions {
            lake: self.lake.clone(),
            table,
            inputs: files.to_vec(),
            mode: if self.merge {
                LoadMode::Merge
            } else {
                LoadMode::Replace
            },
            bad_rows: if self.keep_good {
                BadRows::KeepGood
            } else {
                BadRows::RefuseAll
            },
        }
    }
}

fn print(report: &LoadReport, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    writeln!(
        out,
        "{}: {} rows read, {} loaded, {} bad; {} in the table",
        report.table,
        grouped(report.rows_read),
        grouped(report.rows_loaded),
        grouped(report.rows_bad),
        grouped(report.rows_in_table)
    )?;
    print_faults("bad", &report.faults, out)?;
    print_faults("warning", &report.warnings, out)
}

fn print_faults(
    kind: &str,
    faults: &[RowFault],
    out: &mut (dyn Write + Send),
) -> std::io::Result<()> {
    for fault in faults {
        writeln!(out, "  {kind}: {fault}")?;
    }
    Ok(())
}
