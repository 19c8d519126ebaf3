//! What was done at the planted branch: written down as an operator would, so that the analysis can say
//! what it changed. That it knows only when and where, not how much.

use chrono::{DateTime, Utc};
use ingest::interventions::{Intervention, add};
use schemas::interventions::{InterventionKind, TargetKind};
use simulator::answer_key::BranchPhase;
use simulator::{AnswerKey, Truth};

/// What begins each phase but the first.
fn kind(phase: &BranchPhase) -> Option<InterventionKind> {
    match phase.name.as_str() {
        "after_carrier_fix" => Some(InterventionKind::Other),
        "after_qr" => Some(InterventionKind::Qr),
        "after_maintenance" => Some(InterventionKind::Replace),
        _ => None,
    }
}

/// Returns the work done at a branch, in the order of its phases.
pub(super) fn at_branch(merchant_id: &str, phases: &[BranchPhase]) -> Vec<Intervention> {
    let done = |phase: &BranchPhase| {
        Some(Intervention {
            kind: kind(phase)?,
            target: TargetKind::Merchant,
            target_ids: vec![merchant_id.to_owned()],
            cells: Vec::new(),
            carrier_plmn: None,
            started_at: phase.from,
            ended_at: None,
            note: Some(phase.name.trim_start_matches("after_").replace('_', " ")),
            recorded_by: Some("notspot demo".into()),
        })
    };
    phases.iter().filter_map(done).collect()
}

/// Writes down the work done at every planted branch.
pub(super) async fn write_down(
    lake: &str,
    key: &AnswerKey,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut done = Vec::new();
    for planted in &key.truths {
        if let Truth::RemoteBranch {
            merchant_id,
            phases,
            ..
        } = &planted.truth
        {
            done.extend(at_branch(merchant_id, phases));
        }
    }
    if !done.is_empty() {
        add(lake, &done, now).await?;
    }
    Ok(())
}
