//! What a run planted and generated: the key that findings are held against.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use schemas::causes::CauseClass;

/// Everything a run planted and counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerKey {
    /// Name of the scenario.
    pub scenario: String,
    /// What it shows.
    pub description: String,
    /// Seed of the run.
    pub seed: u64,
    /// First instant simulated.
    pub from: DateTime<Utc>,
    /// Instant after the last.
    pub to: DateTime<Utc>,
    /// Country, ISO 3166-1.
    pub country: String,
    /// Terminals simulated.
    pub terminals: u64,
    /// Merchants simulated.
    pub merchants: u64,
    /// What was generated.
    pub counts: Counts,
    /// Out-of-range failures (`no_answer`, and `offline_approved` with `Y3`) by their true cause.
    pub out_of_range_by_cause: BTreeMap<String, u64>,
    /// Host declines by their true cause.
    pub declined_by_cause: BTreeMap<String, u64>,
    /// Attempts over each carrier, by PLMN, while nothing planted was active at the terminal.
    pub unplanted: BTreeMap<String, Tally>,
    /// Out-of-range failures expected of those attempts by the radio alone. More come true: who tries again
    /// in an absence of service fails again.
    #[serde(default)]
    pub unplanted_expected_failures: f64,
    /// What each device model shows above a calibrated meter, dB, the steps of its indices included.
    #[serde(default)]
    pub model_bias_db: BTreeMap<String, f64>,
    /// What was planted, and what came of it.
    pub truths: Vec<Planted>,
}

/// Counts of what was generated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Heartbeat messages, duplicates included.
    pub heartbeats: u64,
    /// Signal readings, duplicates included.
    pub signals: u64,
    /// Decline messages, duplicates included.
    pub declines: u64,
    /// Messages that repeat an earlier one.
    pub duplicates: u64,
    /// Messages sent a minute or more after their event, duplicates not counted.
    pub late: u64,
    /// Heartbeats a terminal could neither send nor store; their numbers are in the next one.
    pub heartbeats_missed: u64,
    /// Events dropped because the terminal's store was full; a gap in `seq`.
    pub lost: u64,
    /// Events still waiting in terminals at the end.
    pub unsent: u64,
    /// Sales begun.
    pub sales: u64,
    /// Sales that never went through.
    pub sales_lost: u64,
    /// Attempts at sales, retries included.
    pub attempts: u64,
    /// Attempts approved by a host.
    pub approvals: u64,
    /// Attempts declined by a host.
    pub declined: u64,
    /// Attempts without any answer.
    pub no_answer: u64,
    /// Attempts approved offline for want of an answer (EMV `Y3`).
    pub offline_approved: u64,
    /// Reversals of attempts whose answer was lost; not attempts themselves.
    pub reversals: u64,
    /// Attempts in the heartbeats sent, duplicates not counted.
    pub attempts_reported: u64,
    /// `no_answer` in the heartbeats sent, duplicates not counted.
    pub no_answer_reported: u64,
}

impl Counts {
    /// Returns the messages of every kind together.
    pub const fn events(&self) -> u64 {
        self.heartbeats + self.signals + self.declines
    }
}

/// Attempts and what became of them, always together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Attempts at sales.
    pub attempts: u64,
    /// Of these, without an answer (`no_answer`, or offline by `Y3`).
    pub out_of_range: u64,
    /// Of these, refused or left unanswered because of the truth itself.
    pub caused: u64,
}

impl Tally {
    /// Returns the out-of-range failures for each attempt; `None` without attempts.
    pub fn out_of_range_rate(&self) -> Option<f64> {
        (self.attempts > 0).then(|| self.out_of_range as f64 / self.attempts as f64)
    }
}

/// One truth, when it held and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planted {
    /// Name within the run, such as `weak-zone-1`.
    pub id: String,
    /// From when it holds.
    pub from: DateTime<Utc>,
    /// Until when.
    pub to: DateTime<Utc>,
    /// Attempts at the terminals concerned while it holds.
    pub inside: Tally,
    /// What it is.
    pub truth: Truth,
}

