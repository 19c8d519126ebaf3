//! How one terminal behaves: it sells, loses the network, waits, retries, stores and sends late.
//! Its state has a fixed size apart from a bounded store of events it cannot send.

mod attempt;
mod hour;

use std::collections::BTreeMap;

use schemas::causes::CauseClass;

use crate::answer_key::{Counts, Sound, Tally};
use crate::catalog::ordinary_answers;
use crate::dice::Dice;
use crate::measure::{self, Conditions};
use crate::row::{Counters, HeartbeatRow, Payload, Row, SignalRow};
use crate::sales::Sale;
use crate::scenario::{Fleet, Scenario};
use crate::schedule::SalesSchedule;
use crate::world::{Access, Terminal, World};

const NEVER: i64 = i64::MAX;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;
/// From here on a message counts as late.
const LATE_MS: i64 = 60_000;
/// Pause between stored messages sent one after the other.
const BETWEEN_STORED_MS: i64 = 200;

/// What every terminal shares while a run goes on.
pub struct Context<'a> {
    pub world: &'a World,
    pub fleet: &'a Fleet,
    pub schedule: SalesSchedule,
    pub start_ms: i64,
    pub end_ms: i64,
    /// Offset of each time zone from UTC at present, ms.
    pub zone_offsets_ms: Vec<i64>,
    /// Events sent, in no order yet.
    pub sent: Vec<Row>,
    pub counts: Counts,
    /// One for each plant of the world.
    pub tallies: Vec<Tally>,
    /// One for each carrier, while nothing planted holds.
    pub unplanted: Vec<Tally>,
    /// Failures that the radio alone makes expect of them.
    pub unplanted_expected_failures: f64,
    /// What terminals with a fault would have failed without it, by their number.
    pub sound: BTreeMap<u32, Sound>,
    pub out_of_range_by_cause: [u64; CAUSES],
    pub declined_by_cause: [u64; CAUSES],
    ordinary_weights: Vec<f64>,
}

/// Number of cause classes.
pub const CAUSES: usize = CauseClass::ALL.len();

impl<'a> Context<'a> {
    /// Starts a run over a world.
    pub fn new(scenario: &'a Scenario, world: &'a World) -> Self {
        let ordinary = ordinary_answers(world.code_profile);
        Self {
            world,
            fleet: &scenario.fleet,
            schedule: SalesSchedule::new(),
            start_ms: scenario.start().timestamp_millis(),
            end_ms: scenario.end().timestamp_millis(),
            zone_offsets_ms: vec![0; world.time_zones.len()],
            sent: Vec::new(),
            counts: Counts::default(),
            tallies: vec![Tally::default(); world.plants.len()],
            unplanted: vec![Tally::default(); world.carriers.len()],
            unplanted_expected_failures: 0.0,
            sound: BTreeMap::new(),
            out_of_range_by_cause: [0; CAUSES],
            declined_by_cause: [0; CAUSES],
            ordinary_weights: ordinary.iter().map(|(_, weight)| *weight).collect(),
        }
    }
}

/// A terminal in time. Times are ms since 1970, UTC.
pub struct State {
    dice: Dice,
    index: u32,
    /// The terminal at whose place it stands.
    place: u32,
    seq: u32,
    events: u32,
    attempts: u32,
    boot: u16,
    release: Option<u16>,
    powered: bool,
    reboot_reason: u8,
    disconnect_reason: Option<u8>,
    booted_ms: i64,
    next_hour_ms: i64,
    next_heartbeat_ms: i64,
    next_signal_ms: i64,
    next_sale_ms: i64,
    retry_ms: i64,
    retry: Retry,
    /// The hour's one absence of service, if any; `outage_end_ms` is when stored events are sent.
    outage_start_ms: i64,
    outage_end_ms: i64,
    outage_cause: CauseClass,
    outage_plant: Option<u16>,
    now: Conditions,
    /// Probability that an attempt fails for the radio, and the part of it planted places add.
    radio_failure: f32,
    planted_failure_share: f32,
    sales_per_ms: f64,
    counters: Counters,
    stored: Vec<Row>,
}

/// A sale about to be tried again.
#[derive(Debug, Clone, Copy)]
struct Retry {
    attempt: u32,
    retry_no: u8,
    sale: Option<Sale>,
}

/// What a terminal does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Hour,
    Recover,
    Heartbeat,
    Signal,
    Retry,
    Sale,
}

