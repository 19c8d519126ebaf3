//! Rows of a delimited text, with the line each begins on: a bad row costs only itself.

use std::io::BufRead;

use schemas::ids::trimmed;
use serde::Deserialize;

use crate::lines::Lines;
use crate::split::{Cut, Values, count_outside_quotes};
use crate::table::{Body, Column};
use crate::{ReadError, Row, RowFault, Spelling, Table};

/// How a text is cut into rows and values. JSON and Parquet need none of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layout {
    /// Between two values, one ASCII character. Left out: a tab in `.tsv` and `.tab`, else a comma;
    /// where the header has no comma but tabs or semicolons, these.
    pub delimiter: Option<char>,
    /// What a `"` means.
    pub quoting: Quoting,
    /// Names of the columns, where the file has no header row.
    pub columns: Option<Vec<String>>,
    /// Lines before the header.
    pub skip_lines: usize,
    /// Lines that start so are no rows.
    pub comment: Option<String>,
    /// Whether rows may end in one delimiter too many.
    pub trailing_delimiter: bool,
    /// Whether the last column takes all that is left, delimiters included.
    pub last_column_takes_rest: bool,
}

/// What a `"` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quoting {
    /// A value may be enclosed in `"`, a `"` inside it is doubled.
    #[default]
    Double,
    /// A `"` is a character like any other.
    None,
}

/// Lines a quoted value may span before its quote counts as never closed.
const QUOTED_LINES_MAX: usize = 100;

/// The rows of a text.
pub(crate) struct TextRows {
    lines: Lines,
    layout: Layout,
    delimiter: u8,
    /// Columns of the header.
    width: usize,
    /// For each column its place in a row, where it is wanted.
    slots: Vec<Option<usize>>,
    line: Vec<u8>,
    record: String,
    values: Values,
}

impl TextRows {
    /// Reads up to the header; `name` is the file's.
    pub(crate) fn open(
        reader: Box<dyn BufRead>,
        layout: Layout,
        name: &str,
    ) -> Result<Table, ReadError> {
        let mut rows = Self {
            lines: Lines::new(reader),
            delimiter: delimiter_by_name(&layout, name).unwrap_or(b','),
            width: 0,
            slots: Vec::new(),
            line: Vec::new(),
            record: String::new(),
            values: Values::default(),
            layout,
        };
        for _ in 0..rows.layout.skip_lines {
            rows.lines.next(&mut rows.line)?;
        }
        let names = match rows.layout.columns.clone() {
            Some(columns) => columns,
            None => rows.header(name)?,
        };
        rows.width = names.len();
        let columns = names.into_iter().map(|name| Column { name, nested: None });
        Ok(Table::new(columns.collect(), Body::Text(Box::new(rows))))
    }

    fn header(&mut self, name: &str) -> Result<Vec<String>, ReadError> {
        if self.row_line()?.is_none() {
            return Err(ReadError::NoHeader);
        }
        let told = told_delimiter(&self.line);
        if told.is_some() && self.row_line()?.is_none() {
            return Err(ReadError::NoHeader);
        }
        if delimiter_by_name(&self.layout, name).is_none() {
            let guess = || guessed(&String::from_utf8_lossy(&self.line));
            self.delimiter = told.unwrap_or_else(guess);
        }
        match self.cut()? {
            Ok(()) => {}
            Err(RowFault::NotUtf8(byte)) => return Err(ReadError::HeaderNotUtf8(byte)),
            Err(_) => return Err(ReadError::HeaderQuote),
        }
        let name = |at| trimmed(self.values.get(&self.record, at)).to_owned();
        let mut names: Vec<String> = (0..self.values.len()).map(name).collect();
        if self.layout.trailing_delimiter && names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        Ok(names)
    }

    /// Says where in a row each column comes.
    pub(crate) fn choose(&mut self, slots: Vec<Option<usize>>) {
        self.slots = slots;
    }

