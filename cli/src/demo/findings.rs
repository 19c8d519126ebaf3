//! What was found next to what was planted: asks the lake about each truth of the answer key.

use analytics::LakeSession;
use anyhow::{Context, bail};
use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use chrono::TimeDelta;
use serde::Serialize;
use simulator::{AnswerKey, Planted};

use super::question::{self, Question};
use super::verdict;

/// What the lake says of one truth.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// Name in the answer key.
    pub(super) id: String,
    /// Kind of truth in the answer key.
    pub(super) kind: String,
    /// Where or what it is.
    pub(super) place: String,
    /// What is counted as a failure.
    pub(super) counted: &'static str,
    /// Inside the truth.
    pub(super) inside: Share,
    /// What inside is compared with.
    pub(super) elsewhere_is: &'static str,
    /// There.
    pub(super) elsewhere: Share,
    /// Whether the intervals of the two rates lie apart, inside above.
    pub(super) stands_out: bool,
    /// What the analysis, which does not know the answer key, says of it.
    pub(super) verdict: Option<Verdict>,
    /// The answer key's own count of attempts inside.
    pub(super) planted_attempts: u64,
    /// The answer key's own count of out-of-range failures inside.
    pub(super) planted_out_of_range: u64,
}

/// A rate with its counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Share {
    pub(super) attempts: i64,
    pub(super) failures: i64,
    pub(super) rate_low: Option<f64>,
    pub(super) rate_high: Option<f64>,
}

/// What the analysis says of a truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Verdict {
    /// Whether it found it.
    pub(super) found: bool,
    /// As what.
    pub(super) how: String,
}

/// Asks about every truth.
pub(super) async fn ask(
    lake: &LakeSession,
    key: &AnswerKey,
    heartbeat: TimeDelta,
) -> anyhow::Result<Vec<Finding>> {
    let questions: Vec<Question> = key
        .truths
        .iter()
        .map(|planted| question::about(planted, heartbeat))
        .collect();
    let shares = shares(lake, &questions)
        .await
        .context("cannot count what was planted")?;
    let mut findings = Vec::with_capacity(questions.len());
    for ((planted, question), (inside, elsewhere)) in key.truths.iter().zip(questions).zip(shares) {
        let verdict = match verdict::sql(planted) {
            Some(sql) => Some(ask_verdict(lake, &sql).await?),
            None => None,
        };
        findings.push(finding(planted, question, inside, elsewhere, verdict));
    }
    Ok(findings)
}

fn finding(
    planted: &Planted,
    question: Question,
    inside: Share,
    elsewhere: Share,
    verdict: Option<Verdict>,
) -> Finding {
    Finding {
        id: planted.id.clone(),
        kind: kind(planted),
        place: question.place,
        counted: question.counted,
        inside,
        elsewhere_is: question.elsewhere,
        elsewhere,
        stands_out: inside.rate_low > elsewhere.rate_high,
        verdict,
        planted_attempts: planted.inside.attempts,
        planted_out_of_range: planted.inside.out_of_range,
    }
}

/// The truth's tag in the answer key.
fn kind(planted: &Planted) -> String {
    let value = serde_json::to_value(&planted.truth).unwrap_or_default();
    value["type"].as_str().unwrap_or("unknown").to_owned()
}

