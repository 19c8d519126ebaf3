//! Rows of JSON: an array of objects, or objects that follow each other. The text is checked by
//! `serde_json`, once and whole; what is taken from it afterwards is known to be JSON.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::IgnoredAny;

use crate::form::BYTE_ORDER_MARK;
use crate::table::{Body, Column};
use crate::{ReadError, Row, RowFault, Spelling, Table};

/// The objects of a JSON text as rows.
pub(crate) struct JsonRows {
    text: String,
    objects: Objects,
    slots: BTreeMap<String, usize>,
}

impl JsonRows {
    /// Checks the text, and gathers the keys of all its objects in the order of their first appearance.
    pub(crate) fn open(bytes: Vec<u8>) -> Result<Table, ReadError> {
        let text = text(bytes)?;
        let mut objects = Objects::new(&text);
        let mut names: Vec<String> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut nested: Vec<Option<&'static str>> = Vec::new();
        while let Some((line, object)) = objects.next(&text)? {
            checked(&text[object.clone()], line)?;
            for (key, value) in Members::of(&text[object]) {
                let key = unquoted(key);
                let at = *known.entry(key).or_insert_with_key(|key| {
                    names.push(key.clone());
                    nested.push(None);
                    names.len() - 1
                });
                nested[at] = nested[at].or(holds(value));
            }
        }
        let columns = names.into_iter().zip(nested);
        let columns = columns.map(|(name, nested)| Column { name, nested });
        let rows = Self {
            objects: Objects::new(&text),
            text,
            slots: BTreeMap::new(),
        };
        Ok(Table::new(columns.collect(), Body::Json(rows)))
    }

    /// Says where in a row each key comes.
    pub(crate) fn choose(&mut self, slots: impl Iterator<Item = (String, Option<usize>)>) {
        self.slots = slots
            .filter_map(|(name, slot)| Some((name, slot?)))
            .collect();
    }

    pub(crate) fn read(&mut self, row: &mut Row) -> Result<bool, ReadError> {
        let Some((line, object)) = self.objects.next(&self.text)? else {
            return Ok(false);
        };
        row.begin(line, self.slots.len());
        let mut filled = vec![false; self.slots.len()];
        for (key, value) in Members::of(&self.text[object]) {
            let key = unquoted(key);
            let Some(&slot) = self.slots.get(&key) else {
                continue;
            };
            if std::mem::replace(&mut filled[slot], true) {
                row.refuse(RowFault::KeyTwice(key));
            } else if let Some(holds) = holds(value) {
                row.refuse(RowFault::Nested { key, holds });
            } else {
                put(row, slot, value);
            }
        }
        row.end();
        Ok(true)
    }
}

fn put(row: &mut Row, slot: usize, value: &str) {
    match value.as_bytes()[0] {
        b'"' => row.put(slot, &unquoted(value), Spelling::Text),
        b't' | b'f' => row.put(slot, value, Spelling::Boolean),
        b'n' => {}
        _ if value.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => {
            match value.parse::<f64>() {
                Ok(number) => row.put_shown(slot, number, Spelling::Double),
                Err(_) => row.put(slot, value, Spelling::Text),
            }
        }
        // Every digit is kept, which no detour by a double does.
        _ => row.put(slot, value, Spelling::Integer),
    }
}

fn holds(value: &str) -> Option<&'static str> {
    match value.as_bytes()[0] {
        b'{' => Some("an object"),
        b'[' => Some("a list"),
        _ => None,
    }
}

fn text(bytes: Vec<u8>) -> Result<String, ReadError> {
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        ReadError::Json {
            line: line_at(&error.as_bytes()[..at]),
            reason: "it is not UTF-8".to_owned(),
        }
    })?;
    if text.as_bytes().starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

/// Returns the number of the line that follows this text.
fn line_at(before: &[u8]) -> u64 {
    let ends = before.iter().enumerate().filter(|(at, byte)| {
        **byte == b'\n' || (**byte == b'\r' && before.get(at + 1) != Some(&b'\n'))
    });
    ends.count() as u64 + 1
}

/// Checks that an object is JSON; it begins on `line`.
fn checked(object: &str, line: u64) -> Result<(), ReadError> {
    let Err(error) = serde_json::from_str::<IgnoredAny>(object) else {
        return Ok(());
    };
    let line = line + error.line().saturating_sub(1) as u64;
    let no_number = ["NaN", "Infinity", "nan", "inf", "None"];
    let at = object.lines().nth(error.line().saturating_sub(1));
    let rest = at.and_then(|at| at.get(error.column().saturating_sub(1)..));
    let word = no_number
        .into_iter()
        .find(|word| rest.is_some_and(|rest| rest.trim_start_matches('-').starts_with(word)));
    let reason = match word {
        Some(word) => format!("{word} is no JSON: write null where there is no number"),
        None => {
            let told = error.to_string();
            let told = told.split(" at line ").next().unwrap_or_default();
            format!("{told} (character {})", error.column())
        }
    };
    Err(ReadError::Json { line, reason })
}

