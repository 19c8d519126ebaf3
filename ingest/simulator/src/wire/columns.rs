//! The columns every kind of event begins with, and the list of neighbours.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float32Builder, Float64Builder, Int32Builder, Int64Builder, ListArray, StringBuilder,
    StructArray, TimestampMillisecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields};
use schemas::EventKind;
use uuid::fmt::Hyphenated;

use super::{app_version, declared_position, event_id, position_source};
use crate::dice;
use crate::fleet::radio_cell;
use crate::radio::{band, strength_offset_db};
use crate::row::{Row, SignalRow};
use crate::world::{Terminal, World};

/// Turns NaN, which stands for a missing value in rows, into none.
pub fn present(value: f32) -> Option<f32> {
    (!value.is_nan()).then_some(value)
}

/// Columns from `event_id` to `position_source`.
pub struct CommonColumns {
    event_id: StringBuilder,
    terminal_id: StringBuilder,
    event_time: TimestampMillisecondBuilder,
    sent_time: TimestampMillisecondBuilder,
    seq: Int64Builder,
    boot_id: StringBuilder,
    model: StringBuilder,
    firmware: StringBuilder,
    app_version: StringBuilder,
    acquirer_id: StringBuilder,
    host_id: StringBuilder,
    merchant_id: StringBuilder,
    lat: Float64Builder,
    lon: Float64Builder,
    datum: StringBuilder,
    accuracy_m: Float32Builder,
    position_source: StringBuilder,
    rows: usize,
}

impl CommonColumns {
    pub fn new(rows: usize) -> Self {
        let text = |bytes: usize| StringBuilder::with_capacity(rows, rows * bytes);
        let time = || TimestampMillisecondBuilder::with_capacity(rows).with_timezone(schemas::UTC);
        Self {
            event_id: text(36),
            terminal_id: text(12),
            event_time: time(),
            sent_time: time(),
            seq: Int64Builder::with_capacity(rows),
            boot_id: text(12),
            model: text(12),
            firmware: text(8),
            app_version: text(8),
            acquirer_id: text(12),
            host_id: text(16),
            merchant_id: text(8),
            lat: Float64Builder::with_capacity(rows),
            lon: Float64Builder::with_capacity(rows),
            datum: text(5),
            accuracy_m: Float32Builder::with_capacity(rows),
            position_source: text(10),
            rows: 0,
        }
    }

    /// Adds a row and returns how many there are.
    pub fn push(&mut self, world: &World, row: &Row, terminal: &Terminal) -> usize {
        self.push_identity(world, row);
        self.push_make(world, row, terminal);
        self.push_position(world, row, terminal);
        self.rows += 1;
        self.rows
    }

    fn push_identity(&mut self, world: &World, row: &Row) {
        let mut text = [0; Hyphenated::LENGTH];
        let id = event_id(world.seed, row);
        self.event_id
            .append_value(id.hyphenated().encode_lower(&mut text));
        numbered(&mut self.terminal_id, &world.country, "-", row.terminal);
        let clock_ms = i64::from(row.clock_ms);
        self.event_time.append_value(row.event_ms + clock_ms);
        self.sent_time.append_value(row.sent_ms + clock_ms);
        self.seq.append_value(i64::from(row.seq));
        let boot = dice::hash(&[
            world.seed,
            0xb007,
            u64::from(row.terminal),
            u64::from(row.boot),
        ]);
        write!(self.boot_id, "b{:08x}", boot as u32).expect("writing to memory does not fail");
        self.boot_id.append_value("");
    }

    fn push_make(&mut self, world: &World, row: &Row, terminal: &Terminal) {
        self.model.append_value(terminal.model().name);
        self.firmware.append_value(terminal.firmware());
        self.app_version.append_value(app_version(world, row));
        self.acquirer_id
            .append_value(&world.acquirer_of(terminal).id);
        self.host_id.append_value(world.host_of(terminal));
        numbered(&mut self.merchant_id, "M", "", terminal.merchant);
    }

    fn push_position(&mut self, world: &World, row: &Row, terminal: &Terminal) {
        let position = declared_position(world, row, terminal);
        self.lat.append_option(position.map(|(lat, _, _)| lat));
        self.lon.append_option(position.map(|(_, lon, _)| lon));
        self.datum
            .append_option(position.map(|_| terminal.datum.as_str()));
        self.accuracy_m
            .append_option(position.map(|(_, _, accuracy_m)| accuracy_m));
        let source = position_source(terminal.model().position);
        self.position_source.append_option(source);
    }

