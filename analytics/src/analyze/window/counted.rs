//! Days of terminals added up to the window's places: owns how little is kept of each.
//!
//! A query that groups would hold every text of every row; a window may have a hundred million.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use foldhash::fast::FixedState;
use futures::TryStreamExt;
use h3o::{CellIndex, Resolution};
use schemas::lake::cell_from_i64;

use super::swaps::{Current, Device, Replaced};
use crate::analyze::interned::Interned;
use crate::analyze::{AnalyzeError, columns};
use crate::session::{LakeSession, SessionError};

const SQL: &str = include_str!("../../../sql/rollups/window_places.sql");

/// Stands for a text that is not known, and for the end of a chain.
pub(super) const NONE: u32 = u32::MAX;

/// One terminal at one cell over one carrier and RAT, texts by their numbers.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) cell: CellIndex,
    pub(super) plmn: u32,
    pub(super) terminal: u32,
    pub(super) merchant: u32,
    pub(super) model: u32,
    pub(super) firmware: u32,
    pub(super) device: u32,
    pub(super) rat: u32,
    pub(super) stratum: u32,
    /// The seat of the same terminal that was met before.
    next: u32,
    /// How often the terminal had been replaced before.
    pub(super) replaced: u16,
    /// The first day that rows are of.
    first_day: NaiveDate,
    /// Days with an attempt.
    pub(super) days: u32,
    /// The day that rows are of, and the worst of those before.
    day: Option<NaiveDate>,
    today: DayCounts,
    pub(super) worst_day: DayCounts,
    /// Pairs of failures that share a day, over the days before.
    pub(super) pairs_of_days: u64,
    pub(super) attempts: u32,
    pub(super) outage_failures: u32,
    pub(super) failures: u32,
    pub(super) readings: u32,
    pub(super) weak_readings: u32,
    /// Steps of 10 dB that each reading lies below -80 dBm, added up.
    pub(super) strength_steps: u32,
    pub(super) daypart_attempts: [u32; 4],
    pub(super) daypart_failures: [u32; 4],
}

/// Attempts and failures of one seat on one day, outages taken out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DayCounts {
    pub(super) attempts: u32,
    pub(super) failures: u32,
}

/// Every seat of the window.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) terminals: Interned,
    pub(super) texts: Interned,
    pub(super) seats: Vec<Seat>,
    /// The seat of each terminal that was met last.
    newest: Vec<u32>,
    replaced: Replaced,
}

impl Counted {
    /// Nothing yet, of terminals that were replaced on these days.
    pub(super) fn new(replaced: Replaced) -> Self {
        Self {
            replaced,
            ..Self::default()
        }
    }

    /// Adds the rows of a day.
    pub(super) async fn take(
        &mut self,
        lake: &LakeSession,
        day: NaiveDate,
    ) -> Result<(), AnalyzeError> {
        let mut stream = lake.stream(&SQL.replace("{day}", &day.to_string())).await?;
        while let Some(batch) = stream.try_next().await.map_err(SessionError::from)? {
            self.add(&batch, day)?;
        }
        Ok(())
    }

    fn add(&mut self, batch: &RecordBatch, day: NaiveDate) -> Result<(), AnalyzeError> {
        let cells = columns::optional_integers(batch, "cell_r9")?;
        let text = |name: &str| columns::texts(batch, name);
        let count = |name: &str| columns::counts(batch, name);
        let (plmns, terminals) = (text("carrier_plmn")?, text("terminal_id")?);
        let (merchants, models) = (text("merchant_id")?, text("model")?);
        let (firmware, rats) = (text("firmware")?, text("rat")?);
        let (attempts, outage_failures) = (count("attempts")?, count("outage_failures")?);
        let (failures, readings) = (count("radio_failures")?, count("readings")?);
        let (weak_readings, strength_steps) = (count("weak_readings")?, count("strength_steps")?);
        let mut by_daypart = Vec::with_capacity(8);
        for what in ["attempts", "radio_failures"] {
            for daypart in ["night", "morning", "afternoon", "evening"] {
                by_daypart.push(count(&format!("{what}_{daypart}"))?);
            }
        }
        for row in 0..batch.num_rows() {
            let cell = cells[row].and_then(cell_from_i64);
            let Some(cell) = cell.and_then(|cell| cell.parent(Resolution::Eight)) else {
                continue;
            };
            let terminal = self.terminals.number(terminals.value(row));
            let replaced = self.replaced.before(terminals.value(row), day);
            let mut number = |text| self.texts.number(text);
            let key = [
                number(plmns.value(row)),
                number(models.value(row)),
                columns::text(&firmware, row).map_or(NONE, &mut number),
                number(rats.value(row)),
            ];
            let merchant = columns::text(&merchants, row).map_or(NONE, &mut number);
            let seat = self.seat(cell, terminal, key, (replaced, day));
            let seat = &mut self.seats[seat];
            // Whose it was last: days come in their order.
            if merchant != NONE {
                seat.merchant = merchant;
            }
            if seat.day != Some(day) {
                seat.end_day();
                seat.day = Some(day);
            }
            let tried = attempts[row].saturating_sub(outage_failures[row]);
            add_to(&mut seat.today.attempts, tried.max(failures[row]));
            add_to(&mut seat.today.failures, failures[row]);
            for (sum, more) in [
                (&mut seat.attempts, attempts[row]),
                (&mut seat.outage_failures, outage_failures[row]),
                (&mut seat.failures, failures[row]),
                (&mut seat.readings, readings[row]),
                (&mut seat.weak_readings, weak_readings[row]),
                (&mut seat.strength_steps, strength_steps[row]),
            ] {
                add_to(sum, more);
            }
            for part in 0..4 {
                add_to(&mut seat.daypart_attempts[part], by_daypart[part][row]);
                add_to(&mut seat.daypart_failures[part], by_daypart[4 + part][row]);
            }
        }
        Ok(())
    }

