//! Rows to wire batches: owns how a simulated event fills the columns of its contract.

mod columns;

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Int32Builder, Int64Builder, StringBuilder,
};
use arrow::record_batch::RecordBatch;
use schemas::EventKind;
use uuid::{Builder as UuidBuilder, Uuid};

use crate::catalog::{APP_VERSION, DISCONNECT_REASONS, PositionSource, REBOOT_REASONS};
use crate::dice;
use crate::fleet::{RadioCell, radio_cell};
use crate::radio::band;
use crate::row::{DeclineRow, HeartbeatRow, Payload, Row, SignalRow};
use crate::world::{Access, Effect, Terminal, World};

use columns::{CommonColumns, NeighbourColumns, present};

/// Returns the id of an event.
pub fn event_id(seed: u64, row: &Row) -> Uuid {
    let parts = [seed, 0x1d, u64::from(row.terminal), u64::from(row.number)];
    let high = dice::hash(&parts);
    let bytes = u128::from(high) << 64 | u128::from(dice::mix(high ^ u64::from(row.number)));
    UuidBuilder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
}

/// Turns rows of any kind into one batch a kind, in their order.
pub struct BatchBuilder<'a> {
    world: &'a World,
    heartbeats: HeartbeatColumns,
    signals: SignalColumns,
    declines: DeclineColumns,
}

impl<'a> BatchBuilder<'a> {
    /// Makes empty columns for up to `rows` rows of each kind.
    pub fn new(world: &'a World, rows: usize) -> Self {
        Self {
            world,
            heartbeats: HeartbeatColumns::new(rows),
            signals: SignalColumns::new(rows),
            declines: DeclineColumns::new(rows),
        }
    }

    /// Adds a row and returns how many of its kind there are.
    pub fn push(&mut self, row: &Row) -> usize {
        match &row.payload {
            Payload::Heartbeat(heartbeat) => self.heartbeats.push(self.world, row, heartbeat),
            Payload::Signal(signal) => self.signals.push(self.world, row, signal),
            Payload::Decline(decline) => self.declines.push(self.world, row, decline),
        }
    }

    /// Takes the batches of what was added, without empty ones, in the order of [`EventKind::ALL`].
    pub fn take(&mut self) -> impl Iterator<Item = (EventKind, RecordBatch)> {
        let batches = [
            (EventKind::Heartbeat, self.heartbeats.finish()),
            (EventKind::Signal, self.signals.finish()),
            (EventKind::Decline, self.declines.finish()),
        ];
        let batches = batches.map(|(kind, columns)| {
            let batch = RecordBatch::try_new(kind.wire_schema(), columns);
            (
                kind,
                batch.expect("columns are built in the order of the contract"),
            )
        });
        batches
            .into_iter()
            .filter(|(_, batch)| batch.num_rows() > 0)
    }
}

/// Returns the version of the payment application a row was written by.
fn app_version<'a>(world: &'a World, row: &Row) -> &'a str {
    match row
        .release
        .map(|plant| &world.plants[usize::from(plant)].effect)
    {
        Some(Effect::Release { app_version, .. }) => app_version,
        _ => APP_VERSION,
    }
}

/// The position an event declares: its latitude, longitude and accuracy.
fn declared_position(world: &World, row: &Row, terminal: &Terminal) -> Option<(f64, f64, f32)> {
    let (spread_m, accuracy_m) = match terminal.model().position {
        PositionSource::None => return None,
        PositionSource::Registered => (0.0, 10.0),
        PositionSource::Gnss => (6.0, 8.0),
        PositionSource::Wifi => (15.0, 25.0),
        PositionSource::RadioCell => (120.0, 400.0),
    };
    let (lat, lon) = if row.place == row.terminal {
        let [lat_shift, lon_shift] = terminal.datum_shift.map(f64::from);
        (terminal.lat + lat_shift, terminal.lon + lon_shift)
    } else {
        let place = &world.terminals[row.place as usize];
        (place.lat, place.lon)
    };
    if spread_m == 0.0 {
        return Some((lat, lon, accuracy_m));
    }
    let noise = dice::hash(&[world.seed, u64::from(row.terminal), u64::from(row.number)]);
    let degrees = spread_m / 111_195.0;
    let lat = lat + degrees * dice::normal(noise);
    let lon = lon + degrees * dice::normal(dice::mix(noise)) / lat.to_radians().cos().max(0.2);
    let accuracy_m = accuracy_m * (0.6 + dice::unit(dice::mix(!noise)) as f32);
    Some((lat, lon, accuracy_m.round()))
}

