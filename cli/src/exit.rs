//! Exit codes: owns the one table from what went wrong to what a script sees.

use std::process::ExitCode;

use analytics::report::ReportError;
use analytics::stat::StatError;
use analytics::{SessionError, SnapshotError};
use ingest::IngestError;
use ingest::audit::AuditError;
use ingest::config::ConfigError;
use ingest::maintain::MaintainError;
use lake::TableError;
use simulator::publish::PublishError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked.
    Done,
    /// It failed, or found what it looks for: bad rows, events unaccounted for.
    Failed,
    /// Its arguments or its configuration cannot be used.
    Usage,
    /// The broker, a topic or the schema registry cannot be reached.
    Unreachable,
    /// The lake cannot be read or written.
    Lake,
    /// A signal stopped it.
    Interrupted,
}

/// The table of `--help`.
pub const HELP: &str = "\
Exit codes:
  0    done
  1    failed, or found something: bad rows, events unaccounted for, SQL that does not run
  2    the arguments or the configuration cannot be used
  3    the broker, a topic or the schema registry cannot be reached
  4    the lake cannot be read or written
  130  stopped by Ctrl-C or SIGTERM before it was done";

impl Exit {
    /// Returns the number a script sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Lake => 4,
            Self::Interrupted => 130,
        }
    }

    /// Returns how a command ends that failed with this error.
    pub fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(cause).unwrap_or(Self::Failed)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An argument that only shows to be wrong once it is used.
#[derive(Debug)]
pub struct UsageError(pub String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

fn cause(error: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if error.is::<UsageError>()
        || error.is::<simulator::ScenarioError>()
        || error.is::<simulator::replay::MappingError>()
        || error.is::<ConfigError>()
    {
        return Some(Exit::Usage);
    }
    if error.is::<SnapshotError>() || error.is::<TableError>() {
        return Some(Exit::Lake);
    }
    if let Some(error) = error.downcast_ref::<IngestError>() {
        return ingest_cause(error);
    }
    if let Some(error) = error.downcast_ref::<AuditError>() {
        return match error {
            AuditError::UnknownTopic(_) => Some(Exit::Usage),
            AuditError::NoLake(_) | AuditError::Table(_) => Some(Exit::Lake),
            AuditError::Worker => None,
        };
    }
    if let Some(error) = error.downcast_ref::<MaintainError>() {
        return match error {
            MaintainError::Options(_) => Some(Exit::Usage),
            MaintainError::NoTable(_) | MaintainError::Table(_) => Some(Exit::Lake),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<PublishError>() {
        return publish_cause(error);
    }
    if let Some(error) = error.downcast_ref::<SessionError>() {
        return match error {
            SessionError::Query(_) | SessionError::Refused(_) => None,
            _ => Some(Exit::Lake),
        };
    }
    if let Some(error) = error.downcast_ref::<StatError>() {
        return match error {
            StatError::Option(_) | StatError::Open { .. } => Some(Exit::Usage),
            _ => None,
        };
    }
    match error.downcast_ref::<ReportError>()? {
        ReportError::Run { .. } | ReportError::Column { .. } => None,
        _ => Some(Exit::Usage),
    }
}

fn ingest_cause(error: &IngestError) -> Option<Exit> {
    match error {
        IngestError::Config(_) | IngestError::Listen { .. } => Some(Exit::Usage),
        IngestError::BrokerUnreachable { .. }
        | IngestError::Denied { .. }
        | IngestError::TopicMissing { .. }
        | IngestError::RegistryUnreachable { .. } => Some(Exit::Unreachable),
        IngestError::Table(_) => Some(Exit::Lake),
        _ => None,
    }
}

fn publish_cause(error: &PublishError) -> Option<Exit> {
    match error {
        PublishError::Settings(_) => Some(Exit::Usage),
        PublishError::Unreachable { .. }
        | PublishError::TopicMissing { .. }
        | PublishError::Undelivered { .. }
        | PublishError::Registry { .. } => Some(Exit::Unreachable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_code() {
        for exit in [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Unreachable,
            Exit::Lake,
            Exit::Interrupted,
        ] {
            let code = format!("\n  {:<4} ", exit.code());
            assert!(HELP.contains(&code), "{exit:?}");
        }
    }

    #[test]
    fn the_cause_decides_however_deep_it_lies() {
        let error = anyhow::Error::from(UsageError("no such day".into()))
            .context("demo")
            .context("run");
        assert_eq!(Exit::of(&error), Exit::Usage);
        assert_eq!(Exit::of(&anyhow::anyhow!("disk full")), Exit::Failed);
    }
}
