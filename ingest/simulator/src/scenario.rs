//! Scenario files: owns every setting of a simulated fleet and what is planted in it.
//! Strict: an unknown key is refused by name, and every fault is reported at once.

use std::fs;
use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schemas::ids::Plmn;
use serde::{Deserialize, Serialize};
use toml::Value;

/// Scenarios shipped in the program, by name.
const SHIPPED: &[(&str, &str)] = &[
    ("demo", include_str!("../scenarios/demo.toml")),
    ("null", include_str!("../scenarios/null.toml")),
    (
        "remote-branch",
        include_str!("../scenarios/remote-branch.toml"),
    ),
    ("country", include_str!("../scenarios/country.toml")),
    ("weak-zone", include_str!("../scenarios/weak-zone.toml")),
    ("not-spot", include_str!("../scenarios/not-spot.toml")),
    (
        "bad-terminals",
        include_str!("../scenarios/bad-terminals.toml"),
    ),
    ("bad-model", include_str!("../scenarios/bad-model.toml")),
    ("host-outage", include_str!("../scenarios/host-outage.toml")),
    (
        "carrier-outage",
        include_str!("../scenarios/carrier-outage.toml"),
    ),
    ("bad-release", include_str!("../scenarios/bad-release.toml")),
    (
        "moved-terminals",
        include_str!("../scenarios/moved-terminals.toml"),
    ),
    (
        "region-not-open",
        include_str!("../scenarios/region-not-open.toml"),
    ),
    (
        "merchant-config",
        include_str!("../scenarios/merchant-config.toml"),
    ),
    ("card-limit", include_str!("../scenarios/card-limit.toml")),
];

/// A fleet to simulate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Short name, as `notspot simulate` takes it.
    pub name: String,
    /// One sentence on what it shows.
    pub description: String,
    /// Decides everything random; the same seed gives the same events, byte for byte.
    pub seed: u64,
    /// When.
    pub window: Window,
    /// Who and where.
    pub fleet: Fleet,
    /// Mobile networks of the country.
    pub carriers: Vec<Carrier>,
    /// Acquirers and their hosts.
    pub acquirers: Vec<Acquirer>,
    /// What is planted; empty by default.
    #[serde(default)]
    pub plant: Plant,
}

/// The simulated time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First day, from midnight UTC.
    pub start: NaiveDate,
    /// Number of days, 1 to 366.
    pub days: u32,
}

/// The fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// ISO 3166-1 code of the country, such as `PT`.
    pub country: String,
    /// Number of terminals.
    pub terminals: u32,
    /// Towns below this population get no terminals of their own.
    #[serde(default = "default_min_town_population")]
    pub min_town_population: u32,
    /// Time between heartbeats, s.
    #[serde(default = "default_interval_s")]
    pub heartbeat_interval_s: u32,
    /// Time between signal readings, s.
    #[serde(default = "default_interval_s")]
    pub signal_interval_s: u32,
    /// Sales of an average terminal on an average day.
    #[serde(default = "default_sales_per_day")]
    pub sales_per_day: f64,
    /// Terminals of an average merchant.
    #[serde(default = "default_terminals_per_merchant")]
    pub terminals_per_merchant: f64,
    /// Profile of the hosts' answers: `unionpay` or `iso8583_1987`.
    pub code_profile: CodeProfile,
    /// Share of terminals whose SIM belongs to a foreign network and roams.
    #[serde(default)]
    pub roaming_share: f64,
    /// Home network of roaming SIMs.
    #[serde(default = "default_roaming_plmn")]
    pub roaming_plmn: String,
    /// Share of terminals that report positions in GCJ-02; only in China.
    #[serde(default)]
    pub gcj02_share: f64,
    /// Share of terminals that report positions in BD-09; only in China.
    #[serde(default)]
    pub bd09_share: f64,
    /// Events a terminal can keep while it cannot send.
    #[serde(default = "default_stored_forward_capacity")]
    pub stored_forward_capacity: u16,
    /// Share of events sent a second time.
    #[serde(default = "default_duplicate_share")]
    pub duplicate_share: f64,
}

/// Which code table the hosts answer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeProfile {
    /// UnionPay.
    #[serde(rename = "unionpay")]
    Unionpay,
    /// ISO 8583:1987.
    #[serde(rename = "iso8583_1987")]
    Iso8583,
}

