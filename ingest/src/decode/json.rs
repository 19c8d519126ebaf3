//! JSON events in every spelling: the judge of what is not plainly right, one message at a time, who says
//! which field is wrong and why.

use chrono::DateTime;
use schemas::card_data::looks_like_pan;
use schemas::contract::ContractField;

use super::columns::{Column, Columns};
use super::remarks::Remarks;

/// Beyond it a number with a fraction part no longer tells whole numbers apart.
const WHOLE_MAX: f64 = (1_u64 << 53) as f64;
/// Most characters of a value that an error repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// Reads one object into a row.
///
/// # Errors
/// What is wrong with it, without card data.
pub(super) fn read(columns: &mut Columns, payload: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(payload).map_err(|error| error.to_string())?;
    let json = Parser::whole(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let Json::Object(object) = json else {
        return Err(format!("not a JSON object but {}", json.kind()));
    };
    record(columns, object, "")?;
    columns.end_row();
    Ok(())
}

/// Reads an object into a row that is not ended; `prefix` names the list it is in, and is empty outside,
/// where it is left to validation to find what is missing.
fn record(columns: &mut Columns, object: Vec<(String, Json)>, prefix: &str) -> Result<(), String> {
    let fields = columns.fields;
    let mut values: Vec<Option<Json>> = fields.iter().map(|_| None).collect();
    for (key, value) in object {
        match fields.iter().position(|field| field.name == key) {
            // Which of two values is meant nobody can know (RFC 8259, section 4).
            Some(at) if values[at].is_some() => {
                return Err(format!("{prefix}{key} stands in it twice"));
            }
            Some(at) => values[at] = Some(value),
            None => columns.unknown(&key),
        }
    }
    let row = columns.rows();
    let parts = fields.iter().zip(columns.columns.iter_mut()).zip(values);
    for ((field, column), value) in parts {
        let value = value.unwrap_or(Json::Null);
        let is_null = matches!(value, Json::Null);
        if is_null && !prefix.is_empty() && !field.nullable {
            return Err(format!("{prefix}{} is missing", field.name));
        }
        match is_null {
            true => column.push_null(),
            false => push(column, field, value, (row, &mut columns.remarks))
                .map_err(|reason| format!("{prefix}{} {reason}", field.name))?,
        }
    }
    Ok(())
}

/// Adds a value to the column of a field.
fn push(
    column: &mut Column,
    field: &ContractField,
    value: Json,
    (row, remarks): (usize, &mut Remarks),
) -> Result<(), String> {
    let mut fraction = false;
    let mut whole = |value: &Json| -> Result<Option<i64>, String> {
        let whole = value.whole()?;
        fraction = whole.is_none();
        Ok(whole)
    };
    match column {
        Column::Text(texts) => match &value {
            Json::Text(text) => texts.push(text.as_bytes()).ok_or("is too long")?,
            other => return Err(format!("is {}, not a text", other.kind())),
        },
        Column::Boolean(booleans) => match value {
            Json::Boolean(value) => booleans.push(value),
            other => return Err(format!("is {}, neither true nor false", other.kind())),
        },
        Column::Int(numbers) => match whole(&value)? {
            Some(whole) => numbers.push(i32::try_from(whole).map_err(|_| "is beyond 32 bits")?),
            None => column.push_null(),
        },
        Column::Long(numbers) => match whole(&value)? {
            Some(whole) => numbers.push(whole),
            None => column.push_null(),
        },
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the field has this precision"
        )]
        Column::Float(numbers) => numbers.push(value.number()? as f32),
        Column::Double(numbers) => numbers.push(value.number()?),
        Column::Time(numbers) => numbers.push(value.moment_ms()?),
        Column::Records(records) => {
            let Json::List(list) = value else {
                return Err(format!("is {}, not a list", value.kind()));
            };
            for item in list {
                let Json::Object(object) = item else {
                    return Err(format!("holds {}, not an object", item.kind()));
                };
                record(&mut records.items, object, &format!("{}.", field.name))?;
                records.items.end_row();
            }
            records.end_list().ok_or("has too many records")?;
        }
    }
    if fraction {
        remarks.nulled(row);
    }
    Ok(())
}