    pub(crate) fn read(&mut self, row: &mut Row) -> Result<bool, ReadError> {
        let Some(number) = self.row_line()? else {
            return Ok(false);
        };
        row.begin(number, self.slots.iter().flatten().count());
        match self.cut()?.and_then(|()| self.fit()) {
            Ok(()) => {
                for (at, slot) in self.slots.iter().enumerate() {
                    if let Some(slot) = slot {
                        row.put(*slot, self.values.get(&self.record, at), Spelling::Text);
                    }
                }
            }
            Err(fault) => row.refuse(fault),
        }
        row.end();
        Ok(true)
    }

    /// Takes the next line that is neither blank nor a comment.
    fn row_line(&mut self) -> Result<Option<u64>, ReadError> {
        while let Some(number) = self.lines.next(&mut self.line)? {
            let comment = self.layout.comment.as_ref();
            let is_comment = comment.is_some_and(|start| self.line.starts_with(start.as_bytes()));
            if !is_comment && !self.line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// Cuts the line, and those a quoted value goes on in, into values.
    fn cut(&mut self) -> Result<Result<(), RowFault>, ReadError> {
        self.record.clear();
        let mut taken = Vec::new();
        let mut more = Vec::new();
        let fault = loop {
            let line = if taken.is_empty() { &self.line } else { &more };
            match std::str::from_utf8(line) {
                Ok(text) => self.record.push_str(text),
                Err(error) if taken.is_empty() => {
                    break RowFault::NotUtf8(line[error.valid_up_to()]);
                }
                // The line has its own fault, as the row that it most likely is.
                Err(_) => break RowFault::OpenQuote,
            }
            match self.cut_record() {
                Cut::Whole => return Ok(Ok(())),
                Cut::Broken => break RowFault::OpenQuote,
                Cut::Open if taken.len() == QUOTED_LINES_MAX => break RowFault::OpenQuote,
                Cut::Open => {}
            }
            if self.lines.next(&mut more)?.is_none() {
                break RowFault::OpenQuote;
            }
            self.record.push('\n');
            taken.push(more.clone());
        };
        self.lines.give_back(taken);
        Ok(Err(fault))
    }

    fn cut_record(&mut self) -> Cut {
        match self.layout.quoting {
            Quoting::None => {
                self.values.cut_plain(&self.record, self.delimiter);
                Cut::Whole
            }
            Quoting::Double => self.values.cut_quoted(&self.record, self.delimiter),
        }
    }

    /// Makes the row as wide as the header, or refuses it.
    fn fit(&mut self) -> Result<(), RowFault> {
        let last = self.values.len() - 1;
        let spare = self.layout.trailing_delimiter && self.values.len() == self.width + 1;
        if spare && self.values.get(&self.record, last).trim().is_empty() {
            self.values.pop();
        }
        if self.layout.last_column_takes_rest && self.values.len() > self.width && self.width > 0 {
            self.values
                .join_from(self.width - 1, &self.record, self.delimiter);
        }
        match self.values.len() == self.width {
            true => Ok(()),
            false => Err(RowFault::Width {
                values: self.values.len(),
                columns: self.width,
            }),
        }
    }
}

fn delimiter_by_name(layout: &Layout, name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    let by_tabs = name.ends_with(".tsv") || name.ends_with(".tab");
    let given = layout
        .delimiter
        .and_then(|given| u8::try_from(u32::from(given)).ok());
    given.or(by_tabs.then_some(b'\t'))
}

/// The delimiter of a line such as `sep=;`, by which spreadsheets tell each other.
fn told_delimiter(line: &[u8]) -> Option<u8> {
    match line {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some(*delimiter),
        _ => None,
    }
}

/// The delimiter of a header of which nothing else is known.
fn guessed(header: &str) -> u8 {
    let has = |delimiter: &u8| count_outside_quotes(header, *delimiter) > 0;
    [b',', b'\t', b';'].into_iter().find(has).unwrap_or(b',')
}
