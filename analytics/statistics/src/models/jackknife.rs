//! The interval of an odds ratio with terminals as the units: one left out at a time.
//!
//! The ratio is of two sums over strata, R / S. Without one terminal only the terms of its own
//! strata change, so all the ratios cost one pass over the rows. Attempts of one terminal may then
//! depend on each other in any way.

use rayon::prelude::*;

use super::{
    Comparison, Counts, ModelCounts, ModelRow, ModelsError, ModelsOptions, compare_models,
};
use crate::fdr;
use crate::levels::Levels;
use crate::special::{t_quantile, t_two_sided};

/// The attempts and failures of one terminal in one stratum; repeated rows are added up.
#[derive(Clone, Copy, Debug)]
pub struct TerminalCounts<'a> {
    /// The terminal. One that changed its model has rows of both.
    pub terminal: &'a str,
    /// Its attempts and failures.
    pub counts: ModelCounts<'a>,
}

/// What leaving out each terminal by turns says of an odds ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ByTerminal {
    /// Terminals of the model in informative strata.
    pub terminals: usize,
    /// Terminals of the comparison there.
    pub other_terminals: usize,
    /// Jackknife standard error of the logarithm of the odds ratio. `None` with fewer than two
    /// terminals on a side, or where the ratio without one of them is 0 or infinite: it then rests
    /// on that one alone.
    pub se_ln_or: Option<f64>,
    /// Two-sided p-value of an odds ratio of 1, by Student's t with one degree of freedom fewer
    /// than the terminals of the smaller side.
    pub p: Option<f64>,
    /// Benjamini–Hochberg q-value over the compared models.
    pub q: Option<f64>,
}

