//! What stands still while events flow: carriers, merchants, terminals and what is planted.
//! Built once from a scenario; a terminal takes about a hundred bytes, so that a million fit.

use chrono_tz::Tz;
use schemas::position::Datum;
use schemas::radio::Rat;

use crate::catalog::{MODELS, Model, Refusal};
use crate::dice;
use crate::scenario::CodeProfile;
use crate::towns::Town;

/// Carriers a world can have; each terminal knows the level of every one.
pub const MAX_CARRIERS: usize = 4;
/// Plants one terminal can be part of.
const MAX_PLANTS: usize = 8;
const NO_PLANT: u16 = u16::MAX;

/// A fleet in its country.
pub struct World {
    pub seed: u64,
    pub country: String,
    pub code_profile: CodeProfile,
    pub roaming_plmn: String,
    pub towns: Vec<Town>,
    pub time_zones: Vec<Tz>,
    pub carriers: Vec<CarrierInfo>,
    pub acquirers: Vec<AcquirerInfo>,
    pub merchants: Vec<Merchant>,
    pub terminals: Vec<Terminal>,
    /// What is planted and when it holds, ms since 1970.
    pub plants: Vec<PlantedEffect>,
}

/// A mobile network.
pub struct CarrierInfo {
    pub plmn: String,
    pub sim_share: f64,
    pub density: f64,
    /// Mask of its technologies.
    pub rats: u8,
}

/// An acquirer and its hosts.
pub struct AcquirerInfo {
    pub id: String,
    pub share: f64,
    pub hosts: Vec<String>,
}

/// A shop.
pub struct Merchant {
    pub lat: f64,
    pub lon: f64,
    pub town: u32,
    pub first_terminal: u32,
    pub terminals: u8,
    pub kind: u8,
    pub acquirer: u8,
}

/// How a terminal reaches the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Cellular,
    Wifi,
    Ethernet,
}

impl Access {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cellular => "cellular",
            Self::Wifi => "wifi",
            Self::Ethernet => "ethernet",
        }
    }
}

/// A payment device at its registered place.
pub struct Terminal {
    /// True position, WGS-84.
    pub lat: f64,
    pub lon: f64,
    /// What its datum adds to it, degrees.
    pub datum_shift: [f32; 2],
    pub merchant: u32,
    /// Serving site of its carrier; names the radio cell.
    pub site: u32,
    /// Mean level of each carrier, tenths of a dBm of an LTE reference signal.
    pub levels: [i16; MAX_CARRIERS],
    /// Strongest other site of its own carrier, tenths of a dBm.
    pub other_level: i16,
    /// Sales against the average terminal of its kind of merchant.
    pub activity: f32,
    /// Error of its clock at the start, ms, and what each day adds.
    pub clock_offset_ms: i32,
    pub clock_drift_ms_per_day: i16,
    pub model: u8,
    pub firmware: u8,
    pub carrier: u8,
    pub host: u8,
    pub time_zone: u8,
    pub rat: Rat,
    pub access: Access,
    pub datum: Datum,
    pub roams: bool,
    /// Among many base stations, on higher bands.
    pub dense: bool,
    /// Plants it is part of, by index; see [`Terminal::plants`].
    pub plants: [u16; MAX_PLANTS],
}

impl Terminal {
    /// Places a terminal nothing is planted at.
    pub const fn no_plants() -> [u16; MAX_PLANTS] {
        [NO_PLANT; MAX_PLANTS]
    }

    /// Returns its model.
    pub fn model(&self) -> &'static Model {
        &MODELS[usize::from(self.model)]
    }

    /// Returns its firmware version.
    pub fn firmware(&self) -> &'static str {
        self.model().firmwares[usize::from(self.firmware)].0
    }

    /// Walks the plants it is part of, by index.
    pub fn plants(&self) -> impl Iterator<Item = usize> + '_ {
        let used = self.plants.iter().take_while(|plant| **plant != NO_PLANT);
        used.map(|plant| usize::from(*plant))
    }

    /// Makes it part of a plant; `false` when it is part of too many already.
    pub fn add_plant(&mut self, plant: usize) -> bool {
        let Some(slot) = self.plants.iter_mut().find(|slot| **slot == NO_PLANT) else {
            return false;
        };
        *slot = u16::try_from(plant).expect("far fewer than 65,535 plants");
        true
    }

    /// Tells whether it is part of no plant.
    pub const fn is_unplanted(&self) -> bool {
        self.plants[0] == NO_PLANT
    }
}

/// A planted effect while it holds.
#[derive(Debug, Clone)]
pub struct PlantedEffect {
    pub from_ms: i64,
    pub to_ms: i64,
    pub effect: Effect,
}