/// One mobile network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carrier {
    /// What reports call it.
    pub name: String,
    /// Network code, MCC-MNC.
    pub plmn: String,
    /// Weight of its SIMs among the terminals.
    pub sim_share: f64,
    /// Density of its base stations; 1 is usual.
    #[serde(default = "default_density")]
    pub density: f64,
    /// Radio access technologies it runs: gsm, umts, lte, nr, nbiot, ltem.
    pub rats: Vec<String>,
}

/// One acquirer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acquirer {
    /// Id in events.
    pub id: String,
    /// Weight among the merchants.
    pub share: f64,
    /// Its hosts; a terminal keeps to one.
    pub hosts: Vec<String>,
}

/// Everything planted. Days count from the start of the window and may have a fraction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plant {
    /// Places where one carrier is weak.
    pub weak_zone: Vec<WeakZone>,
    /// Places where every carrier is weak.
    pub not_spot: Vec<NotSpot>,
    /// Terminals that fail where their peers do not.
    pub bad_terminals: Vec<BadTerminals>,
    /// A model with a firmware that fails everywhere.
    pub bad_model: Vec<BadModel>,
    /// Hosts that stop answering.
    pub host_outage: Vec<HostOutage>,
    /// A carrier gone from a region.
    pub carrier_outage: Vec<CarrierOutage>,
    /// A release of the payment application that breaks.
    pub bad_release: Vec<BadRelease>,
    /// Terminals taken away from their registered place.
    pub moved_terminals: Vec<MovedTerminals>,
    /// Regions an acquirer has no right in.
    pub region_not_open: Vec<RegionNotOpen>,
    /// Merchants configured wrongly at their host.
    pub merchant_config: Vec<MerchantConfig>,
    /// Merchants where one kind of card is not taken.
    pub card_limit: Vec<CardLimit>,
    /// A remote branch that is mended step by step.
    pub remote_branch: Vec<RemoteBranch>,
}

/// One carrier is weak in a circle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeakZone {
    /// The carrier; drawn when absent.
    pub plmn: Option<String>,
    /// Radius of the circle, km.
    pub radius_km: f64,
    /// What the place takes from the signal, dB.
    pub attenuation_db: f64,
    /// The carrier's terminals there are to be at least so many.
    pub min_terminals: u32,
    /// First day; 0 when absent.
    #[serde(default)]
    pub from_day: f64,
    /// Last day; the end when absent.
    pub to_day: Option<f64>,
}

/// Every carrier is weak in a circle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotSpot {
    /// Radius of the circle, km.
    pub radius_km: f64,
    /// What the place takes from the signal, dB.
    pub attenuation_db: f64,
    /// Terminals there are to be at least so many.
    pub min_terminals: u32,
    /// First day; 0 when absent.
    #[serde(default)]
    pub from_day: f64,
    /// Last day; the end when absent.
    pub to_day: Option<f64>,
}

/// Single terminals with a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BadTerminals {
    /// How many.
    pub count: u32,
    /// Failures for each one a sound terminal has there.
    pub multiplier: f64,
    /// What the antenna takes from every signal it shows, dB; 0 when absent. What comes of it is in
    /// the multiplier.
    #[serde(default)]
    pub antenna_loss_db: f64,
    /// First day; 0 when absent.
    #[serde(default)]
    pub from_day: f64,
}

/// A model × firmware with a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BadModel {
    /// Model, one of the catalog's.
    pub model: String,
    /// Firmware, one of the model's.
    pub firmware: String,
    /// Failures for each one a sound terminal has there.
    pub multiplier: f64,
    /// What the antenna takes from every signal it shows, dB; 0 when absent. What comes of it is in
    /// the multiplier.
    #[serde(default)]
    pub antenna_loss_db: f64,
}

/// A host that does not answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostOutage {
    /// The host; drawn when absent.
    pub host: Option<String>,
    /// When it begins.
    pub day: f64,
    /// How long it lasts, min.
    pub duration_min: f64,
    /// Share of attempts that get no answer.
    #[serde(default = "default_outage_share")]
    pub failure_share: f64,
}

/// A carrier gone from a circle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierOutage {
    /// The carrier; drawn when absent.
    pub plmn: Option<String>,
    /// Radius around a large town, km.
    pub radius_km: f64,
    /// When it begins.
    pub day: f64,
    /// How long it lasts, min.
    pub duration_min: f64,
}

