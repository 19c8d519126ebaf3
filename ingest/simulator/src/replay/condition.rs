//! When a rule of a mapping applies to a row.

use serde::Deserialize;
use tabular::{Cell, Spelling};

use super::files::Values;
use super::plan::{Columns, UnknownColumn};

/// Tests on one column; all that are given must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    column: String,
    /// The value is one of these.
    any_of: Option<Vec<String>>,
    /// The value is none of these.
    none_of: Option<Vec<String>>,
    /// The value contains this text.
    contains: Option<String>,
    /// The value does not contain this text.
    lacks: Option<String>,
    /// The value is, or is not, empty.
    present: Option<bool>,
    /// The value is a number of at least this.
    at_least: Option<f64>,
    /// The value is a number below this.
    below: Option<f64>,
}

/// Conditions with their columns found in a file.
#[derive(Debug)]
pub(super) struct Conditions<'m>(Vec<(usize, &'m Condition)>);

impl<'m> Conditions<'m> {
    pub(super) fn resolve(
        conditions: &'m [Condition],
        columns: &Columns<'_>,
    ) -> Result<Self, UnknownColumn> {
        let find = |condition: &'m Condition| Ok((columns.find(&condition.column)?, condition));
        conditions
            .iter()
            .map(find)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Says whether all hold; without any, always.
    pub(super) fn hold(&self, row: Values<'_>) -> bool {
        self.0
            .iter()
            .all(|(column, condition)| condition.holds(row.get(*column)))
    }
}

/// Says whether two texts are one value: `43235.0` of a column with gaps is `43235`.
pub(super) fn same(one: &str, other: &str) -> bool {
    let plain = |text| Cell::new(text, Spelling::Text).plain();
    one == other || plain(one) == plain(other)
}

impl Condition {
    fn holds(&self, value: &str) -> bool {
        let is_one = |of: &Vec<String>| of.iter().any(|other| same(other, value));
        let number = || value.parse::<f64>().ok();
        self.any_of.as_ref().is_none_or(is_one)
            && !self.none_of.as_ref().is_some_and(is_one)
            && self
                .contains
                .as_ref()
                .is_none_or(|part| value.contains(part.as_str()))
            && !self
                .lacks
                .as_ref()
                .is_some_and(|part| value.contains(part.as_str()))
            && self
                .present
                .is_none_or(|present| present != value.is_empty())
            && self
                .at_least
                .is_none_or(|least| number().is_some_and(|number| number >= least))
            && self
                .below
                .is_none_or(|limit| number().is_some_and(|number| number < limit))
    }
}
