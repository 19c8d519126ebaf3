//! The order of proof: what `analyze` concludes from the counts of a window, and nothing else.
//!
//! First where the place explains what fails, whoever stands there; then terminals elsewhere
//! against their peers; then models and places again, without bad terminals. Kept in one place and free
//! of input and output, so that a calibration runs exactly what `analyze` runs.

mod models;
mod runs;
mod terminals;
#[cfg(test)]
mod tests;
mod weak_places;

use h3o::CellIndex;

use crate::models::ModelsError;
use crate::stop::{Stop, Stopped};
use crate::terminals::TerminalsError;
use crate::zones::{PlaceCounts, ZoneOptions, ZonesError, ZonesReport, find_zones};

pub use models::{JudgedModel, Models, judge_models};
pub use terminals::{JudgedTerminal, NotTestable, Terminals, judge_terminals};
pub use weak_places::{WeakPlaces, Weakness, weak_places};

/// From so many days on the worst one is left out where a terminal is judged.
pub const ENOUGH_DAYS: u32 = 2;

/// One terminal at one cell over one carrier and radio technology.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The cell.
    pub cell: CellIndex,
    /// The serving network.
    pub plmn: &'a str,
    /// The terminal.
    pub terminal: &'a str,
    /// The merchant that it stands at.
    pub merchant: &'a str,
    /// Its model; not used by any method.
    pub model: &'a str,
    /// Its firmware; not used by any method.
    pub firmware: Option<&'a str>,
    /// Model and firmware together: what is compared.
    pub device: &'a str,
    /// Its radio technology.
    pub rat: &'a str,
    /// Cell and carrier together.
    pub stratum: &'a str,
    /// Attempts, outages taken out.
    pub attempts: u32,
    /// Out-of-range failures among them.
    pub failures: u32,
    /// Attempts without the day that has most failures.
    pub usual_attempts: u32,
    /// Failures without that day.
    pub usual_failures: u32,
    /// Failures of each day times those of the same day less one, added up: pairs that share a day.
    pub pairs_of_days: u64,
    /// Signal readings.
    pub readings: u32,
    /// Weak ones among them.
    pub weak_readings: u32,
    /// Class of radio technology and strength.
    pub signal: u32,
    /// Days with attempts.
    pub days: u32,
    /// How often the terminal had been replaced before; not used by any method.
    pub replaced: u16,
    /// Whether these are counts of the device that stands there now: only it is judged as a terminal.
    pub is_current: bool,
    /// Attempts by quarter of the local day.
    pub daypart_attempts: [u32; 4],
    /// Failures by quarter of the local day.
    pub daypart_failures: [u32; 4],
}

/// Everything that a window proves.
#[derive(Debug)]
pub struct Proof {
    /// Every terminal.
    pub terminals: Terminals,
    /// Every model with its firmware.
    pub models: Models,
    /// Cells, zones and refused candidates.
    pub zones: ZonesReport,
}

/// Why nothing can be proved.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// By the search for zones.
    #[error("the search for zones: {0}")]
    Zones(#[from] ZonesError),
    /// By the test of terminals.
    #[error("the test of terminals: {0}")]
    Terminals(#[from] TerminalsError),
    /// By the comparison of models.
    #[error("the comparison of models: {0}")]
    Models(#[from] ModelsError),
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Proves what the places of a window can prove. The order of the places changes nothing.
///
/// # Errors
/// When counts are no shares, cells differ in size, or a stop was asked for.
pub fn prove(
    places: &[Place<'_>],
    options: &ZoneOptions,
    stop: &Stop,
) -> Result<Proof, ProofError> {
    let explained = weak_places(&search(places, |_| false, options)?);
    stop.check()?;
    let terminals = judge_terminals(places, &explained)?;
    stop.check()?;
    let flagged = terminals.flagged();
    let (models, zones) = rayon::join(
        || judge_models(places, &flagged, &explained, stop),
        || {
            let options = ZoneOptions {
                lists_cells: true,
                ..*options
            };
            search(places, |terminal| flagged.contains(terminal), &options)
        },
    );
    Ok(Proof {
        models: models?,
        zones: zones?,
        terminals,
    })
}

/// Searches for zones without some terminals.
fn search(
    places: &[Place<'_>],
    is_out: impl Fn(&str) -> bool,
    options: &ZoneOptions,
) -> Result<ZonesReport, ZonesError> {
    let counts = places.iter().filter(|place| !is_out(place.terminal));
    let counts: Vec<PlaceCounts<'_>> = counts
        .map(|place| PlaceCounts {
            cell: place.cell,
            plmn: place.plmn,
            terminal: place.terminal,
            merchant: place.merchant,
            model: place.device,
            rat: place.rat,
            attempts: place.attempts.into(),
            failures: place.failures.into(),
            readings: place.readings.into(),
            weak_readings: place.weak_readings.into(),
            days: place.days,
            daypart_failures: place.daypart_failures.map(u64::from),
            daypart_attempts: place.daypart_attempts.map(u64::from),
        })
        .collect();
    find_zones(counts, &[], options)
}
