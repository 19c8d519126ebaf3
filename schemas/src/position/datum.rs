//! GCJ-02 and BD-09: owns the formulas from WGS-84 and their exact inverse.
//!
//! Rule: a shift applies where the WGS-84 position lies in mainland China (Hong Kong, Macao and
//! Taiwan are not shifted) and is the identity elsewhere. A declared GCJ-02 position is taken as
//! shifted if the position it stands for lies inside; within about a kilometre outside the
//! border a truly unshifted one is therefore read as shifted.
//!
//! The formulas are the public reconstruction everyone uses, `googollee/eviltransform` and
//! `wandergis/coordtransform` among them; the tests hold their published pairs.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use super::{LatLon, mainland};

/// Geodetic datum a position is given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Datum {
    /// What GNSS receivers give.
    Wgs84,
    /// The shifted datum of Chinese maps and network location.
    Gcj02,
    /// GCJ-02 shifted once more, by Baidu.
    Bd09,
}

impl Datum {
    /// Every datum, in the order of the contracts.
    pub const ALL: [Self; 3] = [Self::Wgs84, Self::Gcj02, Self::Bd09];

    /// Returns the name contracts and columns use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wgs84 => "WGS84",
            Self::Gcj02 => "GCJ02",
            Self::Bd09 => "BD09",
        }
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is none of the datums.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown datum {0:?}: expected WGS84, GCJ02 or BD09")]
pub struct UnknownDatum(String);

impl FromStr for Datum {
    type Err = UnknownDatum;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|datum| datum.as_str() == name)
            .ok_or_else(|| UnknownDatum(name.to_owned()))
    }
}

/// Degrees below which the inverse stops: a tenth of a millimetre.
const TOLERANCE_DEG: f64 = 1e-9;
/// Rounds after which the inverse stops anyway; each gains two digits and more.
const MAX_ROUNDS: u32 = 10;

/// Converts a position from its declared datum to WGS-84, to a millimetre.
pub fn to_wgs84(datum: Datum, declared: LatLon) -> LatLon {
    let place = match datum {
        Datum::Wgs84 => return declared,
        Datum::Gcj02 => unshift(wgs84_to_gcj02, declared),
        Datum::Bd09 => unshift(gcj02_to_bd09_of_wgs84, declared),
    };
    if mainland::contains(place) {
        place
    } else {
        declared
    }
}

/// Converts a WGS-84 position to a datum.
pub fn from_wgs84(datum: Datum, place: LatLon) -> LatLon {
    match datum {
        Datum::Gcj02 if mainland::contains(place) => wgs84_to_gcj02(place),
        Datum::Bd09 if mainland::contains(place) => gcj02_to_bd09_of_wgs84(place),
        Datum::Wgs84 | Datum::Gcj02 | Datum::Bd09 => place,
    }
}

/// Solves `shift(place) = shifted` by subtracting what is left over.
///
/// The shift changes by less than a hundredth of the step, so the error shrinks a hundredfold a round.
fn unshift(shift: impl Fn(LatLon) -> LatLon, shifted: LatLon) -> LatLon {
    let mut place = shifted;
    for _ in 0..MAX_ROUNDS {
        let found = shift(place);
        let (off_lat, off_lon) = (found.lat - shifted.lat, found.lon - shifted.lon);
        place = LatLon {
            lat: (place.lat - off_lat).clamp(-90.0, 90.0),
            lon: (place.lon - off_lon).clamp(-180.0, 180.0),
        };
        if off_lat.abs() < TOLERANCE_DEG && off_lon.abs() < TOLERANCE_DEG {
            break;
        }
    }
    place
}

/// Semi-major axis of the Krasovsky 1940 ellipsoid the shift is computed on, metres.
const KRASOVSKY_A_M: f64 = 6_378_245.0;
/// Square of its eccentricity.
const KRASOVSKY_E2: f64 = 0.006_693_421_622_965_943;

fn wgs84_to_gcj02(place: LatLon) -> LatLon {
    let (north_m, east_m) = gcj02_offset_m(place.lon - 105.0, place.lat - 35.0);
    let lat = place.lat.to_radians();
    let flattening = 1.0 - KRASOVSKY_E2 * lat.sin().powi(2);
    let meridian_radius_m = KRASOVSKY_A_M * (1.0 - KRASOVSKY_E2) / flattening.powf(1.5);
    let parallel_radius_m = KRASOVSKY_A_M / flattening.sqrt() * lat.cos();
    LatLon {
        lat: place.lat + (north_m / meridian_radius_m).to_degrees(),
        lon: place.lon + (east_m / parallel_radius_m).to_degrees(),
    }
}

/// The shift in metres, north and east, `x` degrees east of 105 E and `y` north of 35 N.
fn gcj02_offset_m(x: f64, y: f64) -> (f64, f64) {
    let root = x.abs().sqrt();
    let shared = wave(20.0, x * 6.0) + wave(20.0, x * 2.0);
    let north = wave(20.0, y) + wave(40.0, y / 3.0) + wave(160.0, y / 12.0) + wave(320.0, y / 30.0);
    let east = wave(20.0, x) + wave(40.0, x / 3.0) + wave(150.0, x / 12.0) + wave(300.0, x / 30.0);
    (
        -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + shared + north,
        300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + shared + east,
    )
}