/// A release that breaks the link to the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BadRelease {
    /// Version of the payment application.
    pub app_version: String,
    /// Share of terminals that get it.
    pub terminal_share: f64,
    /// When it is rolled out.
    pub day: f64,
    /// When it is taken back; never when absent.
    pub to_day: Option<f64>,
    /// Share of attempts it breaks.
    pub failure_share: f64,
}

/// Terminals taken elsewhere, refused by the geofence of their acquirer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedTerminals {
    /// How many.
    pub count: u32,
    /// When they are moved.
    pub day: f64,
    /// How far at least, km.
    pub min_distance_km: f64,
    /// Share of attempts refused once moved.
    #[serde(default = "default_refusal_share")]
    pub refusal_share: f64,
}

/// A region an acquirer may not serve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionNotOpen {
    /// The acquirer; drawn when absent.
    pub acquirer: Option<String>,
    /// The acquirer's terminals there are to be at least so many.
    pub min_terminals: u32,
    /// Share of attempts refused.
    #[serde(default = "default_refusal_share")]
    pub refusal_share: f64,
}

/// Merchants whose configuration is wrong from a day on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MerchantConfig {
    /// How many.
    pub count: u32,
    /// From when.
    pub day: f64,
    /// Share of attempts refused.
    #[serde(default = "default_refusal_share")]
    pub refusal_share: f64,
}

/// Merchants that do not take one kind of card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardLimit {
    /// How many.
    pub count: u32,
    /// Kind of card: credit, debit, prepaid or foreign.
    pub card_type: String,
}

/// A branch far out: first the carrier mends its site, then QR payments come, then maintenance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteBranch {
    /// Its terminals, 1 to 20.
    pub terminals: u32,
    /// What the place takes from the signal before the carrier's fix, dB.
    pub attenuation_db: f64,
    /// Failures for each one a sound terminal has, before maintenance.
    pub multiplier: f64,
    /// Share of sales by QR once introduced.
    pub qr_share: f64,
    /// Day of the carrier's fix.
    pub carrier_fix_day: f64,
    /// Day QR payments begin.
    pub qr_day: f64,
    /// Day of the maintenance.
    pub maintenance_day: f64,
}

