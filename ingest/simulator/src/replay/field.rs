//! How one field of an event is made from a row: where the value comes from and what is done to it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemas::{ContractField, FieldKind};
use serde::Deserialize;

use super::condition::{Condition, Conditions};
use super::files::Values;
use super::plan::{Columns, UnknownColumn};

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

/// Where a field's value comes from: exactly one of `value`, `column`, `columns` and `sum`.
///
/// Then, in this order: `separator` and `pick` choose one of a list of readings, `missing` makes null,
/// `map` translates, `scale`, `offset` and `round` calculate.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FieldSpec {
    value: Option<toml::Value>,
    column: Option<String>,
    /// Columns joined by `join`; null when all are empty.
    columns: Option<Vec<String>>,
    join: String,
    /// Numbers added up; null when one of them is.
    sum: Option<Vec<FieldSpec>>,
    separator: Option<String>,
    pick: Option<Pick>,
    missing: Vec<String>,
    map: Option<BTreeMap<String, String>>,
    unmapped: Unmapped,
    scale: Option<f64>,
    offset: Option<f64>,
    round: bool,
    /// Null in rows where these do not hold.
    when: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pick {
    First,
    Last,
    /// The middle reading, the lower of two: dBm are never averaged.
    Median,
    Min,
    Max,
}

/// What a value becomes that is not in `map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unmapped {
    /// The row is refused.
    #[default]
    Refuse,
    /// Null, and counted.
    Missing,
    /// Itself.
    Keep,
}

impl FieldSpec {
    /// Says what is wrong with the specification as source of a field.
    pub(super) fn faults(&self, field: &ContractField) -> Vec<String> {
        let mut faults = Vec::new();
        let origins = [
            self.value.is_some(),
            self.column.is_some(),
            self.columns.is_some(),
            self.sum.is_some(),
        ];
        if origins.iter().filter(|given| **given).count() != 1 {
            faults.push("needs exactly one of value, column, columns and sum".to_owned());
        }
        if self.separator.is_some() != self.pick.is_some() {
            faults.push("separator and pick belong together".into());
        }
        if matches!(field.kind, FieldKind::Records(_)) {
            faults.push("a list of records cannot be mapped".into());
        }
        if self.is_calculated() && matches!(field.kind, FieldKind::Text | FieldKind::Boolean) {
            faults.push("scale, offset, round and sum make numbers, the field is none".into());
        }
        faults.extend(self.constant_faults(field));
        for part in self.sum.iter().flatten() {
            faults.extend(
                part.faults(field)
                    .into_iter()
                    .map(|fault| format!("sum: {fault}")),
            );
        }
        faults
    }

    fn is_calculated(&self) -> bool {
        self.scale.is_some() || self.offset.is_some() || self.round || self.sum.is_some()
    }

    /// Constants and the targets of a map are known before any row is.
    fn constant_faults(&self, field: &ContractField) -> Vec<String> {
        let constant = self.value.as_ref().map(constant_text);
        let targets = self.map.iter().flat_map(|map| map.values().cloned());
        let check = |text: String| match convert(Cow::Owned(text), field, "value") {
            Err(fault) => Some(format!("{}: {}", fault.reason, fault.detail)),
            Ok(_) => None,
        };
        constant
            .into_iter()
            .chain(targets)
            .filter_map(check)
            .collect()
    }
}

fn constant_text(value: &toml::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A field specification with its columns found in a file.
#[derive(Debug)]
pub(super) struct FieldPlan<'m> {
    spec: &'m FieldSpec,
    origin: Origin<'m>,
    when: Conditions<'m>,
    field: &'static ContractField,
}

#[derive(Debug)]
enum Origin<'m> {
    Constant(String),
    Column(usize),
    Joined(Vec<usize>),
    Sum(Vec<FieldPlan<'m>>),
}

/// What a row gave for a field.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Value(Cell),
    Null,
    /// Null because the value is not in the map.
    Unmapped,
}

impl<'m> FieldPlan<'m> {
    pub(super) fn resolve(
        spec: &'m FieldSpec,
        field: &'static ContractField,
        columns: &Columns,
    ) -> Result<Self, UnknownColumn> {
        let origin = if let Some(value) = &spec.value {
            Origin::Constant(constant_text(value))
        } else if let Some(column) = &spec.column {
            Origin::Column(columns.find(column)?)
        } else if let Some(parts) = &spec.columns {
            Origin::Joined(
                parts
                    .iter()
                    .map(|part| columns.find(part))
                    .collect::<Result<_, _>>()?,
            )
        } else {
            let parts = spec.sum.iter().flatten();
            let plans = parts.map(|part| Self::resolve(part, field, columns));
            Origin::Sum(plans.collect::<Result<_, _>>()?)
        };
        Ok(Self {
            spec,
            origin,
            when: Conditions::resolve(&spec.when, columns)?,
            field,
        })
    }

    /// Makes the field's value from a row.
    pub(super) fn read(&self, row: &Values) -> Result<Found, Fault> {
        if !self.when.hold(row) {
            return Ok(Found::Null);
        }
        if let Origin::Sum(parts) = &self.origin {
            return self.sum(parts, row);
        }
        let Some(text) = self.text(row) else {
            return Ok(Found::Null);
        };
        let text = match self.translate(text)? {
            Some(text) => text,
            None => return Ok(Found::Unmapped),
        };
        self.finish(text).map(Found::Value)
    }

