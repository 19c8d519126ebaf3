//! The same zone tomorrow: ids that stay, and what became of each zone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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
    let mut pairs = pairs(previous, today);
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

/// Known zones and today's that overlap enough. Only zones with a common cell are looked at.
fn pairs<'a>(previous: &'a [KnownZone], today: &'a [Zone]) -> Vec<Pair<'a>> {
    let mut known_of: HashMap<CellIndex, Vec<usize>> = HashMap::new();
    let before: Vec<BTreeSet<CellIndex>> = previous
        .iter()
        .map(|known| known.cells.iter().copied().collect())
        .collect();
    for (at, cells) in before.iter().enumerate() {
        for cell in cells {
            known_of.entry(*cell).or_default().push(at);
        }
    }
    let mut pairs = Vec::new();
    for (at, zone) in today.iter().enumerate() {
        let now: BTreeSet<CellIndex> = zone.cells.iter().copied().collect();
        let mut common: BTreeMap<usize, usize> = BTreeMap::new();
        for known in now.iter().filter_map(|cell| known_of.get(cell)).flatten() {
            *common.entry(*known).or_default() += 1;
        }
        for (known, common) in common {
            let all = before[known].len() + now.len() - common;
            let overlap = common as f64 / all as f64;
            pairs.extend(Pair::of(&previous[known], zone, at, overlap));
        }
    }
    pairs
}

impl<'a> Pair<'a> {
    fn of(known: &'a KnownZone, zone: &'a Zone, at: usize, overlap: f64) -> Option<Self> {
        let one_place = match (&known.plmn, &zone.plmn) {
            (Some(before), Some(now)) => before == now,
            _ => true,
        };
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
