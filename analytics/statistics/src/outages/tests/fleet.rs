//! A small fleet with outages to find.

use std::collections::BTreeMap;

use h3o::{CellIndex, LatLng, Resolution};

use crate::outages::{Activity, FailingTerminals, VersionLife};
use crate::rng::Stream;

pub(super) const HOSTS: u32 = 4;
pub(super) const PLMNS: u32 = 3;
/// A Monday at midnight, in slots and in hours.
pub(super) const START: i64 = 20_703 * 288;
const START_HOUR: i64 = START / 12;
/// Attempts of a terminal and day.
const ATTEMPTS: f64 = 40.0;
const BASE_FAILURE: f64 = 0.03;

/// Something that makes attempts fail.
#[derive(Debug, Clone)]
pub(super) struct Plant {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) host: Option<u32>,
    pub(super) plmn: Option<u32>,
    /// Latitude and longitude in degrees, and a radius in km.
    pub(super) circle: Option<(f64, f64, f64)>,
    /// Version that a share of the terminals run in this time.
    pub(super) version: Option<(u32, f64)>,
    pub(super) failing: f64,
}

pub(super) const PLANT: Plant = Plant {
    from: 0,
    to: 0,
    host: None,
    plmn: None,
    circle: None,
    version: None,
    failing: 0.0,
};

/// The places of the towns: two large, others small.
pub(super) const TOWNS: [(f64, f64, f64); 10] = [
    (38.72, -9.14, 0.28),
    (41.15, -8.61, 0.2),
    (40.21, -8.43, 0.1),
    (41.55, -8.42, 0.1),
    (37.02, -7.93, 0.08),
    (38.57, -7.91, 0.06),
    (40.66, -7.91, 0.06),
    (39.82, -7.49, 0.04),
    (41.80, -6.76, 0.04),
    (38.01, -7.86, 0.04),
];

#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    pub(super) host: u32,
    pub(super) plmn: u32,
    pub(super) place: (f64, f64),
    pub(super) cell_r4: CellIndex,
    failure: f64,
    /// A slot from which it is dead for some hours.
    dead: (i64, i64),
    lot: f64,
}

pub(super) struct Fleet {
    pub(super) terminals: Vec<Terminal>,
    pub(super) failing: Vec<FailingTerminals>,
    pub(super) activity: Vec<Activity>,
    pub(super) lives: Vec<VersionLife>,
}

fn terminal(dice: &mut Stream, days: i64) -> Terminal {
    let mut lot = dice.uniform();
    let mut town = TOWNS[0];
    for next in TOWNS {
        town = next;
        lot -= next.2;
        if lot < 0.0 {
            break;
        }
    }
    let scatter = |dice: &mut Stream| (dice.uniform() + dice.uniform() - 1.0) * 0.25;
    let place = (town.0 + scatter(dice), town.1 + scatter(dice));
    let point = LatLng::new(place.0, place.1).unwrap();
    // Squared exponential: a coefficient of variation above 2.
    let uneven = dice.uniform().ln().powi(2) / 2.0;
    let dead = if dice.uniform() < 0.2 {
        let from = START + dice.below(days as u64 * 288) as i64;
        (from, from + 12 + dice.below(60) as i64)
    } else {
        (0, 0)
    };
    let (host, plmn) = (dice.below(HOSTS.into()), dice.below(PLMNS.into()));
    let failure = match dice.uniform() {
        lot if lot < 0.003 => 0.5,
        _ => BASE_FAILURE * uneven,
    };
    let mut terminal = Terminal {
        host: host as u32,
        plmn: plmn as u32,
        place,
        cell_r4: point.to_cell(Resolution::Four),
        failure: failure.min(0.9),
        dead,
        lot: dice.uniform(),
    };
    // A weak zone that never changes.
    if distance_km(place, (41.15, -8.61)) < 4.0 && terminal.plmn == 1 {
        terminal.failure = 0.35;
    }
    terminal
}

fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let point = |p: (f64, f64)| LatLng::new(p.0, p.1).unwrap();
    point(a).distance_km(point(b))
}

