//! A value of a file as a field of an event holds it, or why it cannot.

use schemas::{ContractField, FieldKind};
use tabular::{Cell as Read, Misread, RowFault};

/// A value of an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Boolean(bool),
    Integer(i64),
    Number(f64),
}

/// A value that does not fit, of a row that is then refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: &'static str,
    pub(super) detail: String,
}

impl From<&RowFault> for Fault {
    fn from(fault: &RowFault) -> Self {
        Self {
            reason: fault.reason(),
            detail: fault.detail(),
        }
    }
}

/// What a row gave for a field.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Value(Cell),
    Null,
    /// Null because the value is not in the map.
    Unmapped,
    /// Null because its contract knows no such form: a network code without its zeros.
    Invalid,
}

/// Longest part of a value a report repeats.
const SHOWN_CHARS: usize = 60;

pub(super) fn fault(reason: &'static str, column: &str, value: &str) -> Fault {
    let shown: String = value.chars().take(SHOWN_CHARS).collect();
    Fault {
        reason,
        detail: format!("column {column} is {shown:?}"),
    }
}

/// Turns a value into what the field holds, or says why it cannot be.
pub(super) fn convert(cell: Read<'_>, field: &ContractField) -> Result<Found, &'static str> {
    let value = match field.kind {
        FieldKind::Text => return text(cell, field),
        FieldKind::Boolean => cell.boolean().map(Cell::Boolean),
        FieldKind::Float | FieldKind::Double => cell.number().map(Cell::Number),
        FieldKind::Int => match cell.whole() {
            Ok(number) if i32::try_from(number).is_err() => {
                return Err("value does not fit 32 bits");
            }
            whole => whole.map(Cell::Integer),
        },
        FieldKind::Long | FieldKind::TimestampMillis => cell.whole().map(Cell::Integer),
        FieldKind::Records(_) => return Err("a list of records cannot be mapped"),
    };
    value.map(Found::Value).map_err(Misread::reason)
}

fn text(cell: Read<'_>, field: &ContractField) -> Result<Found, &'static str> {
    const NAMES: [&str; 3] = ["model", "firmware", "app_version"];
    let name = field.name.as_str();
    let text = if name.ends_with("_id") {
        cell.id()
    } else if NAMES.contains(&name) {
        cell.name()
    } else {
        Ok(cell.text())
    };
    let text = text.map_err(Misread::reason)?;
    match field.holds(text) {
        true => Ok(Found::Value(Cell::Text(text.to_owned()))),
        // An unknown word may change what the event means; other values are only not known.
        false if !field.symbols.is_empty() => Err("value is not one the event field knows"),
        false => Ok(Found::Invalid),
    }
}
