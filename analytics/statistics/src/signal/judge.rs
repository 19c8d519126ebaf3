//! The difference of a terminal, and of a model, from the others on the same radio cells.

use rayon::prelude::*;

use super::fit::Fit;
use super::rows::{Fleet, Heard};
use super::{ModelSignal, TerminalSignal};
use crate::special::{t_cdf, t_quantile, t_two_sided};

/// A share of a variance below this is rounding.
const NOTHING: f64 = 1e-9;

/// A constant added to the readings of some terminals, as generalised least squares has it.
#[derive(Clone, Copy)]
struct Shift {
    db: f64,
    /// Inverse of its variance by the model.
    precision: f64,
}

impl Shift {
    /// Of the sum of some weights, what the radio cells take of it, and the weighted residuals.
    fn of(all: f64, taken: f64, weighted: f64) -> Option<Self> {
        let precision = all - taken;
        (precision > NOTHING * all).then(|| Self {
            db: weighted / precision,
            precision,
        })
    }

    fn of_terminal(fit: &Fit<'_>, terminal: usize) -> Option<Self> {
        let weights = fit.weights_of(terminal);
        let weighted = &fit.weighted[fit.heard.of_terminal(terminal)];
        let taken = fit.taken_by_cells(terminal, &weights);
        Self::of(weights.iter().sum(), taken, weighted.iter().sum())
    }

    /// The shift of a model's terminals, and what it does to the radio cells.
    fn of_model(fit: &Fit<'_>, terminals: &[usize]) -> Option<(Self, Vec<f64>)> {
        let mut weights = vec![0.0; fit.heard.means.len()];
        for terminal in terminals {
            let own = fit.heard.of_terminal(*terminal);
            weights[own].copy_from_slice(&fit.weights_of(*terminal));
        }
        let cells = fit.solve(&weights);
        let own = terminals
            .iter()
            .flat_map(|terminal| fit.heard.of_terminal(*terminal));
        let (mut all, mut taken, mut weighted) = (0.0, 0.0, 0.0);
        for at in own {
            all += weights[at];
            taken += weights[at] * cells[fit.heard.means[at].radio_cell as usize];
            weighted += fit.weighted[at];
        }
        Some((Self::of(all, taken, weighted)?, cells))
    }
}

pub(super) fn terminals(fleet: &Fleet<'_>, fit: &Fit<'_>) -> Vec<TerminalSignal> {
    let heard = &fleet.heard;
    let freedom = contrasts(heard) as f64;
    (0..fleet.terminals.len())
        .into_par_iter()
        .map(|terminal| {
            let shift = (fit.has_spread() && !heard.of_terminal(terminal).is_empty())
                .then(|| Shift::of_terminal(fit, terminal))
                .flatten();
            let z = shift.map(|shift| shift.db * shift.precision.sqrt());
            TerminalSignal {
                terminal: fleet.terminals[terminal].to_owned(),
                model: fleet.models[fleet.model_of[terminal] as usize].to_owned(),
                readings: fleet.readings[terminal],
                shared_radio_cells: heard.of_terminal(terminal).len(),
                testable: shift.is_some(),
                residual_db: shift.map(|shift| shift.db),
                se_db: shift.map(|shift| shift.precision.sqrt().recip()),
                z,
                p: z.map(|z| t_cdf(z, freedom)),
                q: None,
            }
        })
        .collect()
}

/// Contrasts between terminals that the spread was estimated from: one fewer than the terminals of
/// each set of radio cells that terminals link.
fn contrasts(heard: &Heard) -> usize {
    let mut seen = vec![false; heard.terminals()];
    let mut contrasts = 0;
    for first in 0..heard.terminals() {
        if seen[first] || heard.of_terminal(first).is_empty() {
            continue;
        }
        seen[first] = true;
        let mut open = vec![first];
        while let Some(terminal) = open.pop() {
            for mean in &heard.means[heard.of_terminal(terminal)] {
                for at in heard.of_cell(mean.radio_cell as usize) {
                    let other = heard.means[at].terminal as usize;
                    if !std::mem::replace(&mut seen[other], true) {
                        contrasts += 1;
                        open.push(other);
                    }
                }
            }
        }
    }
    contrasts
}

