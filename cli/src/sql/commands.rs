//! The shell's own commands, those that are no SQL.

use std::io::{self, Write};

use analytics::report::Format;
use analytics::{LakeSession, TableState, functions, views};

use crate::exit::{Exit, UsageError};
use crate::output::OutputArgs;

/// What a line of the shell is, when it is no SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ShellCommand {
    Tables,
    Columns(String),
    Functions,
    Format(Format),
    Rows(usize),
    Refresh,
    Help,
    Quit,
}

/// The text of `.help`.
pub(super) const HELP: &str = "\
  .tables, \\d          tables of the lake, with their rows
  .schema T, \\d T      columns of a table
  .functions, \\df      our SQL functions
  .format F            table, csv, json or ndjson
  .rows N              most rows shown of a table, 0 for all
  .refresh             look at what was committed since
  .help, \\?            this
  .quit, \\q, Ctrl-D    leave
A statement ends with a semicolon and may take several lines. Tab completes, Ctrl-R searches the history.";

impl ShellCommand {
    /// Reads a line; `None` when it is SQL.
    pub(super) fn read(line: &str) -> Option<Result<Self, String>> {
        let line = line.trim().trim_end_matches(';').trim_end();
        let mut words = line.split_whitespace();
        let command = words.next().filter(|word| word.starts_with(['.', '\\']))?;
        let argument = words.next();
        Some(Self::of(command, argument))
    }

    fn of(command: &str, argument: Option<&str>) -> Result<Self, String> {
        Ok(match (command, argument) {
            (".tables" | "\\d" | "\\dt", None) => Self::Tables,
            (".schema" | "\\d", Some(table)) => Self::Columns(table.to_owned()),
            (".functions" | "\\df", None) => Self::Functions,
            (".format", Some(name)) => {
                Self::Format(name.parse().map_err(|error| format!("{error}"))?)
            }
            (".rows", Some(number)) => Self::Rows(
                number
                    .parse()
                    .map_err(|_| format!(".rows takes a number, not {number:?}"))?,
            ),
            (".refresh", None) => Self::Refresh,
            (".help" | "\\?" | "\\h", None) => Self::Help,
            (".quit" | ".exit" | "\\q", None) => Self::Quit,
            _ => return Err(format!("unknown command {command:?}, .help lists them")),
        })
    }
}

/// Answers a command outside of the shell.
pub(super) async fn answer(
    command: &ShellCommand,
    lake: &LakeSession,
    output: &OutputArgs,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    match command {
        ShellCommand::Tables => print_tables(&lake.tables().await?, out)?,
        ShellCommand::Functions => print_functions(out)?,
        ShellCommand::Help => writeln!(out, "{HELP}")?,
        ShellCommand::Columns(table) => {
            let answer = lake.collect(&format!("describe {table}")).await?;
            output.write(&answer, out)?;
        }
        _ => return Err(UsageError("that command is one of the shell".into()).into()),
    }
    Ok(Exit::Done)
}

/// Lists the tables and views.
pub(super) fn print_tables(tables: &[TableState], out: &mut (dyn Write + Send)) -> io::Result<()> {
    for state in tables {
        let rows = match (state.version, state.rows) {
            (None, _) => "not written yet".into(),
            (_, Some(rows)) => format!("{rows} rows in {} files", state.files),
            (_, None) => format!("{} files", state.files),
        };
        writeln!(
            out,
            "  {:16} {rows}; {}",
            state.table.name(),
            state.table.doc()
        )?;
    }
    for (name, grain) in views::derived() {
        writeln!(out, "  {name:16} view; {grain}")?;
    }
    writeln!(
        out,
        "Without duplicates under these names, as they lie in the lake under lake.NAME."
    )
}

/// Lists our functions.
pub(super) fn print_functions(out: &mut (dyn Write + Send)) -> io::Result<()> {
    for function in functions::catalog() {
        writeln!(out, "  {}\n      {}", function.usage, function.doc)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_by_its_first_character() {
        assert_eq!(ShellCommand::read("select 1;"), None);
        assert_eq!(
            ShellCommand::read("\\d declines;"),
            Some(Ok(ShellCommand::Columns("declines".into())))
        );
        assert_eq!(
            ShellCommand::read(".rows 5"),
            Some(Ok(ShellCommand::Rows(5)))
        );
        assert!(matches!(ShellCommand::read(".nonsense"), Some(Err(_))));
        assert!(matches!(ShellCommand::read(".format xml"), Some(Err(_))));
    }
}