/// Compares models like [`compare_models`], with intervals of the odds ratio by a jackknife over
/// terminals: `low`, `high` and `by_terminal`. What else a row holds still counts attempts.
///
/// # Errors
/// As [`compare_models`].
pub fn compare_models_by_terminal(
    rows: &[TerminalCounts<'_>],
    options: &ModelsOptions<'_>,
) -> Result<Vec<ModelRow>, ModelsError> {
    let counts: Vec<ModelCounts<'_>> = rows.iter().map(|row| row.counts).collect();
    let mut result = compare_models(&counts, options)?;
    let models = Levels::of(counts.iter().map(|row| row.model));
    let reference = match options.comparison {
        Comparison::Others => None,
        Comparison::Reference(name) => models.find(name),
    };
    let deletions = deletions(rows, &models, reference);
    result.par_iter_mut().for_each(|row| {
        let model = models
            .find(&row.model)
            .expect("the names are of these rows");
        judge(row, &deletions[model as usize], options.confidence);
    });
    let p = |row: &ModelRow| row.by_terminal.and_then(|verdict| verdict.p);
    let q_values = fdr::bh(&result.iter().map(p).collect::<Vec<_>>());
    for (row, q) in result.iter_mut().zip(q_values) {
        if let Some(verdict) = &mut row.by_terminal {
            verdict.q = q;
        }
    }
    Ok(result)
}

fn judge(row: &mut ModelRow, deletions: &Deletions, confidence: f64) {
    let [terminals, other_terminals] = deletions.terminals();
    let smaller = terminals.min(other_terminals);
    let se_ln_or = (smaller > 1).then(|| deletions.standard_error()).flatten();
    let freedom = (smaller.max(2) - 1) as f64;
    let margin = se_ln_or.map(|se| (se * t_quantile(0.5 + 0.5 * confidence, freedom)).exp());
    row.low = row.or.zip(margin).map(|(or, margin)| or / margin);
    row.high = row.or.zip(margin).map(|(or, margin)| or * margin);
    let z = row.or.zip(se_ln_or).map(|(or, se)| or.ln() / se);
    row.by_terminal = Some(ByTerminal {
        terminals,
        other_terminals,
        se_ln_or,
        p: z.map(|z| t_two_sided(z, freedom)),
        q: None,
    });
}

/// The terms of one stratum in the sums of the odds ratio.
#[derive(Clone, Copy, Debug, Default)]
struct Terms {
    r: f64,
    s: f64,
}

impl Terms {
    fn of(own: Counts, other: Counts) -> Self {
        let n = (own.attempts + other.attempts) as f64;
        if n == 0.0 {
            return Self::default();
        }
        let successes = |side: Counts| (side.attempts - side.failures) as f64;
        Self {
            r: own.failures as f64 * successes(other) / n,
            s: successes(own) * other.failures as f64 / n,
        }
    }

    fn add(&mut self, other: Self) {
        self.r += other.r;
        self.s += other.s;
    }
}

/// What one stratum loses of a comparison without one terminal.
#[derive(Clone, Copy, Debug)]
struct Deletion {
    terminal: u32,
    change: Terms,
    /// The terminal has attempts of the model, of the comparison.
    sides: [bool; 2],
}

/// The sums of one model's comparison, and what each terminal is to them.
#[derive(Clone, Debug, Default)]
struct Deletions {
    all: Terms,
    by_terminal: Vec<Deletion>,
}

impl Deletions {
    /// One deletion for each terminal; strata were visited in order, and stay so.
    fn add_up(&mut self) {
        self.by_terminal.sort_by_key(|deletion| deletion.terminal);
        self.by_terminal.dedup_by(|next, kept| {
            let same = next.terminal == kept.terminal;
            if same {
                kept.change.add(next.change);
                kept.sides = [0, 1].map(|side| kept.sides[side] || next.sides[side]);
            }
            same
        });
    }

    fn terminals(&self) -> [usize; 2] {
        [0, 1].map(|side| {
            self.by_terminal
                .iter()
                .filter(|one| one.sides[side])
                .count()
        })
    }

    fn standard_error(&self) -> Option<f64> {
        let mut logarithms = Vec::with_capacity(self.by_terminal.len());
        for Deletion { change, .. } in &self.by_terminal {
            let (r, s) = (self.all.r + change.r, self.all.s + change.s);
            // What subtraction leaves of a sum that is gone.
            if r <= self.all.r * 1e-12 || s <= self.all.s * 1e-12 {
                return None;
            }
            logarithms.push((r / s).ln());
        }
        let count = logarithms.len() as f64;
        let mean = logarithms.iter().sum::<f64>() / count;
        let squares = logarithms.iter().map(|one| (one - mean) * (one - mean));
        let variance = (count - 1.0) / count * squares.sum::<f64>();
        (variance > 0.0).then(|| variance.sqrt())
    }
}

/// One terminal's attempts of one model in one stratum.
type Cell = (u32, u32, u32, Counts);

/// The deletions of every model against the others or the reference.
fn deletions(
    rows: &[TerminalCounts<'_>],
    models: &Levels<'_>,
    reference: Option<u32>,
) -> Vec<Deletions> {
    let strata = Levels::of(rows.iter().map(|row| row.counts.stratum));
    let terminals = Levels::of(rows.iter().map(|row| row.terminal));
    let numbers = strata.of_row.iter().zip(&terminals.of_row);
    let mut cells: Vec<Cell> = rows
        .iter()
        .zip(numbers.zip(&models.of_row))
        .filter(|(row, _)| row.counts.attempts > 0)
        .map(|(row, ((stratum, terminal), model))| {
            let (attempts, failures) = (row.counts.attempts, row.counts.failures);
            (*stratum, *terminal, *model, Counts { attempts, failures })
        })
        .collect();
    cells.par_sort_unstable_by_key(|&(stratum, terminal, model, _)| (stratum, terminal, model));
    let mut deletions = vec![Deletions::default(); models.names.len()];
    for stratum in cells.chunk_by(|one, next| one.0 == next.0) {
        delete_in_stratum(&mut deletions, stratum, reference);
    }
    deletions.par_iter_mut().for_each(Deletions::add_up);
    deletions
}

fn delete_in_stratum(deletions: &mut [Deletions], stratum: &[Cell], reference: Option<u32>) {
    let mut present: Vec<u32> = stratum.iter().map(|cell| cell.2).collect();
    present.sort_unstable();
    present.dedup();
    for model in present
        .into_iter()
        .filter(|model| reference != Some(*model))
    {
        let [own, other] = sides(stratum, model, reference);
        let failures = own.failures + other.failures;
        if other.attempts == 0 || failures == 0 || failures == own.attempts + other.attempts {
            continue;
        }
        let (all, comparison) = (Terms::of(own, other), &mut deletions[model as usize]);
        comparison.all.add(all);
        for terminal in stratum.chunk_by(|one, next| one.1 == next.1) {
            let [mine, its_other] = sides(terminal, model, reference);
            if mine.attempts + its_other.attempts == 0 {
                continue;
            }
            let rest = Terms::of(own.without(mine), other.without(its_other));
            comparison.by_terminal.push(Deletion {
                terminal: terminal[0].1,
                change: Terms {
                    r: rest.r - all.r,
                    s: rest.s - all.s,
                },
                sides: [mine.attempts > 0, its_other.attempts > 0],
            });
        }
    }
}

/// The counts of a model, and of what it is compared with.
fn sides(cells: &[Cell], model: u32, reference: Option<u32>) -> [Counts; 2] {
    let mut sides = [Counts::default(); 2];
    for (_, _, of, counts) in cells {
        if *of == model {
            sides[0].add(*counts);
        } else if reference.is_none_or(|reference| reference == *of) {
            sides[1].add(*counts);
        }
    }
    sides
}
