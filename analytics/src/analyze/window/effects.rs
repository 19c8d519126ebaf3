//! What interventions changed: their terminals before and after, less the change of terminals of the
//! same carrier that failed as much before and that nothing was done to.
//!
//! Comparison terminals are chosen by how bad they were, because work is done where it was bad, and bad
//! luck passes by itself: terminals as unlucky pass with it. Where none failed as much, the worst there
//! are stand in and a warning says so; failures then only count as avoided when the change goes beyond
//! what rates of other terminals come back to the mean by themselves.

mod fleet;
mod treated;

use std::collections::{BTreeSet, HashSet};

use chrono::NaiveDate;
use schemas::interventions::{InterventionKind, TargetKind};
use serde::Serialize;
use statistics::effect::{
    BeforeAfter, EffectCounts, EffectOptions, EffectWarning, Weighting, beyond_luck,
    estimate_effect,
};

use super::Origin;
use crate::analyze::steps::Steps;
use crate::analyze::{AnalyzeError, columns};
use crate::session::LakeSession;
use fleet::{DayCounts, Fleet, Member, Sums};
pub(super) use treated::Treated;
use treated::{Overlap, REACH, Shared, Span};

/// A row of `intervention_effects`.
#[derive(Debug, Serialize)]
pub(super) struct Effect {
    intervention_id: String,
    kind: String,
    target_kind: &'static str,
    target_ids: String,
    started_at: String,
    before_from: String,
    after_to: String,
    treated_terminals: u64,
    control_terminals: u64,
    treated_attempts_before: u64,
    treated_failures_before: u64,
    treated_attempts_after: u64,
    treated_failures_after: u64,
    control_attempts_before: u64,
    control_failures_before: u64,
    control_attempts_after: u64,
    control_failures_after: u64,
    estimate: Option<f64>,
    se: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    p: Option<f64>,
    placebo_p: Option<f64>,
    failures_avoided: Option<f64>,
    warnings: Option<String>,
    #[serde(flatten)]
    origin: Origin,
}

