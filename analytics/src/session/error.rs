//! What can go wrong with a session: owns how an error of the engine is told.

use datafusion::error::DataFusionError;

use crate::dialect;
use crate::tables::SnapshotError;

/// Why a session cannot be opened or a statement not be run.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The lake's place is neither a path nor a URL this build knows.
    #[error(transparent)]
    Location(#[from] lake::TableError),
    /// There is no table at the place.
    #[error("no lake at {lake}: it holds none of the tables {tables}")]
    NoLake {
        /// The place as given.
        lake: String,
        /// The tables looked for.
        tables: String,
    },
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] SnapshotError),
    /// The statement is not run as it is typed; the text says what to type instead.
    #[error("{0}")]
    Refused(String),
    /// The engine refused or failed.
    #[error(transparent)]
    Query(DataFusionError),
}

impl From<DataFusionError> for SessionError {
    fn from(error: DataFusionError) -> Self {
        match dialect::cause(error) {
            DataFusionError::External(cause) => match cause.downcast::<dialect::Refusal>() {
                Ok(refusal) => Self::Refused(refusal.to_string()),
                Err(cause) => match cause.downcast::<SnapshotError>() {
                    Ok(error) => Self::Table(*error),
                    Err(cause) => Self::Query(DataFusionError::External(cause)),
                },
            },
            cause => Self::Query(cause),
        }
    }
}