const fn position_source(source: PositionSource) -> Option<&'static str> {
    match source {
        PositionSource::Registered => Some("registered"),
        PositionSource::Gnss => Some("gnss"),
        PositionSource::Wifi => Some("wifi"),
        PositionSource::RadioCell => Some("radio_cell"),
        PositionSource::None => None,
    }
}

fn serving_cell(world: &World, row: &Row, terminal: &Terminal) -> RadioCell {
    let place = &world.terminals[row.place as usize];
    radio_cell(
        world.seed,
        terminal.carrier,
        place.site,
        place.merchant,
        terminal.rat,
    )
}

/// Integers of contracts are signed; counts here are far below their ends.
fn int(value: impl Into<u32>) -> i32 {
    i32::try_from(value.into()).unwrap_or(i32::MAX)
}

struct HeartbeatColumns {
    common: CommonColumns,
    rat: StringBuilder,
    serving_plmn: StringBuilder,
    sim_plmn: StringBuilder,
    interval_s: Int32Builder,
    attempts: Int32Builder,
    approvals: Int32Builder,
    no_answer: Int32Builder,
    offline_approved: Int32Builder,
    stored_forward_depth: Int32Builder,
    oldest_stored_s: Int64Builder,
    battery_pct: Int32Builder,
    external_power: BooleanBuilder,
    access: StringBuilder,
    uptime_s: Int64Builder,
    reboot_reason: StringBuilder,
    last_disconnect_reason: StringBuilder,
}

impl HeartbeatColumns {
    fn new(rows: usize) -> Self {
        let text = || StringBuilder::with_capacity(rows, rows * 8);
        Self {
            common: CommonColumns::new(rows),
            rat: text(),
            serving_plmn: text(),
            sim_plmn: text(),
            interval_s: Int32Builder::with_capacity(rows),
            attempts: Int32Builder::with_capacity(rows),
            approvals: Int32Builder::with_capacity(rows),
            no_answer: Int32Builder::with_capacity(rows),
            offline_approved: Int32Builder::with_capacity(rows),
            stored_forward_depth: Int32Builder::with_capacity(rows),
            oldest_stored_s: Int64Builder::with_capacity(rows),
            battery_pct: Int32Builder::with_capacity(rows),
            external_power: BooleanBuilder::with_capacity(rows),
            access: text(),
            uptime_s: Int64Builder::with_capacity(rows),
            reboot_reason: text(),
            last_disconnect_reason: text(),
        }
    }

    fn push(&mut self, world: &World, row: &Row, heartbeat: &HeartbeatRow) -> usize {
        let terminal = &world.terminals[row.terminal as usize];
        let cellular = terminal.access == Access::Cellular;
        self.rat
            .append_option(cellular.then(|| terminal.rat.as_str()));
        self.serving_plmn
            .append_option(cellular.then(|| world.serving_plmn_of(terminal)));
        self.sim_plmn.append_value(world.sim_plmn_of(terminal));
        self.interval_s.append_value(int(heartbeat.interval_s));
        self.attempts.append_value(int(heartbeat.counters.attempts));
        self.approvals
            .append_value(int(heartbeat.counters.approvals));
        self.no_answer
            .append_value(int(heartbeat.counters.no_answer));
        self.offline_approved
            .append_value(int(heartbeat.counters.offline_approved));
        self.stored_forward_depth
            .append_value(int(heartbeat.stored));
        let waits = (heartbeat.stored > 0).then_some(i64::from(heartbeat.oldest_stored_s));
        self.oldest_stored_s.append_option(waits);
        self.battery_pct
            .append_option(heartbeat.battery_pct.map(int));
        self.external_power.append_value(heartbeat.external_power);
        self.access.append_value(terminal.access.name());
        self.uptime_s.append_value(i64::from(heartbeat.uptime_s));
        self.reboot_reason
            .append_value(REBOOT_REASONS[usize::from(heartbeat.reboot_reason)]);
        let lost = heartbeat
            .disconnect_reason
            .map(|reason| DISCONNECT_REASONS[usize::from(reason)]);
        self.last_disconnect_reason.append_option(lost);
        self.common.push(world, row, terminal)
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns = self.common.finish();
        columns.extend::<[ArrayRef; 16]>([
            Arc::new(self.rat.finish()),
            Arc::new(self.serving_plmn.finish()),
            Arc::new(self.sim_plmn.finish()),
            Arc::new(self.interval_s.finish()),
            Arc::new(self.attempts.finish()),
            Arc::new(self.approvals.finish()),
            Arc::new(self.no_answer.finish()),
            Arc::new(self.offline_approved.finish()),
            Arc::new(self.stored_forward_depth.finish()),
            Arc::new(self.oldest_stored_s.finish()),
            Arc::new(self.battery_pct.finish()),
            Arc::new(self.external_power.finish()),
            Arc::new(self.access.finish()),
            Arc::new(self.uptime_s.finish()),
            Arc::new(self.reboot_reason.finish()),
            Arc::new(self.last_disconnect_reason.finish()),
        ]);
        columns
    }
}

