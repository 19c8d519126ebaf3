//! What a report takes: owns the kinds of parameter, and the way from text to a typed value.
//!
//! A value reaches the engine as a value and never as a piece of SQL.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate};
use datafusion::common::ScalarValue;
use schemas::lake::{STORED_RESOLUTION, cell_to_i64};
use schemas::spelling::nearest;
use schemas::{Plmn, Rat};

use super::{Report, ReportError};
use h3o::CellIndex;

/// A parameter of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSpec {
    /// Name.
    pub name: String,
    /// What its values are.
    pub kind: ParamKind,
    /// Value when none is given; `None` stands for all.
    pub default: Option<String>,
    /// What it does.
    pub doc: String,
}

/// What the values of a parameter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// A UTC day, `2026-11-24`.
    Date,
    /// Any text.
    Text,
    /// What actions are for: zone, terminal or merchant.
    Target,
    /// A radio access technology, `lte`.
    Rat,
    /// A whole number, 0 or more.
    Int,
    /// A number.
    Float,
    /// An H3 cell no finer than the stored ones, as hexadecimal text.
    Cell,
    /// A mobile network, `310-410`.
    Plmn,
}

impl ParamKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Date,
        Self::Text,
        Self::Target,
        Self::Rat,
        Self::Int,
        Self::Float,
        Self::Cell,
        Self::Plmn,
    ];

    /// Returns what a value looks like, for messages and help.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Date => "a day such as 2026-11-24",
            Self::Text => "text",
            Self::Target => "zone, terminal or merchant",
            Self::Rat => "a radio access technology: gsm, umts, lte, nr, nbiot or ltem",
            Self::Int => "a whole number, 0 or more",
            Self::Float => "a number",
            Self::Cell => "an H3 cell of resolution 0 to 9 such as 85283473fffffff",
            Self::Plmn => "a network such as 310-410, MCC and MNC with their leading zeros",
        }
    }

    /// Reads a value; `None` when the text is not of this kind.
    pub(super) fn read(self, text: &str) -> Option<ScalarValue> {
        match self {
            Self::Date => read_date(text).map(|days| ScalarValue::Date32(Some(days))),
            Self::Text => Some(ScalarValue::Utf8(Some(text.to_owned()))),
            Self::Target => {
                let text = text.to_ascii_lowercase();
                let known = TARGETS.contains(&text.as_str());
                known.then_some(ScalarValue::Utf8(Some(text)))
            }
            Self::Rat => {
                let rat = Rat::spelled(text)?;
                Some(ScalarValue::Utf8(Some(rat.as_str().to_owned())))
            }
            Self::Int => {
                let number: i64 = text.parse().ok()?;
                (number >= 0).then_some(ScalarValue::Int64(Some(number)))
            }
            Self::Float => {
                let number: f64 = text.parse().ok()?;
                number
                    .is_finite()
                    .then_some(ScalarValue::Float64(Some(number)))
            }
            Self::Cell => {
                let cell: CellIndex = text.parse().ok()?;
                (cell.resolution() <= STORED_RESOLUTION)
                    .then(|| ScalarValue::Int64(Some(cell_to_i64(cell))))
            }
            Self::Plmn => Plmn::is_valid(text).then(|| ScalarValue::Utf8(Some(text.to_owned()))),
        }
    }

    fn null(self) -> ScalarValue {
        match self {
            Self::Date => ScalarValue::Date32(None),
            Self::Text | Self::Target | Self::Rat | Self::Plmn => ScalarValue::Utf8(None),
            Self::Int | Self::Cell => ScalarValue::Int64(None),
            Self::Float => ScalarValue::Float64(None),
        }
    }
}

fn read_date(text: &str) -> Option<i32> {
    // The type takes `2026-1-1` too; one spelling keeps scripts and paths alike.
    let date: NaiveDate = (text.len() == 10).then(|| text.parse().ok())??;
    i32::try_from((date - DateTime::UNIX_EPOCH.date_naive()).num_days()).ok()
}

/// What an action can be for.
const TARGETS: [&str; 3] = ["zone", "terminal", "merchant"];

impl fmt::Display for ParamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Date => "date",
            Self::Text => "text",
            Self::Target => "target",
            Self::Rat => "rat",
            Self::Int => "int",
            Self::Float => "float",
            Self::Cell => "cell",
            Self::Plmn => "plmn",
        })
    }
}

impl FromStr for ParamKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_string() == name)
            .ok_or_else(|| format!("unknown kind of parameter {name:?}"))
    }
}

