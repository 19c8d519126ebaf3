//! A batch of events, column by column: owns which columns mean the same in all three tables.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use schemas::Table;
use schemas::position::LatLon;

use super::names::{Coded, Coder, Name, Names};
use super::slots::Context;

/// A coder for every column of texts.
#[derive(Debug, Default)]
pub(super) struct Coders(HashMap<&'static str, Coder>);

impl Coders {
    pub(super) fn code(&mut self, batch: &RecordBatch, name: &'static str, names: &Names) -> Coded {
        let coder = self.0.entry(name).or_default();
        coder.code(batch.column_by_name(name), names)
    }
}

/// A column of numbers; one that a file does not have is null throughout.
#[derive(Debug)]
pub(super) struct Numbers<T: ArrowPrimitiveType>(Option<PrimitiveArray<T>>);

impl<T: ArrowPrimitiveType> Numbers<T> {
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Self {
        let column = batch.column_by_name(name);
        Self(column.map(|column| column.as_primitive().clone()))
    }

    pub(super) fn at(&self, row: usize) -> Option<T::Native> {
        let column = self.0.as_ref()?;
        column.is_valid(row).then(|| column.value(row))
    }
}

impl Numbers<Int32Type> {
    /// Returns a count; null and what is no count are 0.
    pub(super) fn count(&self, row: usize) -> u32 {
        let count = self.at(row).and_then(|count| u32::try_from(count).ok());
        count.unwrap_or(0)
    }
}

/// The columns that events of every kind have.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) terminals: StringArray,
    pub(super) time_us: PrimitiveArray<TimestampMicrosecondType>,
    pub(super) sent_us: Numbers<TimestampMicrosecondType>,
    pub(super) acquirer: Coded,
    pub(super) host: Coded,
    pub(super) model: Coded,
    pub(super) firmware: Coded,
    pub(super) app: Coded,
    pub(super) sim_plmn: Coded,
    /// The network in use, or last used.
    pub(super) plmn: Coded,
    pub(super) rat: Coded,
    pub(super) source: Coded,
    pub(super) cell_r9: Numbers<Int64Type>,
    merchants: Option<ArrayRef>,
    lat: Numbers<Float64Type>,
    lon: Numbers<Float64Type>,
}

impl Events {
    pub(super) fn of(
        batch: &RecordBatch,
        table: Table,
        coders: &mut Coders,
        names: &Names,
    ) -> Self {
        let (plmn, rat) = match table {
            Table::Declines => ("last_signal_plmn", "last_signal_rat"),
            _ => ("serving_plmn", "rat"),
        };
        let column = |name| batch.column_by_name(name).expect("every fact has a key");
        let mut code = |name| coders.code(batch, name, names);
        Self {
            terminals: column("terminal_id").as_string().clone(),
            time_us: column("event_time").as_primitive().clone(),
            sent_us: Numbers::of(batch, "sent_time"),
            acquirer: code("acquirer_id"),
            host: code("host_id"),
            model: code("model"),
            firmware: code("firmware"),
            app: code("app_version"),
            sim_plmn: code("sim_plmn"),
            plmn: code(plmn),
            rat: code(rat),
            source: code("position_source"),
            cell_r9: Numbers::of(batch, "cell_r9"),
            merchants: batch.column_by_name("merchant_id").cloned(),
            lat: Numbers::of(batch, "lat"),
            lon: Numbers::of(batch, "lon"),
        }
    }

    pub(super) fn position(&self, row: usize) -> Option<LatLon> {
        LatLon::new(self.lat.at(row)?, self.lon.at(row)?).ok()
    }

    pub(super) fn merchant(&self, row: usize) -> Option<&str> {
        let column = self.merchants.as_ref()?.as_dictionary::<Int32Type>();
        let value = column.key(row)?;
        Some(column.values().as_string::<i32>().value(value))
    }

    /// Returns the carrier: the network in use, else the SIM's own.
    pub(super) fn carrier(&self, row: usize) -> Name {
        match self.plmn.at(row) {
            0 => self.sim_plmn.at(row),
            plmn => plmn,
        }
    }

    pub(super) fn context(&self, row: usize, cell: Name) -> Context {
        Context {
            acquirer: self.acquirer.at(row),
            host: self.host.at(row),
            plmn: self.carrier(row),
            app: self.app.at(row),
            cell,
        }
    }
}
