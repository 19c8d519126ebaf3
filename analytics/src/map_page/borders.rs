//! Country borders for the map: reads the TopoJSON copy of Natural Earth shipped with the crate.

use std::sync::LazyLock;

use serde::Deserialize;

/// A rectangle of longitudes and latitudes in degrees, south-west and north-east; longitudes may pass 180.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub west: f64,
    pub south: f64,
    pub east: f64,
    pub north: f64,
}

impl Bounds {
    fn of(points: &[[f64; 2]]) -> Self {
        let empty = Self {
            west: f64::INFINITY,
            south: f64::INFINITY,
            east: f64::NEG_INFINITY,
            north: f64::NEG_INFINITY,
        };
        points.iter().fold(empty, |bounds, [lon, lat]| Self {
            west: bounds.west.min(*lon),
            south: bounds.south.min(*lat),
            east: bounds.east.max(*lon),
            north: bounds.north.max(*lat),
        })
    }

    fn meets(&self, other: &Self) -> bool {
        self.west <= other.east
            && other.west <= self.east
            && self.south <= other.north
            && other.south <= self.north
    }
}

/// Returns the closed rings, longitude first, that meet `window`; moved by whole turns to lie in it.
pub(super) fn rings_in(window: Bounds) -> Vec<Vec<[f64; 2]>> {
    static WORLD: LazyLock<Vec<(Bounds, Vec<[f64; 2]>)>> = LazyLock::new(read_world);
    let mut found = Vec::new();
    for (bounds, ring) in WORLD.iter() {
        for turn in [-360.0, 0.0, 360.0] {
            let moved = Bounds {
                west: bounds.west + turn,
                east: bounds.east + turn,
                ..*bounds
            };
            if moved.meets(&window) {
                found.push(ring.iter().map(|[lon, lat]| [lon + turn, *lat]).collect());
            }
        }
    }
    found
}

#[derive(Deserialize)]
struct Topology {
    transform: Transform,
    objects: Objects,
    arcs: Vec<Vec<[i32; 2]>>,
}

#[derive(Deserialize)]
struct Transform {
    scale: [f64; 2],
    translate: [f64; 2],
}

#[derive(Deserialize)]
struct Objects {
    countries: Countries,
}

#[derive(Deserialize)]
struct Countries {
    geometries: Vec<Geometry>,
}

/// Rings are lists of arcs; `!i` is arc `i` walked backwards.
#[derive(Deserialize)]
#[serde(tag = "type", content = "arcs")]
enum Geometry {
    Polygon(Vec<Vec<i32>>),
    MultiPolygon(Vec<Vec<Vec<i32>>>),
}

fn read_world() -> Vec<(Bounds, Vec<[f64; 2]>)> {
    let text = include_str!("../../data/countries-50m.topojson");
    let topology: Topology = serde_json::from_str(text).expect("the shipped borders are TopoJSON");
    let arcs: Vec<Vec<[f64; 2]>> = topology
        .arcs
        .iter()
        .map(|arc| unpack(arc, &topology.transform))
        .collect();
    let mut rings = Vec::new();
    for geometry in &topology.objects.countries.geometries {
        let polygons = match geometry {
            Geometry::Polygon(polygon) => std::slice::from_ref(polygon),
            Geometry::MultiPolygon(polygons) => polygons,
        };
        for ring in polygons.iter().flatten() {
            let ring = join(ring, &arcs);
            rings.push((Bounds::of(&ring), ring));
        }
    }
    rings
}

/// Undoes the quantisation: the first point of an arc is absolute, the others are steps.
fn unpack(arc: &[[i32; 2]], transform: &Transform) -> Vec<[f64; 2]> {
    let mut at = [0, 0];
    arc.iter()
        .map(|step| {
            at = [at[0] + step[0], at[1] + step[1]];
            [0, 1]
                .map(|axis| f64::from(at[axis]) * transform.scale[axis] + transform.translate[axis])
        })
        .collect()
}

/// Chains arcs into a ring; each begins where the one before it ended.
fn join(ring: &[i32], arcs: &[Vec<[f64; 2]>]) -> Vec<[f64; 2]> {
    let mut points: Vec<[f64; 2]> = Vec::new();
    for &arc in ring {
        let index =
            usize::try_from(if arc < 0 { !arc } else { arc }).expect("arcs are counted from 0");
        let skip = usize::from(!points.is_empty());
        if arc < 0 {
            points.extend(arcs[index].iter().rev().skip(skip));
        } else {
            points.extend(arcs[index].iter().skip(skip));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRANCE: Bounds = Bounds {
        west: -5.0,
        south: 42.0,
        east: 8.0,
        north: 51.0,
    };

    #[test]
    fn every_ring_is_closed() {
        let rings = rings_in(Bounds {
            west: -180.0,
            south: -90.0,
            east: 180.0,
            north: 90.0,
        });
        assert!(rings.len() > 1_000, "{} rings", rings.len());
        for ring in rings {
            assert_eq!(ring.first(), ring.last());
        }
    }

    #[test]
    fn a_window_gets_the_countries_it_meets_and_no_others() {
        let rings = rings_in(FRANCE);
        let holds = |lon: f64, lat: f64| rings.iter().any(|ring| inside(ring, lon, lat));
        assert!(holds(2.35, 48.85), "Paris");
        assert!(
            holds(-3.7, 40.4),
            "Madrid, by a border that reaches into the window"
        );
        assert!(!holds(139.7, 35.7), "Tokyo");
    }

    #[test]
    fn a_window_across_the_antimeridian_gets_both_sides() {
        let fiji = Bounds {
            west: 176.0,
            south: -20.0,
            east: 184.0,
            north: -15.0,
        };
        let rings = rings_in(fiji);
        let bounds: Vec<Bounds> = rings.iter().map(|ring| Bounds::of(ring)).collect();
        assert!(bounds.iter().any(|ring| ring.east <= 180.0));
        assert!(bounds.iter().any(|ring| ring.west >= 180.0));
    }

    fn inside(ring: &[[f64; 2]], lon: f64, lat: f64) -> bool {
        let crossings = ring.windows(2).filter(|edge| {
            let [[x1, y1], [x2, y2]] = [edge[0], edge[1]];
            (y1 > lat) != (y2 > lat) && lon < (x2 - x1) * (lat - y1) / (y2 - y1) + x1
        });
        crossings.count() % 2 == 1
    }
}
