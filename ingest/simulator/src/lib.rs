//! A seeded fleet of terminals with planted truths, and the publishing of its events.
//!
//! Owns the simulated world (towns, radio, terminals, sales), the scenario files, the answer key
//! and the sinks events leave through. Knows nothing of the lake; reads no clock and draws no
//! randomness that a scenario's seed does not decide.
//!
//! ```
//! use simulator::{Scenario, publish::NullSink, simulate};
//!
//! let mut scenario = Scenario::load("null")?;
//! scenario.apply_override("fleet.terminals=40")?;
//! scenario.apply_override("window.days=1")?;
//! let mut sink = NullSink::default();
//! let answer_key = simulate(&scenario, &mut sink, &mut |_progress| {})?;
//! assert!(answer_key.truths.is_empty());
//! assert_eq!(answer_key.counts.events(), sink.counts().iter().sum::<u64>());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod answer_key;
mod catalog;
mod dice;
mod engine;
mod fleet;
mod link;
mod measure;
pub mod publish;
mod radio;
mod registry_files;
pub mod replay;
mod row;
mod sales;
pub mod scenario;
mod schedule;
mod sites;
mod terminal;
mod towns;
mod true_causes;
mod truths;
mod wire;
mod world;

pub use answer_key::{AnswerKey, Area, BranchPhase, CauseClass, Counts, Planted, Tally, Truth};
pub use engine::{SimError, SimOptions, SimProgress, simulate, simulate_with};
pub use registry_files::write_registry;
pub use scenario::{Scenario, ScenarioError};
pub use true_causes::{CsvTrueCauses, TrueCauses};
