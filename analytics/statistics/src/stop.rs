//! Long computations that somebody may end: owns the flag they look at, and knows no signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request to stop, for any number of threads; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

/// A computation ended before it was done, because somebody asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped before it was done")]
pub struct Stopped;

impl Stop {
    /// Asks whoever shares the flag to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether a stop was asked for.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns at once, with an error when a stop was asked for.
    ///
    /// # Errors
    /// When a stop was asked for.
    pub fn check(&self) -> Result<(), Stopped> {
        match self.is_requested() {
            true => Err(Stopped),
            false => Ok(()),
        }
    }
}
