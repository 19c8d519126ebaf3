//! Where a terminal stands: the one definition that roll-ups and queries share.
//!
//! It stands where it is registered, unless its own receiver puts it further from there than it is
//! allowed to be. The position of a radio cell is the mast's, and that of an IP address its provider's.

use schemas::position::{LatLon, haversine_m};

/// How far from its registered place a terminal may be when the registry does not say, in m.
pub(crate) const DEFAULT_RADIUS_M: f64 = 1_000.0;

/// Sources of a position that are the terminal's own receiver.
pub(crate) const OWN_RECEIVERS: [&str; 2] = ["gnss", "wifi"];

/// Tells whether a position of the terminal's own receiver is outside of its registered place.
pub(crate) fn is_elsewhere(at: LatLon, home: LatLon, radius_m: f64) -> bool {
    haversine_m(at, home) > radius_m
}
