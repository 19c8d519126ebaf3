//! Builds the world: shops around real towns, terminals in them, and what each hears of every carrier.

use std::collections::HashMap;

use chrono_tz::Tz;
use schemas::position::{Datum, LatLon, from_wgs84};
use schemas::radio::Rat;

use crate::catalog::{MODELS, Model, PositionSource};
use crate::dice::{self, Dice};
use crate::engine::SimError;
use crate::radio::{self, bit};
use crate::scenario::{Fleet, Scenario};
use crate::schedule::MERCHANT_KINDS;
use crate::sites::{Heard, Plane, Sites, roads, wall_loss_db};
use crate::towns::{self, Town, TownPicker};
use crate::world::{Access, AcquirerInfo, CarrierInfo, MAX_CARRIERS, Merchant, Terminal, World};

/// Nobody keeps a terminal where there is no signal: below this level shops find a better corner,
/// an outdoor antenna or another terminal, and only a quarter of what is missing remains missing.
const TOLERATED_LEVEL_DBM: f64 = -97.0;
const MOST_TERMINALS: u32 = 12;

/// Builds the world a scenario describes, nothing planted yet.
///
/// # Errors
/// When the country has no towns of the size asked for.
pub fn build(scenario: &Scenario) -> Result<World, SimError> {
    let fleet = &scenario.fleet;
    let towns = towns::of_country(&fleet.country, fleet.min_town_population);
    if towns.is_empty() {
        return Err(SimError::NoTowns {
            country: fleet.country.clone(),
            min_town_population: fleet.min_town_population,
        });
    }
    let mut builder = Builder::new(scenario, towns);
    for branch in &scenario.plant.remote_branch {
        builder.add_remote_branch(branch.terminals);
    }
    while builder.remaining() > 0 {
        builder.add_merchant();
    }
    Ok(builder.world)
}

struct Builder<'a> {
    fleet: &'a Fleet,
    world: World,
    plane: Plane,
    picker: TownPicker,
    roads: Vec<[usize; 3]>,
    sites: Vec<Sites>,
    zone_of_town: Vec<u8>,
    tolerated: f64,
}

/// What a shop hears of every carrier, walls and shadows included.
struct Surroundings {
    heard: Vec<Heard>,
    levels_dbm: [f64; MAX_CARRIERS],
}

impl<'a> Builder<'a> {
    fn new(scenario: &'a Scenario, towns: Vec<Town>) -> Self {
        let plane = Plane::of(&towns);
        let roads = roads(&towns, plane);
        let carriers: Vec<CarrierInfo> = scenario.carriers.iter().map(carrier_info).collect();
        let sites = carriers
            .iter()
            .enumerate()
            .map(|(at, carrier)| Sites::build(scenario.seed, at, carrier, &towns, &roads, plane));
        let (time_zones, zone_of_town) = time_zones(&towns);
        Self {
            fleet: &scenario.fleet,
            plane,
            picker: TownPicker::new(&towns),
            sites: sites.collect(),
            roads,
            zone_of_town,
            tolerated: TOLERATED_LEVEL_DBM,
            world: World {
                seed: scenario.seed,
                country: scenario.fleet.country.clone(),
                code_profile: scenario.fleet.code_profile,
                roaming_plmn: scenario.fleet.roaming_plmn.clone(),
                towns,
                time_zones,
                carriers,
                acquirers: scenario.acquirers.iter().map(acquirer_info).collect(),
                merchants: Vec::new(),
                terminals: Vec::with_capacity(scenario.fleet.terminals as usize),
                plants: Vec::new(),
            },
        }
    }

    fn remaining(&self) -> u32 {
        self.fleet.terminals - self.world.terminals.len() as u32
    }

    /// A bank's branch some kilometres outside one of the smallest towns, before all other shops.
    fn add_remote_branch(&mut self, terminals: u32) {
        let mut dice = self.merchant_dice();
        let largest = self
            .world
            .towns
            .iter()
            .map(|town| town.population as u64)
            .min();
        let smallest = largest.unwrap_or(0) as f64 * 1.5;
        let small: Vec<usize> = (0..self.world.towns.len())
            .filter(|at| self.world.towns[*at].population <= smallest)
            .collect();
        let town = small[dice.index(small.len())];
        let place = self.roadside(&mut dice, town, 0.35);
        let kind = kind_named("Services");
        let terminals = terminals.min(self.remaining());
        self.add_merchant_at(&mut dice, town, place, kind, terminals);
        // One bank buys one carrier's SIMs, and puts its terminals on them.
        let first = self
            .world
            .merchants
            .last()
            .map_or(0, |merchant| merchant.first_terminal as usize);
        let carrier = self
            .world
            .terminals
            .get(first)
            .map_or(0, |terminal| terminal.carrier);
        for terminal in &mut self.world.terminals[first..] {
            terminal.access = Access::Cellular;
            terminal.carrier = carrier;
            terminal.roams = false;
        }
    }

