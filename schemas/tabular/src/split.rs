//! A record cut into values: pure, on text that is in memory.

use std::ops::Range;

/// Values of a record, as ranges of it, or of `unquoted` where quotes had to be taken out.
#[derive(Debug, Default)]
pub(crate) struct Values {
    ranges: Vec<(Range<usize>, Place)>,
    unquoted: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Record,
    Unquoted,
}

/// How cutting a record ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Whole,
    /// A quote is open: the record goes on in the next line, if it is one.
    Open,
    /// A value that spans lines is followed by something else than a delimiter: its quote was not
    /// meant as one, and what it swallowed are rows.
    Broken,
}

impl Values {
    pub(crate) const fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Returns a value of the record that was cut.
    pub(crate) fn get<'v>(&'v self, record: &'v str, at: usize) -> &'v str {
        let (range, place) = &self.ranges[at];
        match place {
            Place::Record => &record[range.clone()],
            Place::Unquoted => &self.unquoted[range.clone()],
        }
    }

    pub(crate) fn pop(&mut self) {
        self.ranges.pop();
    }

    /// Joins the values from `at` on to one again.
    pub(crate) fn join_from(&mut self, at: usize, record: &str, delimiter: u8) {
        let mut joined = String::new();
        for value in at..self.len() {
            if value > at {
                joined.push(char::from(delimiter));
            }
            joined.push_str(self.get(record, value));
        }
        self.ranges.truncate(at);
        let start = self.unquoted.len();
        self.unquoted.push_str(&joined);
        self.ranges
            .push((start..self.unquoted.len(), Place::Unquoted));
    }

    /// Cuts at every delimiter; a quote is a character like any other.
    pub(crate) fn cut_plain(&mut self, record: &str, delimiter: u8) {
        self.ranges.clear();
        self.unquoted.clear();
        let mut start = 0;
        for end in memchr::memchr_iter(delimiter, record.as_bytes()) {
            self.ranges.push((start..end, Place::Record));
            start = end + 1;
        }
        self.ranges.push((start..record.len(), Place::Record));
    }

    /// Cuts at delimiters outside quotes; a value in quotes has each quote of its own doubled.
    pub(crate) fn cut_quoted(&mut self, record: &str, delimiter: u8) -> Cut {
        let bytes = record.as_bytes();
        if memchr::memchr(b'"', bytes).is_none() {
            self.cut_plain(record, delimiter);
            return Cut::Whole;
        }
        self.ranges.clear();
        self.unquoted.clear();
        let mut at = 0;
        loop {
            let end = if bytes.get(at) == Some(&b'"') {
                match self.quoted(record, at + 1, delimiter) {
                    Ok(end) => end,
                    Err(cut) => return cut,
                }
            } else {
                let end = value_end(bytes, at, delimiter);
                self.ranges.push((at..end, Place::Record));
                end
            };
            if end == bytes.len() {
                return Cut::Whole;
            }
            at = end + 1;
        }
    }

    /// Takes a value whose opening quote lies before `at`; returns where it ends.
    fn quoted(&mut self, record: &str, mut at: usize, delimiter: u8) -> Result<usize, Cut> {
        let bytes = record.as_bytes();
        let start = self.unquoted.len();
        loop {
            let quote = memchr::memchr(b'"', &bytes[at..]).ok_or(Cut::Open)? + at;
            self.unquoted.push_str(&record[at..quote]);
            if bytes.get(quote + 1) != Some(&b'"') {
                let end = value_end(bytes, quote + 1, delimiter);
                let after = &record[quote + 1..end];
                if !after.trim().is_empty() && self.unquoted[start..].contains('\n') {
                    return Err(Cut::Broken);
                }
                self.unquoted.push_str(after);
                self.ranges
                    .push((start..self.unquoted.len(), Place::Unquoted));
                return Ok(end);
            }
            self.unquoted.push('"');
            at = quote + 2;
        }
    }
}

fn value_end(bytes: &[u8], from: usize, delimiter: u8) -> usize {
    memchr::memchr(delimiter, &bytes[from..]).map_or(bytes.len(), |end| from + end)
}

/// Counts a character outside quotes.
pub(crate) fn count_outside_quotes(record: &str, wanted: u8) -> usize {
    let mut quoted = false;
    let outside = record.bytes().filter(|byte| {
        quoted ^= *byte == b'"';
        !quoted && *byte == wanted
    });
    outside.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(record: &str) -> Result<Vec<String>, Cut> {
        let mut values = Values::default();
        match values.cut_quoted(record, b',') {
            Cut::Whole => Ok((0..values.len())
                .map(|at| values.get(record, at).to_owned())
                .collect()),
            other => Err(other),
        }
    }

    #[test]
    fn quotes_hold_delimiters_quotes_and_line_ends() {
        for (record, expected) in [
            ("", &[""][..]),
            ("a,,b,", &["a", "", "b", ""]),
            ("\"x, \"\"y\"\"\",\"1\n2\",z", &["x, \"y\"", "1\n2", "z"]),
            ("\"\",\"\"\"\"", &["", "\""]),
            ("\"a\"b,c\"d", &["ab", "c\"d"]),
        ] {
            assert_eq!(
                cut(record),
                Ok(expected.iter().map(|v| (*v).into()).collect()),
                "{record:?}"
            );
        }
    }

    #[test]
    fn a_quote_that_swallows_rows_is_seen() {
        assert_eq!(cut("\"x,1\ny,2"), Err(Cut::Open));
        assert_eq!(cut("t-1,\"P100\nt-2,P200\nt-3,\"P300\""), Err(Cut::Broken));
        assert_eq!(
            cut("t-1,\"Bar\nMarkt\" ,2"),
            Ok(vec!["t-1".into(), "Bar\nMarkt ".into(), "2".into()])
        );
    }

    #[test]
    fn delimiters_in_quotes_do_not_count() {
        assert_eq!(count_outside_quotes("\"a;b\";c", b';'), 1);
        assert_eq!(count_outside_quotes("\"a;b;c\"", b';'), 0);
    }
}
