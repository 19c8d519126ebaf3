//! An event before it becomes columns: small, copied, and free of text that the world already holds.

use schemas::causes::CauseClass;
use schemas::radio::{IndexKind, Rat};

use crate::catalog::Answer;
use crate::sales::Sale;

/// One event of one terminal.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// True time it is sent, ms since 1970; orders the stream.
    pub sent_ms: i64,
    /// True time it happened, ms since 1970.
    pub event_ms: i64,
    /// Error of the terminal's clock, ms.
    pub clock_ms: i32,
    /// The terminal.
    pub terminal: u32,
    /// The terminal at whose place it stands: itself, unless it was moved.
    pub place: u32,
    /// Its number since boot.
    pub seq: u32,
    /// Its number since the start; names the event.
    pub number: u32,
    /// Boots so far.
    pub boot: u16,
    /// Plant that changed the application's version, if any.
    pub release: Option<u16>,
    /// What it says.
    pub payload: Payload,
}

/// What an event says.
#[derive(Debug, Clone, Copy)]
pub enum Payload {
    Heartbeat(HeartbeatRow),
    Signal(SignalRow),
    Decline(DeclineRow),
}

/// Counters since the previous heartbeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub attempts: u16,
    pub approvals: u16,
    pub no_answer: u16,
    pub offline_approved: u16,
}

#[derive(Debug, Clone, Copy)]
pub struct HeartbeatRow {
    pub interval_s: u32,
    pub counters: Counters,
    pub stored: u16,
    pub oldest_stored_s: u32,
    pub uptime_s: u32,
    pub battery_pct: Option<u8>,
    pub external_power: bool,
    pub reboot_reason: u8,
    pub disconnect_reason: Option<u8>,
}

/// Values are those of their columns; NaN is a missing one.
#[derive(Debug, Clone, Copy)]
pub struct SignalRow {
    pub rat: Rat,
    pub rssi_dbm: f32,
    pub rscp_dbm: f32,
    pub ecno_db: f32,
    pub rsrp_dbm: f32,
    pub rsrq_db: f32,
    pub sinr_db: f32,
    pub raw: Option<(IndexKind, i16)>,
    /// Other carriers heard, with their LTE level, tenths of a dBm.
    pub neighbours: [Option<(u8, i16)>; 3],
}

#[derive(Debug, Clone, Copy)]
pub struct DeclineRow {
    pub attempt: u32,
    pub retry_no: u8,
    pub sale: Sale,
    pub phase: Option<&'static str>,
    pub latency_ms: u32,
    pub answer: Option<&'static Answer>,
    pub local_error: Option<&'static str>,
    pub outcome: Outcome,
    pub cause: CauseClass,
    pub last_signal: Option<LastSignal>,
}

/// What the terminal measured last before the attempt.
#[derive(Debug, Clone, Copy)]
pub struct LastSignal {
    pub age_s: u32,
    pub rat: Rat,
    pub dbm: f32,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Declined,
    NoAnswer,
    Reversed,
    ApprovedWithDefect,
    OfflineApproved,
}

impl Outcome {
    /// Returns the name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::NoAnswer => "no_answer",
            Self::Reversed => "reversed",
            Self::ApprovedWithDefect => "approved_with_defect",
            Self::OfflineApproved => "offline_approved",
        }
    }
}