    fn merchant_dice(&self) -> Dice {
        Dice::new(&[self.world.seed, 0x0c47, self.world.merchants.len() as u64])
    }

    fn add_merchant(&mut self) {
        let mut dice = self.merchant_dice();
        let town = self.picker.pick(dice.unit());
        let place = self.shop_place(&mut dice, town);
        let kind = dice.weighted(MERCHANT_KINDS.iter().map(|kind| kind.share)) as u8;
        let terminals = terminals_of_a_shop(&mut dice, self.fleet.terminals_per_merchant);
        let terminals = terminals.min(self.remaining());
        self.add_merchant_at(&mut dice, town, place, kind, terminals);
    }

    /// Most shops stand in shopping streets, some anywhere in town, some by the road to the next one.
    fn shop_place(&self, dice: &mut Dice, town: usize) -> (f64, f64) {
        let here = &self.world.towns[town];
        match dice.weighted([0.66, 0.22, 0.12]) {
            0 => {
                let streets = 3 + (here.population / 15_000.0) as usize;
                let street = dice.index(streets) as u64;
                let (lat, lon) = self.street(town, street);
                self.plane
                    .offset(lat, lon, dice.normal() * 0.14, dice.normal() * 0.14)
            }
            1 => {
                let reach = here.radius_km() * 0.7;
                self.plane.offset(
                    here.lat,
                    here.lon,
                    dice.normal() * reach,
                    dice.normal() * reach,
                )
            }
            _ => self.roadside(dice, town, 0.5),
        }
    }

    /// The middle of a shopping street; the first one is the town's own middle.
    fn street(&self, town: usize, street: u64) -> (f64, f64) {
        let here = &self.world.towns[town];
        let mut dice = Dice::new(&[self.world.seed, 0x57ee, town as u64, street]);
        let reach = if street == 0 {
            0.05
        } else {
            here.radius_km() * 0.45
        };
        self.plane.offset(
            here.lat,
            here.lon,
            dice.normal() * reach,
            dice.normal() * reach,
        )
    }

    /// A place on the way to a neighbouring town, which is land even by the sea.
    fn roadside(&self, dice: &mut Dice, town: usize, farthest: f64) -> (f64, f64) {
        let here = &self.world.towns[town];
        let there = &self.world.towns[self.roads[town][dice.index(3)]];
        let distance_km = self
            .plane
            .distance_km((here.lat, here.lon), (there.lat, there.lon));
        // Islands far out have neighbours only across the sea.
        let along = dice.between(0.05, farthest) * (15.0 / distance_km.max(15.0));
        let lat = here.lat + (there.lat - here.lat) * along;
        let lon = here.lon + (there.lon - here.lon) * along;
        self.plane
            .offset(lat, lon, dice.normal() * 0.25, dice.normal() * 0.25)
    }

    fn add_merchant_at(
        &mut self,
        dice: &mut Dice,
        town: usize,
        (lat, lon): (f64, f64),
        kind: u8,
        terminals: u32,
    ) {
        let index = self.world.merchants.len() as u64;
        let surroundings = self.surroundings(index, lat, lon);
        self.world.merchants.push(Merchant {
            lat,
            lon,
            town: town as u32,
            first_terminal: self.world.terminals.len() as u32,
            terminals: u8::try_from(terminals).expect("a shop has few terminals"),
            kind,
            acquirer: dice.weighted(self.world.acquirers.iter().map(|acquirer| acquirer.share))
                as u8,
        });
        for _ in 0..terminals {
            let terminal = self.terminal(dice, &surroundings);
            self.world.terminals.push(terminal);
        }
    }

    fn surroundings(&self, merchant: u64, lat: f64, lon: f64) -> Surroundings {
        let heard: Vec<Heard> = self
            .sites
            .iter()
            .map(|sites| sites.heard_at(lat, lon))
            .collect();
        let walls_db = wall_loss_db(self.world.seed, merchant);
        let (east_km, north_km) = self.plane.km(lat, lon);
        let mut levels_dbm = [-150.0; MAX_CARRIERS];
        for (carrier, heard) in heard.iter().enumerate() {
            let shadow_db = radio::shadowing_db(
                self.world.seed,
                carrier as u8,
                east_km * 1_000.0,
                north_km * 1_000.0,
            );
            levels_dbm[carrier] = self.tolerable(heard.level_dbm + shadow_db - walls_db);
        }
        Surroundings { heard, levels_dbm }
    }

    fn tolerable(&self, level_dbm: f64) -> f64 {
        if level_dbm >= self.tolerated {
            return level_dbm.min(-55.0);
        }
        (self.tolerated + 0.25 * (level_dbm - self.tolerated)).max(-112.0)
    }

