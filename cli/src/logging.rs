//! Logs on stderr: for people, or one JSON object a line for collectors.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::exit::UsageError;
use crate::progress::BesideBars;

/// How much is logged, and how.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Form of the log on stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Human, value_name = "FORM", env = "NOTSPOT_LOG_FORMAT", help_heading = "Logging")]
    log_format: LogFormat,
    /// What is logged, such as `debug` or `warn,notspot_ingest=debug`
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "NOTSPOT_LOG",
        help_heading = "Logging"
    )]
    log: Option<String>,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people
    Human,
    /// One JSON object a line
    Json,
}

impl LogArgs {
    /// Starts logging; `usual` is the filter when none is given.
    ///
    /// # Errors
    /// When the filter cannot be read.
    pub fn start(&self, usual: &str) -> Result<(), UsageError> {
        let filter = self.log.as_deref().unwrap_or(usual);
        let filter = EnvFilter::builder()
            .parse(filter)
            .map_err(|error| UsageError(format!("log filter {filter:?}: {error}")))?;
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(BesideBars);
        match self.log_format {
            LogFormat::Human => builder
                .with_ansi(io::stderr().is_terminal())
                .with_target(false)
                .init(),
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
        Ok(())
    }
}