/// Values for the parameters of a report; the default holds none, so every parameter has its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// Returns these values with one more or another one, as text; read when the report is run.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Returns these values without one, which then has its default.
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// Returns the values given, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

pub(super) fn parse<K: AsRef<str>, V: AsRef<str>>(
    report: &Report,
    given: impl IntoIterator<Item = (K, V)>,
) -> Result<Params, ReportError> {
    let mut params = Params::default();
    for (name, value) in given {
        let name = name.as_ref().to_owned();
        if params
            .0
            .insert(name.clone(), value.as_ref().to_owned())
            .is_some()
        {
            return Err(ReportError::RepeatedParam {
                report: report.name.clone(),
                name,
            });
        }
    }
    bind(report, &params)?;
    Ok(params)
}

/// Returns a typed value for every parameter of the report.
pub(super) fn bind(
    report: &Report,
    params: &Params,
) -> Result<HashMap<String, ScalarValue>, ReportError> {
    let known = || report.params.iter().map(|spec| spec.name.as_str());
    if let Some(name) = params
        .0
        .keys()
        .find(|name| !known().any(|known| known == *name))
    {
        return Err(ReportError::UnknownParam {
            report: report.name.clone(),
            name: name.clone(),
            nearest: nearest(name, known()).map(str::to_owned),
            known: known().collect::<Vec<_>>().join(", "),
        });
    }
    let bind_one = |spec: &ParamSpec| {
        let text = params.0.get(&spec.name).or(spec.default.as_ref());
        let value = match text {
            Some(text) => spec
                .kind
                .read(text)
                .ok_or_else(|| ReportError::ParamValue {
                    report: report.name.clone(),
                    name: spec.name.clone(),
                    value: text.clone(),
                    expected: spec.kind.expected(),
                })?,
            None => spec.kind.null(),
        };
        Ok((spec.name.clone(), value))
    };
    let bound: HashMap<String, ScalarValue> = report
        .params
        .iter()
        .map(bind_one)
        .collect::<Result<_, ReportError>>()?;
    let day = |name: &str| match bound.get(name) {
        Some(ScalarValue::Date32(day)) => *day,
        _ => None,
    };
    match (day("from"), day("to")) {
        (Some(from), Some(to)) if from > to => Err(ReportError::NoDays {
            report: report.name.clone(),
            from: params.0["from"].clone(),
            to: params.0["to"].clone(),
        }),
        _ => Ok(bound),
    }
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    #[test]
    fn a_value_is_read_by_its_kind_or_refused() {
        for (kind, good, bad) in [
            (ParamKind::Date, "2026-11-24", "2026-2-30"),
            (ParamKind::Int, "3", "-3"),
            (ParamKind::Int, "0", "3.5"),
            (ParamKind::Target, "Zone", "zonk"),
            (ParamKind::Rat, "5G", "6g"),
            (ParamKind::Float, "0.05", "NaN"),
            (ParamKind::Cell, "8928308280fffff", "8a28308280c7fff"),
            (ParamKind::Plmn, "310-410", "310410"),
        ] {
            let value = kind
                .read(good)
                .unwrap_or_else(|| panic!("{kind} takes {good}"));
            assert_eq!(value.data_type(), kind.null().data_type(), "{kind}");
            assert_eq!(kind.read(bad), None, "{kind}");
        }
    }

    #[test]
    fn a_fault_in_a_parameter_names_report_parameter_and_what_is_expected() {
        let report = find("coverage").expect("a report");
        let message = |given: &[(&str, &str)]| {
            report
                .parse_params(given.iter().copied())
                .expect_err("a fault")
                .to_string()
        };
        assert_eq!(
            message(&[("plmn", "410")]),
            "parameter plmn of report coverage is \"410\", expected a network such as 310-410, \
             MCC and MNC with their leading zeros"
        );
        let unknown = message(&[("form", "2026-11-24")]);
        assert!(
            unknown
                .starts_with("report coverage has no parameter \"form\" (did you mean \"from\"?)"),
            "{unknown}"
        );
        assert_eq!(
            message(&[("plmn", "310-410"), ("plmn", "310-260")]),
            "parameter plmn of report coverage is given twice"
        );
    }

    #[test]
    fn what_is_not_given_has_its_default_or_stands_for_all() {
        let report = find("coverage").expect("a report");
        let values = bind(report, &Params::default()).expect("defaults are valid");
        assert_eq!(values["plmn"], ScalarValue::Utf8(None));
        assert!(matches!(
            values["min_attempts"],
            ScalarValue::Int64(Some(_))
        ));
    }
}
