//! The true cause of every failure, for whoever grades an attribution.

use std::io::{self, Write};

use schemas::causes::CauseClass;
use uuid::Uuid;

/// Takes the true cause of each decline as it happens.
pub trait TrueCauses {
    /// Records why a decline happened, by the id its event has.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn record(&mut self, event_id: Uuid, cause: CauseClass) -> io::Result<()>;
}

/// Writes `event_id,cause_class` lines.
pub struct CsvTrueCauses<W: Write> {
    out: W,
}

impl<W: Write> CsvTrueCauses<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// When the destination refuses it.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"event_id,cause_class\n")?;
        Ok(Self { out })
    }
}

impl<W: Write> TrueCauses for CsvTrueCauses<W> {
    fn record(&mut self, event_id: Uuid, cause: CauseClass) -> io::Result<()> {
        writeln!(self.out, "{event_id},{}", cause.as_str())
    }
}
