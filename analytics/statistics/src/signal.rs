//! Which terminals, and which device models, hear the same radio cells weaker than others do.
//!
//! The mean reading of a terminal on a radio cell is that of the cell, plus what is the terminal's
//! own, plus what is of this terminal on this cell only (how far it stands from the mast), plus the
//! noise of its readings. The last three are random with variances estimated from the fleet by
//! moments; the radio cells are not. The difference of a terminal, or of a model, is the
//! generalised least squares estimate of a constant added to its readings alone, so it leaves no
//! trace of itself in what it is compared with.
//!
//! Peers of one radio cell stand in other places: the spread between healthy terminals is several
//! dB, and is in every standard error. A radio cell that one terminal alone hears says nothing.
//! Others contain the other bad ones, as in [`crate::models`]; a terminal is compared with peers of
//! every model, so one of a biased model carries its model's difference. Take that from `mean_dbm`
//! first to judge terminals apart from their models.

mod factor;
mod fit;
mod judge;
mod rows;
mod spread;
#[cfg(test)]
mod tests;

use crate::fdr;

/// The readings of one terminal on one radio cell; repeated rows are pooled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalRow<'a> {
    /// The terminal.
    pub terminal: &'a str,
    /// Its device model, with the firmware where that matters.
    pub model: &'a str,
    /// The radio cell, of one operator and radio technology.
    pub radio_cell: &'a str,
    /// Number of readings; 0 is missing.
    pub readings: u64,
    /// Their mean in dBm.
    pub mean_dbm: f64,
    /// Sum of the squares of their deviations from `mean_dbm`, in dB².
    pub sum_squares: f64,
}

/// Choices of the comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignalOptions {
    /// Coverage of the interval of a model's bias, inside (0, 1).
    pub confidence: f64,
}

impl Default for SignalOptions {
    fn default() -> Self {
        Self { confidence: 0.95 }
    }
}

/// One terminal against its peers on the same radio cells.
#[derive(Debug, Clone, PartialEq)]
pub struct TerminalSignal {
    /// The terminal.
    pub terminal: String,
    /// Its device model.
    pub model: String,
    /// Readings on all its radio cells.
    pub readings: u64,
    /// Its radio cells that another terminal hears too.
    pub shared_radio_cells: usize,
    /// There is something to compare with, and a spread to compare by.
    pub testable: bool,
    /// How much stronger (weaker: negative) it hears them than its peers, in dB.
    pub residual_db: Option<f64>,
    /// Standard error of `residual_db` for a healthy terminal, in dB: the spread between terminals,
    /// its own and its peers', and the noise of readings.
    pub se_db: Option<f64>,
    /// `residual_db` over `se_db`.
    pub z: Option<f64>,
    /// One-sided p-value of hearing weaker, by Student's t.
    pub p: Option<f64>,
    /// q-value by Benjamini and Hochberg over the testable terminals.
    pub q: Option<f64>,
}

/// One device model against the others on the same radio cells.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSignal {
    /// The device model.
    pub model: String,
    /// Its terminals that share a radio cell with another model; the interval rests on them.
    pub terminals: usize,
    /// Readings of all its terminals.
    pub readings: u64,
    /// It and the others have two such terminals each, at least.
    pub testable: bool,
    /// How much stronger (weaker: negative) its terminals hear, in dB.
    pub bias_db: Option<f64>,
    /// Lower limit of `bias_db`, robust to whatever readings of one terminal share.
    pub low_db: Option<f64>,
    /// Upper limit of `bias_db`.
    pub high_db: Option<f64>,
    /// Two-sided p-value of no bias, by the same variance.
    pub p: Option<f64>,
    /// q-value by Benjamini and Hochberg over the testable models.
    pub q: Option<f64>,
}