    /// Finds the seat of a terminal; most have one.
    fn seat(
        &mut self,
        cell: CellIndex,
        terminal: u32,
        key: [u32; 4],
        (replaced, day): (u16, NaiveDate),
    ) -> usize {
        if terminal as usize == self.newest.len() {
            self.newest.push(NONE);
        }
        let newest = self.newest[terminal as usize];
        let mut at = newest;
        while at != NONE {
            let seat = &self.seats[at as usize];
            let known = [seat.plmn, seat.model, seat.firmware, seat.rat];
            if seat.cell == cell && known == key && seat.replaced == replaced {
                return at as usize;
            }
            at = seat.next;
        }
        let [plmn, model, firmware, rat] = key;
        self.newest[terminal as usize] =
            u32::try_from(self.seats.len()).expect("fewer seats than 2^32");
        self.seats.push(Seat {
            cell,
            plmn,
            terminal,
            merchant: NONE,
            model,
            firmware,
            device: NONE,
            rat,
            stratum: NONE,
            next: newest,
            replaced,
            first_day: day,
            days: 0,
            day: None,
            today: DayCounts::default(),
            worst_day: DayCounts::default(),
            pairs_of_days: 0,
            attempts: 0,
            outage_failures: 0,
            failures: 0,
            readings: 0,
            weak_readings: 0,
            strength_steps: 0,
            daypart_attempts: [0; 4],
            daypart_failures: [0; 4],
        });
        self.seats.len() - 1
    }

    /// Returns the device of each terminal that stands there now, in the order of `terminals`.
    pub(super) fn current(&self) -> Vec<Option<Current<'_>>> {
        let mut devices = Vec::new();
        let of_terminal = |newest: &u32| {
            devices.clear();
            let mut at = *newest;
            while at != NONE {
                let seat = &self.seats[at as usize];
                devices.push(Device {
                    replaced: seat.replaced,
                    model: self.texts.text(seat.model),
                    first: seat.first_day,
                    last: seat.day.unwrap_or(seat.first_day),
                });
                at = seat.next;
            }
            Current::of(&devices)
        };
        self.newest.iter().map(of_terminal).collect()
    }

    /// Ends the last day, and gives every seat the names that methods know its device and its cell with
    /// carrier by.
    pub(super) fn end(&mut self) {
        let texts = &mut self.texts;
        let mut devices: HashMap<(u32, u32), u32, FixedState> = HashMap::default();
        let mut strata: HashMap<(CellIndex, u32), u32, FixedState> = HashMap::default();
        for seat in &mut self.seats {
            seat.end_day();
            let device = devices.entry((seat.model, seat.firmware));
            seat.device = *device.or_insert_with(|| {
                let firmware = match seat.firmware {
                    NONE => "?",
                    known => texts.text(known),
                };
                let device = format!("{} {firmware}", texts.text(seat.model));
                texts.number(&device)
            });
            let stratum = strata.entry((seat.cell, seat.plmn));
            seat.stratum = *stratum.or_insert_with(|| {
                let stratum = format!("{}/{}", seat.cell, texts.text(seat.plmn));
                texts.number(&stratum)
            });
        }
    }
}

impl Seat {
    fn end_day(&mut self) {
        let today = std::mem::take(&mut self.today);
        self.days += u32::from(today.attempts > 0);
        let failures = u64::from(today.failures);
        let pairs = failures * failures.saturating_sub(1);
        self.pairs_of_days = self.pairs_of_days.saturating_add(pairs);
        if today.failures > self.worst_day.failures {
            self.worst_day = today;
        }
    }
}

fn add_to(sum: &mut u32, more: u64) {
    *sum = sum.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
}
