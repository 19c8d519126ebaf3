//! The checks of one value of a registry row.

use chrono::{NaiveDate, NaiveTime};
use schemas::card_data::looks_like_pan;
use schemas::registry::{RegistryColumn, RegistryType};
use schemas::{Datum, Plmn};

/// A checked value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(i32),
    Number(f64),
    Date(NaiveDate),
}

/// Checks one value; an empty text is none.
pub(super) fn checked_value(column: &RegistryColumn, text: &str) -> Result<Option<Value>, String> {
    if text.is_empty() {
        return match column.required {
            true => Err("is missing".into()),
            false => Ok(None),
        };
    }
    match column.kind {
        RegistryType::Text => checked_text(column, text).map(|()| Value::Text(text.to_owned())),
        RegistryType::Integer => match text.parse() {
            Ok(number) if in_range(column, f64::from(number)) => Ok(Value::Integer(number)),
            Ok(_) => Err(format!("is outside {} {}", column.valid, column.unit)),
            Err(_) => Err("is not a whole number".into()),
        },
        RegistryType::Number => match text.parse::<f64>() {
            Ok(number) if number.is_finite() && in_range(column, number) => {
                Ok(Value::Number(number))
            }
            Ok(_) => Err(format!("is outside {} {}", column.valid, column.unit)),
            Err(_) => Err("is not a number with a decimal point".into()),
        },
        RegistryType::Date => NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map(Value::Date)
            .map_err(|_| "is not a date of the form YYYY-MM-DD".into()),
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

fn checked_text(column: &RegistryColumn, text: &str) -> Result<(), String> {
    if looks_like_pan(text) {
        return Err("looks like a card number, which must not be kept".into());
    }
    let fits = match column.column.as_str() {
        "terminal_id" | "merchant_id" => text.chars().count() <= 64,
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
    match (fits, column.valid.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => Err("is longer than 64 characters".into()),
        (false, false) => Err(format!("is not valid: {}", column.valid)),
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