/// A JSON value, every key of an object kept.
enum Json {
    Null,
    Boolean(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "true or false",
            Self::Whole(_) | Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Reads a number, in quotes too.
    #[expect(
        clippy::cast_precision_loss,
        reason = "what a floating-point field holds"
    )]
    fn number(&self) -> Result<f64, String> {
        let number = match self {
            Self::Whole(whole) => *whole as f64,
            Self::Number(number) => *number,
            Self::Text(text) => {
                let number = text.trim().parse();
                number.map_err(|_| format!("{} is no number", shown(text)))?
            }
            other => return Err(format!("is {}, not a number", other.kind())),
        };
        match number.is_finite() {
            true => Ok(number),
            false => Err("is not finite".into()),
        }
    }

    /// Reads a whole number; `None` when it has a fraction.
    fn whole(&self) -> Result<Option<i64>, String> {
        match self {
            Self::Whole(whole) => return Ok(Some(*whole)),
            Self::Text(text) => {
                if let Ok(whole) = text.trim().parse() {
                    return Ok(Some(whole));
                }
            }
            _ => {}
        }
        let number = self.number()?;
        if number.fract() != 0.0 {
            return Ok(None);
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        match number.abs() <= WHOLE_MAX {
            true => Ok(Some(number as i64)),
            false => Err("is beyond 53 bits".into()),
        }
    }

    /// Reads a moment: milliseconds since the epoch, or RFC 3339 with its offset. Without one it is as
    /// likely local time, hours off.
    fn moment_ms(&self) -> Result<i64, String> {
        if let Self::Text(text) = self {
            let moment = DateTime::parse_from_rfc3339(text.trim());
            let moment = moment
                .map_err(|_| format!("{} is no RFC 3339 time with Z or an offset", shown(text)))?;
            return Ok(moment.timestamp_millis());
        }
        self.whole()?
            .ok_or_else(|| "is a fraction of a millisecond".into())
    }
}

/// A value as an error may repeat it.
fn shown(text: &str) -> String {
    match looks_like_pan(text) {
        true => "<masked>".into(),
        false => format!(
            "{:?}",
            text.chars().take(SHOWN_CHARS_MAX).collect::<String>()
        ),
    }
}

/// Lists and objects inside each other that are followed.
const DEPTH_MAX: usize = 64;

/// The text not read yet, and how much there was.
struct Parser<'a> {
    rest: &'a str,
    bytes: usize,
}

impl<'a> Parser<'a> {
    /// Reads a text that is one value and nothing more.
    fn whole(text: &'a str) -> Result<Json, String> {
        let mut parser = Self {
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
    use schemas::EventKind;

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
            assert_eq!(Parser::whole(text).err().as_deref(), Some(fault), "{text}");
        }
        let deep = "[".repeat(1_000_000);
        let said = Parser::whole(&deep).err();
        assert_eq!(said.as_deref(), Some("values nested too deep at byte 65"));
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_json_reads(text in prop_oneof![
            "[-+0-9.eE]{1,8}",
            r#"[{}\[\]",:\\ntrue0-9. -]{0,16}"#,
        ]) {
            let theirs: Result<serde_json::Value, _> = serde_json::from_str(&text);
            let ours = Parser::whole(&text);
            // Beyond what a number of 64 bits holds they refuse, and we leave it to the field.
            let too_large = matches!(ours, Ok(Json::Number(number)) if number.is_infinite());
            prop_assert_eq!(ours.is_ok(), theirs.is_ok() || too_large, "{:?}", text);
        }
    }

    /// What the decoder says of a heartbeat with these fields.
    fn said(fields: &str) -> Result<(), String> {
        let payload = format!(
            r#"{{"event_id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","terminal_id":"T1","event_time":1790000000000{fields}}}"#
        );
        let mut columns = Columns::new(&EventKind::Heartbeat.contract().fields, 1);
        read(&mut columns, payload.as_bytes())
    }

    #[test]
    fn what_is_wrong_is_told_with_its_field() {
        let cases = [
            (r#","attempts":"many""#, r#"attempts "many" is no number"#),
            (
                r#","attempts":true"#,
                "attempts is true or false, not a number",
            ),
            (r#","attempts":2147483648"#, "attempts is beyond 32 bits"),
            (r#","seq":1e300"#, "seq is beyond 53 bits"),
            (r#","model":7"#, "model is a number, not a text"),
            (r#","model":"a","model":"b""#, "model stands in it twice"),
            (
                r#","external_power":1"#,
                "external_power is a number, neither true nor false",
            ),
            (
                r#","sent_time":"2026-11-29 10:00:00""#,
                r#"sent_time "2026-11-29 10:00:00" is no RFC 3339 time with Z or an offset"#,
            ),
            (
                r#","sent_time":"4111111111111111""#,
                "sent_time <masked> is no RFC 3339 time with Z or an offset",
            ),
        ];
        for (fields, reason) in cases {
            assert_eq!(said(fields), Err(reason.into()));
        }
        for fields in [
            r#","attempts":1e2,"battery_pct":12.0,"approvals":" 7 ""#,
            r#","sent_time":"2026-11-29T10:00:00.5+08:00","model":"\u0041""#,
            r#","odd":1,"odd":[{"a":null}]"#,
        ] {
            assert_eq!(said(fields), Ok(()), "{fields}");
        }
    }
}
