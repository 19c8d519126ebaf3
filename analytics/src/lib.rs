//! Reads the lake: one session over its tables, SQL functions for places and rates, reports.
//!
//! Owns the way from a table log to an answer. Never knows Kafka nor how a fact file is written;
//! what lies between is [`schemas::lake`].
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use analytics::{LakeSession, SessionOptions, report};
//!
//! let lake = LakeSession::open("lake", SessionOptions::default()).await?;
//! let coverage = report::find("coverage")?;
//! let params = coverage.parse_params([("min_attempts", "50")])?;
//! let answer = coverage.run(&lake, &params).await?;
//! report::render::write(
//!     report::Format::Table,
//!     &answer.schema,
//!     &answer.batches,
//!     &mut std::io::stdout(),
//! )?;
//! # Ok(())
//! # }
//! ```

pub mod analyze;
pub mod causes;
mod dialect;
pub mod functions;
pub mod map;
pub mod map_page;
mod place;
pub mod report;
pub mod session;
pub mod stat;
pub mod tables;
pub mod views;

pub use map::{MapCarrier, MapCell, MapData, map_cells};
pub use session::{Answer, AsOf, LakeSession, SessionError, SessionOptions};
pub use tables::{SnapshotError, TableState};