/// The spreads of the fleet, and what they say of each terminal and model.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalBias {
    /// Standard deviation of the readings of one terminal on one radio cell, in dB.
    pub readings_sd_db: f64,
    /// Standard deviation of what is a terminal's own on all its radio cells, in dB.
    pub terminals_sd_db: f64,
    /// Standard deviation of what is of one terminal on one radio cell, in dB. Where no terminal
    /// hears two shared radio cells the two cannot be told apart, and this is 0.
    pub places_sd_db: f64,
    /// Terminals that are not testable since comparing them would take too long: work and memory are
    /// bounded by the number of rows.
    pub terminals_beyond_bounds: usize,
    /// Every terminal, by name.
    pub terminals: Vec<TerminalSignal>,
    /// Every model, by name.
    pub models: Vec<ModelSignal>,
}

/// Readings that cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SignalError {
    /// A mean that is not finite, or a sum of squares that is negative or not finite.
    #[error(
        "terminal {terminal} on radio cell {radio_cell} has mean {mean_dbm} dBm and sum of squares \
         {sum_squares}"
    )]
    Reading {
        /// Which terminal.
        terminal: String,
        /// Where.
        radio_cell: String,
        /// The mean found, in dBm.
        mean_dbm: f64,
        /// The sum of squares found, in dB².
        sum_squares: f64,
    },
    /// A terminal of two models: which of them its readings speak for is unknown.
    #[error("terminal {terminal} has models {first} and {second}")]
    TwoModels {
        /// Which terminal.
        terminal: String,
        /// One of its models.
        first: String,
        /// Another.
        second: String,
    },
    /// The coverage of the interval is not inside (0, 1).
    #[error("confidence {0} is not between 0 and 1")]
    Confidence(f64),
}

/// Compares terminals, and device models, on the radio cells they share.
///
/// Neither the order of the rows nor the number of threads changes the result.
///
/// # Errors
/// A reading that is no number, a terminal of two models, or a confidence outside (0, 1).
///
/// # Examples
/// ```
/// use statistics::signal::{SignalOptions, SignalRow, signal_bias};
///
/// let row = |terminal, model, mean_dbm| SignalRow {
///     terminal, model, radio_cell: "262-01-4711", readings: 50, mean_dbm, sum_squares: 450.0,
/// };
/// let fleet = [
///     row("t1", "P1", -90.0),
///     row("t2", "P1", -92.0),
///     row("t3", "P2", -91.0),
///     row("t4", "P2", -99.0),
/// ];
/// let bias = signal_bias(&fleet, &SignalOptions::default())?;
/// assert_eq!(bias.terminals[3].residual_db.map(f64::round), Some(-8.0));
/// assert_eq!(bias.models[1].bias_db.map(f64::round), Some(-4.0));
/// # Ok::<(), statistics::signal::SignalError>(())
/// ```
pub fn signal_bias(
    rows: &[SignalRow<'_>],
    options: &SignalOptions,
) -> Result<SignalBias, SignalError> {
    if !(options.confidence > 0.0 && options.confidence < 1.0) {
        return Err(SignalError::Confidence(options.confidence));
    }
    let (fleet, terminals_beyond_bounds) = rows::Fleet::of(rows)?.without_beyond_bounds();
    let spread = spread::Spread::of(&fleet.heard);
    let fit = fit::Fit::new(&fleet.heard, spread);
    let mut terminals = judge::terminals(&fleet, &fit);
    let mut models = judge::models(&fleet, &fit, options.confidence);
    let p_values: Vec<_> = terminals.iter().map(|row| row.p).collect();
    for (row, q) in terminals.iter_mut().zip(fdr::bh(&p_values)) {
        row.q = q;
    }
    let p_values: Vec<_> = models.iter().map(|row| row.p).collect();
    for (row, q) in models.iter_mut().zip(fdr::bh(&p_values)) {
        row.q = q;
    }
    Ok(SignalBias {
        readings_sd_db: spread.readings.sqrt(),
        terminals_sd_db: spread.terminals.sqrt(),
        places_sd_db: spread.places.sqrt(),
        terminals_beyond_bounds,
        terminals,
        models,
    })
}
