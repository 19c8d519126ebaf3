//! JSON text to values: every key of an object is kept, every number read to its last digit, and what is
//! no JSON told with its place.

use super::Json;

/// Reads a text that is one value and nothing more.
///
/// # Errors
/// What is wrong with it, and at which byte.
pub(super) fn whole(text: &str) -> Result<Json, String> {
    let mut parser = Parser {
        rest: text,
        bytes: text.len(),
    };
    let value = parser.value(0)?;
    parser.skip_space();
    match parser.rest.is_empty() {
        true => Ok(value),
        false => Err(parser.fault("more than one JSON value")),
    }
}

/// Lists and objects inside each other that are followed.
const DEPTH_MAX: usize = 64;

/// The text not read yet, and how much there was.
struct Parser<'a> {
    rest: &'a str,
    bytes: usize,
}

impl Parser<'_> {
    fn fault(&self, what: &str) -> String {
        format!("{what} at byte {}", self.bytes - self.rest.len())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > DEPTH_MAX {
            return Err(self.fault("values nested too deep"));
        }
        self.skip_space();
        match self.rest.as_bytes().first() {
            Some(b'"') => self.text().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'[') => {
                let mut values = Vec::new();
                self.items("[", "]", |parser| {
                    values.push(parser.value(depth + 1)?);
                    Ok(())
                })?;
                Ok(Json::List(values))
            }
            Some(b'{') => {
                let mut entries = Vec::new();
                self.items("{", "}", |parser| {
                    let key = parser.text()?;
                    parser.skip_space();
                    if !parser.take(":") {
                        return Err(parser.fault("no colon behind a key"));
                    }
                    entries.push((key, parser.value(depth + 1)?));
                    Ok(())
                })?;
                Ok(Json::Object(entries))
            }
            None => Err(self.fault("truncated JSON")),
            _ if self.take("null") => Ok(Json::Null),
            _ if self.take("true") => Ok(Json::Boolean(true)),
            _ if self.take("false") => Ok(Json::Boolean(false)),
            _ => Err(self.fault("no JSON value")),
        }
    }

    /// Reads what stands between two brackets, with commas between.
    fn items(
        &mut self,
        open: &str,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        self.take(open);
        self.skip_space();
        if self.take(close) {
            return Ok(());
        }
        loop {
            self.skip_space();
            item(self)?;
            self.skip_space();
            if self.take(close) {
                return Ok(());
            }
            if !self.take(",") {
                return Err(match self.rest.is_empty() {
                    true => self.fault("truncated JSON"),
                    false => self.fault("no comma between values"),
                });
            }
        }
    }

    /// Reads a text with its quotes and escapes.
    fn text(&mut self) -> Result<String, String> {
        let bytes = self.rest.as_bytes();
        if bytes.first() != Some(&b'"') {
            return Err(self.fault("no text"));
        }
        let mut at = 1;
        loop {
            match bytes.get(at) {
                None => return Err(self.fault("truncated JSON: a text that does not end")),
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
            }
        }
        let (quoted, rest) = self.rest.split_at(at + 1);
        let text = serde_json::from_str(quoted);
        let text =
            text.map_err(|_| self.fault("a text with a control character or a wrong escape"))?;
        self.rest = rest;
        Ok(text)
    }

    fn number(&mut self) -> Result<Json, String> {
        let is_part = |c: char| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        let digits = number.strip_prefix('-').unwrap_or(number).as_bytes();
        // Beside what Rust reads, JSON has no leading zeros and a digit on either side of a point.
        let is_json = match digits {
            [b'0', b'0'..=b'9', ..] => false,
            [b'0'..=b'9', ..] => {
                !number.contains(".e") && !number.contains(".E") && !number.ends_with('.')
            }
            _ => false,
        };
        let value = match number.parse() {
            Ok(whole) => Some(Json::Whole(whole)),
            Err(_) => number.parse().ok().map(Json::Number),
        };
        let value = value.filter(|_| is_json);
        let value = value.ok_or_else(|| self.fault("no JSON number"))?;
        self.rest = rest;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for (text, fault) in [
            ("", "truncated JSON at byte 0"),
            ("[1,", "truncated JSON at byte 3"),
            ("{\"a\" 1}", "no colon behind a key at byte 5"),
            ("[1 2]", "no comma between values at byte 3"),
            ("{} {}", "more than one JSON value at byte 3"),
            ("NaN", "no JSON value at byte 0"),
            ("[01]", "no JSON number at byte 1"),
            ("[1.e3]", "no JSON number at byte 1"),
            ("[-]", "no JSON number at byte 1"),
            ("\"a", "truncated JSON: a text that does not end at byte 0"),
            (
                "\"\\x\"",
                "a text with a control character or a wrong escape at byte 0",
            ),
            ("\"\\", "truncated JSON: a text that does not end at byte 0"),
        ] {
            assert_eq!(whole(text).err().as_deref(), Some(fault), "{text}");
        }
        let deep = "[".repeat(1_000_000);
        let said = whole(&deep).err();
        assert_eq!(said.as_deref(), Some("values nested too deep at byte 65"));
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_json_reads(text in prop_oneof![
            "[-+0-9.eE]{1,8}",
            r#"[{}\[\]",:\\ntrue0-9. -]{0,16}"#,
        ]) {
            let theirs: Result<serde_json::Value, _> = serde_json::from_str(&text);
            let ours = whole(&text);
            // Beyond what a number of 64 bits holds they refuse, and we leave it to the field.
            let too_large = matches!(ours, Ok(Json::Number(number)) if number.is_infinite());
            prop_assert_eq!(ours.is_ok(), theirs.is_ok() || too_large, "{:?}", text);
        }
    }
}