fn wave(height_m: f64, half_turns: f64) -> f64 {
    2.0 / 3.0 * height_m * (half_turns * PI).sin()
}

fn gcj02_to_bd09_of_wgs84(place: LatLon) -> LatLon {
    gcj02_to_bd09(wgs84_to_gcj02(place))
}

/// Baidu's step: longitude and latitude as polar coordinates, rippled and moved.
fn gcj02_to_bd09(gcj: LatLon) -> LatLon {
    const RIPPLE: f64 = PI * 3000.0 / 180.0;
    let radius = gcj.lon.hypot(gcj.lat) + 0.000_02 * (gcj.lat * RIPPLE).sin();
    let angle = gcj.lat.atan2(gcj.lon) + 0.000_003 * (gcj.lon * RIPPLE).cos();
    LatLon {
        lat: radius * angle.sin() + 0.006,
        lon: radius * angle.cos() + 0.0065,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::position::haversine_m;

    fn at(lat: f64, lon: f64) -> LatLon {
        LatLon::new(lat, lon).expect("on the globe")
    }

    /// Pairs (WGS-84, GCJ-02) of googollee/eviltransform, go/transform_test.go.
    const PUBLISHED: [[f64; 4]; 3] = [
        [31.1774276, 121.5272106, 31.17530398364597, 121.531541859215],
        [22.543847, 113.912316, 22.540796131694766, 113.9171764808363],
        [39.911954, 116.377817, 39.91334545536069, 116.38404722455657],
    ];

    #[test]
    fn gcj02_agrees_with_published_pairs() {
        for [lat, lon, gcj_lat, gcj_lon] in PUBLISHED {
            let (wgs, gcj) = (at(lat, lon), at(gcj_lat, gcj_lon));
            assert!(
                haversine_m(from_wgs84(Datum::Gcj02, wgs), gcj) < 0.02,
                "{wgs:?}"
            );
            assert!(
                haversine_m(to_wgs84(Datum::Gcj02, gcj), wgs) < 0.02,
                "{gcj:?}"
            );
        }
        // wandergis/coordtransform, test/app.js.
        let found = from_wgs84(Datum::Gcj02, at(39.915, 116.404));
        assert!(haversine_m(found, at(39.916_404_281_501_64, 116.410_244_499_169_38)) < 1e-3);
    }

    #[test]
    fn bd09_agrees_with_the_published_pair() {
        // wandergis/coordtransform, test/app.js.
        let found = gcj02_to_bd09(at(39.915, 116.404));
        assert!(haversine_m(found, at(39.921_336_993_510_21, 116.410_369_493_710_29)) < 1e-3);
    }

    #[test]
    fn names_are_those_of_the_contract() {
        let heartbeat = crate::EventKind::Heartbeat.contract();
        let symbols = &heartbeat
            .field("datum")
            .expect("a heartbeat has a datum")
            .symbols;
        assert_eq!(&Datum::ALL.map(|datum| datum.to_string()).to_vec(), symbols);
        for datum in Datum::ALL {
            assert_eq!(datum.as_str().parse(), Ok(datum));
        }
        assert!("wgs84 ".parse::<Datum>().is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { max_global_rejects: 20_000, ..ProptestConfig::with_cases(2_000) })]

        #[test]
        fn a_round_trip_in_china_is_exact_to_a_millimetre(
            lat in 18.0f64..54.0,
            lon in 73.0f64..136.0,
            datum in prop::sample::select(Datum::ALL.to_vec()),
        ) {
            let place = at(lat, lon);
            prop_assume!(mainland::contains(place));
            let declared = from_wgs84(datum, place);
            let shift_m = haversine_m(place, declared);
            let expected_m = match datum {
                Datum::Wgs84 => 0.0..=0.0,
                Datum::Gcj02 => 10.0..=1_200.0,
                Datum::Bd09 => 100.0..=2_500.0,
            };
            prop_assert!(expected_m.contains(&shift_m), "{datum}: {shift_m} m");
            let error_m = haversine_m(to_wgs84(datum, declared), place);
            prop_assert!(error_m < 0.001, "{datum} at {lat}, {lon}: {error_m} m");
        }

        #[test]
        fn outside_china_every_datum_is_the_identity(
            lat in -90.0f64..=90.0,
            lon in -180.0f64..=180.0,
            datum in prop::sample::select(Datum::ALL.to_vec()),
        ) {
            let place = at(lat, lon);
            prop_assume!(!mainland::contains(place));
            prop_assert_eq!(from_wgs84(datum, place), place);
            // A few kilometres off the border a declared position is taken as shifted.
            let near = (-4..=4).any(|step| {
                let step = f64::from(step) * 0.02;
                LatLon::new(lat + step, lon).is_ok_and(mainland::contains)
                    || LatLon::new(lat, lon + step).is_ok_and(mainland::contains)
            });
            if !near {
                prop_assert_eq!(to_wgs84(datum, place), place);
            }
        }
    }
}