/// Walks over the objects of a text, told apart by their braces alone.
#[derive(Debug)]
struct Objects {
    at: usize,
    line: u64,
    form: ListForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListForm {
    /// `[{…}, {…}]`, before its first element or after one.
    Array { begun: bool },
    /// The array is closed.
    Closed,
    /// `{…} {…}`.
    Sequence,
}

impl Objects {
    fn new(text: &str) -> Self {
        let mut objects = Self {
            at: 0,
            line: 1,
            form: ListForm::Sequence,
        };
        if objects.peek(text) == Some(b'[') {
            objects.at += 1;
            objects.form = ListForm::Array { begun: false };
        }
        objects
    }

    /// Skips white space and returns the byte after it.
    fn peek(&mut self, text: &str) -> Option<u8> {
        let rest = &text.as_bytes()[self.at..];
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        let blank = blank.count();
        self.pass(text, blank);
        text.as_bytes().get(self.at).copied()
    }

    fn pass(&mut self, text: &str, bytes: usize) {
        let passed = &text.as_bytes()[self.at..self.at + bytes];
        self.line += line_at(passed) - 1;
        self.at += bytes;
    }

    fn wrong(&self, reason: &str) -> ReadError {
        ReadError::Json {
            line: self.line,
            reason: reason.to_owned(),
        }
    }

    /// Returns the next object and the line it begins on.
    fn next(&mut self, text: &str) -> Result<Option<(u64, Range<usize>)>, ReadError> {
        match (self.peek(text), self.form) {
            (None, ListForm::Array { .. }) => return Err(self.wrong("the array has no end")),
            (None, _) => return Ok(None),
            (Some(_), ListForm::Closed) => {
                return Err(self.wrong("something follows the end of the array"));
            }
            (Some(b']'), ListForm::Array { .. }) => {
                self.at += 1;
                self.form = ListForm::Closed;
                return self.next(text);
            }
            (Some(b','), ListForm::Array { begun: true }) => self.at += 1,
            (Some(_), ListForm::Array { begun: true }) => {
                return Err(self.wrong("two rows without a comma between them"));
            }
            (Some(_), _) => {}
        }
        if let ListForm::Array { begun } = &mut self.form {
            *begun = true;
        }
        if self.peek(text) != Some(b'{') {
            return Err(self.wrong(
                "a row is no object: JSON is read as objects, one a row (pandas: orient=\"records\")",
            ));
        }
        let (line, start) = (self.line, self.at);
        let Some(end) = nested_end(text.as_bytes(), start) else {
            return Err(self.wrong("the object that begins here has no end"));
        };
        self.pass(text, end - start);
        Ok(Some((line, start..end)))
    }
}

/// Returns where the object or list that begins at `start` ends.
fn nested_end(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Returns where the text whose opening quote is at `start` ends.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// The keys and values of an object that is known to be JSON, as they are written.
struct Members<'o> {
    object: &'o str,
    at: usize,
}

impl<'o> Members<'o> {
    const fn of(object: &'o str) -> Self {
        Self { object, at: 1 }
    }

    fn skip(&mut self, of: &[u8]) {
        let bytes = self.object.as_bytes();
        while bytes
            .get(self.at)
            .is_some_and(|byte| byte.is_ascii_whitespace() || of.contains(byte))
        {
            self.at += 1;
        }
    }
}

impl<'o> Iterator for Members<'o> {
    type Item = (&'o str, &'o str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.object.as_bytes();
        self.skip(b",");
        if bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        let key_end = string_end(bytes, self.at)?;
        let key = &self.object[self.at..key_end];
        self.at = key_end;
        self.skip(b":");
        let start = self.at;
        self.at = match bytes.get(start)? {
            b'"' => string_end(bytes, start)?,
            b'{' | b'[' => nested_end(bytes, start)?,
            _ => {
                let rest = bytes[start..].iter();
                let inside =
                    |byte: &&u8| !byte.is_ascii_whitespace() && !matches!(byte, b',' | b'}');
                start + rest.take_while(inside).count()
            }
        };
        Some((key, &self.object[start..self.at]))
    }
}

fn unquoted(text: &str) -> String {
    serde_json::from_str(text).expect("a text of an object that was checked")
}
