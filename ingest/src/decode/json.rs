//! JSON events in every spelling: the judge of what is not plainly right, one message at a time, who says
//! which field is wrong and why.

mod parse;

use chrono::DateTime;
use schemas::contract::{ContractField, FieldKind};

use super::columns::{Column, Columns};
use super::remarks::Remarks;
use super::shown;

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
    let json = parse::whole(text.strip_prefix('\u{feff}').unwrap_or(text))?;
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
        // Nothing in quotes is nothing, but in a text, which may be empty.
        let is_null = match &value {
            Json::Null => true,
            Json::Text(text) => text.trim().is_empty() && !matches!(column, Column::Text(_)),
            _ => false,
        };
        if is_null && !prefix.is_empty() && !field.nullable {
            return Err(format!("{prefix}{} is missing", field.name));
        }
        match is_null {
            true => column.push_null(),
            false => push(column, field, value, (row, &mut columns.remarks)).map_err(|reason| {
                match field.kind {
                    // It names the field of the record.
                    FieldKind::Records(_) if reason.starts_with(&field.name) => reason,
                    _ => format!("{prefix}{} {reason}", field.name),
                }
            })?,
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
                number.map_err(|_| format!("{} is no number", shown(text, SHOWN_CHARS_MAX)))?
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
            let moment = moment.map_err(|_| {
                format!(
                    "{} is no RFC 3339 time with Z or an offset",
                    shown(text, SHOWN_CHARS_MAX)
                )
            })?;
            return Ok(moment.timestamp_millis());
        }
        self.whole()?
            .ok_or_else(|| "is a fraction of a millisecond".into())
    }
}

#[cfg(test)]
mod tests {
    use schemas::EventKind;

    use super::*;

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
            r#","attempts":"","sent_time":" ","external_power":"","model":"""#,
        ] {
            assert_eq!(said(fields), Ok(()), "{fields}");
        }
    }
}
