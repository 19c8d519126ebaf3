//! Which lake: the argument the commands that read one share.

use analytics::{AsOf, LakeSession, SessionOptions};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::Args;

/// The lake alone, for what writes to it.
#[derive(Debug, Clone, Args)]
pub struct LakePlace {
    /// Folder or URL of the lake
    #[arg(
        long,
        value_name = "LAKE",
        env = "NOTSPOT_LAKE",
        default_value = "demo/lake"
    )]
    lake: String,
}

impl LakePlace {
    /// Returns the folder or URL.
    pub fn as_str(&self) -> &str {
        &self.lake
    }

    /// Opens the lake at a moment.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn open(&self, as_of: AsOf) -> anyhow::Result<LakeSession> {
        let options = SessionOptions {
            as_of,
            ..SessionOptions::default()
        };
        Ok(LakeSession::open(&self.lake, options).await?)
    }
}

/// The lake and the moment looked at.
#[derive(Debug, Clone, Args)]
pub struct LakeArgs {
    /// Where it is.
    #[command(flatten)]
    place: LakePlace,
    /// Look at the lake as it was at a time, such as 2026-11-24 or 2026-11-24T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    as_of: Option<DateTime<Utc>>,
}

impl LakeArgs {
    /// Opens the lake.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn open(&self) -> anyhow::Result<LakeSession> {
        let as_of = self.as_of.map_or(AsOf::Latest, AsOf::Time);
        self.place.open(as_of).await
    }

    /// Opens the lake for an analysis: events, registry and interventions at the moment, and what is
    /// derived from them as it is.
    ///
    /// # Errors
    /// As [`LakeArgs::open`].
    pub async fn open_to_analyze(&self) -> anyhow::Result<LakeSession> {
        let as_of = self.as_of.map_or(AsOf::Latest, AsOf::Facts);
        self.place.open(as_of).await
    }
}

/// Reads a moment; a day stands for its last instant.
fn read_time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        let next = day.succ_opt().ok_or("no day follows")?;
        return Ok(next.and_time(NaiveTime::MIN).and_utc() - chrono::TimeDelta::microseconds(1));
    }
    let time = DateTime::parse_from_rfc3339(text);
    time.map(Into::into)
        .map_err(|_| "expected a day or a time with its zone".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_stands_for_its_end_and_a_time_needs_a_zone() {
        let end = read_time("2026-11-24").expect("a day");
        assert_eq!(end.to_rfc3339(), "2026-11-24T23:59:59.999999+00:00");
        assert_eq!(
            read_time("2026-11-24T10:00:00+02:00")
                .expect("a time")
                .to_rfc3339(),
            "2026-11-24T08:00:00+00:00"
        );
        assert!(read_time("2026-11-24T10:00:00").is_err());
    }
}
