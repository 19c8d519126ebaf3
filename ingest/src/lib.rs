//! Kafka in, committed Parquet out: the only writer of the fact tables.
//!
//! Owns the way of an event from a topic to a row: decode, validate, locate, sort, write, commit.
//! Knows nothing of queries; what it leaves behind is described by [`schemas::lake`] alone.

mod accept;
pub mod audit;
pub mod config;
pub mod decode;
pub mod error;
pub mod flush;
pub mod interventions;
pub mod maintain;
pub mod observe;
pub mod pipeline;
pub mod registry;
pub mod resubmit;
pub mod sink;
mod source;
pub mod validate;

pub use accept::{Judged, judge};
pub use config::IngestConfig;
pub use error::IngestError;
pub use observe::Progress;
pub use pipeline::{Clock, Shutdown, Summary, run};
