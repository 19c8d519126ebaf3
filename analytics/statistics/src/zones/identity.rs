//! The same zone tomorrow: ids that stay, and what became of each zone.

use std::collections::{BTreeSet, HashSet};

use h3o::CellIndex;

use super::{Zone, ZoneKind};

/// Zones that share less of their cells are two zones.
const LEAST_OVERLAP: f64 = 0.1;

/// A zone of the last run.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownZone {
    /// Its id.
    pub id: String,
    /// What it was.
    pub kind: ZoneKind,
    /// Its carrier; `None` when it was a place of several.
    pub plmn: Option<String>,
    /// Its cells.
    pub cells: Vec<CellIndex>,
    /// Its rate.
    pub eb_rate: f64,
    /// Lower end of the interval of the rate.
    pub low: f64,
    /// Upper end of the interval of the rate.
    pub high: f64,
}

/// What became of a zone since the last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneState {
    /// Not known before.
    New,
    /// As before.
    Ongoing,
    /// Credibly higher: each rate is outside of the other's interval.
    Worse,
    /// Credibly lower, likewise.
    Better,
    /// No longer found.
    Resolved,
}

impl ZoneState {
    /// Returns the word of the state in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Ongoing => "ongoing",
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Resolved => "resolved",
        }
    }
}

/// Ids and states of the zones of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Identities {
    /// Id and state of each of today's zones, in their order.
    pub today: Vec<(String, ZoneState)>,
    /// Known zones that are no more, by id; a caller that keeps only today's zones for the next run
    /// reports each once.
    pub resolved: Vec<KnownZone>,
}

/// Gives today's zones the ids of the known zones that they overlap most, one to one.
///
/// The overlap is common cells over all cells; zones of different carriers are never the same, but a
/// carrier's zone may become a place of several carriers and back. New ids are made of kind, carrier,
/// `window_end` (a date, as text) and lowest cell, so that the same run gives the same ids again.
///
/// ```
/// use statistics::zones::keep_ids;
/// assert!(keep_ids(&[], &[], "2026-09-21").today.is_empty());
/// ```
pub fn keep_ids(previous: &[KnownZone], today: &[Zone], window_end: &str) -> Identities {
    let mut pairs: Vec<Pair<'_>> = previous
        .iter()
        .flat_map(|known| {
            today
                .iter()
                .enumerate()
                .filter_map(move |(at, zone)| Pair::of(known, zone, at))
        })
        .collect();
    pairs.sort_by(|a, b| {
        let overlap = b.overlap.total_cmp(&a.overlap);
        let same_kind = b.is_same_kind.cmp(&a.is_same_kind);
        overlap
            .then(same_kind)
            .then_with(|| (&a.known.id, &a.zone.cells).cmp(&(&b.known.id, &b.zone.cells)))
            .then_with(|| a.zone.plmn.cmp(&b.zone.plmn))
    });
    let mut kept: Vec<Option<(String, ZoneState)>> = vec![None; today.len()];
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for pair in &pairs {
        if kept[pair.at].is_none() && used.insert(&pair.known.id) {
            kept[pair.at] = Some((pair.known.id.clone(), change(pair.known, pair.zone)));
        }
    }
    let taken: HashSet<&str> = previous.iter().map(|known| known.id.as_str()).collect();
    let name = |(zone, kept): (&Zone, Option<(String, ZoneState)>)| {
        kept.unwrap_or_else(|| (new_id(zone, window_end, &taken), ZoneState::New))
    };
    let mut resolved: Vec<KnownZone> = previous
        .iter()
        .filter(|known| !used.contains(known.id.as_str()))
        .cloned()
        .collect();
    resolved.sort_by(|a, b| a.id.cmp(&b.id));
    Identities {
        today: today.iter().zip(kept).map(name).collect(),
        resolved,
    }
}

struct Pair<'a> {
    known: &'a KnownZone,
    zone: &'a Zone,
    at: usize,
    overlap: f64,
    is_same_kind: bool,
}

impl<'a> Pair<'a> {
    fn of(known: &'a KnownZone, zone: &'a Zone, at: usize) -> Option<Self> {
        let one_place = match (&known.plmn, &zone.plmn) {
            (Some(before), Some(now)) => before == now,
            _ => true,
        };
        let before: BTreeSet<&CellIndex> = known.cells.iter().collect();
        let now: BTreeSet<&CellIndex> = zone.cells.iter().collect();
        let common = before.intersection(&now).count();
        let overlap = common as f64 / (before.len() + now.len() - common).max(1) as f64;
        (one_place && overlap >= LEAST_OVERLAP).then_some(Self {
            known,
            zone,
            at,
            overlap,
            is_same_kind: known.kind == zone.kind,
        })
    }
}

fn change(known: &KnownZone, zone: &Zone) -> ZoneState {
    if zone.eb_rate > known.high && known.eb_rate < zone.low {
        ZoneState::Worse
    } else if zone.eb_rate < known.low && known.eb_rate > zone.high {
        ZoneState::Better
    } else {
        ZoneState::Ongoing
    }
}

/// Two zones of one carrier have no cell in common, so the lowest cell tells them apart; a known zone
/// that had the same name needs a number more.
fn new_id(zone: &Zone, window_end: &str, taken: &HashSet<&str>) -> String {
    let carrier = zone.plmn.as_deref().unwrap_or("all");
    let kind = zone.kind.as_str().replace('_', "-");
    let id = format!("{kind}-{carrier}-{window_end}-{}", zone.cells[0]);
    if !taken.contains(id.as_str()) {
        return id;
    }
    let numbered = |number: u32| format!("{id}-{number}");
    let free = (2..).map(numbered).find(|id| !taken.contains(id.as_str()));
    free.expect("numbers do not end")
}
