//! Where answers go and in which form: the arguments `sql` and `report` share.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use analytics::Answer;
use analytics::report::{Format, render};
use anyhow::Context;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::exit::UsageError;

/// Standard output. It remembers that its reader, such as `head`, has had enough: encoders between it and
/// a command tell that as an error of their own.
#[derive(Debug, Default)]
pub struct StandardOutput {
    is_closed: bool,
}

impl StandardOutput {
    /// Whether nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn told<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.is_closed |=
            matches!(&result, Err(error) if error.kind() == io::ErrorKind::BrokenPipe);
        result
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.told(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.told(io::stdout().flush())
    }
}

/// Form and place of an answer.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// Form of the answer; by the ending of --output when not given, else a table
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    format: Option<Format>,
    /// File to write the answer to instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name))
        .map(|name| name.parse().expect("only names of formats are let through"))
}

impl OutputArgs {
    /// Writes an answer.
    ///
    /// # Errors
    /// When the file or the form cannot be written.
    pub fn write(&self, answer: &Answer, mut out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        let format = self.format();
        let Some(path) = &self.output else {
            refuse_binary_on_terminal(format)?;
            return Ok(render::write(
                format,
                &answer.schema,
                &answer.batches,
                &mut out,
            )?);
        };
        let write = || -> anyhow::Result<()> {
            let mut file = BufWriter::new(File::create(path)?);
            render::write(format, &answer.schema, &answer.batches, &mut file)?;
            Ok(file.flush()?)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Tells whether an answer goes to standard output as a table.
    pub fn is_table_on_stdout(&self) -> bool {
        self.output.is_none() && self.format() == Format::Table
    }

    /// Returns the form of an answer.
    pub fn format(&self) -> Format {
        let ending = || {
            let extension = self.output.as_ref()?.extension()?.to_str()?;
            Format::ALL
                .into_iter()
                .find(|format| format.name() == extension)
        };
        self.format.or_else(ending).unwrap_or(Format::Table)
    }
}

fn refuse_binary_on_terminal(format: Format) -> Result<(), UsageError> {
    if format == Format::Parquet && std::io::stdout().is_terminal() {
        return Err(UsageError(
            "parquet is not for a terminal: add --output FILE.parquet".into(),
        ));
    }
    Ok(())
}
