//! Folds the events of a day into terminals and slots, a partition after the other.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float32Type, Int32Type, Int64Type};
use chrono::NaiveDate;
use foldhash::fast::FixedState;
use h3o::{CellIndex, Resolution};
use schemas::Table;
use schemas::causes::{self, CauseClass, SubCause, rules};
use schemas::lake::cell_from_i64;
use schemas::radio::{Rat, Strength, is_weak};

use super::events::{Coders, Events, Numbers};
use super::facts::Part;
use super::failing::OutOfRange;
use super::heard::{RadioCell, RadioCells};
use super::hours::{DAY_S, midnight_us};
use super::names::{Name, Names};
use super::registered::Registry;
use super::slots::Slots;
use super::terminal::{
    ATTEMPTS_BY_DAYPART, Count, FAILURES_BY_DAYPART, Latest, Reported, Stand, Terminal,
    strength_class,
};
use super::windows::OutageWindow;
use crate::analyze::AnalyzeError;
use crate::analyze::interned::Interned;
use crate::place;

/// Seconds between event and sending from which an event is late.
const LATE_US: i64 = 300_000_000;

/// Tells the sales of a terminal's day apart by the ids of their attempts.
const SALES: FixedState = FixedState::with_seed(1);

const COMMON: [&str; 12] = [
    "sent_time",
    "merchant_id",
    "acquirer_id",
    "host_id",
    "model",
    "firmware",
    "app_version",
    "sim_plmn",
    "position_source",
    "lat",
    "lon",
    "cell_r9",
];
const HEARTBEAT: [&str; 7] = [
    "serving_plmn",
    "rat",
    "access",
    "attempts",
    "no_answer",
    "offline_approved",
    "interval_s",
];
const SIGNAL: [&str; 9] = [
    "serving_plmn",
    "rat",
    "tac",
    "radio_cell_id",
    "rssi_dbm",
    "rscp_dbm",
    "rsrp_dbm",
    "rsrq_db",
    "sinr_db",
];
const DECLINE: [&str; 9] = [
    "last_signal_plmn",
    "last_signal_rat",
    "last_signal_dbm",
    "last_signal_age_s",
    "phase_failed",
    "outcome",
    "response_code",
    "code_profile",
    "attempt_id",
];

/// What every task shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) names: Names,
    pub(super) registry: Arc<Registry>,
    pub(super) outages: Vec<OutageWindow>,
    pub(super) day: NaiveDate,
    known: Known,
}

/// Texts that mean something here.
#[derive(Debug)]
struct Known {
    own_receiver: [Name; 2],
    fixed_access: [Name; 2],
    out_of_range: OutOfRange,
    declined: Name,
    no_route_codes: [Name; 2],
    unregistered_phases: [Name; 2],
    rats: HashMap<Name, Rat>,
}

impl Shared {
    pub(super) fn new(
        names: Names,
        registry: Arc<Registry>,
        outages: Vec<OutageWindow>,
        day: NaiveDate,
    ) -> Self {
        let number = |text| names.number(text);
        let known = Known {
            own_receiver: place::OWN_RECEIVERS.map(number),
            fixed_access: rules::FIXED_ACCESS.map(number),
            out_of_range: OutOfRange::of(&names),
            declined: number("declined"),
            no_route_codes: rules::NO_ROUTE_CODES.map(number),
            unregistered_phases: rules::UNREGISTERED_PHASES.map(number),
            rats: Rat::ALL
                .into_iter()
                .map(|rat| (number(rat.as_str()), rat))
                .collect(),
        };
        Self {
            names,
            registry,
            outages,
            day,
            known,
        }
    }
}

/// What one task counted.
#[derive(Debug)]
pub(super) struct Fold {
    shared: Arc<Shared>,
    /// The ids of the terminals, under their places in `terminals`.
    pub(super) ids: Interned,
    pub(super) terminals: Vec<Terminal>,
    pub(super) slots: Slots,
    pub(super) radio_cells: RadioCells,
    /// What a refusal counts as, by code profile and code.
    refusals: HashMap<(Name, Name), Option<Count>, FixedState>,
    midnight_us: i64,
    /// The terminal of the row before: rows of one stand together.
    last: Option<u32>,
}

