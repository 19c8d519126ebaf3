//! Which candidates are zones, and what a carrier has beside a place of all carriers.
//!
//! Candidates are tested as one family by q-values, each without its worst parts too. Places of all
//! carriers are decided first. What single carriers have there goes to them, and what a carrier has
//! left beside them is judged again by itself: no cell of a carrier is in two zones.

use std::collections::HashSet;

use h3o::CellIndex;

use super::judge::{Candidate, Court};
use super::refusal::{self, Qs};
use super::{RefusedZone, Zone, ZoneKind, ZoneOptions};
use crate::fdr;

/// The zones, and the candidates that are none, both sorted.
#[derive(Default)]
pub(super) struct Verdicts {
    pub(super) zones: Vec<Zone>,
    pub(super) refused: Vec<RefusedZone>,
}

/// Decides on the candidates of each carrier (`own`, one list for each of `courts`) and of all.
pub(super) fn verdicts(
    courts: &[Court<'_>],
    own: Vec<Vec<Candidate>>,
    everyones: Vec<Candidate>,
    options: &ZoneOptions,
) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let family: Vec<&Candidate> = everyones.iter().chain(own.iter().flatten()).collect();
    let qs = q_values(&family, options);
    let mut places = Vec::new();
    for (mut candidate, qs) in everyones.into_iter().zip(qs) {
        if verdicts.add(&mut candidate, qs, options) {
            places.push(candidate);
        }
    }
    let taken: HashSet<(&str, CellIndex)> = places
        .iter()
        .flat_map(|place| place.zone.cells_of_carriers())
        .collect();
    let mut own: Vec<Candidate> = courts
        .iter()
        .zip(own)
        .flat_map(|(court, own)| own.into_iter().map(move |candidate| (court, candidate)))
        .flat_map(|(court, candidate)| beside(court, candidate, &taken))
        .collect();
    let family: Vec<&Candidate> = own.iter().chain(&places).collect();
    let qs = q_values(&family, options);
    for (candidate, qs) in own.iter_mut().zip(qs) {
        verdicts.add(candidate, qs, options);
    }
    verdicts.zones.sort_by(|a, b| order(a).cmp(&order(b)));
    let refused = &mut verdicts.refused;
    refused.sort_by(|a, b| order(&a.zone).cmp(&order(&b.zone)));
    verdicts
}

impl Verdicts {
    /// Decides on one candidate; returns whether it is a zone.
    fn add(&mut self, candidate: &mut Candidate, qs: Qs, options: &ZoneOptions) -> bool {
        candidate.zone.q = qs.full;
        candidate.zone.survives_leave_one_out = refusal::survives(candidate, qs, options).all();
        let broken = refusal::broken(candidate, qs, options);
        let zone = candidate.zone.clone();
        match broken.first() {
            None => self.zones.push(zone),
            Some(&reason) => self.refused.push(RefusedZone {
                zone,
                reason,
                missing: refusal::missing(&broken, candidate, options),
            }),
        }
        broken.is_empty()
    }
}

fn q_values(family: &[&Candidate], options: &ZoneOptions) -> Vec<Qs> {
    let q_of = |p_of: &dyn Fn(&Candidate) -> Option<f64>| {
        let tested = family.iter().map(|candidate| {
            let enough = refusal::by_counts(&candidate.zone, options).is_none();
            p_of(candidate).filter(|_| enough)
        });
        fdr::bh(&tested.collect::<Vec<_>>())
    };
    let full = q_of(&|candidate| Some(candidate.p));
    let terminal = q_of(&|candidate| candidate.without_terminal.map(|left| left.p));
    let merchant = q_of(&|candidate| candidate.without_merchant.map(|left| left.p));
    let bad = q_of(&|candidate| candidate.without_bad.map(|left| left.p));
    let each = full
        .into_iter()
        .zip(bad)
        .zip(terminal.into_iter().zip(merchant));
    let qs = each.map(
        |((full, without_bad), (without_terminal, without_merchant))| Qs {
            full,
            without_bad,
            without_terminal,
            without_merchant,
        },
    );
    qs.collect()
}

/// A carrier's candidate, or what is left of it outside of the places of all carriers.
fn beside(
    court: &Court<'_>,
    candidate: Candidate,
    taken: &HashSet<(&str, CellIndex)>,
) -> Vec<Candidate> {
    let plmn = candidate.zone.plmn.clone().unwrap_or_default();
    let is_free = |cell: &CellIndex| !taken.contains(&(plmn.as_str(), *cell));
    if candidate.zone.cells.iter().all(is_free) {
        return vec![candidate];
    }
    court.pieces(candidate.zone.cells.iter().copied().filter(is_free))
}

fn order(zone: &Zone) -> (CellIndex, Option<&str>, ZoneKind) {
    (zone.cells[0], zone.plmn.as_deref(), zone.kind)
}