/// Reads what was done to whom in the window, or shortly before.
pub(super) async fn treated(
    lake: &LakeSession,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<Treated>, AnalyzeError> {
    treated::read(lake, from, to).await
}

/// Estimates every intervention begun in the window, or so shortly before that its days reach into it.
pub(super) async fn find(
    lake: &LakeSession,
    all: &[Treated],
    origin: &Origin,
    (from, to): (NaiveDate, NaiveDate),
    steps: &mut Steps<'_>,
) -> Result<Vec<Effect>, AnalyzeError> {
    let in_reach = all.iter().filter(|one| one.start + REACH > from);
    let shared = Shared::of(all);
    let mut due: Vec<(Span, Overlap, &Treated)> = in_reach
        .map(|one| {
            let (span, overlap) = shared.span(one, to);
            (span, overlap, one)
        })
        .collect();
    due.sort_by(|one, other| (one.0, &one.2.id).cmp(&(other.0, &other.2.id)));
    let flagged = flagged(lake, to).await?;
    let mut effects = Vec::with_capacity(due.len());
    // Work of one day on many targets is judged by one reading of the fleet.
    for group in due.chunk_by(|one, other| one.0 == other.0) {
        let span = &group[0].0;
        let fleet = Fleet::read(lake, span).await?;
        let touched = all.iter().filter(|other| span.holds(other.start));
        let touched = touched.flat_map(|other| &other.terminals);
        let barred: HashSet<&str> = touched.chain(&flagged).map(String::as_str).collect();
        for (_, overlap, one) in group {
            let done = effects.len() + 1;
            steps.say(format!("effect of intervention {done} of {}", due.len()))?;
            effects.push(effect(lake, one, (span, overlap), (&fleet, &barred), origin).await?);
        }
    }
    Ok(effects)
}

async fn flagged(lake: &LakeSession, to: NaiveDate) -> Result<BTreeSet<String>, AnalyzeError> {
    let sql = format!(
        "select terminal_id from lake.terminal_flags where flagged and window_to = date '{to}'"
    );
    let mut flagged = BTreeSet::new();
    for batch in &lake.collect(&sql).await?.batches {
        let terminals = columns::texts(batch, "terminal_id")?;
        flagged.extend(terminals.iter().flatten().map(str::to_owned));
    }
    Ok(flagged)
}

async fn effect(
    lake: &LakeSession,
    one: &Treated,
    (span, overlap): (&Span, &Overlap),
    (fleet, barred): (&Fleet, &HashSet<&str>),
    origin: &Origin,
) -> Result<Effect, AnalyzeError> {
    let terminals: BTreeSet<String> = one.terminals.difference(&overlap.others).cloned().collect();
    let treated = fleet.among(&terminals);
    let control = fleet.alike(&treated, barred, spills(one));
    let mut row = Effect::of(one, span, (&treated, &control), origin);
    row.warn(overlap, one.terminals.len());
    if treated.is_empty() || control.is_empty() {
        row.add_warning(match treated.is_empty() {
            true => format!(
                "no treated terminal has attempts before and after {}",
                span.start
            ),
            false => "no terminal to compare with".to_owned(),
        });
        return Ok(row);
    }
    let names = treated.iter().chain(&control);
    let names: HashSet<&str> = names.map(|member| member.terminal.as_str()).collect();
    let days = fleet::days(lake, span, &names).await?;
    let counts = |members: &[&Member]| -> Vec<BeforeAfter> {
        let sums = members.iter().map(|member| &member.sums);
        sums.map(Sums::before_after).collect()
    };
    let untouched = fleet.untouched(&treated, barred);
    let beyond_luck = beyond_luck(&counts(&treated), &counts(&untouched));
    row.estimate(&days, &terminals, span, beyond_luck)?;
    Ok(row)
}

/// Whether what was done helps whoever stands near.
fn spills(one: &Treated) -> bool {
    let for_a_place = matches!(one.target, TargetKind::Zone | TargetKind::Cell);
    for_a_place
        || matches!(
            one.kind,
            InterventionKind::Booster | InterventionKind::Antenna | InterventionKind::Other
        )
}

fn sum(members: &[&Member]) -> Sums {
    let mut sums = Sums::default();
    for member in members {
        sums.add(&member.sums);
    }
    sums
}

impl Effect {
    fn of(
        one: &Treated,
        span: &Span,
        (treated, control): (&[&Member], &[&Member]),
        origin: &Origin,
    ) -> Self {
        let (of_treated, of_control) = (sum(treated), sum(control));
        Self {
            intervention_id: one.id.clone(),
            kind: one.kind.to_string(),
            target_kind: one.target.as_str(),
            target_ids: one.target_ids.clone(),
            started_at: one.started_at.clone(),
            before_from: span.before_from.to_string(),
            after_to: span.after_to.to_string(),
            treated_terminals: treated.len() as u64,
            control_terminals: control.len() as u64,
            treated_attempts_before: of_treated.attempts_before,
            treated_failures_before: of_treated.failures_before,
            treated_attempts_after: of_treated.attempts_after,
            treated_failures_after: of_treated.failures_after,
            control_attempts_before: of_control.attempts_before,
            control_failures_before: of_control.failures_before,
            control_attempts_after: of_control.attempts_after,
            control_failures_after: of_control.failures_after,
            estimate: None,
            se: None,
            low: None,
            high: None,
            p: None,
            placebo_p: None,
            failures_avoided: None,
            warnings: None,
            origin: origin.clone(),
        }
    }

    fn estimate(
        &mut self,
        days: &[DayCounts<'_>],
        treated: &BTreeSet<String>,
        span: &Span,
        beyond_luck: Option<(f64, f64)>,
    ) -> Result<(), AnalyzeError> {
        let counts: Vec<EffectCounts<'_>> = days
            .iter()
            .map(|row| EffectCounts {
                unit: row.terminal,
                treated: treated.contains(row.terminal),
                period: row.day,
                attempts: row.attempts,
                failures: row.failures,
            })
            .collect();
        let since_1970 = span.start - NaiveDate::default();
        let options = EffectOptions {
            weighting: Weighting::Attempts,
            ..EffectOptions::starting(since_1970.num_days())
        };
        let found = estimate_effect(&counts, &options).map_err(|error| AnalyzeError::Method {
            method: "the effect of interventions",
            reason: format!("{}: {error}", self.intervention_id),
        })?;
        let effect = found.effect;
        self.estimate = Some(effect.estimate);
        (self.se, self.low, self.high) = (effect.se, effect.low, effect.high);
        (self.p, self.placebo_p) = (effect.p, found.placebo_p);
        let excludes_none = |(low, high): (f64, f64)| low > 0.0 || high < 0.0;
        let mut is_sure = effect.low.zip(effect.high).is_some_and(excludes_none);
        let started_apart = found
            .warnings
            .iter()
            .any(|warning| matches!(warning, EffectWarning::DifferentStart { .. }));
        if is_sure && started_apart && !beyond_luck.is_some_and(excludes_none) {
            is_sure = false;
            self.add_warning("no more than what passes by itself".to_owned());
        }
        let avoided = -effect.estimate * self.treated_attempts_after as f64;
        self.failures_avoided = is_sure.then_some(avoided);
        for warning in found.warnings {
            self.add_warning(warning.to_string());
        }
        Ok(())
    }

    fn warn(&mut self, overlap: &Overlap, terminals: usize) {
        if !overlap.same_day.is_empty() {
            let others = overlap.same_day.join(", ");
            self.add_warning(format!("not to be told from {others} of the same day"));
        }
        if !overlap.others.is_empty() {
            let out = overlap.others.len();
            self.add_warning(format!("{out} terminals left out for other interventions"));
        }
        let missing = terminals - overlap.others.len() - self.treated_terminals as usize;
        if missing > 0 && self.treated_terminals > 0 {
            self.add_warning(format!(
                "{missing} of {terminals} terminals lack attempts before or after"
            ));
        }
    }

    fn add_warning(&mut self, warning: String) {
        match &mut self.warnings {
            Some(warnings) => {
                warnings.push_str("; ");
                warnings.push_str(&warning);
            }
            none => *none = Some(warning),
        }
    }
}
