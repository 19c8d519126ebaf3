//! One incident of what was found in parts.

use h3o::CellIndex;

use super::places::overlap;
use super::rows::Data;
use super::verify::{Active, per_terminal};
use super::{Kind, Outage, SLOTS_PER_HOUR};

/// Slots between two windows of one incident.
const PAUSE: i64 = 6;

/// Makes one incident of the outages that belong together, sorted by time.
pub(super) fn joined(data: &Data, found: &[Outage]) -> Vec<Outage> {
    let mut incidents: Vec<(Outage, Vec<u32>)> = Vec::new();
    for (number, outage) in found.iter().enumerate() {
        let mut outage = outage.clone();
        let mut parts = vec![number as u32];
        while let Some(at) = incidents
            .iter()
            .position(|(other, _)| belong_together(other, &outage))
        {
            let (other, others) = incidents.remove(at);
            outage = join(other, &outage);
            parts.extend(others);
        }
        if parts.len() > 1 {
            count_again(data, &mut outage, &parts);
        }
        incidents.push((outage, parts));
    }
    let mut outages: Vec<Outage> = incidents.into_iter().map(|(outage, _)| outage).collect();
    outages.sort_by(|a, b| order(a).cmp(&order(b)));
    outages
}

fn order(outage: &Outage) -> (i64, i64, Kind, [Option<u32>; 3], &[CellIndex]) {
    let ids = [outage.host, outage.plmn, outage.app_version];
    (
        outage.from_slot,
        outage.to_slot,
        outage.kind,
        ids,
        &outage.cells_r4,
    )
}

/// Tells whether two outages are one incident.
fn belong_together(a: &Outage, b: &Outage) -> bool {
    let apart = a.from_slot.max(b.from_slot) - a.to_slot.min(b.to_slot);
    let (everywhere_a, everywhere_b) = (a.cells_r4.is_empty(), b.cells_r4.is_empty());
    match (a.kind, b.kind) {
        (Kind::Host, Kind::Host) => a.host == b.host && apart <= PAUSE,
        (Kind::Release, Kind::Release) => {
            a.app_version == b.app_version && apart <= 24 * SLOTS_PER_HOUR
        }
        (Kind::Carrier | Kind::Region, Kind::Carrier | Kind::Region) => {
            let same = a.plmn == b.plmn || mostly_at_once(a, b);
            let near = match (everywhere_a, everywhere_b) {
                (true, true) => true,
                (false, false) => touch(a, b),
                _ => a.plmn == b.plmn,
            };
            same && near && apart <= if touch_in_time(a, b) { 0 } else { PAUSE }
        }
        _ => false,
    }
}

fn touch_in_time(a: &Outage, b: &Outage) -> bool {
    overlap((a.from_slot, a.to_slot), (b.from_slot, b.to_slot))
}

/// Tells whether two outages share half of the time of both.
fn mostly_at_once(a: &Outage, b: &Outage) -> bool {
    let common = a.to_slot.min(b.to_slot) - a.from_slot.max(b.from_slot);
    let all = a.to_slot.max(b.to_slot) - a.from_slot.min(b.from_slot);
    2 * common >= all
}

fn touch(a: &Outage, b: &Outage) -> bool {
    a.cells_r4.iter().any(|cell| {
        let near = cell.grid_disk::<Vec<_>>(1);
        near.iter()
            .any(|near| b.cells_r4.binary_search(near).is_ok())
    })
}

fn join(a: Outage, b: &Outage) -> Outage {
    let mut cells_r4 = a.cells_r4.clone();
    if a.cells_r4.is_empty() || b.cells_r4.is_empty() {
        cells_r4.clear();
    } else {
        cells_r4.extend(&b.cells_r4);
        cells_r4.sort_unstable();
        cells_r4.dedup();
    }
    let one = a.kind == b.kind && a.plmn == b.plmn;
    Outage {
        kind: if one { a.kind } else { Kind::Region },
        plmn: if one { a.plmn } else { None },
        cells_r4,
        from_slot: a.from_slot.min(b.from_slot),
        to_slot: a.to_slot.max(b.to_slot),
        count: a.count + b.count,
        expected: a.expected + b.expected,
        llr: a.llr + b.llr,
        ..a
    }
}

/// Counts terminals and failures of an incident of several parts.
fn count_again(data: &Data, outage: &mut Outage, parts: &[u32]) {
    let rows: Vec<u32> = (0..data.rows.len() as u32)
        .filter(|row| data.explained[*row as usize].is_some_and(|part| parts.contains(&part)))
        .collect();
    outage.terminals = per_terminal(data, &rows).len();
    let failures = rows
        .iter()
        .map(|row| u64::from(data.rows[*row as usize].failures));
    outage.failures = failures.sum();
    outage.active_terminals = Active::of(data, outage).terminals;
}
