//! Outages: bursts of failures in time that share a host, a carrier in a region, a region or a
//! release.
//!
//! What is counted is terminals that fail in a slot of five minutes, each once, so that neither
//! retries nor one broken terminal look like an outage. A host, a carrier, a region or the whole
//! fleet is compared with itself: its failures are expected to follow the hours of the day and what
//! everything else did in the same hour, whichever is more. The window of at most a day that
//! maximises the likelihood ratio, conditional on the total (Kulldorff 1997, in time), is the
//! candidate. A release is compared with the other versions in the same hours and places, over a
//! window of any length, as a Poisson count.
//!
//! The tail of one window is at most `exp(-llr)` (Chernoff 1952), so a candidate counts when
//! `llr / dispersion >= ln(entities * windows / alpha)`: a bound for all windows of all entities.
//! Dispersion is that of failures within terminals. The best explanation is taken, its failures are
//! removed, and the search begins anew, until nothing passes: a host's outage thus swallows the
//! bursts that it makes on carriers and in regions.

mod join;
mod places;
mod release;
mod rows;
mod search;
mod shape;
#[cfg(test)]
mod tests;
mod verify;
mod window;

use h3o::{CellIndex, Resolution};

use crate::stop::{Stop, Stopped};

/// Slots in an hour.
const SLOTS_PER_HOUR: i64 = 12;
/// Longest time that is searched at once, hours.
const MAX_HOURS: i64 = 400 * 24;

/// One terminal that failed in one slot of five minutes.
///
/// Ids are small numbers that the caller maps; `None` is unknown and belongs to no entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailingTerminals {
    /// Slot of five minutes since 1970.
    pub slot: i64,
    /// Terminal.
    pub terminal: u32,
    /// Host that did not answer.
    pub host: Option<u32>,
    /// Carrier that served the terminal.
    pub plmn: Option<u32>,
    /// Where, at resolution 4.
    pub cell_r4: Option<CellIndex>,
    /// Version of the application.
    pub app_version: Option<u32>,
    /// Out-of-range failures in the slot, retries included.
    pub failures: u32,
}

/// Active terminals of one combination in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Activity {
    /// Hour since 1970.
    pub hour: i64,
    /// Host.
    pub host: Option<u32>,
    /// Carrier.
    pub plmn: Option<u32>,
    /// Where, at resolution 4.
    pub cell_r4: Option<CellIndex>,
    /// Version of the application.
    pub app_version: Option<u32>,
    /// Terminals with a heartbeat in the hour.
    pub terminals: u32,
    /// Attempts in the hour, retries included.
    pub attempts: u32,
}

/// When a version of the application was first and last seen, in any event.
///
/// It sharpens the edges of a release that comes or goes while shops are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionLife {
    /// Version of the application.
    pub app_version: u32,
    /// First slot with an event of the version.
    pub first_slot: i64,
    /// Last slot with an event of the version.
    pub last_slot: i64,
}

/// Thresholds of an outage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Probability that a quiet fleet shows any outage, at most; between 0 and 1.
    pub alpha: f64,
    /// Longest outage of a host, carrier or region, slots.
    pub max_slots: i64,
    /// Fewest pairs of a slot and a failing terminal.
    pub min_count: u64,
    /// Fewest distinct failing terminals.
    pub min_terminals: usize,
    /// Fewest observed over expected.
    pub min_ratio: f64,
    /// Fewest distinct failing terminals of a release.
    pub release_min_terminals: usize,
    /// Fewest observed over expected of a release.
    pub release_min_ratio: f64,
    /// Smallest share of a host's, a whole carrier's or the fleet's attempts that fail, or of its
    /// active terminals that do.
    pub min_entity_share: f64,
    /// Smallest share of attempts that fail in the cells of an outage.
    pub min_place_share: f64,
    /// Most incidents looked for: each costs one pass over everything that is left.
    pub max_outages: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            max_slots: 24 * SLOTS_PER_HOUR,
            min_count: 8,
            min_terminals: 5,
            min_ratio: 3.0,
            release_min_terminals: 20,
            release_min_ratio: 1.5,
            min_entity_share: 0.2,
            min_place_share: 0.1,
            max_outages: 200,
        }
    }
}

