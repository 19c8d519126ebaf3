//! What verdicts were worth, over many fleets.

use std::fmt;

/// Verdicts of one kind on one fleet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdicts {
    /// What was said to be bad.
    pub said: usize,
    /// And is not.
    pub wrong: usize,
    /// What is bad.
    pub bad: usize,
    /// And was found.
    pub found: usize,
    /// What was not testable.
    pub not_testable: usize,
    /// Everything.
    pub all: usize,
}

/// One fleet: terminals, models and zones.
pub type Outcome = [Verdicts; 3];

/// One kind of verdict over all fleets of a setting.
pub struct Row {
    what: &'static str,
    seeds: usize,
    said: usize,
    wrong: usize,
    fdr: f64,
    error: f64,
    power: Option<f64>,
    not_testable: f64,
}

impl Row {
    pub const HEADER: &'static str = "| fleet | verdicts on | seeds | said | wrong | FDR (95 %) | power | not testable | took |\n|---|---|--:|--:|--:|---|--:|--:|--:|";

    pub fn of(what: &'static str, outcomes: &[Outcome]) -> Self {
        let at = ["terminals", "models", "zones"]
            .iter()
            .position(|kind| *kind == what)
            .expect("one of the three kinds");
        let of_kind = || outcomes.iter().map(|outcome| outcome[at]);
        let count = outcomes.len() as f64;
        let share = |verdicts: Verdicts| verdicts.wrong as f64 / verdicts.said.max(1) as f64;
        let fdr = of_kind().map(share).sum::<f64>() / count;
        let squares = of_kind().map(|verdicts| (share(verdicts) - fdr).powi(2));
        let sum = |of: fn(Verdicts) -> usize| of_kind().map(of).sum::<usize>();
        let bad = sum(|verdicts| verdicts.bad);
        Self {
            what,
            seeds: outcomes.len(),
            said: sum(|verdicts| verdicts.said),
            wrong: sum(|verdicts| verdicts.wrong),
            fdr,
            error: (squares.sum::<f64>() / (count - 1.0) / count).sqrt(),
            power: (bad > 0).then(|| sum(|verdicts| verdicts.found) as f64 / bad as f64),
            not_testable: sum(|verdicts| verdicts.not_testable) as f64
                / sum(|verdicts| verdicts.all).max(1) as f64,
        }
    }

    /// Lower end of the 95 % interval of the false discovery rate.
    pub fn fdr_low(&self) -> f64 {
        (self.fdr - 1.96 * self.error).max(0.0)
    }

    /// Share of the bad that was found.
    pub fn power(&self) -> Option<f64> {
        self.power
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let high = self.fdr + 1.96 * self.error;
        let power = self
            .power
            .map_or("–".to_owned(), |power| format!("{power:.2}"));
        write!(
            f,
            "{} | {} | {} | {} | {:.3} ({:.3}–{high:.3}) | {power} | {:.2}",
            self.what,
            self.seeds,
            self.said,
            self.wrong,
            self.fdr,
            self.fdr_low(),
            self.not_testable,
        )
    }
}
