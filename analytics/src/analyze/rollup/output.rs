//! Rows of the derived tables of a day, in the tables' own order.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Date32Type, Field};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use rayon::prelude::*;
use schemas::Table;

use super::fold::{Fold, Shared};
use super::heard::RadioCell;
use super::hours::midnight_us;
use super::names::Name;
use super::silence;
use super::slots::{Context, SlotCounts};
use super::terminal::{Count, SLOT_S, Terminal, Used};
use crate::analyze::interned::Interned;

/// Rows of one file of `terminal_days`.
pub(super) const FILE_ROWS: usize = 256 * 1024;

/// What every row of a day's table carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) day: NaiveDate,
    pub(super) method_version: i32,
    pub(super) source_rows: u64,
}

impl Origin {
    /// Returns a column that every derived table of a day has, if it is one.
    pub(super) fn column(&self, name: &str, rows: usize) -> Option<ArrayRef> {
        Some(match name {
            "method_version" => Arc::new(Int32Array::from_value(self.method_version, rows)),
            "source_rows" => {
                let source_rows = i64::try_from(self.source_rows).unwrap_or(i64::MAX);
                Arc::new(Int64Array::from_value(source_rows, rows))
            }
            "event_date" => {
                let day = Date32Type::from_naive_date(self.day);
                Arc::new(Date32Array::from_value(day, rows))
            }
            _ => return None,
        })
    }
}

/// Returns a column of moments, in µs since the epoch.
pub(super) fn moments(times_us: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(times_us).with_timezone(schemas::UTC))
}

/// Texts by their numbers.
#[derive(Debug)]
pub(super) struct Texts(pub(super) Vec<Box<str>>);

impl Texts {
    fn of(&self, name: Name) -> Option<&str> {
        Some(&self.0[name.checked_sub(1)? as usize])
    }

    pub(super) fn column(&self, names: impl Iterator<Item = Name>) -> ArrayRef {
        Arc::new(names.map(|name| self.of(name)).collect::<StringArray>())
    }
}

/// Returns a column of cells of resolution 9; 0 becomes null.
pub(super) fn places(cells_r9: impl Iterator<Item = i64>) -> ArrayRef {
    let known = cells_r9.map(|cell| (cell != 0).then_some(cell));
    Arc::new(known.collect::<Int64Array>())
}

/// What a terminal's day comes to, and in which order its rows stand.
#[derive(Debug)]
pub(in crate::analyze) struct TerminalDays {
    shared: Arc<Shared>,
    pub(super) texts: Texts,
    pub(super) terminals: Vec<Terminal>,
    pub(super) ids: Interned,
    /// Radio cells by number.
    pub(super) radio_cells: Vec<RadioCell>,
    /// Carrier and RAT of each terminal.
    used: Vec<(Name, Name)>,
    /// Terminal and row, sorted as the table is.
    pub(super) order: Vec<(u32, u32)>,
    pub(super) origin: Origin,
}

impl TerminalDays {
    pub(super) fn of(fold: Fold, shared: Arc<Shared>, origin: Origin) -> Self {
        let texts = Texts(shared.names.texts());
        let hours = shared.registry.on(shared.day);
        let (mut terminals, ids) = (fold.terminals, fold.ids);
        let reach = silence::reach(terminals.iter().flat_map(Terminal::beats_s));
        terminals.par_iter_mut().for_each(|terminal| {
            let registered = shared.registry.terminal(terminal.registered);
            terminal.count_silence(reach, hours.of(registered));
            terminal.settle();
        });
        let used = terminals.iter().map(|one| carrier_and_rat(one, &texts));
        let used = used.collect();
        let mut order: Vec<(u32, u32)> = Vec::with_capacity(terminals.len());
        for (at, terminal) in (0..).zip(&terminals) {
            order.extend((0..).zip(&terminal.rows).map(|(row, _)| (at, row)));
        }
        let place = |at: &(u32, u32)| {
            let terminal = &terminals[at.0 as usize];
            (
                terminal.rows[at.1 as usize].stand.place_r9,
                ids.text(at.0),
                at.1,
            )
        };
        order.par_sort_unstable_by(|one, other| place(one).cmp(&place(other)));
        Self {
            shared,
            texts,
            terminals,
            ids,
            radio_cells: fold.radio_cells.cells,
            used,
            order,
            origin,
        }
    }

    /// Returns the rows, a file at a time.
    pub(in crate::analyze) fn batches(
        &self,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        self.order.chunks(FILE_ROWS).map(|rows| self.batch(rows))
    }

    fn batch(&self, rows: &[(u32, u32)]) -> Result<RecordBatch, ArrowError> {
        let schema = Table::TerminalDays.schema();
        let columns = schema.fields().iter().map(|field| self.column(field, rows));
        RecordBatch::try_new(schema.clone(), columns.collect())
    }