/// What the failures of an outage share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A host that does not answer, on several carriers.
    Host,
    /// One carrier, in some cells or everywhere.
    Carrier,
    /// Several carriers in the same cells, or everywhere.
    Region,
    /// One version of the application.
    Release,
}

impl Kind {
    /// Returns the word of the kind in tables: `host`, `carrier`, `region` or `release`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Carrier => "carrier",
            Self::Region => "region",
            Self::Release => "release",
        }
    }
}

/// One incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Outage {
    /// What its failures share.
    pub kind: Kind,
    /// Host, of a host outage.
    pub host: Option<u32>,
    /// Carrier, of a carrier outage.
    pub plmn: Option<u32>,
    /// Version, of a release.
    pub app_version: Option<u32>,
    /// Cells at resolution 4, sorted; empty means everywhere.
    pub cells_r4: Vec<CellIndex>,
    /// First slot.
    pub from_slot: i64,
    /// Slot after the last.
    pub to_slot: i64,
    /// Distinct failing terminals.
    pub terminals: usize,
    /// Most terminals active in one hour, from the hour before to the hour after.
    pub active_terminals: u64,
    /// Out-of-range failures, retries included.
    pub failures: u64,
    /// Pairs of a slot and a failing terminal.
    pub count: u64,
    /// Pairs expected without the outage.
    pub expected: f64,
    /// Logarithm of the likelihood ratio of the window.
    pub llr: f64,
}

/// Tells whether a failure with these attributes belongs to an outage.
pub fn covers(
    outage: &Outage,
    slot: i64,
    host: Option<u32>,
    plmn: Option<u32>,
    cell_r4: Option<CellIndex>,
    app_version: Option<u32>,
) -> bool {
    outage.from_slot <= slot
        && slot < outage.to_slot
        && concerns(outage, host, plmn, cell_r4, app_version)
}

/// Tells whether a combination belongs to what an outage concerns, at any time.
fn concerns(
    outage: &Outage,
    host: Option<u32>,
    plmn: Option<u32>,
    cell_r4: Option<CellIndex>,
    app_version: Option<u32>,
) -> bool {
    let here = outage.cells_r4.is_empty()
        || cell_r4.is_some_and(|cell| outage.cells_r4.binary_search(&cell).is_ok());
    match outage.kind {
        Kind::Host => host.is_some() && host == outage.host,
        Kind::Carrier => plmn.is_some() && plmn == outage.plmn && here,
        Kind::Region => here,
        Kind::Release => app_version.is_some() && app_version == outage.app_version,
    }
}

/// Input in which no outage can be looked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OutageError {
    /// A cell of another size.
    #[error("cell {cell} has resolution {found}, not 4")]
    CellResolution {
        /// First such cell, in order of ids.
        cell: CellIndex,
        /// Its resolution.
        found: Resolution,
    },
    /// Times that span more than is searched at once.
    #[error("hours {first} to {last} since 1970 are more than 400 days")]
    Span {
        /// First hour.
        first: i64,
        /// Last hour.
        last: i64,
    },
    /// A probability that is none.
    #[error("alpha {0} is not between 0 and 1")]
    Alpha(f64),
    /// More rows than are numbered.
    #[error("more than 2^31 rows")]
    TooMuch,
    /// Somebody asked for a stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Finds the outages, sorted by their first slot.
///
/// Neither the order of the rows nor the number of threads changes the result; equal rows are added.
///
/// # Errors
/// When a cell is not of resolution 4, the times span more than 400 days, `alpha` is impossible, or a
/// stop was asked for.
pub fn find(
    failing: &[FailingTerminals],
    activity: &[Activity],
    lives: &[VersionLife],
    options: &Options,
    stop: &Stop,
) -> Result<Vec<Outage>, OutageError> {
    if !(options.alpha > 0.0 && options.alpha < 1.0) {
        return Err(OutageError::Alpha(options.alpha));
    }
    let Some(data) = rows::Data::of(failing, activity)? else {
        return Ok(Vec::new());
    };
    Ok(search::Search::new(data, lives, options).run(stop)?)
}
