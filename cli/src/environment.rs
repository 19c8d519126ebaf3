//! The environment: the one place of the project that reads it; below the cli, settings are arguments.

use std::ffi::OsString;

/// Returns a variable that is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the cli is where the environment is read"
)]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns every variable whose name and value are text.
#[expect(
    clippy::disallowed_methods,
    reason = "the cli is where the environment is read"
)]
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