pub(super) fn models(fleet: &Fleet<'_>, fit: &Fit<'_>, confidence: f64) -> Vec<ModelSignal> {
    let mut own = vec![Vec::new(); fleet.models.len()];
    for (terminal, model) in fleet.model_of.iter().enumerate() {
        own[*model as usize].push(terminal);
    }
    (0_u32..)
        .zip(&own)
        .map(|(model, own)| {
            let comparison = Comparison {
                fleet,
                fit,
                model,
                own,
            };
            let [mine, others] = comparison.on_mixed_cells();
            let bias = (fit.has_spread() && mine.min(others) > 1)
                .then(|| comparison.bias())
                .flatten();
            let freedom = (mine.min(others).max(2) - 1) as f64;
            let margin = bias.map(|bias| bias.se_db * t_quantile(0.5 + 0.5 * confidence, freedom));
            ModelSignal {
                model: fleet.models[model as usize].to_owned(),
                terminals: mine,
                readings: own.iter().map(|terminal| fleet.readings[*terminal]).sum(),
                testable: bias.is_some(),
                bias_db: bias.map(|bias| bias.db),
                low_db: bias.zip(margin).map(|(bias, margin)| bias.db - margin),
                high_db: bias.zip(margin).map(|(bias, margin)| bias.db + margin),
                p: bias.map(|bias| t_two_sided(bias.db / bias.se_db, freedom)),
                q: None,
            }
        })
        .collect()
}

/// One model against the others.
struct Comparison<'a> {
    fleet: &'a Fleet<'a>,
    fit: &'a Fit<'a>,
    model: u32,
    own: &'a [usize],
}

#[derive(Clone, Copy)]
struct Bias {
    db: f64,
    se_db: f64,
}

impl Comparison<'_> {
    fn is_own(&self, terminal: usize) -> bool {
        self.fleet.model_of[terminal] == self.model
    }

    /// Terminals of the model, and of others, on radio cells where there are both.
    fn on_mixed_cells(&self) -> [usize; 2] {
        let heard = &self.fleet.heard;
        let mut mixed: Vec<bool> = vec![false; heard.cells()];
        for terminal in self.own {
            for mean in &heard.means[heard.of_terminal(*terminal)] {
                let cell = mean.radio_cell as usize;
                mixed[cell] = mixed[cell]
                    || heard
                        .of_cell(cell)
                        .any(|at| !self.is_own(heard.means[at].terminal as usize));
            }
        }
        let mut counts = [0; 2];
        for terminal in 0..heard.terminals() {
            let means = &heard.means[heard.of_terminal(terminal)];
            if means.iter().any(|mean| mixed[mean.radio_cell as usize]) {
                counts[usize::from(!self.is_own(terminal))] += 1;
            }
        }
        counts
    }

    /// The shift of the model, with a variance from what the terminals' residuals add to it.
    fn bias(&self) -> Option<Bias> {
        let (heard, fit) = (&self.fleet.heard, self.fit);
        let (shift, cells) = Shift::of_model(fit, self.own)?;
        let left = heard.means.iter().map(|mean| {
            let own = f64::from(u8::from(self.is_own(mean.terminal as usize)));
            own - cells[mean.radio_cell as usize]
        });
        let left: Vec<f64> = left.collect();
        let weights = fit.weigh_all(&left).into_iter();
        let estimate = Estimate {
            fit,
            shift,
            weights: weights.map(|weight| weight / shift.precision).collect(),
            left,
        };
        let squares: Vec<f64> = (0..heard.terminals())
            .into_par_iter()
            .map(|terminal| estimate.square(terminal))
            .collect();
        let se_db = squares.iter().sum::<f64>().sqrt();
        (se_db > 0.0).then_some(Bias {
            db: shift.db,
            se_db,
        })
    }
}

/// A shift as a weighted sum of the means.
struct Estimate<'a> {
    fit: &'a Fit<'a>,
    shift: Shift,
    weights: Vec<f64>,
    /// What the radio cells leave of the indicator of the shifted means.
    left: Vec<f64>,
}

impl Estimate<'_> {
    /// What the terminal's residuals say that its means add to the variance of the estimate.
    ///
    /// The square is scaled by what the model expects of it, since the fit has taken a part out
    /// (the correction of Bell and McCaffrey 2002, in the one direction that counts).
    fn square(&self, terminal: usize) -> f64 {
        let (fit, own) = (self.fit, self.fit.heard.of_terminal(terminal));
        let variance = fit.variance(&fit.heard.means[own.clone()], &self.weights[own.clone()]);
        if variance * self.shift.precision < NOTHING * NOTHING {
            return 0.0;
        }
        let (mut score, mut along) = (0.0, 0.0);
        for at in own.clone() {
            score += self.weights[at] * (fit.residual[at] - self.shift.db * self.left[at]);
            along += self.weights[at] * self.left[at];
        }
        let cells = fit.taken_by_cells(terminal, &self.weights[own]);
        let kept = variance - cells - along * along / self.shift.precision;
        if kept > NOTHING * variance {
            score * score * variance / kept
        } else {
            variance
        }
    }
}
