//! What a day holds of one terminal, in few bytes: there are a million of them.

use super::heard::Heard;
use super::hours::OpenHours;
use super::names::{Name, Names};
use super::silence;

macro_rules! counts {
    ($($count:ident = $name:literal,)*) => {
        /// What is counted of a terminal at a place.
        #[derive(Debug, Clone, Copy)]
        pub(super) enum Count { $($count),* }

        impl Count {
            /// Every count, and its column in `terminal_days`.
            pub(super) const ALL: &[(Self, &'static str)] = &[$((Self::$count, $name)),*];
        }
    };
}

counts! {
    Attempts = "attempts",
    AttemptsNight = "attempts_night",
    AttemptsMorning = "attempts_morning",
    AttemptsAfternoon = "attempts_afternoon",
    AttemptsEvening = "attempts_evening",
    NoAnswerCounted = "no_answer_counted",
    OutOfRangeFailures = "out_of_range_failures",
    SalesFailed = "sales_failed",
    OutageFailures = "outage_failures",
    FixedAccessFailures = "fixed_access_failures",
    RadioFailures = "radio_failures",
    RadioFailuresNight = "radio_failures_night",
    RadioFailuresMorning = "radio_failures_morning",
    RadioFailuresAfternoon = "radio_failures_afternoon",
    RadioFailuresEvening = "radio_failures_evening",
    SignalFailures = "signal_failures",
    Refused = "refused",
    NoRouteRefusals = "no_route_refusals",
    GeofenceRefusals = "geofence_refusals",
    ConfigurationRefusals = "configuration_refusals",
    Readings = "readings",
    WeakReadings = "weak_readings",
    AboveM80Dbm = "readings_above_m80_dbm",
    M90ToM80Dbm = "readings_m90_to_m80_dbm",
    M100ToM90Dbm = "readings_m100_to_m90_dbm",
    M110ToM100Dbm = "readings_m110_to_m100_dbm",
    M120ToM110Dbm = "readings_m120_to_m110_dbm",
    BelowM120Dbm = "readings_below_m120_dbm",
    HeartbeatsSeen = "heartbeats_seen",
    HeartbeatsExpected = "heartbeats_expected",
    SilentSeconds = "silent_seconds",
    LateEvents = "late_events",
}

pub(super) const ATTEMPTS_BY_DAYPART: [Count; 4] = [
    Count::AttemptsNight,
    Count::AttemptsMorning,
    Count::AttemptsAfternoon,
    Count::AttemptsEvening,
];
pub(super) const FAILURES_BY_DAYPART: [Count; 4] = [
    Count::RadioFailuresNight,
    Count::RadioFailuresMorning,
    Count::RadioFailuresAfternoon,
    Count::RadioFailuresEvening,
];

/// Returns the class of the histogram a strength in dBm falls in.
pub(super) fn strength_class(dbm: f32) -> Count {
    match dbm {
        dbm if dbm >= -80.0 => Count::AboveM80Dbm,
        dbm if dbm >= -90.0 => Count::M90ToM80Dbm,
        dbm if dbm >= -100.0 => Count::M100ToM90Dbm,
        dbm if dbm >= -110.0 => Count::M110ToM100Dbm,
        dbm if dbm >= -120.0 => Count::M120ToM110Dbm,
        _ => Count::BelowM120Dbm,
    }
}

/// Where and as what a terminal counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) firmware: Name,
    /// Cell of resolution 9; 0 where no position is known.
    pub(super) place_r9: i64,
    pub(super) has_moved: bool,
}

/// What a terminal said last, whatever the order it is read in: of two sayings of one moment the greater
/// text stays.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latest<T> {
    at_ms: u32,
    pub(super) said: T,
}

impl<T: Copy + PartialEq> Latest<T> {
    pub(super) const fn new(at_ms: u32, said: T) -> Self {
        Self { at_ms, said }
    }

    /// Takes over what was said later; `text` says how sayings of one moment rank.
    pub(super) fn update<R: Ord>(&mut self, other: Self, rank: impl Fn(T) -> R) {
        let is_tie = other.at_ms == self.at_ms && other.said != self.said;
        if other.at_ms > self.at_ms || is_tie && rank(other.said) > rank(self.said) {
            *self = other;
        }
    }
}

/// What a terminal says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reported {
    pub(super) acquirer: Name,
    pub(super) host: Name,
    pub(super) model: Name,
    pub(super) app: Name,
}

impl Reported {
    /// The texts, for the rank of two sayings of one moment.
    pub(super) fn texts(self, names: &Names) -> [Option<Box<str>>; 4] {
        [self.acquirer, self.host, self.model, self.app].map(|name| names.text(name))
    }
}

/// The counts of one stand.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) stand: Stand,
    pub(super) reported: Latest<Reported>,
    counts: [u32; Count::ALL.len()],
}

