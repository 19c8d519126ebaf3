//! Recorded measurements turned into events: owns mapping files, their ready-made set with samples,
//! and the pace at which a recording is sent. Knows wire events, never brokers or the lake.
//!
//! ```
//! use simulator::publish::NullSink;
//! use simulator::replay::{Mapping, ReplayOptions, Unobserved, replay};
//!
//! let mapping = Mapping::load("trai-mycall")?;
//! let mut sink = NullSink::default();
//! let summary = replay(&mapping, &[], &ReplayOptions::default(), &mut sink, &mut Unobserved)?;
//! assert_eq!(summary.rows_read, summary.rows_used + summary.refused());
//! assert!(summary.failures < summary.attempts);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attempts;
mod batch;
mod builtin;
mod condition;
mod convert;
mod device;
mod field;
mod files;
mod identity;
mod mapping;
mod plan;
mod recording;
mod run;
mod summary;
mod time;

pub use builtin::{BuiltinMapping, builtin_mappings};
pub use mapping::{Mapping, MappingError};
pub use run::{ReplayError, ReplayObserver, ReplayOptions, Speed, TimeShift, Unobserved, replay};
pub use summary::{RefusedRow, ReplaySummary};

#[cfg(test)]
mod tests;