struct SignalColumns {
    common: CommonColumns,
    rat: StringBuilder,
    serving_plmn: StringBuilder,
    sim_plmn: StringBuilder,
    iccid_hash: StringBuilder,
    tac: Int32Builder,
    radio_cell_id: Int64Builder,
    pci: Int32Builder,
    arfcn: Int32Builder,
    band: StringBuilder,
    rssi_dbm: Float32Builder,
    rscp_dbm: Float32Builder,
    ecno_db: Float32Builder,
    rsrp_dbm: Float32Builder,
    rsrq_db: Float32Builder,
    sinr_db: Float32Builder,
    raw_kind: StringBuilder,
    raw_index: Int32Builder,
    neighbours: NeighbourColumns,
}

impl SignalColumns {
    fn new(rows: usize) -> Self {
        let text = || StringBuilder::with_capacity(rows, rows * 8);
        let float = || Float32Builder::with_capacity(rows);
        Self {
            common: CommonColumns::new(rows),
            rat: text(),
            serving_plmn: text(),
            sim_plmn: text(),
            iccid_hash: StringBuilder::with_capacity(rows, rows * 16),
            tac: Int32Builder::with_capacity(rows),
            radio_cell_id: Int64Builder::with_capacity(rows),
            pci: Int32Builder::with_capacity(rows),
            arfcn: Int32Builder::with_capacity(rows),
            band: text(),
            rssi_dbm: float(),
            rscp_dbm: float(),
            ecno_db: float(),
            rsrp_dbm: float(),
            rsrq_db: float(),
            sinr_db: float(),
            raw_kind: text(),
            raw_index: Int32Builder::with_capacity(rows),
            neighbours: NeighbourColumns::new(rows),
        }
    }

    fn push(&mut self, world: &World, row: &Row, signal: &SignalRow) -> usize {
        let terminal = &world.terminals[row.terminal as usize];
        let cell = serving_cell(world, row, terminal);
        let (band, arfcn) = band(signal.rat, terminal.dense);
        self.rat.append_value(signal.rat.as_str());
        self.serving_plmn
            .append_value(world.serving_plmn_of(terminal));
        self.sim_plmn.append_value(world.sim_plmn_of(terminal));
        write!(self.iccid_hash, "{:016x}", world.iccid_hash(row.terminal))
            .expect("writing to memory does not fail");
        self.iccid_hash.append_value("");
        self.tac.append_value(cell.tac);
        self.radio_cell_id.append_value(cell.id);
        self.pci.append_option(cell.pci);
        self.arfcn.append_value(arfcn);
        self.band.append_value(band);
        self.rssi_dbm.append_option(present(signal.rssi_dbm));
        self.rscp_dbm.append_option(present(signal.rscp_dbm));
        self.ecno_db.append_option(present(signal.ecno_db));
        self.rsrp_dbm.append_option(present(signal.rsrp_dbm));
        self.rsrq_db.append_option(present(signal.rsrq_db));
        self.sinr_db.append_option(present(signal.sinr_db));
        self.raw_kind
            .append_option(signal.raw.map(|(kind, _)| kind.as_str()));
        self.raw_index
            .append_option(signal.raw.map(|(_, index)| i32::from(index)));
        self.neighbours.push(world, row, terminal, signal);
        self.common.push(world, row, terminal)
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns = self.common.finish();
        columns.extend::<[ArrayRef; 18]>([
            Arc::new(self.rat.finish()),
            Arc::new(self.serving_plmn.finish()),
            Arc::new(self.sim_plmn.finish()),
            Arc::new(self.iccid_hash.finish()),
            Arc::new(self.tac.finish()),
            Arc::new(self.radio_cell_id.finish()),
            Arc::new(self.pci.finish()),
            Arc::new(self.arfcn.finish()),
            Arc::new(self.band.finish()),
            Arc::new(self.rssi_dbm.finish()),
            Arc::new(self.rscp_dbm.finish()),
            Arc::new(self.ecno_db.finish()),
            Arc::new(self.rsrp_dbm.finish()),
            Arc::new(self.rsrq_db.finish()),
            Arc::new(self.sinr_db.finish()),
            Arc::new(self.raw_kind.finish()),
            Arc::new(self.raw_index.finish()),
            self.neighbours.finish(),
        ]);
        columns
    }
}