/// Counts every question in one pass over each table.
async fn shares(lake: &LakeSession, questions: &[Question]) -> anyhow::Result<Vec<(Share, Share)>> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let answer = lake.collect(&share_sql(questions)).await?;
    let Some(row) = answer.batches.iter().find(|batch| batch.num_rows() == 1) else {
        bail!("the counts gave no row");
    };
    let count = |name: String| -> anyhow::Result<i64> {
        let column = row
            .column_by_name(&name)
            .with_context(|| format!("no column {name}"))?;
        Ok(column
            .as_primitive_opt::<Int64Type>()
            .context("a count is an integer")?
            .value(0))
    };
    let end = |name: String| -> anyhow::Result<Option<f64>> {
        let column = row
            .column_by_name(&name)
            .with_context(|| format!("no column {name}"))?;
        let column = column
            .as_primitive_opt::<Float64Type>()
            .context("a rate is a number")?;
        Ok(column.is_valid(0).then(|| column.value(0)))
    };
    let share = |side: &str, place: usize| -> anyhow::Result<Share> {
        Ok(Share {
            attempts: count(format!("attempts_{side}_{place}"))?,
            failures: count(format!("failures_{side}_{place}"))?,
            rate_low: end(format!("low_{side}_{place}"))?,
            rate_high: end(format!("high_{side}_{place}"))?,
        })
    };
    (0..questions.len())
        .map(|place| Ok((share("in", place)?, share("out", place)?)))
        .collect()
}

/// One row: counts and intervals of each question, inside and elsewhere. A failure is itself an
/// attempt, as in the reports: where heartbeats were lost, attempts are at least the failures.
fn share_sql(questions: &[Question]) -> String {
    let (mut attempts, mut failures, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for (place, question) in questions.iter().enumerate() {
        let Question {
            among,
            inside,
            failure,
            ..
        } = question;
        for (side, place_in) in [("in", inside.to_string()), ("out", format!("not {inside}"))] {
            let n = format!("{side}_{place}");
            let filter = format!("({among}) and {place_in}");
            attempts.push(format!(
                "coalesce(sum(attempts) filter (where {filter}), 0) as a_{n}"
            ));
            failures.push(format!(
                "count(*) filter (where {filter} and ({failure})) as f_{n}"
            ));
            columns.push(format!(
                "greatest(a_{n}, f_{n}) as attempts_{n}, f_{n} as failures_{n}, \
                 wilson_low(f_{n}, greatest(a_{n}, f_{n})) as low_{n}, wilson_high(f_{n}, greatest(a_{n}, f_{n})) as high_{n}"
            ));
        }
    }
    let with_region = |events: &str| {
        format!(
            "(select {events}.*, region_code from {events} \
             left join merchants on {events}.merchant_id = merchants.merchant_id)"
        )
    };
    format!(
        "select {} from (select {} from {}), (select {} from {})",
        columns.join(", "),
        attempts.join(", "),
        with_region("heartbeats"),
        failures.join(", "),
        with_region("declines")
    )
}

async fn ask_verdict(lake: &LakeSession, sql: &str) -> anyhow::Result<Verdict> {
    let answer = lake.collect(sql).await?;
    let Some(row) = answer.batches.iter().find(|batch| batch.num_rows() > 0) else {
        let how = "not looked at: too few attempts".into();
        return Ok(Verdict { found: false, how });
    };
    let text = |name: &str| -> anyhow::Result<String> {
        let column = row
            .column_by_name(name)
            .context("a verdict has found and how")?;
        Ok(cast(column, &DataType::Utf8)?
            .as_string::<i32>()
            .value(0)
            .to_owned())
    };
    Ok(Verdict {
        found: text("found")? == "true",
        how: text("how")?,
    })
}

impl Share {
    /// Returns the rate; `None` without attempts.
    pub(super) fn rate(&self) -> Option<f64> {
        (self.attempts > 0).then(|| self.failures as f64 / self.attempts as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_touch_do_not_stand_out() {
        let share = |low, high| Share {
            attempts: 10,
            failures: 1,
            rate_low: low,
            rate_high: high,
        };
        let apart = |inside: Share, elsewhere: Share| inside.rate_low > elsewhere.rate_high;
        assert!(apart(
            share(Some(0.2), Some(0.4)),
            share(Some(0.01), Some(0.02))
        ));
        assert!(!apart(
            share(Some(0.02), Some(0.4)),
            share(Some(0.01), Some(0.02))
        ));
        assert!(!apart(share(None, None), share(None, None)));
    }
}
