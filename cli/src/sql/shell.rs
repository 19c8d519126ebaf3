//! The interactive shell: reads lines, runs statements, keeps the history.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use analytics::report::{Format, render};
use analytics::{Answer, LakeSession};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper, Highlighter, Hinter};
use tokio::runtime::Runtime;

use super::commands::{self, ShellCommand};
use super::words::Words;
use super::{ask, statements};
use crate::environment::variable;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::OutputArgs;
use crate::progress::grouped;

const PROMPT: &str = "notspot> ";
/// Rows of a table shown unless told otherwise: a screen or two.
const USUAL_ROWS: usize = 200;

/// Runs the shell until the user leaves it.
pub(super) fn run(
    lake: LakeSession,
    output: OutputArgs,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
    runtime: &Runtime,
) -> anyhow::Result<Exit> {
    let words = runtime.block_on(Words::of(&lake));
    let mut editor = editor(words)?;
    let history = history_file();
    if let Some(file) = &history {
        // There is none the first time.
        let _ = editor.load_history(file);
    }
    writeln!(
        out,
        "lake {} · .help for help, .quit to leave",
        lake.location()
    )?;
    let format = output.format();
    let mut shell = Shell {
        lake,
        format,
        rows: USUAL_ROWS,
        out,
        interrupt,
        runtime,
    };
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                editor.add_history_entry(line.trim_end())?;
                if !shell.take(&line)? {
                    break;
                }
            }
            // Drops the line, as shells do.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(file) = &history
        && let Err(error) = editor.save_history(file)
    {
        tracing::warn!(%error, file = %file.display(), "the history cannot be kept");
    }
    Ok(Exit::Done)
}

struct Shell<'a> {
    lake: LakeSession,
    format: Format,
    rows: usize,
    out: &'a mut (dyn Write + Send),
    interrupt: &'a Interrupt,
    runtime: &'a Runtime,
}

impl Shell<'_> {
    /// Does what a line asks for; `false` to leave.
    fn take(&mut self, line: &str) -> anyhow::Result<bool> {
        match ShellCommand::read(line) {
            Some(Ok(ShellCommand::Quit)) => return Ok(false),
            Some(Ok(command)) => self.obey(command)?,
            Some(Err(fault)) => writeln!(self.out, "{fault}")?,
            None => match statements::clean(line) {
                Ok(line) => {
                    for statement in statements::split(&line) {
                        self.answer(statement)?;
                    }
                }
                Err(fault) => writeln!(self.out, "error: {fault}")?,
            },
        }
        self.out.flush()?;
        Ok(true)
    }

    fn obey(&mut self, command: ShellCommand) -> anyhow::Result<()> {
        match command {
            ShellCommand::Tables => self.tables()?,
            ShellCommand::Columns(table) => self.answer(&format!("describe {table}"))?,
            ShellCommand::Functions => commands::print_functions(self.out)?,
            ShellCommand::Format(Format::Parquet) => writeln!(
                self.out,
                "parquet needs a file: notspot sql -c … -o FILE.parquet"
            )?,
            ShellCommand::Format(format) => self.format = format,
            ShellCommand::Rows(rows) => self.rows = rows,
            ShellCommand::Refresh => match self.runtime.block_on(self.lake.refresh()) {
                Ok(()) => self.tables()?,
                Err(error) => writeln!(self.out, "error: {error}")?,
            },
            ShellCommand::Help => writeln!(self.out, "{}", commands::HELP)?,
            ShellCommand::Quit => {}
        }
        Ok(())
    }

    fn tables(&mut self) -> anyhow::Result<()> {
        match self.runtime.block_on(self.lake.tables()) {
            Ok(tables) => commands::print_tables(&tables, self.out)?,
            Err(error) => writeln!(self.out, "error: {error}")?,
        }
        Ok(())
    }

    /// Runs a statement and shows its answer; a fault is shown too and ends nothing.
    fn answer(&mut self, statement: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        match self
            .runtime
            .block_on(ask(&self.lake, statement, self.interrupt))
        {
            Ok(Some(answer)) => self.show(&answer, began)?,
            Ok(None) => {
                self.interrupt.answer();
                writeln!(self.out, "stopped")?;
            }
            Err(error) => writeln!(self.out, "error: {}", crate::sentence(&error))?,
        }
        Ok(())
    }

    fn show(&mut self, answer: &Answer, began: Instant) -> anyhow::Result<()> {
        let rows = answer.rows();
        let limit = if self.format == Format::Table && self.rows > 0 {
            self.rows
        } else {
            rows
        };
        render::write(
            self.format,
            &answer.schema,
            &first_rows(answer, limit),
            &mut self.out,
        )?;
        let shown = if limit < rows {
            format!("{limit} of ")
        } else {
            String::new()
        };
        let seconds = began.elapsed().as_secs_f64();
        writeln!(
            self.out,
            "{shown}{} rows, {seconds:.2} s",
            grouped(rows as u64)
        )?;
        Ok(())
    }
}

/// Returns at most so many rows of an answer.
pub(crate) fn first_rows(answer: &Answer, limit: usize) -> Vec<arrow::record_batch::RecordBatch> {
    let mut left = limit;
    let mut batches = Vec::new();
    for batch in &answer.batches {
        let rows = batch.num_rows().min(left);
        batches.push(batch.slice(0, rows));
        left -= rows;
    }
    batches
}

fn editor(words: Words) -> rustyline::Result<Editor<SqlHelper, DefaultHistory>> {
    let config = Config::builder()
        .history_ignore_space(true)
        .history_ignore_dups(true)?
        .completion_type(CompletionType::List)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(SqlHelper { words }));
    Ok(editor)
}

/// Where the history is kept, by the rules of the system; nowhere without a home.
fn history_file() -> Option<PathBuf> {
    if let Some(file) = variable("NOTSPOT_HISTORY") {
        return Some(file.into());
    }
    let home_state = || Some(PathBuf::from(variable("HOME")?).join(".local/state"));
    let folder = variable("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(home_state)?
        .join("notspot");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("sql_history"))
}

#[derive(Helper, Highlighter, Hinter)]
struct SqlHelper {
    words: Words,
}

impl Completer for SqlHelper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.words.complete(line, cursor))
    }
}

impl Validator for SqlHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let complete = ShellCommand::read(text).is_some() || statements::is_complete(text);
        Ok(if complete {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}
