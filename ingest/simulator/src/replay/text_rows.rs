//! Rows of a delimited text file, with the line each begins on: a bad row costs only itself.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::field::Fault;
use super::files::{RawRow, Rows, Values};
use super::mapping::{Quoting, TextFormat};

/// Lines a quoted value may span before its quote counts as never closed.
const QUOTED_LINES_MAX: usize = 100;
const BYTE_ORDER_MARK: &str = "\u{feff}";

pub(super) struct TextRows {
    reader: Box<dyn BufRead>,
    format: TextFormat,
    width: usize,
    /// Lines read ahead for a quote that was then not closed.
    ahead: VecDeque<Vec<u8>>,
    next_line: u64,
}

impl TextRows {
    pub(super) fn open(reader: Box<dyn BufRead>, format: &TextFormat) -> io::Result<Rows> {
        let mut rows = Self {
            reader,
            format: format.clone(),
            width: 0,
            ahead: VecDeque::new(),
            next_line: 1,
        };
        for _ in 0..format.skip_lines {
            rows.line()?;
        }
        let columns = match &format.columns {
            Some(columns) => columns.clone(),
            None => rows.header()?,
        };
        rows.width = columns.len();
        Ok(Rows {
            columns,
            rows: Box::new(rows),
        })
    }

    fn header(&mut self) -> io::Result<Vec<String>> {
        let Some((_, bytes)) = self.row_line()? else {
            return Err(io::Error::other("the file is empty, it has no header row"));
        };
        let text =
            String::from_utf8(bytes).map_err(|_| io::Error::other("the header is not UTF-8"))?;
        let text = text.trim_start_matches(BYTE_ORDER_MARK);
        let mut names = split(text, &self.format)
            .ok_or_else(|| io::Error::other("the header has a quote that is not closed"))?;
        trim(&mut names);
        if self.format.trailing_delimiter && names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        Ok(names)
    }

    /// Returns the next line without its end, and its number; `None` at the end of the file.
    fn line(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut bytes = match self.ahead.pop_front() {
            Some(bytes) => bytes,
            None => {
                let mut bytes = Vec::new();
                if self.reader.read_until(b'\n', &mut bytes)? == 0 {
                    return Ok(None);
                }
                bytes
            }
        };
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        self.next_line += 1;
        Ok(Some((self.next_line - 1, bytes)))
    }

    /// Returns the next line that is neither blank nor a comment.
    fn row_line(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        while let Some((number, bytes)) = self.line()? {
            let comment = self.format.comment.as_ref();
            let is_comment = comment.is_some_and(|start| bytes.starts_with(start.as_bytes()));
            if !is_comment && !bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some((number, bytes)));
            }
        }
        Ok(None)
    }

    fn values(&mut self, first: Vec<u8>) -> io::Result<Result<Values, Fault>> {
        let Ok(mut text) = String::from_utf8(first) else {
            return Ok(Err(Fault {
                reason: "row is not UTF-8",
                detail: "a byte is invalid".into(),
            }));
        };
        let mut taken = Vec::new();
        loop {
            if let Some(values) = split(&text, &self.format) {
                return Ok(self.fitted(values));
            }
            match self.line()? {
                Some((_, bytes)) if taken.len() < QUOTED_LINES_MAX => {
                    text.push('\n');
                    text.push_str(&String::from_utf8_lossy(&bytes));
                    taken.push(bytes);
                }
                last => {
                    taken.extend(last.map(|(_, bytes)| bytes));
                    self.give_back(taken);
                    let detail = "the row's first line alone is left out".to_owned();
                    return Ok(Err(Fault {
                        reason: "quote is not closed",
                        detail,
                    }));
                }
            }
        }
    }

    fn give_back(&mut self, lines: Vec<Vec<u8>>) {
        self.next_line -= lines.len() as u64;
        for line in lines.into_iter().rev() {
            // Blank lines come back as what they were: a line, not the end of the file.
            self.ahead.push_front(line);
        }
    }

    /// Makes a row as wide as the header, or refuses it.
    fn fitted(&self, mut values: Vec<String>) -> Result<Values, Fault> {
        let spare = self.format.trailing_delimiter
            && values.len() == self.width + 1
            && values.last().is_some_and(|value| value.trim().is_empty());
        if spare {
            values.pop();
        }
        if self.format.last_column_takes_rest && values.len() > self.width && self.width > 0 {
            let rest = values.split_off(self.width - 1);
            values.push(rest.join(&self.format.delimiter.to_string()));
        }
        if values.len() != self.width {
            let detail = format!("{} values, {} columns", values.len(), self.width);
            return Err(Fault {
                reason: "row is not as wide as the header",
                detail,
            });
        }
        trim(&mut values);
        Ok(Values(values))
    }
}