/// What was planted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Truth {
    /// One carrier is weak here.
    WeakZone {
        /// The carrier.
        plmn: String,
        /// Where.
        area: Area,
    },
    /// Every carrier is weak here.
    NotSpot {
        /// Where.
        area: Area,
    },
    /// These terminals fail where their peers do not.
    BadTerminals {
        /// The terminals.
        terminal_ids: Vec<String>,
        /// Failures expected for each one of a sound peer.
        multiplier: f64,
        /// What their antennas take from the signal they show, dB.
        #[serde(default)]
        antenna_loss_db: f64,
        /// What they would have failed without the fault, one for each terminal.
        #[serde(default)]
        sound: Vec<Sound>,
    },
    /// This model fails with this firmware.
    BadModel {
        /// The model.
        model: String,
        /// Its firmware.
        firmware: String,
        /// Failures expected for each one of a sound peer.
        multiplier: f64,
        /// What its antennas take from the signal they show, dB.
        #[serde(default)]
        antenna_loss_db: f64,
        /// Terminals concerned.
        terminals: u64,
    },
    /// This host did not answer.
    HostOutage {
        /// The host.
        host_id: String,
        /// Terminals concerned.
        terminals: u64,
    },
    /// This carrier was gone here.
    CarrierOutage {
        /// The carrier.
        plmn: String,
        /// Where.
        area: Area,
    },
    /// This release broke the link to the host.
    BadRelease {
        /// Version of the payment application.
        app_version: String,
        /// Terminals that got it.
        terminals: u64,
    },
    /// These terminals left their registered place.
    MovedTerminals {
        /// The terminals.
        terminal_ids: Vec<String>,
        /// What their host answers.
        codes: Vec<String>,
    },
    /// This acquirer may not serve this region.
    RegionNotOpen {
        /// The acquirer.
        acquirer_id: String,
        /// First-level region, as the registry spells it.
        region_code: String,
        /// Terminals concerned.
        terminals: u64,
        /// What its hosts answer.
        codes: Vec<String>,
    },
    /// These merchants are configured wrongly.
    MerchantConfig {
        /// The merchants.
        merchant_ids: Vec<String>,
        /// What their hosts answer.
        codes: Vec<String>,
    },
    /// These merchants do not take this kind of card.
    CardLimit {
        /// The merchants.
        merchant_ids: Vec<String>,
        /// Kind of card.
        card_type: String,
        /// What their hosts answer.
        codes: Vec<String>,
    },
    /// This branch was mended step by step.
    RemoteBranch {
        /// The merchant.
        merchant_id: String,
        /// Its terminals.
        terminal_ids: Vec<String>,
        /// Carrier of its SIMs.
        plmn: String,
        /// Before, and after each step.
        phases: Vec<BranchPhase>,
    },
}

/// What a terminal with a fault tried, and what it would have failed without the fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sound {
    /// Attempts while the fault held.
    pub attempts: u64,
    /// Out-of-range failures expected of a sound terminal at its place, at the same times.
    pub expected_failures: f64,
}

/// A planted place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Area {
    /// Latitude of the middle, WGS-84.
    pub center_lat: f64,
    /// Longitude of the middle, WGS-84.
    pub center_lon: f64,
    /// Radius, km.
    pub radius_km: f64,
    /// Nearest town of the simulated ones.
    pub town: String,
    /// H3 cells of resolution 8 that hold terminals concerned, as hex text.
    pub cells: Vec<String>,
    /// Terminals concerned.
    pub terminals: u64,
    /// Merchants concerned.
    pub merchants: u64,
}

/// A time between two steps at a remote branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BranchPhase {
    /// `before`, `after_carrier_fix`, `after_qr` or `after_maintenance`.
    pub name: String,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub to: DateTime<Utc>,
    /// Attempts in this time.
    pub tally: Tally,
}
