//! The registry of a simulated fleet: the files `notspot registry load` takes.

use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;

use crate::dice;
use crate::engine::SimError;
use crate::fleet;
use crate::publish::PublishError;
use crate::scenario::Scenario;
use crate::schedule::MERCHANT_KINDS;
use crate::truths;
use crate::world::World;

/// Terminals may stand this far from where they are registered, m.
const ALLOWED_RADIUS_M: f64 = 500.0;

/// Writes `terminals.csv` and `merchants.csv` of a scenario's fleet and returns their paths.
///
/// # Errors
/// When the scenario does not fit its country and fleet, or a file cannot be written.
pub fn write_registry(scenario: &Scenario, folder: &Path) -> Result<[PathBuf; 2], SimError> {
    let mut world = fleet::build(scenario)?;
    // Planting moves nobody's registration, but a plant that does not fit is better known now.
    truths::plant(scenario, &mut world)?;
    let failed = |path: &Path, source: std::io::Error| PublishError::File {
        path: path.to_owned(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let terminals = folder.join("terminals.csv");
    let merchants = folder.join("merchants.csv");
    write_terminals(scenario, &world, &terminals).map_err(|source| failed(&terminals, source))?;
    write_merchants(&world, &merchants).map_err(|source| failed(&merchants, source))?;
    Ok([terminals, merchants])
}

fn write_terminals(scenario: &Scenario, world: &World, path: &Path) -> std::io::Result<()> {
    let mut file = csv::Writer::from_writer(File::create(path)?);
    file.write_record([
        "terminal_id",
        "merchant_id",
        "acquirer_id",
        "host_id",
        "model",
        "firmware",
        "serial_number",
        "sim_plmn",
        "iccid_hash",
        "lat",
        "lon",
        "datum",
        "allowed_radius_m",
        "heartbeat_interval_s",
        "status",
        "installed_on",
    ])?;
    for (index, terminal) in (0_u32..).zip(&world.terminals) {
        let hash = world.iccid_hash(index);
        let [lat_shift, lon_shift] = terminal.datum_shift.map(f64::from);
        let days = (dice::hash(&[world.seed, 0x1257, u64::from(index)]) % 1_500 + 1) as i64;
        let installed_on = scenario.window.start - TimeDelta::days(days);
        file.write_record([
            world.terminal_id(index),
            world.merchant_id(terminal.merchant),
            world.acquirer_of(terminal).id.clone(),
            world.host_of(terminal).to_owned(),
            terminal.model().name.to_owned(),
            terminal.firmware().to_owned(),
            format!("SN{:010x}", dice::mix(hash) & 0xff_ffff_ffff),
            world.sim_plmn_of(terminal).to_owned(),
            format!("{hash:016x}"),
            format!("{:.6}", terminal.lat + lat_shift),
            format!("{:.6}", terminal.lon + lon_shift),
            terminal.datum.as_str().to_owned(),
            format!("{ALLOWED_RADIUS_M}"),
            scenario.fleet.heartbeat_interval_s.to_string(),
            "active".to_owned(),
            installed_on.to_string(),
        ])?;
    }
    file.flush()
}

fn write_merchants(world: &World, path: &Path) -> std::io::Result<()> {
    let mut file = csv::Writer::from_writer(File::create(path)?);
    file.write_record([
        "merchant_id",
        "name",
        "merchant_category_code",
        "acquirer_id",
        "country_code",
        "region_code",
        "city",
        "time_zone",
        "opens_local",
        "closes_local",
    ])?;
    for (index, merchant) in (0_u32..).zip(&world.merchants) {
        let kind = &MERCHANT_KINDS[usize::from(merchant.kind)];
        let town = &world.towns[merchant.town as usize];
        file.write_record([
            world.merchant_id(index),
            format!("{} {}", kind.name, index + 1),
            kind.category_code.to_owned(),
            world.acquirers[usize::from(merchant.acquirer)].id.clone(),
            world.country.clone(),
            town.admin1.clone(),
            town.name.clone(),
            town.time_zone.name().to_owned(),
            format!("{:02}:00", kind.opens),
            // Midnight is the next day's first hour.
            format!("{:02}:00", kind.closes % 24),
        ])?;
    }
    file.flush()
}