    fn text<'r>(&'r self, row: &'r Values) -> Option<Cow<'r, str>> {
        let text: Cow<'r, str> = match &self.origin {
            Origin::Constant(text) => Cow::Borrowed(text),
            Origin::Column(column) => Cow::Borrowed(row.get(*column)),
            Origin::Joined(columns) => {
                let parts: Vec<&str> = columns.iter().map(|column| row.get(*column)).collect();
                if parts.iter().all(|part| part.is_empty()) {
                    return None;
                }
                Cow::Owned(parts.join(&self.spec.join))
            }
            Origin::Sum(_) => return None,
        };
        match (&self.spec.separator, self.spec.pick) {
            (Some(separator), Some(pick)) => self.picked(&text, separator, pick).map(Cow::Owned),
            _ if self.is_missing(&text) => None,
            _ => Some(text),
        }
    }

    fn is_missing(&self, text: &str) -> bool {
        text.is_empty() || self.spec.missing.iter().any(|missing| missing == text)
    }

    /// Chooses among the readings of a list that are not missing.
    fn picked(&self, list: &str, separator: &str, pick: Pick) -> Option<String> {
        let mut readings: Vec<&str> = list
            .split(separator)
            .map(str::trim)
            .filter(|text| !self.is_missing(text))
            .collect();
        if !matches!(pick, Pick::First | Pick::Last) {
            let number = |text: &str| text.parse::<f64>().unwrap_or(f64::INFINITY);
            readings.sort_by(|a, b| number(a).total_cmp(&number(b)));
        }
        let chosen = match pick {
            Pick::First | Pick::Min => readings.first(),
            Pick::Last | Pick::Max => readings.last(),
            Pick::Median => readings.get(readings.len().saturating_sub(1) / 2),
        };
        chosen.map(|text| (*text).to_owned())
    }

    fn translate<'r>(&'r self, text: Cow<'r, str>) -> Result<Option<Cow<'r, str>>, Fault> {
        let Some(map) = &self.spec.map else {
            return Ok(Some(text));
        };
        match (map.get(text.as_ref()), self.spec.unmapped) {
            (Some(target), _) => Ok(Some(Cow::Borrowed(target))),
            (None, Unmapped::Keep) => Ok(Some(text)),
            (None, Unmapped::Missing) => Ok(None),
            (None, Unmapped::Refuse) => Err(self.fault("value is not in the value map", &text)),
        }
    }

    fn finish(&self, text: Cow<'_, str>) -> Result<Cell, Fault> {
        if !self.spec.is_calculated() {
            return convert(text, self.field, &self.place());
        }
        let number = parse_number(&text).ok_or_else(|| self.fault(NOT_A_NUMBER, &text))?;
        self.calculated(number)
    }

    fn calculated(&self, number: f64) -> Result<Cell, Fault> {
        let number = number * self.spec.scale.unwrap_or(1.0) + self.spec.offset.unwrap_or(0.0);
        let number = if self.spec.round {
            number.round()
        } else {
            number
        };
        match self.field.kind {
            FieldKind::Float | FieldKind::Double => Ok(Cell::Number(number)),
            _ => convert(Cow::Owned(number.to_string()), self.field, &self.place()),
        }
    }

    fn sum(&self, parts: &[FieldPlan<'m>], row: &Values) -> Result<Found, Fault> {
        let mut sum = 0.0;
        for part in parts {
            match part.read(row)? {
                Found::Value(Cell::Number(number)) => sum += number,
                #[expect(clippy::cast_precision_loss, reason = "cell identities are below 2^36")]
                Found::Value(Cell::Integer(number)) => sum += number as f64,
                other => return Ok(other),
            }
        }
        self.calculated(sum).map(Found::Value)
    }

    fn place(&self) -> String {
        match (&self.spec.column, &self.spec.columns) {
            (Some(column), _) => column.clone(),
            (None, Some(columns)) => columns.join("+"),
            (None, None) => self.field.name.clone(),
        }
    }

    fn fault(&self, reason: &'static str, value: &str) -> Fault {
        fault(reason, &self.place(), value)
    }
}

const NOT_A_NUMBER: &str = "value is not a number";
const NOT_WHOLE: &str = "value is not a whole number";

/// Longest part of a value a report repeats.
const SHOWN_CHARS: usize = 60;

pub(super) fn fault(reason: &'static str, column: &str, value: &str) -> Fault {
    let shown: String = value.chars().take(SHOWN_CHARS).collect();
    Fault {
        reason,
        detail: format!("column {column} is {shown:?}"),
    }
}

fn parse_number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Turns 452.0, as spreadsheets write integers, into 452.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked before"
)]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn convert(text: Cow<'_, str>, field: &ContractField, column: &str) -> Result<Cell, Fault> {
    let refuse = |reason| Err(fault(reason, column, &text));
    match field.kind {
        FieldKind::Text if field.symbols.is_empty() || field.symbols.iter().any(|s| *s == text) => {
            Ok(Cell::Text(text.into_owned()))
        }
        FieldKind::Text => refuse("value is not one the event field knows"),
        FieldKind::Boolean => match text.as_ref() {
            "true" | "True" | "1" => Ok(Cell::Boolean(true)),
            "false" | "False" | "0" => Ok(Cell::Boolean(false)),
            _ => refuse("value is neither true nor false"),
        },
        FieldKind::Float | FieldKind::Double => match parse_number(&text) {
            Some(number) => Ok(Cell::Number(number)),
            None => refuse(NOT_A_NUMBER),
        },
        FieldKind::Int | FieldKind::Long | FieldKind::TimestampMillis => {
            let Some(number) = text.parse().ok().or_else(|| whole(parse_number(&text)?)) else {
                return refuse(NOT_WHOLE);
            };
            match field.kind {
                FieldKind::Int if i32::try_from(number).is_err() => {
                    refuse("value does not fit 32 bits")
                }
                _ => Ok(Cell::Integer(number)),
            }
        }
        FieldKind::Records(_) => refuse("a list of records cannot be mapped"),
    }
}