    fn column(&self, field: &Field, rows: &[(u32, u32)]) -> ArrayRef {
        let name = field.name().as_str();
        if let Some(column) = self.origin.column(name, rows.len()) {
            return column;
        }
        let terminals = rows.iter().map(|(at, _)| &self.terminals[*at as usize]);
        let counted = rows
            .iter()
            .map(|(at, row)| &self.terminals[*at as usize].rows[*row as usize]);
        let used = rows.iter().map(|(at, _)| self.used[*at as usize]);
        match name {
            "terminal_id" => Arc::new(StringArray::from_iter_values(
                rows.iter().map(|(at, _)| self.ids.text(*at)),
            )),
            "merchant_id" => Arc::new(
                terminals
                    .map(|one| self.merchant(one))
                    .collect::<StringArray>(),
            ),
            "acquirer_id" => self
                .texts
                .column(counted.map(|row| row.reported.said.acquirer)),
            "host_id" => self.texts.column(counted.map(|row| row.reported.said.host)),
            "model" => self
                .texts
                .column(counted.map(|row| row.reported.said.model)),
            "app_version" => self.texts.column(counted.map(|row| row.reported.said.app)),
            "firmware" => self.texts.column(counted.map(|row| row.stand.firmware)),
            "carrier_plmn" => self.texts.column(used.map(|(plmn, _)| plmn)),
            "rat" => self.texts.column(used.map(|(_, rat)| rat)),
            "cell_r9" => places(counted.map(|row| row.stand.place_r9)),
            "has_moved" => Arc::new(BooleanArray::from_iter(
                counted.map(|row| Some(row.stand.has_moved)),
            )),
            _ => {
                let known = Count::ALL.iter().find(|(_, column)| *column == name);
                let (count, _) = known.unwrap_or_else(|| panic!("nothing counts {name}"));
                Arc::new(Int64Array::from_iter_values(
                    counted.map(|row| i64::from(row.get(*count))),
                ))
            }
        }
    }

    fn merchant<'a>(&'a self, terminal: &'a Terminal) -> Option<&'a str> {
        let registered = self.shared.registry.terminal(terminal.registered);
        let merchant = registered.and_then(|registered| self.shared.registry.merchant(registered));
        merchant.or(terminal.merchant.as_deref())
    }
}

/// Returns what a terminal used most: attempts and failures know it from different messages, and so
/// fall into one row. A fixed line has no carrier; a terminal no network served has its SIM's.
fn carrier_and_rat(terminal: &Terminal, texts: &Texts) -> (Name, Name) {
    if terminal.is_fixed {
        return (0, 0);
    }
    let by_use = |one: &&Used, other: &&Used| {
        let text = |used: &Used| (texts.of(used.plmn), texts.of(used.rat).unwrap_or("~"));
        one.events
            .cmp(&other.events)
            .then_with(|| text(other).cmp(&text(one)))
    };
    match terminal.used.iter().max_by(by_use) {
        Some(used) => (used.plmn, used.rat),
        None => (terminal.sim_plmn.said, 0),
    }
}

/// Returns the rows of `failure_slots`.
pub(super) fn failure_slots(
    slots: super::slots::Slots,
    shared: &Shared,
    origin: Origin,
) -> Result<RecordBatch, ArrowError> {
    let texts = Texts(shared.names.texts());
    let midnight_us = midnight_us(origin.day);
    let rows: Vec<((u32, Context), SlotCounts)> = slots.into_sorted().into_iter().collect();
    let schema = Table::FailureSlots.schema();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        let name = field.name().as_str();
        if let Some(column) = origin.column(name, rows.len()) {
            return column;
        }
        let of =
            |pick: fn(&Context) -> Name| texts.column(rows.iter().map(|((_, of), _)| pick(of)));
        let count = |pick: fn(&SlotCounts) -> u64| -> ArrayRef {
            let counts = rows.iter().map(|(_, counts)| pick(counts).cast_signed());
            Arc::new(Int64Array::from_iter_values(counts))
        };
        match name {
            "slot_time" => {
                let times = rows
                    .iter()
                    .map(|((slot, _), _)| midnight_us + i64::from(slot * SLOT_S) * 1_000_000);
                moments(times)
            }
            "acquirer_id" => of(|of| of.acquirer),
            "host_id" => of(|of| of.host),
            "carrier_plmn" => of(|of| of.plmn),
            "app_version" => of(|of| of.app),
            "partition_cell" => of(|of| of.cell),
            "attempts_counted" => count(|counts| counts.attempts),
            "active_terminals" => count(|counts| counts.active_terminals.into()),
            "failures" => count(|counts| counts.failures.into()),
            "failing_terminals" => count(|counts| counts.failing_terminals.into()),
            _ => panic!("nothing fills {name}"),
        }
    });
    RecordBatch::try_new(schema.clone(), columns.collect())
}