impl Row {
    pub(super) fn add(&mut self, count: Count, number: u32) {
        let known = &mut self.counts[count as usize];
        *known = known.saturating_add(number);
    }

    pub(super) fn get(&self, count: Count) -> u32 {
        self.counts[count as usize]
    }

    pub(super) fn set(&mut self, count: Count, number: u32) {
        self.counts[count as usize] = number;
    }

    fn merge(&mut self, other: &Self, names: &Names) {
        for (known, more) in self.counts.iter_mut().zip(other.counts) {
            *known = known.saturating_add(more);
        }
        self.reported
            .update(other.reported, |said| said.texts(names));
    }
}

/// A carrier and RAT, and the events that named them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) plmn: Name,
    pub(super) rat: Name,
    pub(super) events: u32,
}

/// A heartbeat: its second of the day, its row, and which of the terminal's contexts it came in.
#[derive(Debug, Clone, Copy)]
struct Beat(u32);

impl Beat {
    const MOST: usize = 127;

    fn new(at_s: u32, row: usize, context: usize) -> Self {
        let [row, context] = [row, context].map(|number| number.min(Self::MOST) as u32);
        Self(at_s << 14 | row << 7 | context)
    }

    const fn at_s(self) -> u32 {
        self.0 >> 14
    }

    const fn row(self) -> usize {
        (self.0 >> 7 & 127) as usize
    }

    const fn context(self) -> usize {
        (self.0 & 127) as usize
    }
}

/// A sale with a failure: a hash of its attempt's id, and the row it is counted in.
#[derive(Debug, Clone, Copy)]
struct Sale(u64);

impl Sale {
    const MOST: usize = 255;

    fn new(hash: u64, row: usize) -> Self {
        Self(hash & !0xff | row.min(Self::MOST) as u64)
    }

    const fn row(self) -> usize {
        (self.0 & 0xff) as usize
    }

    const fn is(self, other: Self) -> bool {
        self.0 >> 8 == other.0 >> 8
    }
}

/// Seconds of a slot of `failure_slots`.
pub(super) const SLOT_S: u32 = 300;

/// One terminal's day.
#[derive(Debug, Clone)]
pub(super) struct Terminal {
    pub(super) registered: Option<u32>,
    /// Merchant by its events, for terminals that are not registered.
    pub(super) merchant: Option<Box<str>>,
    merchant_at_ms: u32,
    pub(super) sim_plmn: Latest<Name>,
    pub(super) is_fixed: bool,
    interval_s: Latest<u32>,
    pub(super) used: Vec<Used>,
    pub(super) rows: Vec<Row>,
    pub(super) heard: Vec<Heard>,
    beats: Vec<Beat>,
    contexts: Vec<u32>,
    sales: Vec<Sale>,
    /// Slots and contexts with a failure.
    failing: Vec<(u32, u32)>,
}

impl Terminal {
    pub(super) fn new(registered: Option<u32>) -> Self {
        Self {
            registered,
            merchant: None,
            merchant_at_ms: 0,
            sim_plmn: Latest::default(),
            is_fixed: false,
            interval_s: Latest::default(),
            used: Vec::new(),
            rows: Vec::new(),
            heard: Vec::new(),
            beats: Vec::new(),
            contexts: Vec::new(),
            sales: Vec::new(),
            failing: Vec::new(),
        }
    }

    /// Returns the number of the row of a stand.
    pub(super) fn row(&mut self, stand: Stand) -> usize {
        let known = self.rows.iter().position(|row| row.stand == stand);
        known.unwrap_or_else(|| {
            // Nearly every terminal has one.
            self.rows.reserve_exact(1);
            self.rows.push(Row {
                stand,
                reported: Latest::default(),
                counts: [0; Count::ALL.len()],
            });
            self.rows.len() - 1
        })
    }

    /// Takes note of the merchant an event names; the last of the day stays.
    pub(super) fn note_merchant(&mut self, at_ms: u32, merchant: &str) {
        let rank = (at_ms, Some(merchant));
        if rank > (self.merchant_at_ms, self.merchant.as_deref()) {
            self.merchant_at_ms = at_ms;
            if self.merchant.as_deref() != Some(merchant) {
                self.merchant = Some(merchant.into());
            }
        }
    }

    pub(super) fn note_used(&mut self, plmn: Name, rat: Name, events: u32) {
        let same = |used: &&mut Used| (used.plmn, used.rat) == (plmn, rat);
        match self.used.iter_mut().find(same) {
            Some(used) => used.events += events,
            None => {
                self.used.reserve_exact(1);
                self.used.push(Used { plmn, rat, events });
            }
        }
    }

