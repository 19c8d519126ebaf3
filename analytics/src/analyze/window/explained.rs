//! What each model and zone explains of the window's failures: the same shares that give failures their causes.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use h3o::CellIndex;
use statistics::proof::Terminals;

use super::devices::{DeviceModel, explained_by_terminal};
use super::places::Places;
use super::zones::Found;
use crate::causes::Explained;

/// Fills in how many failures models and zones could avoid: their shares added up over the places, so
/// that with those of terminals they are never more than failed.
pub(super) fn share_out(
    places: &Places<'_>,
    terminals: &Terminals,
    models: &mut [DeviceModel],
    zones: &mut Found,
) {
    let terminals = terminals.rows.iter();
    let terminals: HashMap<&str, f64> = terminals
        .filter_map(|judged| Some((&*judged.row.terminal, explained_by_terminal(&judged.row)?)))
        .collect();
    let devices: Vec<String> = models.iter().map(DeviceModel::device).collect();
    let devices: HashMap<&str, usize> = (0..)
        .zip(&devices)
        .filter(|(at, _)| models[*at].explained_share.is_some())
        .map(|(at, device)| (device.as_str(), at))
        .collect();
    let zone_at = zones.places();
    let mut of_models = vec![0.0; models.len()];
    let mut of_zones = vec![0.0; zones.len()];
    for place in places.0.iter().filter(|place| place.failures > 0) {
        let terminal = terminals.get(place.terminal).filter(|_| place.is_current);
        let model = devices.get(place.device).copied();
        let zone = zone_at.get(&(place.cell, place.plmn)).copied();
        let explained = Explained {
            terminal: terminal.copied().unwrap_or(0.0),
            model: model
                .and_then(|at| models[at].explained_share)
                .unwrap_or(0.0),
            place: zone.map_or(0.0, |zone| zone.explains),
            place_rate: zone.map_or(0.0, |zone| zone.rate),
        };
        let shares = explained.shares();
        let failures = f64::from(place.failures);
        if let Some(at) = model {
            of_models[at] += failures * shares.model;
        }
        if let Some(zone) = zone {
            of_zones[zone.number] += failures * shares.place;
        }
    }
    for (model, avoidable) in models.iter_mut().zip(of_models) {
        model.failures_avoidable = model.explained_share.map(|_| avoidable);
    }
    zones.avoid(&of_zones);
}

/// One cell and carrier of a zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct ZonePlace {
    /// Which zone it is.
    pub(super) number: usize,
    /// The share of what fails there that the zone explains.
    pub(super) explains: f64,
    /// The rate of ordinary devices in the zone.
    pub(super) rate: f64,
}

/// Where zones lie, by cell and carrier.
pub(super) type ZonePlaces<'z> = HashMap<(CellIndex, &'z str), ZonePlace, FixedState>;
