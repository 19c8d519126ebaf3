//! The checks of one value of a registry row.

use chrono::{NaiveDate, NaiveTime};
use schemas::card_data::looks_like_pan;
use schemas::contract::TEXT_CHARS_MAX;
use schemas::ids::{InvalidId, invisible_inside};
use schemas::registry::{RegistryColumn, RegistryType};
use schemas::{Datum, Plmn};
use tabular::{Cell, Misread};

/// A checked value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(i32),
    Number(f64),
    Date(NaiveDate),
}

/// Checks one value; an empty cell is none.
pub(super) fn checked_value(
    column: &RegistryColumn,
    cell: Cell<'_>,
) -> Result<Option<Value>, String> {
    if cell.is_empty() {
        return match column.required {
            true => Err("is missing".into()),
            false => Ok(None),
        };
    }
    let outside = || Err(format!("is outside {} {}", column.valid, column.unit));
    let told = |why: Misread| why.reason().replacen("value ", "", 1);
    match column.kind {
        RegistryType::Text => checked_text(column, cell).map(Value::Text),
        RegistryType::Integer => match cell.whole() {
            Ok(number) => match i32::try_from(number) {
                Ok(number) if in_range(column, f64::from(number)) => Ok(Value::Integer(number)),
                _ => outside(),
            },
            Err(why) => Err(told(why)),
        },
        RegistryType::Number => match cell.number() {
            Ok(number) if in_range(column, number) => Ok(Value::Number(number)),
            Ok(_) => outside(),
            Err(Misread::NotNumber) => Err("is not a number with a decimal point".into()),
            Err(why) => Err(told(why)),
        },
        RegistryType::Date => cell.date().map(Value::Date).map_err(told),
    }
    .map(Some)
}

fn in_range(column: &RegistryColumn, number: f64) -> bool {
    match column.column.as_str() {
        "lat" => (-90.0..=90.0).contains(&number),
        "lon" => (-180.0..=180.0).contains(&number),
        "allowed_radius_m" => number >= 0.0,
        "heartbeat_interval_s" => (1.0..=604_800.0).contains(&number),
        _ => true,
    }
}

/// How a column of text is read: names stay as they are written, ids have one spelling.
fn read_text<'r>(column: &RegistryColumn, cell: Cell<'r>) -> Result<&'r str, Misread> {
    match column.column.as_str() {
        "terminal_id"
        | "merchant_id"
        | "acquirer_id"
        | "host_id"
        | "serial_number"
        | "iccid_hash"
        | "merchant_category_code" => cell.id(),
        "model" | "firmware" | "sim_plmn" | "datum" | "country_code" | "region_code"
        | "time_zone" | "opens_local" | "closes_local" | "status" => cell.name(),
        _ => Ok(cell.text()),
    }
}

fn checked_text(column: &RegistryColumn, cell: Cell<'_>) -> Result<String, String> {
    if looks_like_pan(cell.plain()) {
        return Err("looks like a card number, which must not be kept".into());
    }
    let text = read_text(column, cell).map_err(|why| match why {
        Misread::Invisible => match invisible_inside(cell.text()) {
            Some(hidden) => InvalidId::Invisible(hidden).to_string(),
            None => why.reason().to_owned(),
        },
        why => why.reason().replacen("value ", "", 1),
    })?;
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(format!("is longer than {TEXT_CHARS_MAX} characters"));
    }
    let fits = match column.column.as_str() {
        "sim_plmn" => Plmn::is_valid(text),
        "iccid_hash" => (16..=64).contains(&text.len()) && text.bytes().all(is_lower_hex),
        "datum" => text.parse::<Datum>().is_ok(),
        "merchant_category_code" => text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()),
        "country_code" => text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()),
        "time_zone" => text.parse::<chrono_tz::Tz>().is_ok(),
        "opens_local" | "closes_local" => {
            text.len() == 5 && NaiveTime::parse_from_str(text, "%H:%M").is_ok()
        }
        _ => true,
    };
    match fits {
        true => Ok(text.to_owned()),
        false => Err(format!("is not valid: {}", column.valid)),
    }
}

const fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

pub(super) fn text(value: Option<&Value>) -> Option<&str> {
    match value? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

pub(super) fn integer(value: Option<&Value>) -> Option<i32> {
    match value? {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

pub(super) fn number(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

pub(super) fn days(value: Option<&Value>) -> Option<i32> {
    match value? {
        Value::Date(date) => Some(date.to_epoch_days()),
        _ => None,
    }
}