/// Attempts of a terminal in a slot: shops open, with a rush on Friday evening.
fn attempts_per_slot(slot: i64) -> f64 {
    let hour_of_week = slot.div_euclid(12).rem_euclid(168);
    let hour = hour_of_week % 24;
    let level = match hour {
        8..=11 => 1.0,
        12 | 13 | 18 | 19 => 1.8,
        14..=21 => 0.8,
        22 => 0.2,
        _ => 0.01,
    };
    // 1970 began on a Thursday: hour 24 of the week is Friday's first.
    let rush = if (24 + 18..24 + 20).contains(&hour_of_week) {
        2.0
    } else {
        1.0
    };
    ATTEMPTS / 12.0 * level * rush / 14.6
}

impl Plant {
    pub(super) fn concerns(&self, terminal: &Terminal) -> bool {
        self.host.is_none_or(|host| host == terminal.host)
            && self.plmn.is_none_or(|plmn| plmn == terminal.plmn)
            && self
                .circle
                .is_none_or(|(lat, lon, radius)| distance_km(terminal.place, (lat, lon)) < radius)
            && self.version.is_none_or(|(_, share)| terminal.lot < share)
    }
}

impl Fleet {
    pub(super) fn new(seed: u64, terminals: u32, days: i64, plants: &[Plant]) -> Self {
        let mut fleet = Self {
            terminals: Vec::new(),
            failing: Vec::new(),
            activity: Vec::new(),
            lives: Vec::new(),
        };
        let mut active: BTreeMap<Activity, (u32, u32)> = BTreeMap::new();
        for id in 0..terminals {
            let mut dice = Stream::new(seed, id.into());
            let terminal = terminal(&mut dice, days);
            let concerning: Vec<&Plant> = plants
                .iter()
                .filter(|plant| plant.concerns(&terminal))
                .collect();
            fleet.run(id, &terminal, days, &concerning, &mut dice, &mut active);
            fleet.terminals.push(terminal);
        }
        fleet.activity = active
            .into_iter()
            .map(|(row, (terminals, attempts))| Activity {
                terminals,
                attempts,
                ..row
            })
            .collect();
        for plant in plants {
            if let Some((app_version, _)) = plant.version {
                fleet.lives.push(VersionLife {
                    app_version,
                    first_slot: plant.from,
                    last_slot: plant.to - 1,
                });
            }
        }
        fleet
    }

    fn run(
        &mut self,
        id: u32,
        terminal: &Terminal,
        days: i64,
        plants: &[&Plant],
        dice: &mut Stream,
        active: &mut BTreeMap<Activity, (u32, u32)>,
    ) {
        let (host, plmn) = (Some(terminal.host), Some(terminal.plmn));
        let mut pending = false;
        for hour in 0..days * 24 {
            let mut attempts = 0;
            let mut version = 1;
            let first = START + hour * 12;
            let now: Vec<&&Plant> = plants
                .iter()
                .filter(|plant| plant.from < first + 12 && plant.to > first)
                .collect();
            for slot in first..first + 12 {
                if !pending && dice.uniform() >= attempts_per_slot(slot) {
                    continue;
                }
                let mut failure = terminal.failure;
                for plant in now
                    .iter()
                    .filter(|plant| plant.from <= slot && slot < plant.to)
                {
                    failure = 1.0 - (1.0 - failure) * (1.0 - plant.failing);
                    if let Some((number, _)) = plant.version {
                        version = number;
                    }
                }
                if terminal.dead.0 <= slot && slot < terminal.dead.1 {
                    failure = 1.0;
                }
                attempts += 1;
                pending = false;
                let mut failures = 0;
                while dice.uniform() < failure {
                    failures += 1;
                    if dice.uniform() > 0.72 {
                        break;
                    }
                    if dice.uniform() < 0.3 {
                        pending = true;
                        break;
                    }
                    attempts += 1;
                }
                if failures > 0 {
                    self.failing.push(FailingTerminals {
                        slot,
                        terminal: id,
                        host,
                        plmn,
                        cell_r4: Some(terminal.cell_r4),
                        app_version: Some(version),
                        failures,
                    });
                }
            }
            let released = now.iter().find_map(|plant| plant.version);
            let row = Activity {
                hour: START_HOUR + hour,
                host,
                plmn,
                cell_r4: Some(terminal.cell_r4),
                app_version: Some(released.map_or(version, |(number, _)| number)),
                terminals: 0,
                attempts: 0,
            };
            let sums = active.entry(row).or_default();
            *sums = (sums.0 + 1, sums.1 + attempts);
        }
    }
}
