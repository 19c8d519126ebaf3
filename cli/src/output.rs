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
    /// File to write the answer to instead of standard output: .csv, .json, .ndjson or .parquet, or a table
    /// in .txt
    #[arg(long, short, value_name = "FILE", value_parser = local_path())]
    output: Option<PathBuf>,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name))
        .map(|name| name.parse().expect("only names of formats are let through"))
}

/// Lets paths of this machine through, and no addresses, which would become folders of strange names.
pub fn local_path() -> impl TypedValueParser<Value = PathBuf> {
    clap::builder::StringValueParser::new().try_map(|text| match lake::looks_like_address(&text) {
        true => Err("it is an address; what is written here goes to a path of this machine"),
        false => Ok(PathBuf::from(text)),
    })
}

impl OutputArgs {
    /// Tells whether the answer can be written as asked, before it is looked for.
    ///
    /// # Errors
    /// When the file's ending names no form, and none is given.
    pub fn check(&self) -> Result<(), UsageError> {
        self.named_format().map(drop)
    }

    /// Tells whether what is printed as text or JSON is asked for so.
    ///
    /// # Errors
    /// When it is to go to a file, or in another form.
    pub fn check_printed(&self) -> Result<(), UsageError> {
        let is_known = self.is_json() || self.format() == Format::Table;
        match self.output.is_none() && is_known {
            true => Ok(()),
            false => Err(UsageError(
                "this is printed, as text or with --format json: redirect it to have a file".into(),
            )),
        }
    }

    fn named_format(&self) -> Result<Format, UsageError> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        let path = self.output.as_deref();
        let ending = path.and_then(|path| path.extension()?.to_str());
        let ending = ending.map(str::to_ascii_lowercase);
        match ending.as_deref() {
            None | Some("txt") => Ok(Format::Table),
            Some(ending) => {
                let named = Format::ALL
                    .into_iter()
                    .find(|format| format.name() == ending);
                named.ok_or_else(|| {
                    UsageError(format!(
                        ".{ending} is no form of an answer: write .csv, .json, .ndjson, .parquet or .txt, or \
                         name the form with --format"
                    ))
                })
            }
        }
    }

    /// Writes an answer.
    ///
    /// # Errors
    /// When the file or the form cannot be written.
    pub fn write(&self, answer: &Answer, mut out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
        let format = self.named_format()?;
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

    /// Tells whether JSON is asked for.
    pub fn is_json(&self) -> bool {
        matches!(self.format(), Format::Json | Format::NdJson)
    }

    /// Returns the form of an answer.
    pub fn format(&self) -> Format {
        self.named_format().unwrap_or(Format::Table)
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
