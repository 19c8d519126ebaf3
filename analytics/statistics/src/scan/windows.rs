//! The families of windows: for each centre its neighbours in the order in which they enter.

use std::fmt::Display;

use h3o::CellIndex;

use super::search::Data;
use super::{Position, ScanError};
use crate::cells::CellSet;

/// Marks the last of the locations that enter a window together.
pub(super) const LAST: u32 = 1 << 31;
/// Distances that differ by less than this share are one distance.
const SAME_DISTANCE: f64 = 1e-9;
/// Farthest ring of a disk.
const MAX_RINGS: u32 = 150;

/// A family of windows.
pub(super) trait Windows: Sync {
    /// Writes into `entries` the locations round `centre` by distance, those that enter together
    /// closed by [`LAST`], until the next group would exceed the largest population.
    fn grow(&self, centre: usize, entries: &mut Vec<u32>);
}

/// How many attempts a window may hold.
struct Limit<'a> {
    attempts: &'a [u64],
    most: f64,
}

impl Limit<'_> {
    /// Copies groups of equal distance until the limit; `false` once it is reached.
    fn push_group(&self, group: &[u32], held: &mut u64, entries: &mut Vec<u32>) -> bool {
        *held += group
            .iter()
            .map(|at| self.attempts[*at as usize])
            .sum::<u64>();
        if *held as f64 > self.most {
            return false;
        }
        entries.extend_from_slice(group);
        if let Some(last) = entries.last_mut() {
            *last |= LAST;
        }
        true
    }
}

/// Circles round points.
pub(super) struct Circles<'a> {
    points: Vec<Point>,
    limit: Limit<'a>,
}

#[derive(Clone, Copy)]
enum Point {
    /// Latitude and longitude in radians, and the cosine of the latitude.
    Sphere {
        lat: f64,
        lon: f64,
        cos_lat: f64,
    },
    Plane {
        x: f64,
        y: f64,
    },
}

impl Point {
    fn of(position: Position) -> Self {
        match position {
            Position::Planar { x, y } => Self::Plane { x, y },
            Position::Geographic { lat, lon } => {
                let (lat, lon) = (lat.to_radians(), lon.to_radians());
                Self::Sphere {
                    lat,
                    lon,
                    cos_lat: lat.cos(),
                }
            }
        }
    }

    /// A number that grows with the distance and is as good as its square near 0.
    fn remoteness(self, other: Self) -> f64 {
        match (self, other) {
            (
                Self::Sphere { lat, lon, cos_lat },
                Self::Sphere {
                    lat: lat2,
                    lon: lon2,
                    cos_lat: cos_lat2,
                },
            ) => {
                let (north, east) = ((0.5 * (lat2 - lat)).sin(), (0.5 * (lon2 - lon)).sin());
                north * north + cos_lat * cos_lat2 * east * east
            }
            (Self::Plane { x, y }, Self::Plane { x: x2, y: y2 }) => {
                (x2 - x) * (x2 - x) + (y2 - y) * (y2 - y)
            }
            _ => unreachable!("positions of one input are of one kind"),
        }
    }
}

impl<'a> Circles<'a> {
    pub(super) fn of<Id>(data: &'a Data<Id, Position>) -> Self {
        let points = data.places.iter().map(|place| Point::of(*place)).collect();
        Self {
            points,
            limit: Limit {
                attempts: &data.attempts,
                most: data.largest,
            },
        }
    }
}

