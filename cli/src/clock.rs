//! The wall clock: the one place of the project that reads it; below the cli, time is an argument.

use chrono::{DateTime, Utc};

/// Returns the present.
#[expect(
    clippy::disallowed_methods,
    reason = "the cli is where the clock is read"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
