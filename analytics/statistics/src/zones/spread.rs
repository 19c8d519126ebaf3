//! How much terminals differ in ordinary places, and how much ordinary cells do.
//!
//! Two intra-class correlations by moments: of attempts of one terminal, and of attempts of two
//! terminals in one cell. The first has the second in it. Each term is weighted by the inverse of
//! its variance, which needs the correlations, so a few passes are made.

use super::layer::CellSeats;

const PASSES: usize = 4;
const FIRST: f64 = 0.005;
const LARGEST: f64 = 0.9;

/// Intra-class correlations of ordinary places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// Between attempts of one terminal.
    pub(super) terminal: f64,
    /// Between attempts of different terminals in one cell.
    pub(super) cell: f64,
}

/// Size and unexplained failures of one cell in units of binomial standard deviations of one attempt.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    /// Sum of variances of single attempts.
    variance: f64,
    /// Sum over terminals of the products of pairs of attempts of one terminal.
    within: f64,
    /// The same over pairs of attempts of two terminals.
    between: f64,
}

impl Moments {
    fn of(cell: &CellSeats<'_>) -> Self {
        let (mut moments, mut sizes, mut squares) = (Self::default(), 0.0, 0.0);
        for (attempts, rate) in cell.seats() {
            let unit = rate * (1.0 - rate);
            let size = attempts * unit.sqrt();
            moments.variance += attempts * unit;
            moments.within += attempts * (attempts - 1.0).max(0.0) * unit;
            sizes += size;
            squares += size * size;
        }
        moments.between = (sizes * sizes - squares).max(0.0);
        moments
    }
}

impl Spread {
    pub(super) const fn first() -> Self {
        Self {
            terminal: FIRST,
            cell: 0.0,
        }
    }

    /// Variance of the failures of a cell whose place is like any other.
    pub(super) fn variance(&self, cell: &CellSeats<'_>) -> f64 {
        let moments = Moments::of(cell);
        moments.variance + self.terminal * moments.within + self.cell * moments.between
    }

    /// The same when the rate of the place is given: only its terminals differ.
    pub(super) fn variance_within(&self, cell: &CellSeats<'_>) -> f64 {
        let moments = Moments::of(cell);
        moments.variance + (self.terminal - self.cell) * moments.within
    }

    /// Re-estimates both from ordinary cells.
    pub(super) fn estimate(&self, ordinary: &[CellSeats<'_>]) -> Self {
        let mut spread = *self;
        for _ in 0..PASSES {
            spread = spread.pass(ordinary);
        }
        spread
    }

    fn pass(&self, ordinary: &[CellSeats<'_>]) -> Self {
        let (mut own, mut own_size, mut shared, mut shared_size) = (0.0, 0.0, 0.0, 0.0);
        for cell in ordinary {
            let variance = self.variance(cell);
            let (mut residuals, mut squares) = (0.0, 0.0);
            for ((attempts, rate), residual) in cell.seats().zip(cell.residuals()) {
                let unit = attempts * rate * (1.0 - rate);
                let size = attempts - 1.0;
                let inflation = 1.0 + size * self.terminal;
                let weight = 1.0 / (2.0 * inflation * inflation + inflation / unit);
                own += weight * size * (residual * residual / unit - 1.0);
                own_size += weight * size * size;
                residuals += residual;
                squares += residual * residual;
            }
            let between = Moments::of(cell).between;
            let weight = (variance * variance).recip();
            shared += weight * between * (residuals * residuals - squares);
            shared_size += weight * between * between;
        }
        let part = |sum: f64, size: f64| if size > 0.0 { sum / size } else { 0.0 };
        let terminal = part(own, own_size).clamp(0.0, LARGEST);
        Self {
            terminal,
            cell: part(shared, shared_size).clamp(0.0, terminal),
        }
    }
}