struct DeclineColumns {
    common: CommonColumns,
    sim_plmn: StringBuilder,
    attempt_id: StringBuilder,
    retry_no: Int32Builder,
    phase_failed: StringBuilder,
    latency_ms: Int64Builder,
    response_code: StringBuilder,
    code_profile: StringBuilder,
    local_error: StringBuilder,
    card_scheme: StringBuilder,
    card_type: StringBuilder,
    entry_mode: StringBuilder,
    transaction_type: StringBuilder,
    channel: StringBuilder,
    amount_band: StringBuilder,
    outcome: StringBuilder,
    last_signal_age_s: Int32Builder,
    last_signal_rat: StringBuilder,
    last_signal_plmn: StringBuilder,
    last_signal_dbm: Float32Builder,
}

impl DeclineColumns {
    fn new(rows: usize) -> Self {
        let text = || StringBuilder::with_capacity(rows, rows * 8);
        Self {
            common: CommonColumns::new(rows),
            sim_plmn: text(),
            attempt_id: StringBuilder::with_capacity(rows, rows * 16),
            retry_no: Int32Builder::with_capacity(rows),
            phase_failed: text(),
            latency_ms: Int64Builder::with_capacity(rows),
            response_code: text(),
            code_profile: text(),
            local_error: text(),
            card_scheme: text(),
            card_type: text(),
            entry_mode: text(),
            transaction_type: text(),
            channel: text(),
            amount_band: text(),
            outcome: text(),
            last_signal_age_s: Int32Builder::with_capacity(rows),
            last_signal_rat: text(),
            last_signal_plmn: text(),
            last_signal_dbm: Float32Builder::with_capacity(rows),
        }
    }

    fn push(&mut self, world: &World, row: &Row, decline: &DeclineRow) -> usize {
        let terminal = &world.terminals[row.terminal as usize];
        let sale = decline.sale;
        let last = decline.last_signal;
        self.sim_plmn.append_value(world.sim_plmn_of(terminal));
        write!(
            self.attempt_id,
            "{}-{:07}-{}",
            world.country, row.terminal, decline.attempt
        )
        .expect("writing to memory does not fail");
        self.attempt_id.append_value("");
        self.retry_no.append_value(i32::from(decline.retry_no));
        self.phase_failed.append_option(decline.phase);
        self.latency_ms.append_value(i64::from(decline.latency_ms));
        self.response_code
            .append_option(decline.answer.map(|answer| answer.code));
        self.code_profile
            .append_option(decline.answer.map(|answer| answer.profile));
        self.local_error.append_option(decline.local_error);
        self.card_scheme.append_value(sale.scheme());
        self.card_type.append_option(sale.card_type());
        self.entry_mode.append_value(sale.entry_mode());
        self.transaction_type.append_value(sale.transaction_type());
        self.channel.append_value(sale.channel());
        self.amount_band.append_value(sale.amount_band());
        self.outcome.append_value(decline.outcome.name());
        self.last_signal_age_s
            .append_option(last.map(|last| int(last.age_s)));
        self.last_signal_rat
            .append_option(last.map(|last| last.rat.as_str()));
        self.last_signal_plmn
            .append_option(last.map(|_| world.serving_plmn_of(terminal)));
        self.last_signal_dbm
            .append_option(last.map(|last| last.dbm));
        self.common.push(world, row, terminal)
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns = self.common.finish();
        columns.extend::<[ArrayRef; 19]>([
            Arc::new(self.sim_plmn.finish()),
            Arc::new(self.attempt_id.finish()),
            Arc::new(self.retry_no.finish()),
            Arc::new(self.phase_failed.finish()),
            Arc::new(self.latency_ms.finish()),
            Arc::new(self.response_code.finish()),
            Arc::new(self.code_profile.finish()),
            Arc::new(self.local_error.finish()),
            Arc::new(self.card_scheme.finish()),
            Arc::new(self.card_type.finish()),
            Arc::new(self.entry_mode.finish()),
            Arc::new(self.transaction_type.finish()),
            Arc::new(self.channel.finish()),
            Arc::new(self.amount_band.finish()),
            Arc::new(self.outcome.finish()),
            Arc::new(self.last_signal_age_s.finish()),
            Arc::new(self.last_signal_rat.finish()),
            Arc::new(self.last_signal_plmn.finish()),
            Arc::new(self.last_signal_dbm.finish()),
        ]);
        columns
    }
}