    /// Takes note of how strong it heard a radio cell, in dBm.
    pub(super) fn hear(&mut self, row: usize, radio_cell: u32, dbm: f32) {
        let new = Heard::of(row, radio_cell, dbm);
        self.add_heard(&new);
    }

    fn add_heard(&mut self, more: &Heard) {
        match self.heard.iter_mut().find(|known| known.is_of(more)) {
            Some(known) => known.add(more),
            None => {
                // Most terminals hear one or two.
                self.heard.reserve_exact(1);
                self.heard.push(*more);
            }
        }
    }

    /// Takes note of a heartbeat; tells whether it is the first of its slot and context.
    pub(super) fn beat(&mut self, at_s: u32, row: usize, context: u32, interval_s: u32) -> bool {
        if interval_s > 0 {
            let last = Latest::new(at_s, interval_s);
            self.interval_s.update(last, |interval_s| interval_s);
        }
        let context = match self.contexts.iter().position(|known| *known == context) {
            Some(number) => number,
            None => {
                self.contexts.reserve_exact(1);
                self.contexts.push(context);
                self.contexts.len() - 1
            }
        };
        let beat = Beat::new(at_s, row, context);
        let is_first = !self.has_beat(at_s / SLOT_S, beat.context());
        self.beats.push(beat);
        is_first
    }

    /// Returns the seconds of the day of its heartbeats.
    pub(super) fn beats_s(&self) -> impl Iterator<Item = u32> {
        self.beats.iter().map(|beat| beat.at_s())
    }

    fn has_beat(&self, slot: u32, context: usize) -> bool {
        let mut beats = self.beats.iter().rev();
        beats.any(|beat| beat.at_s() / SLOT_S == slot && beat.context() == context)
    }

    /// Takes note of a failure; tells whether it is the first failure and the first sign of the
    /// terminal in its slot and context.
    pub(super) fn failure(&mut self, at_s: u32, context: u32) -> (bool, bool) {
        let slot = at_s / SLOT_S;
        let is_first = !self.failing.contains(&(slot, context));
        if is_first {
            self.failing.push((slot, context));
        }
        let known = self.contexts.iter().position(|known| *known == context);
        let is_heard = known.is_some_and(|known| self.has_beat(slot, known));
        (is_first, is_first && !is_heard)
    }

    /// Takes note of a sale that failed, by the hash of its attempt's id: it counts once, where the
    /// terminal stood at the lowest cell.
    pub(super) fn sale_failed(&mut self, hash: u64, row: usize) {
        let new = Sale::new(hash, row);
        match self.sales.iter_mut().find(|known| known.is(new)) {
            None => self.sales.push(new),
            Some(known) => {
                let place = |sale: &Sale| self.rows.get(sale.row()).map(|row| row.stand.place_r9);
                if place(&new) < place(known) {
                    *known = new;
                }
            }
        }
    }

    /// Takes up what another task counted of the same terminal.
    pub(super) fn merge(&mut self, other: Self, names: &Names) {
        if let Some(merchant) = &other.merchant {
            self.note_merchant(other.merchant_at_ms, merchant);
        }
        self.sim_plmn
            .update(other.sim_plmn, |name| names.text(name));
        self.is_fixed |= other.is_fixed;
        self.interval_s
            .update(other.interval_s, |interval_s| interval_s);
        for used in other.used {
            self.note_used(used.plmn, used.rat, used.events);
        }
        let numbers: Vec<usize> = other
            .rows
            .iter()
            .map(|row| {
                let number = self.row(row.stand);
                self.rows[number].merge(row, names);
                number
            })
            .collect();
        for sale in other.sales {
            self.sale_failed(sale.0, numbers[sale.row().min(numbers.len() - 1)]);
        }
        for heard in other.heard {
            self.add_heard(&heard.at_row(numbers[heard.row()]));
        }
        let beats = other.beats.iter();
        self.beats
            .extend(beats.map(|beat| Beat::new(beat.at_s(), numbers[beat.row()], 0)));
    }

    /// Counts heartbeats that should have come, each at the stand of the one before.
    ///
    /// The day's data reaches from `reach.0` to `reach.1`, in s.
    pub(super) fn count_silence(&mut self, reach: (u32, u32), hours: Option<&OpenHours>) {
        let mut beats = std::mem::take(&mut self.beats);
        beats.sort_unstable_by_key(|beat| beat.at_s());
        let (Some(first), Some(last)) = (beats.first(), beats.last()) else {
            return;
        };
        let mut add = |row: usize, missing: silence::Missing| {
            let row = &mut self.rows[row];
            row.add(Count::HeartbeatsExpected, missing.heartbeats);
            row.add(Count::SilentSeconds, missing.silent_s);
        };
        let interval_s = self.interval_s.said;
        if interval_s > 0 {
            let at_an_end = |from, to| silence::at_an_end(from, to, interval_s, hours);
            add(first.row(), at_an_end(reach.0, first.at_s()));
            for pair in beats.windows(2) {
                let (one, next) = (pair[0], pair[1]);
                add(
                    one.row(),
                    silence::between(one.at_s(), next.at_s(), interval_s, hours),
                );
            }
            add(last.row(), at_an_end(last.at_s(), reach.1));
        }
        for row in &mut self.rows {
            row.add(Count::HeartbeatsExpected, row.get(Count::HeartbeatsSeen));
        }
    }