const fn default_min_town_population() -> u32 {
    5_000
}
const fn default_interval_s() -> u32 {
    3_600
}
const fn default_sales_per_day() -> f64 {
    40.0
}
const fn default_terminals_per_merchant() -> f64 {
    1.7
}
fn default_roaming_plmn() -> String {
    // A code of the shared international range, as SIMs sold for machines have.
    "901-28".to_owned()
}
const fn default_stored_forward_capacity() -> u16 {
    48
}
const fn default_duplicate_share() -> f64 {
    0.003
}
const fn default_density() -> f64 {
    1.0
}
const fn default_outage_share() -> f64 {
    0.95
}
const fn default_refusal_share() -> f64 {
    0.9
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a shipped scenario nor a readable file.
    #[error("scenario {name} is neither a shipped one ({shipped}) nor a readable file: {source}")]
    NotFound {
        /// What was asked for.
        name: String,
        /// Names of the shipped ones.
        shipped: String,
        /// What the system said of the file.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, a missing one or a wrong type.
    #[error("scenario {origin}: {reason}")]
    Unreadable {
        /// Name or path.
        origin: String,
        /// What is wrong and where.
        reason: String,
    },
    /// An override does not have the form `key=value`.
    #[error("override {0:?} is not of the form key=value, such as fleet.terminals=2000")]
    NotAnOverride(String),
    /// An override leads nowhere.
    #[error("override {assignment:?}: {part:?} is not a table or list of the scenario")]
    NoSuchPlace {
        /// The override.
        assignment: String,
        /// The part of the key that fails.
        part: String,
    },
    /// Settings out of their range; all of them.
    #[error("scenario {origin}: {}", faults.join("; "))]
    Faults {
        /// Name of the scenario.
        origin: String,
        /// One sentence a fault.
        faults: Vec<String>,
    },
}

impl Scenario {
    /// Returns the names of the shipped scenarios.
    pub fn shipped() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// Loads a shipped scenario by name, or a file by path.
    ///
    /// # Errors
    /// When there is none, it has an unknown key, or a setting is out of range.
    pub fn load(name_or_path: &str) -> Result<Self, ScenarioError> {
        if let Some((_, text)) = SHIPPED.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(text, name_or_path);
        }
        let text = fs::read_to_string(Path::new(name_or_path)).map_err(|source| {
            ScenarioError::NotFound {
                name: name_or_path.to_owned(),
                shipped: Self::shipped().collect::<Vec<_>>().join(", "),
                source,
            }
        })?;
        Self::parse(&text, name_or_path)
    }

    /// Reads a scenario from TOML; `origin` names it in errors.
    ///
    /// # Errors
    /// When it has an unknown key or a setting is out of range.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|error| ScenarioError::Unreadable {
            origin: origin.to_owned(),
            reason: error.to_string(),
        })?;
        scenario.checked(origin)
    }

    /// Changes one setting, as in `fleet.terminals=2000` or `plant.weak_zone.0.radius_km=2.5`.
    ///
    /// The value is read as TOML, else taken as text. On an error nothing has changed.
    ///
    /// # Errors
    /// When the key leads nowhere, or the value does not fit.
    pub fn apply_override(&mut self, assignment: &str) -> Result<(), ScenarioError> {
        let malformed = || ScenarioError::NotAnOverride(assignment.to_owned());
        let (key, text) = assignment.split_once('=').ok_or_else(malformed)?;
        let unreadable = |reason: String| ScenarioError::Unreadable {
            origin: format!("{} with {assignment}", self.name),
            reason,
        };
        let mut tree = Value::try_from(&*self).map_err(|error| unreadable(error.to_string()))?;
        set_value(&mut tree, key.trim(), toml_value(text.trim())).map_err(|part| {
            ScenarioError::NoSuchPlace {
                assignment: assignment.to_owned(),
                part,
            }
        })?;
        let changed: Self = tree
            .try_into()
            .map_err(|error: toml::de::Error| unreadable(error.to_string()))?;
        let name = changed.name.clone();
        *self = changed.checked(&name)?;
        Ok(())
    }

    /// Returns the scenario as TOML, every default spelled out.
    ///
    /// # Errors
    /// When a value has no TOML form, such as a seed above 2^63.
    pub fn to_toml(&self) -> Result<String, ScenarioError> {
        toml::to_string(self).map_err(|error| ScenarioError::Unreadable {
            origin: self.name.clone(),
            reason: error.to_string(),
        })
    }

    /// Returns the first instant of the window.
    pub fn start(&self) -> DateTime<Utc> {
        self.window.start.and_time(chrono::NaiveTime::MIN).and_utc()
    }

    /// Returns the instant after the window.
    pub fn end(&self) -> DateTime<Utc> {
        self.start() + TimeDelta::days(i64::from(self.window.days))
    }

    fn checked(self, origin: &str) -> Result<Self, ScenarioError> {
        let faults = self.faults();
        if faults.is_empty() {
            return Ok(self);
        }
        Err(ScenarioError::Faults {
            origin: origin.to_owned(),
            faults,
        })
    }

    fn faults(&self) -> Vec<String> {
        let mut check = Check::default();
        check.within("window.days", f64::from(self.window.days), 1.0, 366.0);
        check.that(i64::try_from(self.seed).is_ok(), || {
            "seed is above 2^63 - 1".into()
        });
        self.fleet.check(&mut check);
        self.check_carriers(&mut check);
        self.check_acquirers(&mut check);
        self.plant.check(self, &mut check);
        check.faults
    }

    fn check_carriers(&self, check: &mut Check) {
        check.within(
            "number of carriers",
            self.carriers.len() as f64,
            1.0,
            crate::world::MAX_CARRIERS as f64,
        );
        for carrier in &self.carriers {
            let name = &carrier.plmn;
            check.that(Plmn::is_valid(name), || {
                format!("carriers.plmn {name:?} is not of the form MCC-MNC")
            });
            check.within(
                &format!("carriers.sim_share of {name}"),
                carrier.sim_share,
                0.0,
                1e6,
            );
            check.within(
                &format!("carriers.density of {name}"),
                carrier.density,
                0.05,
                20.0,
            );
            for rat in &carrier.rats {
                if let Err(error) = rat.parse::<schemas::radio::Rat>() {
                    check
                        .faults
                        .push(format!("carriers.rats of {name}: {error}"));
                }
            }
            check.that(!carrier.rats.is_empty(), || {
                format!("carriers.rats of {name} is empty")
            });
        }
        let total: f64 = self.carriers.iter().map(|carrier| carrier.sim_share).sum();
        check.that(total > 0.0, || "no carrier has a sim_share above 0".into());
    }

    fn check_acquirers(&self, check: &mut Check) {
        let total: f64 = self.acquirers.iter().map(|acquirer| acquirer.share).sum();
        check.that(total > 0.0, || "no acquirer has a share above 0".into());
        check.within(
            "number of acquirers",
            self.acquirers.len() as f64,
            1.0,
            64.0,
        );
        for acquirer in &self.acquirers {
            check.within(
                &format!("number of hosts of {}", acquirer.id),
                acquirer.hosts.len() as f64,
                1.0,
                3.0,
            );
        }
    }
}