impl PlantedEffect {
    pub const fn holds_at(&self, at_ms: i64) -> bool {
        self.from_ms <= at_ms && at_ms < self.to_ms
    }
}

/// What a plant does to the terminals that are part of it.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Takes from the signal of one carrier, or of all.
    Attenuation { carrier: Option<u8>, db: f64 },
    /// Multiplies failures, and takes from the signal that the terminal shows.
    Device {
        multiplier: f64,
        antenna_loss_db: f64,
    },
    /// Hosts leave this share of attempts unanswered.
    HostDown { share: f64 },
    /// No network is there.
    NoService,
    /// The application changes, and breaks this share of attempts.
    Release { app_version: String, share: f64 },
    /// The terminal stands where another one is registered.
    Moved { to: u32, refusal_share: f64 },
    /// Hosts refuse this share of attempts; with a kind of card, only those.
    Refused {
        refusal: Refusal,
        share: f64,
        card_type: Option<String>,
    },
    /// A remote branch in one of its phases.
    Branch {
        attenuation_db: f64,
        multiplier: f64,
        qr_share: f64,
    },
}

impl Effect {
    /// Tells whether it reaches a terminal that is part of its plant.
    ///
    /// Terminals of other carriers are part of a weak zone too, because their scans hear it.
    pub fn concerns(&self, terminal: &Terminal) -> bool {
        match self {
            Self::Attenuation { carrier, .. } => {
                terminal.access == Access::Cellular
                    && carrier.is_none_or(|carrier| carrier == terminal.carrier)
            }
            _ => true,
        }
    }
}

impl World {
    /// Returns the plants of a terminal that hold at an instant, with their index.
    pub fn plants_at(
        &self,
        terminal: &Terminal,
        at_ms: i64,
    ) -> impl Iterator<Item = (usize, &Effect)> {
        terminal.plants().filter_map(move |at| {
            let plant = &self.plants[at];
            plant.holds_at(at_ms).then_some((at, &plant.effect))
        })
    }

    /// Returns what faults of a terminal take from every signal it shows, dB.
    pub fn antenna_loss_db(&self, terminal: &Terminal, at_ms: i64) -> f64 {
        let losses = self
            .plants_at(terminal, at_ms)
            .map(|(_, effect)| match effect {
                Effect::Device {
                    antenna_loss_db, ..
                } => *antenna_loss_db,
                _ => 0.0,
            });
        losses.sum()
    }

    /// Returns what plants take from a carrier's signal at a terminal, dB.
    pub fn attenuation_db(&self, terminal: &Terminal, carrier: u8, at_ms: i64) -> f64 {
        let effects = self.plants_at(terminal, at_ms).map(|(_, effect)| effect);
        effects
            .map(|effect| match effect {
                Effect::Attenuation {
                    carrier: Some(one),
                    db,
                } if *one == carrier => *db,
                Effect::Attenuation { carrier: None, db } => *db,
                Effect::Branch { attenuation_db, .. } => *attenuation_db,
                _ => 0.0,
            })
            .sum()
    }

    /// Returns the id of a terminal.
    pub fn terminal_id(&self, terminal: u32) -> String {
        format!("{}-{terminal:07}", self.country)
    }

    /// Returns the id of a merchant.
    pub fn merchant_id(&self, merchant: u32) -> String {
        format!("M{merchant:07}")
    }

    /// Returns the merchant of a terminal.
    pub fn merchant_of(&self, terminal: &Terminal) -> &Merchant {
        &self.merchants[terminal.merchant as usize]
    }

    /// Returns the acquirer of a terminal.
    pub fn acquirer_of(&self, terminal: &Terminal) -> &AcquirerInfo {
        &self.acquirers[usize::from(self.merchant_of(terminal).acquirer)]
    }

    /// Returns the host of a terminal.
    pub fn host_of(&self, terminal: &Terminal) -> &str {
        &self.acquirer_of(terminal).hosts[usize::from(terminal.host)]
    }

    /// Returns the home network of a terminal's SIM.
    pub fn sim_plmn_of(&self, terminal: &Terminal) -> &str {
        if terminal.roams {
            &self.roaming_plmn
        } else {
            self.serving_plmn_of(terminal)
        }
    }

    /// Returns the network that serves a terminal.
    pub fn serving_plmn_of(&self, terminal: &Terminal) -> &str {
        &self.carriers[usize::from(terminal.carrier)].plmn
    }

    /// Returns the keyed hash of a terminal's SIM, as its two readings in the registry and in events agree on.
    pub fn iccid_hash(&self, terminal: u32) -> u64 {
        // Two letters among its hexadecimal digits: one of digits alone may pass for a card number.
        dice::hash(&[self.seed, 0x51_4d, u64::from(terminal)]) | 0xa000_0000_a000_0000
    }
}