impl Fold {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            midnight_us: midnight_us(shared.day),
            shared,
            ids: Interned::default(),
            terminals: Vec::new(),
            slots: Slots::default(),
            radio_cells: RadioCells::default(),
            refusals: HashMap::default(),
            last: None,
        }
    }

    /// Takes up the events of a partition.
    pub(super) async fn take(
        &mut self,
        store: &Arc<dyn object_store::ObjectStore>,
        part: &Part,
    ) -> Result<(), AnalyzeError> {
        let cell = part.cell.as_deref();
        let cell = cell.map_or(0, |cell| self.shared.names.number(cell));
        for table in [Table::Heartbeats, Table::SignalReadings, Table::Declines] {
            let own: &[&str] = match table {
                Table::Heartbeats => &HEARTBEAT,
                Table::SignalReadings => &SIGNAL,
                _ => &DECLINE,
            };
            let columns: Vec<&str> = COMMON.iter().chain(own).copied().collect();
            let mut coders = Coders::default();
            part.read(store, table, &columns, |batch| {
                let shared = self.shared.clone();
                let events = Events::of(batch, table, &mut coders, &shared.names);
                match table {
                    Table::Heartbeats => self.heartbeats(batch, &events, &mut coders, cell),
                    Table::SignalReadings => self.signals(batch, &events),
                    _ => self.declines(batch, &events, &mut coders, cell),
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    fn heartbeats(
        &mut self,
        batch: &RecordBatch,
        events: &Events,
        coders: &mut Coders,
        cell: Name,
    ) {
        let access = coders.code(batch, "access", &self.shared.names);
        let [attempts, no_answer, offline, interval_s] =
            ["attempts", "no_answer", "offline_approved", "interval_s"]
                .map(|name| Numbers::<Int32Type>::of(batch, name));
        let fixed_access = self.shared.known.fixed_access;
        for row in 0..batch.num_rows() {
            let (at, stand, at_s) = self.locate(events, row);
            let attempted = attempts.count(row);
            let context = self.slots.context(events.context(row, cell));
            let terminal = &mut self.terminals[at];
            terminal.is_fixed |= fixed_access.contains(&access.at(row));
            let is_first = terminal.beat(at_s, stand, context, interval_s.count(row));
            let counts = &mut terminal.rows[stand];
            counts.add(Count::HeartbeatsSeen, 1);
            counts.add(Count::Attempts, attempted);
            counts.add(ATTEMPTS_BY_DAYPART[daypart(at_s)], attempted);
            counts.add(
                Count::NoAnswerCounted,
                no_answer.count(row) + offline.count(row),
            );
            self.slots.heartbeat(at_s, context, attempted, is_first);
        }
    }

    fn signals(&mut self, batch: &RecordBatch, events: &Events) {
        let [rssi, rscp, rsrp, rsrq, sinr] =
            ["rssi_dbm", "rscp_dbm", "rsrp_dbm", "rsrq_db", "sinr_db"]
                .map(|name| Numbers::<Float32Type>::of(batch, name));
        let tac = Numbers::<Int32Type>::of(batch, "tac");
        let radio_cell_id = Numbers::<Int64Type>::of(batch, "radio_cell_id");
        for row in 0..batch.num_rows() {
            let (at, stand, _) = self.locate(events, row);
            let Some(rat) = self.shared.known.rats.get(&events.rat.at(row)).copied() else {
                continue;
            };
            let strength_dbm = match rat {
                Rat::Gsm => rssi.at(row),
                Rat::Umts => rscp.at(row),
                _ => rsrp.at(row),
            };
            let counts = &mut self.terminals[at].rows[stand];
            let reading = Strength {
                strength_dbm,
                rsrq_db: rsrq.at(row),
                sinr_db: sinr.at(row),
            };
            if let Some(is_weak) = is_weak(rat, reading) {
                counts.add(Count::Readings, 1);
                counts.add(Count::WeakReadings, is_weak.into());
            }
            let Some(dbm) = strength_dbm else { continue };
            counts.add(strength_class(dbm), 1);
            let radio_cell = RadioCell {
                plmn: events.plmn.at(row),
                rat: events.rat.at(row),
                tac: tac.at(row),
                id: radio_cell_id.at(row).unwrap_or(0),
            };
            if radio_cell.is_known() {
                let number = self.radio_cells.number(radio_cell);
                self.terminals[at].hear(stand, number, dbm);
            }
        }
    }

    fn declines(&mut self, batch: &RecordBatch, events: &Events, coders: &mut Coders, cell: Name) {
        let shared = self.shared.clone();
        let outcome = coders.code(batch, "outcome", &shared.names);
        let [code, profile, phase] = ["response_code", "code_profile", "phase_failed"]
            .map(|name| coders.code(batch, name, &shared.names));
        let age_s = Numbers::<Int32Type>::of(batch, "last_signal_age_s");
        let dbm = Numbers::<Float32Type>::of(batch, "last_signal_dbm");
        let attempts = batch.column_by_name("attempt_id");
        let attempts = attempts.map(|column| column.as_string::<i32>());
        let known = &shared.known;
        for row in 0..batch.num_rows() {
            let (at, stand, at_s) = self.locate(events, row);
            let is_out_of_range = known.out_of_range.is(outcome.at(row), code.at(row));
            let terminal = &mut self.terminals[at];
            if !is_out_of_range {
                if outcome.at(row) == known.declined {
                    terminal.rows[stand].add(Count::Refused, 1);
                    if let Some(refusal) = self.refusal(profile.at(row), code.at(row)) {
                        self.terminals[at].rows[stand].add(refusal, 1);
                    }
                }
                continue;
            }
            let registered = shared.registry.terminal(terminal.registered);
            let home_r9 = registered.map_or(0, |registered| registered.home_r9);
            let place_r9 = match home_r9 {
                0 => events.cell_r9.at(row).unwrap_or(0),
                home => home,
            };
            let of = events.context(row, cell);
            let is_outage = shared
                .outages
                .iter()
                .any(|outage| outage.covers(events.time_us.value(row), &of, || cell_r4(place_r9)));
            let context = self.slots.context(of);
            match attempts {
                Some(attempts) => {
                    terminal.sale_failed(SALES.hash_one(attempts.value(row)), stand);
                }
                None => terminal.rows[stand].add(Count::SalesFailed, 1),
            }
            let (is_first, is_unheard) = terminal.failure(at_s, context);
            let counts = &mut terminal.rows[stand];
            counts.add(Count::OutOfRangeFailures, 1);
            match is_outage {
                true => counts.add(Count::OutageFailures, 1),
                false => {
                    counts.add(Count::RadioFailures, 1);
                    counts.add(FAILURES_BY_DAYPART[daypart(at_s)], 1);
                    let is_fresh = age_s
                        .at(row)
                        .is_some_and(|age_s| age_s <= rules::SIGNAL_HOLDS_S);
                    let heard = known.rats.get(&events.rat.at(row)).filter(|_| is_fresh);
                    let is_weak = heard.and_then(|rat| is_weak(*rat, of_strength(dbm.at(row))));
                    let is_signal =
                        is_weak == Some(true) || known.unregistered_phases.contains(&phase.at(row));
                    counts.add(Count::SignalFailures, is_signal.into());
                }
            }
            self.slots.failure(at_s, context, is_first, is_unheard);
        }
    }

    /// Returns what a refusal counts as, beside a refusal.
    fn refusal(&mut self, profile: Name, code: Name) -> Option<Count> {
        let shared = &self.shared;
        *self.refusals.entry((profile, code)).or_insert_with(|| {
            if shared.known.no_route_codes.contains(&code) {
                return Some(Count::NoRouteRefusals);
            }
            let [profile, code] = [profile, code].map(|name| shared.names.text(name));
            let entry = causes::classify(&profile?, &code?)?;
            match (entry.sub_cause, entry.cause_class) {
                (Some(SubCause::Geofence), _) => Some(Count::GeofenceRefusals),
                (_, Some(CauseClass::MerchantConfig)) => Some(Count::ConfigurationRefusals),
                _ => None,
            }
        })
    }

    /// Finds the terminal of an event, its stand, and the second of the day.
    fn locate(&mut self, events: &Events, row: usize) -> (usize, usize, u32) {
        let name = events.terminals.value(row);
        let at = self.terminal(name);
        let terminal = &mut self.terminals[at];
        let registered = self.shared.registry.terminal(terminal.registered);
        let home = registered.and_then(|registered| registered.home);
        let is_own = self
            .shared
            .known
            .own_receiver
            .contains(&events.source.at(row));
        let own = is_own.then(|| events.position(row)).flatten();
        let has_moved = own.zip(home).is_some_and(|(own, home)| {
            let radius_m = registered.map_or(place::DEFAULT_RADIUS_M, |known| known.radius_m);
            place::is_elsewhere(own, home, radius_m)
        });
        let told_r9 = events.cell_r9.at(row).unwrap_or(0);
        let home_r9 = registered.map_or(0, |registered| registered.home_r9);
        let stand = Stand {
            firmware: events.firmware.at(row),
            place_r9: match has_moved || home_r9 == 0 {
                true => told_r9,
                false => home_r9,
            },
            has_moved,
        };
        let time_us = events.time_us.value(row);
        let at_s = (time_us - self.midnight_us) / 1_000_000;
        let at_s = u32::try_from(at_s.clamp(0, i64::from(DAY_S) - 1)).expect("clamped to a day");
        let at_ms = (time_us - self.midnight_us) / 1_000;
        let at_ms = u32::try_from(at_ms.clamp(0, i64::from(DAY_S) * 1_000 - 1));
        let at_ms = at_ms.expect("clamped to a day");
        if registered.is_none()
            && let Some(merchant) = events.merchant(row)
        {
            terminal.note_merchant(at_ms, merchant);
        }
        let names = &self.shared.names;
        let sim_plmn = events.sim_plmn.at(row);
        if sim_plmn != 0 {
            let last = Latest::new(at_ms, sim_plmn);
            terminal.sim_plmn.update(last, |name| names.text(name));
        }
        let plmn = events.plmn.at(row);
        if plmn != 0 {
            terminal.note_used(plmn, events.rat.at(row), 1);
        }
        let stand = terminal.row(stand);
        let counts = &mut terminal.rows[stand];
        let said = Reported {
            acquirer: events.acquirer.at(row),
            host: events.host.at(row),
            model: events.model.at(row),
            app: events.app.at(row),
        };
        counts
            .reported
            .update(Latest::new(at_ms, said), |said| said.texts(names));
        let sent_us = events.sent_us.at(row);
        let is_late = sent_us.is_some_and(|sent_us| sent_us.saturating_sub(time_us) > LATE_US);
        counts.add(Count::LateEvents, is_late.into());
        (at, stand, at_s)
    }

    fn terminal(&mut self, name: &str) -> usize {
        if let Some(last) = self.last.filter(|last| self.ids.text(*last) == name) {
            return last as usize;
        }
        let number = self.ids.number(name);
        if number as usize == self.terminals.len() {
            let registered = self.shared.registry.number(name);
            self.terminals.push(Terminal::new(registered));
        }
        self.last = Some(number);
        number as usize
    }

    /// Takes up what another task counted.
    pub(super) fn merge(&mut self, other: Self) {
        let radio_cells = self.radio_cells.merge(&other.radio_cells);
        for (at, mut terminal) in (0..).zip(other.terminals) {
            for heard in &mut terminal.heard {
                heard.renumber(&radio_cells);
            }
            let number = self.ids.number(other.ids.text(at)) as usize;
            match self.terminals.get_mut(number) {
                Some(known) => known.merge(terminal, &self.shared.names),
                None => self.terminals.push(terminal),
            }
        }
        self.slots.merge(other.slots);
    }
}

/// A strength of which nothing else is known.
const fn of_strength(strength_dbm: Option<f32>) -> Strength {
    Strength {
        strength_dbm,
        rsrq_db: None,
        sinr_db: None,
    }
}

const fn daypart(at_s: u32) -> usize {
    (at_s / (DAY_S / 4)) as usize
}

/// Returns the cell of resolution 4 around a stored one.
pub(super) fn cell_r4(cell_r9: i64) -> Option<CellIndex> {
    cell_from_i64(cell_r9)?.parent(Resolution::Four)
}
