//! The statistics of weak zones, device models, terminals and interventions.
//!
//! Pure functions of slices: no session, no clock, no I/O, no randomness without a seed. What is
//! undefined is `None`, never NaN; neither the order of the input nor the number of threads
//! changes a result.

mod cells;
pub mod effect;
pub mod fdr;
pub mod gi_star;
mod levels;
pub mod logit;
pub mod models;
pub mod outages;
pub mod proof;
pub mod rates;
pub mod rng;
pub mod scan;
pub mod signal;
pub mod special;
pub mod stop;
pub mod terminals;
pub mod zones;