impl Fleet {
    fn check(&self, check: &mut Check) {
        check.within(
            "fleet.terminals",
            f64::from(self.terminals),
            1.0,
            10_000_000.0,
        );
        check.within(
            "fleet.heartbeat_interval_s",
            f64::from(self.heartbeat_interval_s),
            60.0,
            86_400.0,
        );
        check.within(
            "fleet.signal_interval_s",
            f64::from(self.signal_interval_s),
            60.0,
            86_400.0,
        );
        check.within("fleet.sales_per_day", self.sales_per_day, 0.0, 2_000.0);
        check.within(
            "fleet.terminals_per_merchant",
            self.terminals_per_merchant,
            1.0,
            20.0,
        );
        check.within(
            "fleet.stored_forward_capacity",
            f64::from(self.stored_forward_capacity),
            1.0,
            1_000.0,
        );
        for (name, share) in [
            ("fleet.roaming_share", self.roaming_share),
            ("fleet.gcj02_share", self.gcj02_share),
            ("fleet.bd09_share", self.bd09_share),
            ("fleet.duplicate_share", self.duplicate_share),
        ] {
            check.within(name, share, 0.0, 1.0);
        }
        check.that(Plmn::is_valid(&self.roaming_plmn), || {
            format!(
                "fleet.roaming_plmn {:?} is not of the form MCC-MNC",
                self.roaming_plmn
            )
        });
        check.that(
            self.country == "CN" || self.gcj02_share + self.bd09_share == 0.0,
            || {
                format!(
                    "fleet.gcj02_share and fleet.bd09_share are for China, not {}",
                    self.country
                )
            },
        );
    }
}

impl Plant {
    fn check(&self, scenario: &Scenario, check: &mut Check) {
        let days = f64::from(scenario.window.days);
        let shares = self
            .host_outage
            .iter()
            .map(|plant| plant.failure_share)
            .chain(
                self.bad_release
                    .iter()
                    .flat_map(|plant| [plant.failure_share, plant.terminal_share]),
            )
            .chain(self.moved_terminals.iter().map(|plant| plant.refusal_share))
            .chain(self.region_not_open.iter().map(|plant| plant.refusal_share))
            .chain(self.merchant_config.iter().map(|plant| plant.refusal_share))
            .chain(self.remote_branch.iter().map(|plant| plant.qr_share));
        for share in shares {
            check.within("a planted share", share, 0.0, 1.0);
        }
        let begins =
            self.host_outage
                .iter()
                .map(|plant| plant.day)
                .chain(self.carrier_outage.iter().map(|plant| plant.day))
                .chain(self.bad_release.iter().map(|plant| plant.day))
                .chain(self.moved_terminals.iter().map(|plant| plant.day))
                .chain(self.merchant_config.iter().map(|plant| plant.day))
                .chain(self.bad_terminals.iter().map(|plant| plant.from_day))
                .chain(self.weak_zone.iter().map(|plant| plant.from_day))
                .chain(self.not_spot.iter().map(|plant| plant.from_day))
                .chain(self.remote_branch.iter().flat_map(|plant| {
                    [plant.carrier_fix_day, plant.qr_day, plant.maintenance_day]
                }));
        for day in begins {
            check.within("the day of a plant", day, 0.0, days);
        }
        let multipliers = self
            .bad_terminals
            .iter()
            .map(|plant| plant.multiplier)
            .chain(self.bad_model.iter().map(|plant| plant.multiplier))
            .chain(self.remote_branch.iter().map(|plant| plant.multiplier));
        for multiplier in multipliers {
            check.within("multiplier of a plant", multiplier, 1.0, 1_000.0);
        }
        let losses = self.bad_terminals.iter().map(|plant| plant.antenna_loss_db);
        let of_models = self.bad_model.iter().map(|plant| plant.antenna_loss_db);
        for loss_db in losses.chain(of_models) {
            check.within("antenna_loss_db of a plant", loss_db, 0.0, 60.0);
        }
        for plmn in self
            .weak_zone
            .iter()
            .filter_map(|plant| plant.plmn.as_ref())
            .chain(
                self.carrier_outage
                    .iter()
                    .filter_map(|plant| plant.plmn.as_ref()),
            )
        {
            check.that(
                scenario
                    .carriers
                    .iter()
                    .any(|carrier| &carrier.plmn == plmn),
                || format!("planted carrier {plmn} is none of the carriers"),
            );
        }
        for branch in &self.remote_branch {
            check.within(
                "plant.remote_branch.terminals",
                f64::from(branch.terminals),
                1.0,
                20.0,
            );
            check.that(branch.carrier_fix_day <= branch.qr_day && branch.qr_day <= branch.maintenance_day, || {
                "plant.remote_branch: carrier_fix_day, qr_day and maintenance_day are to follow each other".into()
            });
        }
    }
}

