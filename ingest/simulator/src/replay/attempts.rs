//! What counts as an attempt and as its failure: the rules of a mapping, and their counts for a row.

use std::collections::BTreeMap;

use schemas::{ContractField, EventKind};
use serde::Deserialize;

use super::condition::{Condition, Conditions};
use super::convert::{Cell, Fault, Found};
use super::field::{FieldPlan, FieldSpec};
use super::files::Values;
use super::mapping::field_faults;
use super::plan::{Columns, KindFields, UnknownColumn};

/// One kind of attempt a row may hold.
///
/// At most one of `failed_when`, `answered` and `failed` says how many had no answer; without any, none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttemptRule {
    name: String,
    #[serde(default)]
    when: Vec<Condition>,
    /// Attempts in the row; 1 when left out.
    count: Option<FieldSpec>,
    /// All attempts of the row failed when these hold.
    failed_when: Option<Vec<Condition>>,
    /// Attempts that were answered.
    answered: Option<FieldSpec>,
    /// Attempts that failed.
    failed: Option<FieldSpec>,
    /// Another row tells what became of the attempts: no approvals are counted here.
    #[serde(default)]
    outcome_elsewhere: bool,
    /// Fields of the failures' declines.
    #[serde(default)]
    decline: BTreeMap<String, FieldSpec>,
}

fn counter() -> &'static ContractField {
    let field = EventKind::Heartbeat.contract().field("attempts");
    field.expect("heartbeats count attempts")
}

impl AttemptRule {
    pub(super) fn faults(&self) -> Vec<String> {
        let place = format!("attempts {}", self.name);
        let outcomes = [
            self.failed_when.is_some(),
            self.answered.is_some(),
            self.failed.is_some(),
        ];
        let mut faults = Vec::new();
        if outcomes.iter().filter(|given| **given).count() > 1 {
            faults.push(format!(
                "{place}: failed_when, answered and failed exclude each other"
            ));
        }
        for spec in [&self.count, &self.answered, &self.failed]
            .into_iter()
            .flatten()
        {
            let wrong = spec.faults(counter());
            faults.extend(wrong.into_iter().map(|fault| format!("{place}: {fault}")));
        }
        for (name, spec) in &self.decline {
            faults.extend(field_faults(&place, name, spec, &[EventKind::Decline]));
        }
        faults
    }
}

/// An attempt rule with its columns found in a file.
#[derive(Debug)]
pub(super) struct AttemptPlan<'m> {
    rule: &'m AttemptRule,
    when: Conditions<'m>,
    count: Option<FieldPlan<'m>>,
    failed_when: Option<Conditions<'m>>,
    answered: Option<FieldPlan<'m>>,
    failed: Option<FieldPlan<'m>>,
    pub(super) decline: KindFields<'m>,
}

/// The counters of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) attempts: i64,
    pub(super) failed: i64,
    /// Known to be answered; null where another row tells.
    pub(super) approvals: Option<i64>,
}

/// Most attempts one row may stand for: a mistaken column must not make millions of declines.
const ATTEMPTS_MAX: i64 = 100_000;

impl<'m> AttemptPlan<'m> {
    pub(super) fn resolve(
        rule: &'m AttemptRule,
        columns: &Columns<'_>,
    ) -> Result<Self, UnknownColumn> {
        let field = |spec: &'m Option<FieldSpec>| {
            spec.as_ref()
                .map(|spec| FieldPlan::resolve(spec, counter(), columns))
                .transpose()
        };
        Ok(Self {
            rule,
            when: Conditions::resolve(&rule.when, columns)?,
            count: field(&rule.count)?,
            failed_when: rule
                .failed_when
                .as_ref()
                .map(|conditions| Conditions::resolve(conditions, columns))
                .transpose()?,
            answered: field(&rule.answered)?,
            failed: field(&rule.failed)?,
            decline: KindFields::resolve(EventKind::Decline, &rule.decline, columns)?,
        })
    }

    /// Counts the row's attempts; `None` where the rule does not apply.
    pub(super) fn count(&self, row: Values<'_>) -> Result<Option<Counted>, Fault> {
        if !self.when.hold(row) {
            return Ok(None);
        }
        let attempts = match &self.count {
            None => 1,
            Some(count) => match number(count, row)? {
                Some(attempts) => attempts,
                None => return Ok(None),
            },
        };
        let failed = self.failures(attempts, row)?;
        let possible = 0..=ATTEMPTS_MAX;
        let later = self.rule.outcome_elsewhere;
        if !possible.contains(&attempts)
            || !possible.contains(&failed)
            || (failed > attempts && !later)
        {
            let detail = format!("rule {}: {failed} failed of {attempts}", self.rule.name);
            return Err(Fault {
                reason: "attempts and failures contradict each other",
                detail,
            });
        }
        let approvals = (!later).then_some(attempts - failed);
        Ok(Some(Counted {
            attempts,
            failed,
            approvals,
        }))
    }

    fn failures(&self, attempts: i64, row: Values<'_>) -> Result<i64, Fault> {
        if let Some(conditions) = &self.failed_when {
            return Ok(if conditions.hold(row) { attempts } else { 0 });
        }
        if let Some(answered) = &self.answered {
            let detail = || format!("rule {}", self.rule.name);
            let fault = || Fault {
                reason: "number of answers is missing",
                detail: detail(),
            };
            return Ok(attempts - number(answered, row)?.ok_or_else(fault)?);
        }
        match &self.failed {
            Some(failed) => Ok(number(failed, row)?.unwrap_or(0)),
            None => Ok(0),
        }
    }
}

fn number(plan: &FieldPlan<'_>, row: Values<'_>) -> Result<Option<i64>, Fault> {
    match plan.read(row)? {
        Found::Value(Cell::Integer(number)) => Ok(Some(number)),
        _ => Ok(None),
    }
}

impl Counted {
    /// Adds the counters of another rule of the same row; approvals stay known if any are.
    pub(super) fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.failed += other.failed;
        self.approvals = match (self.approvals, other.approvals) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
        };
    }
}