impl Windows for Circles<'_> {
    fn grow(&self, centre: usize, entries: &mut Vec<u32>) {
        let from = self.points[centre];
        // The bits of floats that are not negative sort like the floats.
        let mut near: Vec<(u64, u32)> = (0_u32..)
            .zip(&self.points)
            .map(|(at, point)| (from.remoteness(*point).to_bits(), at))
            .collect();
        near.sort_unstable();
        let (mut start, mut held) = (0, 0);
        let mut group = Vec::new();
        while start < near.len() {
            // Remoteness is a square: twice the tolerance of the distance.
            let edge = f64::from_bits(near[start].0) * (1.0 + 2.0 * SAME_DISTANCE);
            let tied = near[start..]
                .iter()
                .take_while(|(bits, _)| f64::from_bits(*bits) <= edge);
            group.clear();
            group.extend(tied.map(|(_, at)| *at));
            group.sort_unstable();
            if !self.limit.push_group(&group, &mut held, entries) {
                return;
            }
            start += group.len();
        }
    }
}

/// Disks of rings of cells.
pub(super) struct Disks<'a> {
    cells: &'a [CellIndex],
    set: CellSet,
    limit: Limit<'a>,
}

impl<'a> Disks<'a> {
    pub(super) fn of(data: &'a Data<CellIndex, ()>) -> Self {
        let limit = Limit {
            attempts: &data.attempts,
            most: data.largest,
        };
        Self {
            cells: &data.ids,
            set: CellSet::new(&data.ids),
            limit,
        }
    }

    /// Takes cells ring by ring; `None` when the walk met a pentagon.
    fn walk(
        &self,
        near: impl Iterator<Item = Option<(CellIndex, u32)>>,
        entries: &mut Vec<u32>,
    ) -> Option<()> {
        let (mut group, mut ring, mut held) = (Vec::new(), 0, 0);
        for step in near {
            let (cell, distance) = step?;
            if distance != ring && !group.is_empty() {
                group.sort_unstable();
                if !self.limit.push_group(&group, &mut held, entries) {
                    return Some(());
                }
                group.clear();
                if entries.len() == self.cells.len() {
                    return Some(());
                }
            }
            ring = distance;
            group.extend(self.set.position(cell));
        }
        if !group.is_empty() {
            group.sort_unstable();
            self.limit.push_group(&group, &mut held, entries);
        }
        Some(())
    }
}

impl Windows for Disks<'_> {
    fn grow(&self, centre: usize, entries: &mut Vec<u32>) {
        let (cell, start) = (self.cells[centre], entries.len());
        let mut mine = Vec::new();
        if self
            .walk(cell.grid_disk_distances_fast(MAX_RINGS), &mut mine)
            .is_none()
        {
            mine.clear();
            let mut near: Vec<_> = cell.grid_disk_distances_safe(MAX_RINGS).collect();
            near.sort_unstable_by_key(|(cell, distance)| (*distance, *cell));
            self.walk(near.into_iter().map(Some), &mut mine)
                .expect("no step is missing");
        }
        entries.truncate(start);
        entries.append(&mut mine);
    }
}

/// Refuses positions that are nowhere, or of two kinds.
pub(super) fn check_positions<Id: Display>(data: &Data<Id, Position>) -> Result<(), ScanError> {
    let planar = |place: &Position| matches!(place, Position::Planar { .. });
    for (id, place) in data.ids.iter().zip(&data.places) {
        let valid = match *place {
            Position::Planar { x, y } => x.is_finite() && y.is_finite(),
            Position::Geographic { lat, lon } => lat.abs() <= 90.0 && lon.is_finite(),
        };
        if !valid {
            return Err(ScanError::Position { id: id.to_string() });
        }
        if planar(place) != planar(&data.places[0]) {
            return Err(ScanError::MixedPositions { id: id.to_string() });
        }
    }
    Ok(())
}

/// Refuses cells of different sizes.
pub(super) fn check_resolutions(data: &Data<CellIndex, ()>) -> Result<(), ScanError> {
    let Some(expected) = data.ids.first().map(|cell| cell.resolution()) else {
        return Ok(());
    };
    for cell in &data.ids {
        let found = cell.resolution();
        if found != expected {
            return Err(ScanError::MixedResolutions {
                id: cell.to_string(),
                found,
                expected,
            });
        }
    }
    Ok(())
}