    fn terminal(&self, dice: &mut Dice, around: &Surroundings) -> Terminal {
        let merchant = self
            .world
            .merchants
            .last()
            .expect("its shop was just added");
        let town = merchant.town as usize;
        let model = dice.weighted(MODELS.iter().map(|model| model.share)) as u8;
        let habits = &MODELS[usize::from(model)];
        let roams = dice.chance(self.fleet.roaming_share);
        let carrier = self.choose_carrier(dice, around, habits, roams);
        let heard = around.heard[usize::from(carrier)];
        let level_dbm = around.levels_dbm[usize::from(carrier)];
        let corner_db = 1.2 * dice.normal();
        let (lat, lon) = (merchant.lat, merchant.lon);
        let (lat, lon) = self
            .plane
            .offset(lat, lon, dice.normal() * 0.006, dice.normal() * 0.006);
        let (clock_offset_ms, clock_drift_ms_per_day) = clock(dice);
        let datum = self.datum(dice, habits);
        let hosts = self.world.acquirers[usize::from(merchant.acquirer)]
            .hosts
            .len();
        Terminal {
            lat,
            lon,
            datum_shift: datum_shift(datum, lat, lon),
            merchant: self.world.merchants.len() as u32 - 1,
            site: heard.site,
            levels: around.levels_dbm.map(|level| tenths(level + corner_db)),
            // The same shadows and walls dim the other sites too.
            other_level: tenths(level_dbm - (heard.level_dbm - heard.other_level_dbm).min(40.0)),
            activity: (0.35 + dice.exponential(0.65)).min(6.0) as f32,
            clock_offset_ms,
            clock_drift_ms_per_day,
            model,
            firmware: dice.weighted(habits.firmwares.iter().map(|(_, share)| *share)) as u8,
            carrier,
            host: dice.index(hosts) as u8,
            time_zone: self.zone_of_town[town],
            rat: self.choose_rat(dice, habits, carrier, level_dbm, heard.dense),
            access: choose_access(dice, habits),
            datum,
            roams,
            dense: heard.dense,
            plants: Terminal::no_plants(),
        }
    }

    /// SIMs are bought by share; whoever hears too little changes, and roaming SIMs take the strongest.
    fn choose_carrier(
        &self,
        dice: &mut Dice,
        around: &Surroundings,
        habits: &Model,
        roams: bool,
    ) -> u8 {
        let carriers = &self.world.carriers;
        let usable = |carrier: &CarrierInfo| habits.rats & carrier.rats != 0;
        let weights = carriers.iter().map(|carrier| {
            if usable(carrier) {
                carrier.sim_share
            } else {
                0.0
            }
        });
        let bought = dice.weighted(weights);
        let usable_levels = (0..carriers.len()).filter(|at| usable(&carriers[*at]));
        let strongest = usable_levels
            .max_by(|one, other| around.levels_dbm[*one].total_cmp(&around.levels_dbm[*other]))
            .unwrap_or(bought);
        let gain_db = around.levels_dbm[strongest] - around.levels_dbm[bought];
        let unhappy = around.levels_dbm[bought] < -100.0 && gain_db > 6.0 && dice.chance(0.6);
        if roams || unhappy {
            strongest as u8
        } else {
            bought as u8
        }
    }

    fn choose_rat(
        &self,
        dice: &mut Dice,
        habits: &Model,
        carrier: u8,
        level_dbm: f64,
        dense: bool,
    ) -> Rat {
        let both = habits.rats & self.world.carriers[usize::from(carrier)].rats;
        let has = |rat: Rat| both & bit(rat) != 0;
        if has(Rat::Nr) && dense && level_dbm > -98.0 && dice.chance(0.7) {
            return Rat::Nr;
        }
        // Old networks reach further: where the new one is faint, some modems stay on them.
        let clings = level_dbm < -102.0 && dice.chance(0.3);
        let newest = [Rat::Lte, Rat::Ltem, Rat::Nbiot, Rat::Umts, Rat::Gsm];
        let oldest = [Rat::Umts, Rat::Gsm, Rat::Lte, Rat::Ltem, Rat::Nbiot];
        let order = if clings { oldest } else { newest };
        order.into_iter().find(|rat| has(*rat)).unwrap_or(Rat::Gsm)
    }

    fn datum(&self, dice: &mut Dice, habits: &Model) -> Datum {
        // A satellite receiver gives WGS-84; Chinese map services and network positions do not.
        let from_maps = !matches!(habits.position, PositionSource::Gnss);
        match dice.unit() {
            share if share < self.fleet.gcj02_share && from_maps => Datum::Gcj02,
            share if share > 1.0 - self.fleet.bd09_share && from_maps => Datum::Bd09,
            _ => Datum::Wgs84,
        }
    }
}