/// Collects every fault, so that one look shows them all.
#[derive(Default)]
struct Check {
    faults: Vec<String>,
}

impl Check {
    fn that(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    fn within(&mut self, name: &str, value: f64, low: f64, high: f64) {
        self.that((low..=high).contains(&value), || {
            format!("{name} is {value}, allowed are {low} to {high}")
        });
    }
}

fn toml_value(text: &str) -> Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}"));
    match parsed.ok().and_then(|mut table| table.remove("value")) {
        // Dates are text in scenarios.
        None | Some(Value::Datetime(_)) => Value::String(text.to_owned()),
        Some(value) => value,
    }
}

/// Sets the value a dotted key leads to; the error is the part that leads nowhere.
fn set_value(tree: &mut Value, key: &str, value: Value) -> Result<(), String> {
    let (parents, last) = key.rsplit_once('.').unwrap_or(("", key));
    let mut place = tree;
    for part in parents.split('.').filter(|part| !part.is_empty()) {
        place = match place {
            Value::Table(table) => table.get_mut(part),
            Value::Array(list) => part.parse::<usize>().ok().and_then(|at| list.get_mut(at)),
            _ => None,
        }
        .ok_or_else(|| part.to_owned())?;
    }
    match place {
        Value::Table(table) => {
            // A whole number is fine where a fraction is expected.
            let value = match (table.get(last), value) {
                (Some(Value::Float(_)), Value::Integer(whole)) => Value::Float(whole as f64),
                (_, value) => value,
            };
            table.insert(last.to_owned(), value);
            Ok(())
        }
        _ => Err(last.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_loads_under_its_own_name() {
        for name in Scenario::shipped() {
            let scenario = Scenario::load(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(scenario.name, name);
        }
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let text = include_str!("../scenarios/null.toml").replace("terminals =", "terminalz =");
        let error = Scenario::parse(&text, "mine").expect_err("terminalz is no setting");
        assert!(error.to_string().contains("terminalz"), "{error}");
        let mut scenario = Scenario::load("null").expect("shipped");
        let error = scenario
            .apply_override("fleet.speed=3")
            .expect_err("speed is no setting");
        assert!(error.to_string().contains("speed"), "{error}");
    }

    #[test]
    fn overrides_reach_lists_dates_and_absent_settings() {
        let mut scenario = Scenario::load("weak-zone").expect("shipped");
        for assignment in [
            "fleet.terminals=77",
            "window.start=2025-02-03",
            "plant.weak_zone.0.radius_km=3",
            "plant.weak_zone.0.to_day=2.5",
            "fleet.heartbeat_interval_s = 900",
        ] {
            scenario
                .apply_override(assignment)
                .unwrap_or_else(|error| panic!("{error}"));
        }
        assert_eq!(scenario.fleet.terminals, 77);
        assert_eq!(scenario.start().to_rfc3339(), "2025-02-03T00:00:00+00:00");
        assert_eq!(scenario.plant.weak_zone[0].radius_km, 3.0);
        assert_eq!(scenario.plant.weak_zone[0].to_day, Some(2.5));
        assert_eq!(scenario.fleet.heartbeat_interval_s, 900);
    }

    #[test]
    fn every_fault_is_reported_at_once_and_changes_nothing() {
        let mut scenario = Scenario::load("null").expect("shipped");
        let before = scenario.clone();
        let error = scenario
            .apply_override("window.days=0")
            .expect_err("no days");
        assert!(error.to_string().contains("window.days is 0"), "{error}");
        assert_eq!(scenario, before);
        scenario.fleet.gcj02_share = 0.5;
        scenario.window.days = 0;
        assert_eq!(scenario.faults().len(), 2);
    }
}
