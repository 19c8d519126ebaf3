//! How one field of an event is made from a row: where the value comes from and what is done to it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemas::{ContractField, FieldKind};
use serde::Deserialize;
use tabular::{Cell as Read, Misread, Spelling};

use super::condition::{Condition, Conditions, same};
use super::convert::{Cell, Fault, Found, convert, fault};
use super::files::Values;
use super::plan::{Columns, UnknownColumn};

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
        let check = |text: String| {
            let cell = Read::new(&text, Spelling::Text);
            match convert(cell, field) {
                Err(reason) => {
                    let fault = fault(reason, "value", &text);
                    Some(format!("{}: {}", fault.reason, fault.detail))
                }
                Ok(Found::Invalid) => Some(format!("{text:?} is no {}", field.name)),
                Ok(_) => None,
            }
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

/// A value on its way through a specification, with what wrote it.
#[derive(Debug, Clone)]
struct Given<'r> {
    text: Cow<'r, str>,
    spelling: Spelling,
}

impl<'r> From<Read<'r>> for Given<'r> {
    fn from(cell: Read<'r>) -> Self {
        Self {
            text: Cow::Borrowed(cell.text()),
            spelling: cell.spelling(),
        }
    }
}

impl Given<'_> {
    const fn text(text: Cow<'_, str>) -> Given<'_> {
        Given {
            text,
            spelling: Spelling::Text,
        }
    }

    fn cell(&self) -> Read<'_> {
        Read::new(&self.text, self.spelling)
    }
}

impl<'m> FieldPlan<'m> {
    pub(super) fn resolve(
        spec: &'m FieldSpec,
        field: &'static ContractField,
        columns: &Columns<'_>,
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
    pub(super) fn read(&self, row: Values<'_>) -> Result<Found, Fault> {
        if !self.when.hold(row) {
            return Ok(Found::Null);
        }
        if let Origin::Sum(parts) = &self.origin {
            return self.sum(parts, row);
        }
        let Some(given) = self.given(row) else {
            return Ok(Found::Null);
        };
        let Some(given) = self.translate(given)? else {
            return Ok(Found::Unmapped);
        };
        self.finish(&given)
    }

    fn given<'r>(&'r self, row: Values<'r>) -> Option<Given<'r>> {
        let given = match &self.origin {
            Origin::Constant(text) => Given::text(Cow::Borrowed(text)),
            Origin::Column(column) => Given::from(row.cell(*column)),
            Origin::Joined(columns) => {
                // A whole number is joined as one, whatever type its column became for a gap.
                let parts = columns.iter().map(|column| row.cell(*column).plain());
                let parts: Vec<&str> = parts.collect();
                if parts.iter().all(|part| part.is_empty()) {
                    return None;
                }
                Given::text(Cow::Owned(parts.join(&self.spec.join)))
            }
            Origin::Sum(_) => return None,
        };
        match (&self.spec.separator, self.spec.pick) {
            (Some(separator), Some(pick)) => self
                .picked(&given.text, separator, pick)
                .map(|text| Given::text(Cow::Owned(text))),
            _ if self.is_missing(&given.text) => None,
            _ => Some(given),
        }
    }

    fn is_missing(&self, text: &str) -> bool {
        text.is_empty() || self.spec.missing.iter().any(|missing| same(missing, text))
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

    fn translate<'r>(&'r self, given: Given<'r>) -> Result<Option<Given<'r>>, Fault> {
        let Some(map) = &self.spec.map else {
            return Ok(Some(given));
        };
        let text = given.text.as_ref();
        // A key of digits is meant whether the column holds 43235 or 43235.0.
        let other_spelling = || map.iter().find(|(key, _)| same(key, text));
        let target = map
            .get(text)
            .or_else(|| other_spelling().map(|(_, target)| target));
        match (target, self.spec.unmapped) {
            (Some(target), _) => Ok(Some(Given::text(Cow::Borrowed(target)))),
            (None, Unmapped::Keep) => Ok(Some(given)),
            (None, Unmapped::Missing) => Ok(None),
            (None, Unmapped::Refuse) => Err(self.fault("value is not in the value map", text)),
        }
    }

    fn finish(&self, given: &Given<'_>) -> Result<Found, Fault> {
        let cell = given.cell();
        let refuse = |reason| self.fault(reason, &given.text);
        if !self.spec.is_calculated() {
            return convert(cell, self.field).map_err(refuse);
        }
        // What a spreadsheet shortened stays so when it is multiplied.
        if let (true, Err(why)) = (self.is_whole(), cell.whole())
            && !matches!(why, Misread::NotWhole)
        {
            return Err(refuse(why.reason()));
        }
        let number = cell.number().map_err(|why| refuse(why.reason()))?;
        self.calculated(number)
    }

    fn is_whole(&self) -> bool {
        matches!(
            self.field.kind,
            FieldKind::Int | FieldKind::Long | FieldKind::TimestampMillis
        )
    }

    fn calculated(&self, number: f64) -> Result<Found, Fault> {
        let number = number * self.spec.scale.unwrap_or(1.0) + self.spec.offset.unwrap_or(0.0);
        let number = if self.spec.round {
            number.round()
        } else {
            number
        };
        if !self.is_whole() {
            return Ok(Found::Value(Cell::Number(number)));
        }
        let text = number.to_string();
        convert(Read::new(&text, Spelling::Double), self.field)
            .map_err(|reason| self.fault(reason, &text))
    }

    fn sum(&self, parts: &[FieldPlan<'m>], row: Values<'_>) -> Result<Found, Fault> {
        let mut sum = 0.0;
        for part in parts {
            match part.read(row)? {
                Found::Value(Cell::Number(number)) => sum += number,
                #[expect(clippy::cast_precision_loss, reason = "cell identities are below 2^36")]
                Found::Value(Cell::Integer(number)) => sum += number as f64,
                other => return Ok(other),
            }
        }
        self.calculated(sum)
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