impl State {
    /// Starts a terminal at the beginning of a run.
    pub fn new(context: &Context<'_>, index: u32) -> Self {
        let mut dice = Dice::new(&[context.world.seed, 0x7e41, u64::from(index)]);
        let terminal = &context.world.terminals[index as usize];
        let heartbeat_ms = i64::from(context.fleet.heartbeat_interval_s) * 1_000;
        let signal_ms = i64::from(context.fleet.signal_interval_s) * 1_000;
        let within = |dice: &mut Dice, span_ms: i64| (dice.unit() * span_ms as f64) as i64;
        let next_signal_ms = match terminal.access {
            Access::Cellular => context.start_ms + within(&mut dice, signal_ms),
            Access::Wifi | Access::Ethernet => NEVER,
        };
        Self {
            index,
            place: index,
            seq: dice.index(5_000) as u32,
            events: 0,
            attempts: 0,
            boot: 0,
            release: None,
            powered: true,
            reboot_reason: dice.index(4) as u8,
            disconnect_reason: None,
            booted_ms: context.start_ms - within(&mut dice, 20 * DAY_MS),
            next_hour_ms: context.start_ms,
            next_heartbeat_ms: context.start_ms + within(&mut dice, heartbeat_ms),
            next_signal_ms,
            next_sale_ms: NEVER,
            retry_ms: NEVER,
            retry: Retry {
                attempt: 0,
                retry_no: 0,
                sale: None,
            },
            outage_start_ms: NEVER,
            outage_end_ms: NEVER,
            outage_cause: CauseClass::Signal,
            outage_plant: None,
            now: Conditions {
                level_dbm: -90.0,
                sinr_db: 10.0,
                load: 0.0,
            },
            radio_failure: 0.0,
            planted_failure_share: 0.0,
            sales_per_ms: 0.0,
            counters: Counters::default(),
            stored: Vec::new(),
            dice,
        }
    }

    /// Lives until an instant and returns when the terminal next does something.
    pub fn live_until(&mut self, context: &mut Context<'_>, until_ms: i64) -> i64 {
        loop {
            let (at_ms, deed) = self.next();
            if at_ms >= until_ms {
                return at_ms;
            }
            match deed {
                Deed::Hour => self.begin_hour(context, at_ms),
                Deed::Recover => self.recover(context, at_ms),
                Deed::Heartbeat => self.heartbeat(context, at_ms),
                Deed::Signal => self.signal(context, at_ms),
                Deed::Retry => self.retry(context, at_ms),
                Deed::Sale => self.sale(context, at_ms),
            }
        }
    }

    /// Returns the events still stored.
    pub fn unsent(&self) -> u64 {
        self.stored.len() as u64
    }

    fn next(&self) -> (i64, Deed) {
        let mut next = (self.next_hour_ms, Deed::Hour);
        for other in [
            (self.outage_end_ms, Deed::Recover),
            (self.next_heartbeat_ms, Deed::Heartbeat),
            (self.next_signal_ms, Deed::Signal),
            (self.retry_ms, Deed::Retry),
            (self.next_sale_ms, Deed::Sale),
        ] {
            if other.0 < next.0 {
                next = other;
            }
        }
        next
    }

    fn is_out_of_service(&self, at_ms: i64) -> bool {
        self.outage_start_ms <= at_ms && at_ms < self.outage_end_ms
    }

    fn heartbeat(&mut self, context: &mut Context<'_>, at_ms: i64) {
        self.next_heartbeat_ms += i64::from(context.fleet.heartbeat_interval_s) * 1_000;
        if !self.powered {
            return;
        }
        let terminal = &context.world.terminals[self.index as usize];
        if self.is_out_of_service(at_ms) && !terminal.model().stores_heartbeats {
            // Its number is spent; its counters go on.
            self.seq += 1;
            context.counts.heartbeats_missed += 1;
            return;
        }
        let counters = std::mem::take(&mut self.counters);
        let oldest_ms = self.stored.first().map_or(at_ms, |row| row.event_ms);
        let battery = terminal.model().battery;
        let payload = Payload::Heartbeat(HeartbeatRow {
            interval_s: context.fleet.heartbeat_interval_s,
            counters,
            stored: self.stored.len() as u16,
            oldest_stored_s: seconds(at_ms - oldest_ms),
            uptime_s: seconds(at_ms - self.booted_ms),
            battery_pct: battery.then(|| self.dice.between(18.0, 100.0) as u8),
            external_power: !battery || self.dice.chance(0.35),
            reboot_reason: self.reboot_reason,
            disconnect_reason: self.disconnect_reason.take(),
        });
        self.emit(context, at_ms, at_ms, payload);
    }

    fn signal(&mut self, context: &mut Context<'_>, at_ms: i64) {
        self.next_signal_ms += i64::from(context.fleet.signal_interval_s) * 1_000;
        let terminal = &context.world.terminals[self.index as usize];
        let silent = self.is_out_of_service(at_ms) && !terminal.model().stores_heartbeats;
        if !self.powered || silent {
            return;
        }
        let now = self.conditions_at(at_ms);
        let mut row = measure::reading(&mut self.dice, terminal.model(), terminal.rat, now);
        if terminal.model().scans {
            self.scan(context.world, terminal, at_ms, &mut row);
        }
        self.emit(context, at_ms, at_ms, Payload::Signal(row));
    }

