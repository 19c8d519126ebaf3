//! Why an answer has no rows, for whoever asked and does not know whether to be glad.

use super::{Params, Report};
use crate::analyze::columns;
use crate::session::{LakeSession, SessionError};

const DAYS: &str = "select cast(min(first) as text) as first, cast(max(last) as text) as last from ( \
     select min(event_date) as first, max(event_date) as last from lake.heartbeats \
     union all select min(event_date), max(event_date) from lake.signal_readings \
     union all select min(event_date), max(event_date) from lake.declines)";

impl Report {
    /// Says why a report gave no rows: days that the lake does not have, or parameters that nothing matches.
    ///
    /// # Errors
    /// When the lake's days cannot be read.
    pub async fn why_empty(
        &self,
        lake: &LakeSession,
        params: &Params,
    ) -> Result<String, SessionError> {
        let answer = lake.collect(DAYS).await?;
        let days = answer.batches.first().and_then(|batch| {
            let day = |name| {
                let column = columns::texts(batch, name).ok()?;
                columns::text(&column, 0).map(str::to_owned)
            };
            Some((day("first")?, day("last")?))
        });
        let Some((first, last)) = days else {
            return Ok("no rows: the lake has no events".into());
        };
        let given = |name: &str| {
            params
                .iter()
                .find(|(of, _)| *of == name)
                .map(|(_, text)| text)
        };
        // Days are spelled so that texts are in their order.
        let is_before = given("to").is_some_and(|to| to < first.as_str());
        let is_behind = given("from").is_some_and(|from| from > last.as_str());
        if is_before || is_behind {
            return Ok(format!(
                "no rows: the lake has events of {first} to {last} only"
            ));
        }
        let asked: Vec<String> = params
            .iter()
            .map(|(name, text)| format!("{name}={text}"))
            .collect();
        Ok(match asked.is_empty() {
            true => format!("no rows: nothing of {first} to {last} is to be told"),
            false => format!(
                "no rows: nothing of {first} to {last} matches {}",
                asked.join(" ")
            ),
        })
    }
}