impl Iterator for TextRows {
    type Item = io::Result<RawRow>;

    fn next(&mut self) -> Option<Self::Item> {
        let (line, bytes) = match self.row_line() {
            Ok(Some(found)) => found,
            Ok(None) => return None,
            Err(error) => return Some(Err(error)),
        };
        Some(self.values(bytes).map(|values| RawRow { line, values }))
    }
}

fn trim(values: &mut [String]) {
    for value in values {
        let trimmed = value.trim();
        if trimmed.len() != value.len() {
            *value = trimmed.to_owned();
        }
    }
}

/// Cuts a row into values; `None` while a quote is open.
fn split(text: &str, format: &TextFormat) -> Option<Vec<String>> {
    match format.quoting {
        Quoting::None => Some(text.split(format.delimiter).map(str::to_owned).collect()),
        Quoting::Double => split_quoted(text, format.delimiter),
    }
}

fn split_quoted(text: &str, delimiter: char) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted, delimiter)?,
            None => {
                let end = rest.find(delimiter).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        values.push(value);
        match after.strip_prefix(delimiter) {
            Some(next) => rest = next,
            None => return Some(values),
        }
    }
}

/// Reads a value whose opening quote is gone; returns it and what follows, from the delimiter on.
fn quoted_value(text: &str, delimiter: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        value.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                value.push('"');
                rest = next;
            }
            None => {
                let end = after.find(delimiter).unwrap_or(after.len());
                value.push_str(&after[..end]);
                return Some((value, &after[end..]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        text: &'static str,
        format: &TextFormat,
    ) -> Vec<(u64, Result<Vec<String>, &'static str>)> {
        let rows =
            TextRows::open(Box::new(text.as_bytes()), format).expect("the header is readable");
        rows.rows
            .map(|row| row.expect("memory can be read"))
            .map(|row| {
                (
                    row.line,
                    row.values.map(|v| v.0).map_err(|fault| fault.reason),
                )
            })
            .collect()
    }

    #[test]
    fn lines_are_numbered_through_comments_blank_lines_and_crlf() {
        let format = TextFormat {
            comment: Some("#".into()),
            ..TextFormat::default()
        };
        let rows = read("# note\r\na,b\r\n\r\n1,2\r\n# again\r\n3,4", &format);
        let values = |a: &str, b: &str| Ok(vec![a.to_owned(), b.to_owned()]);
        assert_eq!(rows, [(4, values("1", "2")), (6, values("3", "4"))]);
    }

    #[test]
    fn quoted_values_hold_delimiters_quotes_and_line_ends() {
        let rows = read(
            "a,b\n\"x, \"\"y\"\"\",\"1\n2\"\nz,3\n",
            &TextFormat::default(),
        );
        assert_eq!(rows[0], (2, Ok(vec!["x, \"y\"".into(), "1\n2".into()])));
        assert_eq!(rows[1], (4, Ok(vec!["z".into(), "3".into()])));
    }

    #[test]
    fn an_unclosed_quote_costs_one_row() {
        let rows = read("a,b\n\"x,1\ny,2\nz,3\n", &TextFormat::default());
        assert_eq!(rows[0], (2, Err("quote is not closed")));
        assert_eq!(rows[1], (3, Ok(vec!["y".into(), "2".into()])));
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn the_last_column_takes_the_rest_where_quotes_mean_nothing() {
        let format = TextFormat {
            delimiter: ';',
            quoting: Quoting::None,
            last_column_takes_rest: true,
            ..TextFormat::default()
        };
        let rows = read("id;notes\n1;\"Ping; DNS: \"\"\"\n2;x\n3\n", &format);
        assert_eq!(
            rows[0].1,
            Ok(vec!["1".into(), "\"Ping; DNS: \"\"\"".into()])
        );
        assert_eq!(rows[2], (4, Err("row is not as wide as the header")));
    }
}
