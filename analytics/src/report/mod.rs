//! Reports: SQL files with a header that says what they answer, run over the deduplicated views.
//!
//! Owns the catalogue, the binding of parameters and the writing of answers. A report's text is in
//! `analytics/sql/reports`; nothing here knows what a report is about.

mod catalog;
mod empty;
mod params;
pub mod render;

use datafusion::common::ParamValues;
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::prelude::DataFrame;

pub use catalog::{ColumnSpec, Report, catalog, find};
pub use params::{ParamKind, ParamSpec, Params};
pub use render::{Format, RenderError};

use crate::session::{Answer, LakeSession, SessionError, gather};

/// Why a report cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No report has the name.
    #[error("no report {name:?}{}, there are {known}", hint(nearest))]
    UnknownReport {
        /// The name as given.
        name: String,
        /// The report whose name is nearest, when one is near.
        nearest: Option<String>,
        /// All names.
        known: String,
    },
    /// The report has no such parameter.
    #[error(
        "report {report} has no parameter {name:?}{}, it takes {known}",
        hint(nearest)
    )]
    UnknownParam {
        /// The report.
        report: String,
        /// The name as given.
        name: String,
        /// The parameter whose name is nearest, when one is near.
        nearest: Option<String>,
        /// All names.
        known: String,
    },
    /// A parameter was given twice.
    #[error("parameter {name} of report {report} is given twice")]
    RepeatedParam {
        /// The report.
        report: String,
        /// The parameter.
        name: String,
    },
    /// The first day comes after the last.
    #[error("report {report} is asked for no day: from {from} comes after to {to}")]
    NoDays {
        /// The report.
        report: String,
        /// The first day.
        from: String,
        /// The last day.
        to: String,
    },
    /// A value is not of the parameter's kind.
    #[error("parameter {name} of report {report} is {value:?}, expected {expected}")]
    ParamValue {
        /// The report.
        report: String,
        /// The parameter.
        name: String,
        /// The value as given.
        value: String,
        /// What would have been taken.
        expected: &'static str,
    },
    /// The engine refused or failed.
    #[error("report {report} failed")]
    Run {
        /// The report.
        report: String,
        /// What the engine says.
        source: Box<SessionError>,
    },
    /// An answer lacks a column its reader needs.
    #[error("report {report} gave no column {column} of the expected type")]
    Column {
        /// The report.
        report: String,
        /// The column.
        column: &'static str,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map_or_else(String::new, |name| format!(" (did you mean {name:?}?)"))
}

impl Report {
    /// Tells whether the report says little before an analysis, as its first note then does.
    pub fn needs_analysis(&self) -> bool {
        let first = self.notes.first();
        first.is_some_and(|note| note.starts_with("Run notspot analyze first"))
    }

    /// Reads parameters from their text; what is not given has its default.
    ///
    /// # Errors
    /// When a name is not the report's, given twice, or a value not of its kind.
    pub fn parse_params<K: AsRef<str>, V: AsRef<str>>(
        &self,
        given: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Params, ReportError> {
        params::parse(self, given)
    }

    /// Plans the report.
    ///
    /// # Errors
    /// When `params` were read for another report, or the engine refuses.
    pub async fn dataframe(
        &self,
        lake: &LakeSession,
        params: &Params,
    ) -> Result<DataFrame, ReportError> {
        let values = params::bind(self, params)?
            .into_iter()
            .map(|(name, value)| (name, ScalarAndMetadata::from(value)))
            .collect();
        let frame = lake
            .sql(self.sql)
            .await
            .map_err(|error| self.run_error(error))?;
        frame
            .with_param_values(ParamValues::Map(values))
            .map_err(|error| self.run_error(error.into()))
    }

    /// Runs the report and gathers its rows.
    ///
    /// # Errors
    /// As [`Report::dataframe`], and when running fails.
    pub async fn run(&self, lake: &LakeSession, params: &Params) -> Result<Answer, ReportError> {
        let frame = self.dataframe(lake, params).await?;
        gather(frame).await.map_err(|error| self.run_error(error))
    }

    fn run_error(&self, source: SessionError) -> ReportError {
        ReportError::Run {
            report: self.name.clone(),
            source: Box::new(source),
        }
    }
}