    /// Out of service a modem still measures, a little less than before.
    fn conditions_at(&self, at_ms: i64) -> Conditions {
        let lost_db = if self.is_out_of_service(at_ms) {
            7.0
        } else {
            0.0
        };
        Conditions {
            level_dbm: self.now.level_dbm - lost_db,
            sinr_db: (self.now.sinr_db - lost_db).max(-20.0),
            ..self.now
        }
    }

    fn scan(&mut self, world: &World, terminal: &Terminal, at_ms: i64, row: &mut SignalRow) {
        let place = &world.terminals[self.place as usize];
        let mut slots = row.neighbours.iter_mut();
        for carrier in (0..world.carriers.len() as u8).filter(|other| *other != terminal.carrier) {
            let level = f64::from(place.levels[usize::from(carrier)]);
            let weakened_db = world.attenuation_db(terminal, carrier, at_ms);
            let heard = level - 10.0 * weakened_db + 30.0 * self.dice.normal();
            if heard > -1_250.0
                && let Some(slot) = slots.next()
            {
                *slot = Some((carrier, heard as i16));
            }
        }
    }

    /// Makes an event and sends it, or stores it while there is no service.
    fn emit(&mut self, context: &mut Context<'_>, event_ms: i64, ready_ms: i64, payload: Payload) {
        let terminal = &context.world.terminals[self.index as usize];
        let row = Row {
            sent_ms: ready_ms + 300 + (self.dice.unit() * 2_500.0) as i64,
            event_ms,
            clock_ms: clock_ms(terminal, event_ms - context.start_ms),
            terminal: self.index,
            place: self.place,
            seq: self.seq,
            number: self.events,
            boot: self.boot,
            release: self.release,
            payload,
        };
        self.seq += 1;
        self.events += 1;
        if self.is_out_of_service(ready_ms) {
            self.store(context, row);
        } else {
            self.send(context, row);
        }
    }

    /// Keeps an event for later; when the store is full the least valuable one goes.
    fn store(&mut self, context: &mut Context<'_>, row: Row) {
        if self.stored.len() >= usize::from(context.fleet.stored_forward_capacity) {
            context.counts.lost += 1;
            let signal = |row: &Row| matches!(row.payload, Payload::Signal(_));
            if signal(&row) {
                return;
            }
            let victim = self.stored.iter().position(signal).unwrap_or(0);
            self.stored.remove(victim);
        }
        self.stored.push(row);
    }

    fn send(&mut self, context: &mut Context<'_>, row: Row) {
        count_sent(&mut context.counts, &row);
        context.sent.push(row);
        if self.dice.chance(context.fleet.duplicate_share) {
            // The acknowledgement was lost; the terminal sends again.
            let again_ms =
                row.sent_ms + 2_000 + (self.dice.exponential(40_000.0) as i64).min(600_000);
            context.counts.duplicates += 1;
            count_kind(&mut context.counts, &row.payload);
            context.sent.push(Row {
                sent_ms: again_ms,
                ..row
            });
        }
    }

    /// The network is back: what was stored is sent in its order.
    fn recover(&mut self, context: &mut Context<'_>, at_ms: i64) {
        if !self.powered {
            self.outage_end_ms = self.next_hour_ms;
            return;
        }
        self.outage_start_ms = NEVER;
        self.outage_end_ms = NEVER;
        let first_ms = at_ms + 1_500 + (self.dice.unit() * 20_000.0) as i64;
        for (nth, mut row) in (0_i64..).zip(std::mem::take(&mut self.stored)) {
            row.sent_ms = first_ms + nth * BETWEEN_STORED_MS;
            self.send(context, row);
        }
    }
}

fn count_sent(counts: &mut Counts, row: &Row) {
    count_kind(counts, &row.payload);
    if row.sent_ms - row.event_ms >= LATE_MS {
        counts.late += 1;
    }
    if let Payload::Heartbeat(heartbeat) = &row.payload {
        counts.attempts_reported += u64::from(heartbeat.counters.attempts);
        counts.no_answer_reported += u64::from(heartbeat.counters.no_answer);
    }
}

const fn count_kind(counts: &mut Counts, payload: &Payload) {
    match payload {
        Payload::Heartbeat(_) => counts.heartbeats += 1,
        Payload::Signal(_) => counts.signals += 1,
        Payload::Decline(_) => counts.declines += 1,
    }
}

fn seconds(ms: i64) -> u32 {
    u32::try_from(ms.max(0) / 1_000).unwrap_or(u32::MAX)
}

/// Error of a terminal's clock so long after the start.
fn clock_ms(terminal: &Terminal, since_start_ms: i64) -> i32 {
    let drifted = i64::from(terminal.clock_drift_ms_per_day) * since_start_ms / DAY_MS;
    terminal.clock_offset_ms + drifted as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_terminals_fit_in_a_few_hundred_megabytes() {
        let bytes = size_of::<State>() + size_of::<Terminal>() + size_of::<i64>();
        assert!(bytes <= 400, "{bytes} bytes a terminal");
    }
}