    pub fn finish(&mut self) -> Vec<ArrayRef> {
        self.rows = 0;
        vec![
            Arc::new(self.event_id.finish()),
            Arc::new(self.terminal_id.finish()),
            Arc::new(self.event_time.finish()),
            Arc::new(self.sent_time.finish()),
            Arc::new(self.seq.finish()),
            Arc::new(self.boot_id.finish()),
            Arc::new(self.model.finish()),
            Arc::new(self.firmware.finish()),
            Arc::new(self.app_version.finish()),
            Arc::new(self.acquirer_id.finish()),
            Arc::new(self.host_id.finish()),
            Arc::new(self.merchant_id.finish()),
            Arc::new(self.lat.finish()),
            Arc::new(self.lon.finish()),
            Arc::new(self.datum.finish()),
            Arc::new(self.accuracy_m.finish()),
            Arc::new(self.position_source.finish()),
        ]
    }
}

/// Appends a name with a number of seven digits, without the machinery of formatting.
fn numbered(column: &mut StringBuilder, prefix: &str, hyphen: &str, number: u32) {
    let mut digits = [b'0'; 7];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    let digits = std::str::from_utf8(&digits).expect("digits are ASCII");
    for part in [prefix, hyphen, digits] {
        column
            .write_str(part)
            .expect("writing to memory does not fail");
    }
    column.append_value("");
}

/// The list of radio cells heard in a scan.
pub struct NeighbourColumns {
    rat: StringBuilder,
    plmn: StringBuilder,
    radio_cell_id: Int64Builder,
    pci: Int32Builder,
    arfcn: Int32Builder,
    signal_dbm: Float32Builder,
    lengths: Vec<usize>,
    scanned: Vec<bool>,
    item: FieldRef,
    fields: Fields,
}

impl NeighbourColumns {
    pub fn new(rows: usize) -> Self {
        let schema = EventKind::Signal.wire_schema();
        let column = schema
            .field_with_name("neighbours")
            .expect("the contract has neighbours");
        let DataType::List(item) = column.data_type() else {
            panic!("neighbours are a list");
        };
        let DataType::Struct(fields) = item.data_type() else {
            panic!("neighbours are records");
        };
        Self {
            rat: StringBuilder::with_capacity(rows, rows * 4),
            plmn: StringBuilder::with_capacity(rows, rows * 6),
            radio_cell_id: Int64Builder::with_capacity(rows),
            pci: Int32Builder::with_capacity(rows),
            arfcn: Int32Builder::with_capacity(rows),
            signal_dbm: Float32Builder::with_capacity(rows),
            lengths: Vec::with_capacity(rows),
            scanned: Vec::with_capacity(rows),
            item: item.clone(),
            fields: fields.clone(),
        }
    }

    pub fn push(&mut self, world: &World, row: &Row, terminal: &Terminal, signal: &SignalRow) {
        let mut length = 0;
        for (carrier, level) in signal.neighbours.iter().flatten() {
            let place = &world.terminals[row.place as usize];
            // Its own number of a site nearby: another carrier's mast, the same neighbourhood.
            let site = place.site / 2 * 2 + u32::from(*carrier);
            let cell = radio_cell(world.seed, *carrier, site, place.merchant, signal.rat);
            let (_, arfcn) = band(signal.rat, terminal.dense);
            let dbm = f64::from(*level) / 10.0 + strength_offset_db(signal.rat);
            self.rat.append_value(signal.rat.as_str());
            self.plmn
                .append_value(&world.carriers[usize::from(*carrier)].plmn);
            self.radio_cell_id.append_value(cell.id);
            self.pci.append_option(cell.pci);
            self.arfcn.append_value(arfcn + i32::from(*carrier));
            self.signal_dbm.append_value(dbm.round() as f32);
            length += 1;
        }
        self.lengths.push(length);
        self.scanned.push(length > 0);
    }

    pub fn finish(&mut self) -> ArrayRef {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.rat.finish()),
            Arc::new(self.plmn.finish()),
            Arc::new(self.radio_cell_id.finish()),
            Arc::new(self.pci.finish()),
            Arc::new(self.arfcn.finish()),
            Arc::new(self.signal_dbm.finish()),
        ];
        let records = StructArray::new(self.fields.clone(), columns, None);
        let offsets = OffsetBuffer::from_lengths(self.lengths.drain(..));
        let scanned: NullBuffer = std::mem::take(&mut self.scanned).into();
        let list = ListArray::new(self.item.clone(), offsets, Arc::new(records), Some(scanned));
        Arc::new(list)
    }
}