    /// Settles what depends on the whole day: how many sales failed, and that what failed over a fixed line
    /// is not the radio's.
    pub(super) fn settle(&mut self) {
        for sale in std::mem::take(&mut self.sales) {
            self.rows[sale.row()].add(Count::SalesFailed, 1);
        }
        if self.is_fixed {
            for row in &mut self.rows {
                row.set(Count::FixedAccessFailures, row.get(Count::RadioFailures));
                for count in FAILURES_BY_DAYPART
                    .into_iter()
                    .chain([Count::RadioFailures, Count::SignalFailures])
                {
                    row.set(count, 0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_home() -> Stand {
        Stand {
            firmware: 1,
            place_r9: 9,
            has_moved: false,
        }
    }

    fn terminal() -> Terminal {
        Terminal::new(None)
    }

    #[test]
    fn a_slot_counts_a_terminal_once_whether_it_beats_or_fails() {
        let mut terminal = terminal();
        let row = terminal.row(at_home());
        assert!(terminal.beat(600, row, 7, 300));
        assert!(!terminal.beat(720, row, 7, 300));
        assert!(terminal.beat(720, row, 8, 300));
        assert_eq!(terminal.failure(800, 7), (true, false));
        assert_eq!(terminal.failure(810, 7), (false, false));
        assert_eq!(terminal.failure(1000, 7), (true, true));
    }

    #[test]
    fn what_two_tasks_counted_adds_up_and_gaps_between_them_are_none() {
        let (mut one, mut other) = (terminal(), terminal());
        for (terminal, hours) in [(&mut one, [1, 3]), (&mut other, [2, 4])] {
            let row = terminal.row(at_home());
            for hour in hours {
                terminal.beat(hour * 3600, row, 0, 3600);
                terminal.rows[row].add(Count::HeartbeatsSeen, 1);
            }
        }
        one.merge(other, &Names::default());
        one.count_silence((0, 86_400), None);
        assert_eq!(one.rows.len(), 1);
        assert_eq!(one.rows[0].get(Count::HeartbeatsSeen), 4);
        assert_eq!(one.rows[0].get(Count::HeartbeatsExpected), 4);
    }

    #[test]
    fn what_was_said_last_stays_in_whatever_order_it_is_read() {
        let names = Names::default();
        let sayings = [(5, "b"), (9, "a"), (9, "c"), (1, "z")];
        for turn in 0..sayings.len() {
            let mut order = sayings;
            order.rotate_left(turn);
            let mut plmn = Latest::default();
            let mut terminal = terminal();
            for (at_ms, said) in order {
                let later = Latest::new(at_ms, names.number(said));
                plmn.update(later, |name| names.text(name));
                terminal.note_merchant(at_ms, said);
            }
            assert_eq!(names.text(plmn.said).as_deref(), Some("c"));
            assert_eq!(terminal.merchant.as_deref(), Some("c"));
        }
    }

    #[test]
    fn a_sale_tried_again_counts_once_whichever_task_met_it() {
        let (mut one, mut other) = (terminal(), terminal());
        for (terminal, sales) in [(&mut one, [0x100, 0x200]), (&mut other, [0x200, 0x300])] {
            let row = terminal.row(at_home());
            for sale in sales {
                terminal.sale_failed(sale, row);
            }
        }
        one.merge(other, &Names::default());
        one.settle();
        assert_eq!(one.rows[0].get(Count::SalesFailed), 3);
    }

    #[test]
    fn a_fixed_line_takes_the_failures_from_the_radio() {
        let mut terminal = terminal();
        let row = terminal.row(at_home());
        terminal.rows[row].add(Count::RadioFailures, 2);
        terminal.rows[row].add(Count::RadioFailuresNight, 2);
        terminal.is_fixed = true;
        terminal.settle();
        assert_eq!(terminal.rows[row].get(Count::FixedAccessFailures), 2);
        assert_eq!(terminal.rows[row].get(Count::RadioFailuresNight), 0);
    }

    #[test]
    fn a_strength_falls_in_the_class_that_begins_with_it() {
        assert!(matches!(strength_class(-80.0), Count::AboveM80Dbm));
        assert!(matches!(strength_class(-80.5), Count::M90ToM80Dbm));
        assert!(matches!(strength_class(-130.0), Count::BelowM120Dbm));
    }
}