fn carrier_info(carrier: &crate::scenario::Carrier) -> CarrierInfo {
    let rats = carrier
        .rats
        .iter()
        .filter_map(|rat| rat.parse::<Rat>().ok());
    CarrierInfo {
        plmn: carrier.plmn.clone(),
        sim_share: carrier.sim_share,
        density: carrier.density,
        rats: rats.fold(0, |mask, rat| mask | bit(rat)),
    }
}

fn acquirer_info(acquirer: &crate::scenario::Acquirer) -> AcquirerInfo {
    AcquirerInfo {
        id: acquirer.id.clone(),
        share: acquirer.share,
        hosts: acquirer.hosts.clone(),
    }
}

fn time_zones(towns: &[Town]) -> (Vec<Tz>, Vec<u8>) {
    let mut known: HashMap<Tz, u8> = HashMap::new();
    let mut zones = Vec::new();
    let of_town = towns.iter().map(|town| {
        *known.entry(town.time_zone).or_insert_with(|| {
            zones.push(town.time_zone);
            u8::try_from(zones.len() - 1).expect("a country has few time zones")
        })
    });
    let of_town = of_town.collect();
    (zones, of_town)
}

fn kind_named(name: &str) -> u8 {
    let at = MERCHANT_KINDS.iter().position(|kind| kind.name == name);
    at.expect("the table has this kind") as u8
}

fn terminals_of_a_shop(dice: &mut Dice, mean: f64) -> u32 {
    let mut terminals = 1;
    while terminals < MOST_TERMINALS && dice.chance((mean - 1.0) / mean) {
        terminals += 1;
    }
    terminals
}

fn choose_access(dice: &mut Dice, habits: &Model) -> Access {
    if !dice.chance(habits.fixed_access_share) {
        Access::Cellular
    } else if habits.battery {
        Access::Wifi
    } else {
        Access::Ethernet
    }
}

/// Most clocks are right to seconds, some to minutes, a few are hours slow or minutes fast.
fn clock(dice: &mut Dice) -> (i32, i16) {
    let offset_ms = match dice.weighted([0.93, 0.065, 0.003, 0.002]) {
        0 => dice.normal() * 900.0,
        1 => dice.normal() * 60_000.0,
        2 => dice.between(-4.0, -0.5) * 3_600_000.0,
        _ => dice.between(3.0, 9.0) * 60_000.0,
    };
    let drift_ms_per_day = if dice.chance(0.1) {
        dice.normal() * 600.0
    } else {
        0.0
    };
    (offset_ms as i32, drift_ms_per_day as i16)
}

fn datum_shift(datum: Datum, lat: f64, lon: f64) -> [f32; 2] {
    match LatLon::new(lat, lon) {
        Ok(place) if datum != Datum::Wgs84 => {
            let declared = from_wgs84(datum, place);
            [(declared.lat() - lat) as f32, (declared.lon() - lon) as f32]
        }
        _ => [0.0, 0.0],
    }
}

fn tenths(level_dbm: f64) -> i16 {
    (level_dbm * 10.0) as i16
}

/// Returns the radio cell a site serves a terminal from: its number and physical identity.
pub fn radio_cell(seed: u64, carrier: u8, site: u32, merchant: u32, rat: Rat) -> RadioCell {
    let sector = dice::hash(&[seed, 0x5ec7, u64::from(merchant)]) % 3;
    let name = dice::hash(&[seed, 0xce11, u64::from(carrier), u64::from(site)]);
    let physical = (name >> 20) as i32;
    let sector_no = sector as i32;
    let (id, pci) = match rat {
        Rat::Gsm => ((name % 21_000) as i64 * 3 + sector as i64, None),
        Rat::Umts => (
            ((i64::from(site) << 16) | (sector as i64 + 1)) & 0xfff_ffff,
            Some((physical & 0x7f) * 3 + sector_no),
        ),
        Rat::Nr => (
            (i64::from(site) << 14) | (sector as i64 + 1),
            Some((physical & 0xff) * 3 + sector_no),
        ),
        Rat::Lte | Rat::Nbiot | Rat::Ltem => (
            ((i64::from(site) << 8) | (sector as i64 + 1)) & 0xfff_ffff,
            Some((physical & 0x7f) * 3 + sector_no),
        ),
    };
    // Some hundred sites share an area.
    let area = dice::hash(&[seed, 0x7ac, u64::from(carrier), u64::from(site / 96)]) % 65_000 + 1;
    RadioCell {
        tac: area as i32,
        id,
        pci,
    }
}

/// Names of a radio cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RadioCell {
    /// Area code.
    pub tac: i32,
    /// Cell identity.
    pub id: i64,
    /// Physical identity; GSM has none.
    pub pci: Option<i32>,
}
