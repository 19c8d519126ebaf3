//! Clusters of failures by the spatial scan statistic of Kulldorff (1997).
//!
//! Windows grow round every location until they hold the largest share of the attempts that is
//! allowed; locations at one distance enter together. The p-value is by Monte Carlo (Dwass 1957),
//! conditional on the total number of failures: (1 + runs at least as high) / (1 + runs). Further
//! clusters are the best windows of other centres without overlap, each compared with the same
//! maxima, which is conservative.
//!
//! Windows are held in memory for as many centres at a time as fit into 256 MiB.

mod likelihood;
mod report;
mod search;
#[cfg(test)]
mod tests;
mod windows;

use std::fmt::Display;

use h3o::{CellIndex, LatLng, Resolution};

/// Distribution of failures without clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Model {
    /// Failures are dealt among attempts: at most one failure an attempt.
    #[default]
    Bernoulli,
    /// Failures are dealt in proportion to attempts, or to the expected failures when given.
    Poisson,
}

/// Where a location is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Position {
    /// On the sphere, in degrees; distances are great circles.
    Geographic {
        /// Latitude, -90 to 90 degrees.
        lat: f64,
        /// Longitude in degrees.
        lon: f64,
    },
    /// In the plane, in any unit.
    Planar {
        /// First coordinate.
        x: f64,
        /// Second coordinate.
        y: f64,
    },
}

impl Position {
    /// Returns the centre of a cell.
    pub fn of_cell(cell: CellIndex) -> Self {
        let centre = LatLng::from(cell);
        Self::Geographic {
            lat: centre.lat(),
            lon: centre.lng(),
        }
    }
}

/// Counts at a location, whose place is `P`.
#[derive(Debug, Clone, PartialEq)]
pub struct Location<Id, P> {
    /// Name of the location.
    pub id: Id,
    /// Where it is.
    pub place: P,
    /// Number of attempts; without any the location is missing.
    pub attempts: u64,
    /// Number of attempts that failed.
    pub failures: u64,
    /// Failures expected there, for the Poisson model: all locations or none have it. It is scaled
    /// to the total of the failures.
    pub expected: Option<f64>,
}

/// Choices of the scan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Distribution of failures without clusters.
    pub model: Model,
    /// Largest share of all attempts in a window, above 0 and at most 1.
    pub max_share: f64,
    /// Fewest failures in a window.
    pub min_cases: u64,
    /// Monte Carlo runs; with none there is no p-value.
    pub runs: u32,
    /// Seed of the runs.
    pub seed: u64,
    /// Most clusters reported after the first.
    pub secondary: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            model: Model::Bernoulli,
            max_share: 0.5,
            min_cases: 2,
            runs: 999,
            seed: 0,
            secondary: 0,
        }
    }
}

/// A window with more failures than expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster<Id> {
    /// Place in the list, from 1.
    pub rank: usize,
    /// Location that the window grew round.
    pub centre: Id,
    /// Locations inside, sorted.
    pub members: Vec<Id>,
    /// Attempts inside.
    pub attempts: u64,
    /// Failures inside.
    pub failures: u64,
    /// Failures expected inside without clusters.
    pub expected: f64,
    /// Observed / expected inside, over the same outside; `None` without failures outside.
    pub relative_risk: Option<f64>,
    /// Logarithm of the likelihood ratio.
    pub llr: f64,
    /// Monte Carlo p-value; `None` without runs.
    pub p: Option<f64>,
}

/// Input that cannot be scanned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScanError {
    /// Counts that are no share.
    #[error("{id} has {failures} failures in {attempts} attempts")]
    FailuresExceedAttempts {
        /// Which location.
        id: String,
        /// Number of failures there.
        failures: u64,
        /// Number of attempts there.
        attempts: u64,
    },
    /// Two rows of one location that lie apart.
    #[error("{id} has two positions")]
    TwoPositions {
        /// Which location.
        id: String,
    },
    /// A position that is not on the sphere or not finite.
    #[error("the position of {id} is not finite, or its latitude is beyond 90 degrees")]
    Position {
        /// Which location.
        id: String,
    },
    /// Degrees and plane coordinates in one input.
    #[error("{id} has another kind of position than the locations before it")]
    MixedPositions {
        /// First location, in order of ids, that differs.
        id: String,
    },
    /// Cells of different sizes in one input.
    #[error("cell {id} has resolution {found}, the cells before it {expected}")]
    MixedResolutions {
        /// First cell, in order of ids, that differs.
        id: String,
        /// Its resolution.
        found: Resolution,
        /// Resolution of the others.
        expected: Resolution,
    },
    /// Expected failures that are negative, not finite, missing in some rows or zero in all.
    #[error("the expected failures of {id} are missing, negative, not finite, or zero everywhere")]
    Expected {
        /// Which location.
        id: String,
    },
    /// More counts than the scan handles.
    #[error("more than 2^53 attempts, 2^31 failures or 2^31 locations")]
    TooMuch,
    /// A share that is none.
    #[error("the largest share {0} is not above 0 and at most 1")]
    MaxShare(f64),
}

/// Scans with circles round each location.
///
/// Rows of one id are added; neither their order nor the number of threads changes the result.
///
/// # Errors
/// When counts, positions, expected failures or options are impossible.
pub fn circles<Id: Ord + Clone + Display + Send + Sync>(
    rows: &[Location<Id, Position>],
    options: &Options,
) -> Result<Vec<Cluster<Id>>, ScanError> {
    let data = search::Data::of(rows, options)?;
    windows::check_positions(&data)?;
    let places = windows::Circles::of(&data);
    Ok(report::clusters(&data, &places, options))
}

/// Scans with disks of rings of H3 cells; a disk holds those of its cells that have attempts, and
/// reaches 150 rings at most.
///
/// Rows of one cell are added; neither their order nor the number of threads changes the result.
///
/// # Errors
/// When counts, expected failures, resolutions or options are impossible.
pub fn disks(
    rows: &[Location<CellIndex, ()>],
    options: &Options,
) -> Result<Vec<Cluster<CellIndex>>, ScanError> {
    let data = search::Data::of(rows, options)?;
    windows::check_resolutions(&data)?;
    let places = windows::Disks::of(&data);
    Ok(report::clusters(&data, &places, options))
}
