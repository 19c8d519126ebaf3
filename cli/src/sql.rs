//! `notspot sql`: questions of one's own to the lake, typed in or in a file.

mod commands;
mod shell;
mod statements;
mod words;

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;

use analytics::{Answer, LakeSession};
use anyhow::Context;
use clap::Args;

use crate::exit::{Exit, UsageError};
use crate::interrupt::Interrupt;
use crate::lake::LakeArgs;
use crate::output::OutputArgs;
use crate::runtime;

use commands::ShellCommand;

const EXAMPLES: &str = "\
Examples:
  notspot sql                              a shell with history and completion
  notspot sql -c 'select count(*) from declines'
  notspot sql -f my.sql --format csv > my.csv
  notspot sql -c \"select * from signal_readings where event_date = '2026-11-01'\" -o readings.parquet
  notspot sql --lake /data/lake -c 'explain select * from declines'
  notspot sql -c '\\d'                       tables and views; \\d TABLE its columns, \\df our functions

Tables: deduplicated events as heartbeats, signal_readings and declines, with duplicates as lake.heartbeats
and so on; terminals, merchants and quarantine beside them. Nothing in a statement writes to the lake.

As in PostgreSQL: a fraction cast to a whole number is rounded, halves away from zero; the quotient of whole
numbers is one, so a rate is rate(failures, attempts) and not sum(failures) / sum(attempts); a sum that does
not fit is an error; a time at time zone has no zone; a text is not compared with a number. An H3 cell may be
written as hexadecimal text.";

/// Arguments of `notspot sql`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SqlArgs {
    /// Run these statements, separated by semicolons
    #[arg(short, long, value_name = "SQL", conflicts_with = "file")]
    command: Option<String>,
    /// Run the statements of a file, - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Which lake.
    #[command(flatten)]
    lake: LakeArgs,
    /// Where the answers go.
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the statements, or the shell.
pub fn run(
    args: &SqlArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    args.output.check()?;
    let runtime = runtime()?;
    let text = args.text()?;
    let lake = runtime.block_on(args.lake.open())?;
    let Some(text) = text else {
        return shell::run(lake, args.output.clone(), out, interrupt, &runtime);
    };
    if let Some(command) = ShellCommand::read(&text) {
        let command = command.map_err(UsageError)?;
        return runtime.block_on(commands::answer(&command, &lake, &args.output, out));
    }
    let text = statements::clean(&text).map_err(UsageError)?;
    let statements = statements::split(&text);
    if statements.len() != 1 && !args.output.is_table_on_stdout() {
        let count = statements.len();
        return Err(UsageError(format!(
            "one statement is needed for this form or file, there are {count}"
        ))
        .into());
    }
    for statement in statements {
        let answer = runtime.block_on(ask(&lake, statement, interrupt))?;
        let Some(answer) = answer else {
            return Ok(Exit::Interrupted);
        };
        // A setting answers nothing, and says so with no columns.
        if !(answer.schema.fields().is_empty() && args.output.is_table_on_stdout()) {
            args.output.write(&answer, out)?;
        }
    }
    Ok(Exit::Done)
}

impl SqlArgs {
    /// Returns what is to be run; `None` for the shell.
    fn text(&self) -> anyhow::Result<Option<String>> {
        let told = |place: &str, bytes| match statements::read(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(fault) => Err(UsageError(format!("cannot read {place}: {fault}")).into()),
        };
        let read_stdin = || {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .context("cannot read standard input")?;
            told("standard input", bytes)
        };
        match (&self.command, &self.file) {
            (Some(command), _) => Ok(Some(command.clone())),
            (None, Some(file)) if file.as_os_str() == "-" => read_stdin(),
            (None, Some(file)) => {
                let place = file.display().to_string();
                let bytes = std::fs::read(file);
                told(
                    &place,
                    bytes.with_context(|| format!("cannot read {place}"))?,
                )
            }
            (None, None) if std::io::stdin().is_terminal() => Ok(None),
            (None, None) => read_stdin(),
        }
    }
}

/// Runs a statement; `None` when a signal stopped it.
async fn ask(
    lake: &LakeSession,
    statement: &str,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Answer>> {
    tokio::select! {
        answer = lake.collect(statement) => Ok(Some(answer?)),
        () = interrupt.raised() => Ok(None),
    }
}
