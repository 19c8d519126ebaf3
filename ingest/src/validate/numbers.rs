//! Numbers outside what their RAT or contract allows become null and are counted, so do texts of another
//! form than their contract's and times of sending that cannot be; indices of modems become values.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanBufferBuilder, Float32Array,
    PrimitiveArray, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float32Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow::error::ArrowError;
use schemas::EventKind;
use schemas::contract::{ContractField, FieldKind};
use schemas::radio::{self, CellNumber, IndexKind, IndexReading, Quantity, Rat, ReadingCheck};

use super::lists;

/// The columns that changed, and how many values of each row became null.
pub(super) struct Cleaned {
    columns: HashMap<String, ArrayRef>,
    pub(super) sentinels: Vec<i32>,
    pub(super) out_of_range: Vec<i32>,
}

impl Cleaned {
    pub(super) fn column(&self, name: &str) -> Option<ArrayRef> {
        self.columns.get(name).cloned()
    }

    fn put(&mut self, name: &str, changed: Option<impl Array + 'static>) {
        if let Some(changed) = changed {
            self.columns.insert(name.to_owned(), Arc::new(changed));
        }
    }

    fn count(&mut self, row: usize, check: ReadingCheck) -> bool {
        match check {
            ReadingCheck::Valid => return true,
            ReadingCheck::Sentinel => self.sentinels[row] += 1,
            ReadingCheck::OutOfRange => self.out_of_range[row] += 1,
        }
        false
    }
}

/// Cleans rows; `sent` says when a row may have been sent, by its `event_time`, ms.
pub(super) fn clean(
    kind: EventKind,
    wire: &RecordBatch,
    sent: impl Fn(i64) -> RangeInclusive<i64>,
) -> Result<Cleaned, ArrowError> {
    let rows = wire.num_rows();
    let mut cleaned = Cleaned {
        columns: HashMap::new(),
        sentinels: vec![0; rows],
        out_of_range: vec![0; rows],
    };
    clean_sent_time(wire, sent, &mut cleaned);
    let by_rat = |name: &str| {
        kind == EventKind::Signal
            && (QUANTITIES.iter().any(|quantity| quantity.column() == name)
                || CellNumber::ALL.iter().any(|number| number.column() == name))
    };
    if kind == EventKind::Signal {
        clean_readings(wire, &mut cleaned);
    }
    for field in &kind.contract().fields {
        if by_rat(&field.name) {
            continue;
        }
        let column = wire
            .column_by_name(&field.name)
            .expect("decoded rows have every column");
        let bounded = field.range.0.is_some() || field.range.1.is_some();
        match column.data_type() {
            DataType::Int32 if bounded => {
                clean_numbers::<Int32Type>(field, column, &mut cleaned, f64::from);
            }
            #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
            DataType::Int64 if bounded => {
                clean_numbers::<Int64Type>(field, column, &mut cleaned, |value| value as f64);
            }
            DataType::Float32 if bounded => {
                clean_numbers::<Float32Type>(field, column, &mut cleaned, f64::from);
            }
            DataType::Utf8 => clean_texts(field, column, &mut cleaned),
            DataType::List(_) => {
                let FieldKind::Records(fields) = &field.kind else {
                    continue;
                };
                let kept = lists::clean(fields, column.as_list(), |row, check| {
                    cleaned.count(row, check);
                })?;
                cleaned.put(&field.name, kept);
            }
            _ => {}
        }
    }
    Ok(cleaned)
}

/// An event is sent after it happened, and not in the future; else the clock, or its unit, is wrong.
fn clean_sent_time(
    wire: &RecordBatch,
    sent: impl Fn(i64) -> RangeInclusive<i64>,
    cleaned: &mut Cleaned,
) {
    let times = |name: &str| {
        let column = wire.column_by_name(name);
        column
            .expect("every contract has event_time and sent_time")
            .as_primitive::<TimestampMillisecondType>()
    };
    let (happened, column) = (times("event_time"), times("sent_time"));
    let kept = without_wrong(column, |row, time| {
        let check = match sent(happened.value(row)).contains(&time) {
            true => ReadingCheck::Valid,
            false => ReadingCheck::OutOfRange,
        };
        cleaned.count(row, check)
    });
    let utc = |times: TimestampMillisecondArray| times.with_timezone(schemas::UTC);
    cleaned.put("sent_time", kept.map(utc));
}

pub(super) fn within(field: &ContractField, value: f64) -> ReadingCheck {
    let low = field.range.0.unwrap_or(f64::NEG_INFINITY);
    let high = field.range.1.unwrap_or(f64::INFINITY);
    // All-ones and Android's UNAVAILABLE stand for "not known" in any field that cannot hold them.
    match value {
        value if (low..=high).contains(&value) => ReadingCheck::Valid,
        value if SENTINELS.contains(&value) => ReadingCheck::Sentinel,
        _ => ReadingCheck::OutOfRange,
    }
}

/// Numbers of which every bit is set, or all but the sign.
#[expect(clippy::cast_precision_loss, reason = "compared as the value is")]
const SENTINELS: [f64; 5] = [
    -1.0,
    u16::MAX as f64,
    i32::MAX as f64,
    u32::MAX as f64,
    i64::MAX as f64,
];

fn clean_numbers<T: ArrowPrimitiveType>(
    field: &ContractField,
    column: &ArrayRef,
    cleaned: &mut Cleaned,
    as_f64: impl Fn(T::Native) -> f64,
) {
    let column = column.as_primitive::<T>();
    let kept = without_wrong(column, |row, value| {
        cleaned.count(row, within(field, as_f64(value)))
    });
    cleaned.put(&field.name, kept);
}

fn clean_texts(field: &ContractField, column: &ArrayRef, cleaned: &mut Cleaned) {
    // What an event cannot be without was checked before it came here.
    if !field.nullable {
        return;
    }
    let column = column.as_string::<i32>();
    let mut wrong = Vec::new();
    // Rows of one terminal stand together, and mostly say the same.
    let mut before = None;
    each_value(column, |row| {
        let word = column.value(row);
        if before == Some(word) {
            return;
        }
        let check = match field.holds(word) {
            true => ReadingCheck::Valid,
            false => ReadingCheck::OutOfRange,
        };
        match cleaned.count(row, check) {
            true => before = Some(word),
            false => wrong.push(row),
        }
    });
    let nulls = nulls_and(column, &wrong);
    let kept = nulls.map(|nulls| {
        StringArray::new(
            column.offsets().clone(),
            column.values().clone(),
            Some(nulls),
        )
    });
    cleaned.put(&field.name, kept);
}

/// Visits the rows that have a value.
fn each_value(column: &dyn Array, visit: impl FnMut(usize)) {
    match column.nulls() {
        None => (0..column.len()).for_each(visit),
        Some(nulls) => nulls.valid_indices().for_each(visit),
    }
}

/// Nulls every value that is not right; `None` when all are.
fn without_wrong<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    mut is_right: impl FnMut(usize, T::Native) -> bool,
) -> Option<PrimitiveArray<T>> {
    let mut wrong = Vec::new();
    each_value(column, |row| {
        if !is_right(row, column.values()[row]) {
            wrong.push(row);
        }
    });
    let nulls = nulls_and(column, &wrong)?;
    Some(PrimitiveArray::new(column.values().clone(), Some(nulls)))
}

/// Returns what is null when these rows are too; `None` when there are none.
pub(super) fn nulls_and(column: &dyn Array, rows: &[usize]) -> Option<NullBuffer> {
    if rows.is_empty() {
        return None;
    }
    let mut known = BooleanBufferBuilder::new(column.len());
    match column.nulls() {
        None => known.append_n(column.len(), true),
        Some(nulls) => known.append_buffer(nulls.inner()),
    }
    for row in rows {
        known.set_bit(*row, false);
    }
    Some(NullBuffer::new(known.finish()))
}

const QUANTITIES: [Quantity; 6] = [
    Quantity::Rssi,
    Quantity::Rscp,
    Quantity::Ecno,
    Quantity::Rsrp,
    Quantity::Rsrq,
    Quantity::Sinr,
];

/// Checks a signal's readings by its RAT, and fills a quantity from the modem's index.
fn clean_readings(wire: &RecordBatch, cleaned: &mut Cleaned) {
    let column = |name: &str| {
        wire.column_by_name(name)
            .expect("signals have every column")
    };
    let rats = rats(column("rat").as_string::<i32>());
    let indices = decode_indices(column("raw_kind"), column("raw_index"), cleaned);
    for quantity in QUANTITIES {
        let name = quantity.column();
        let values = column(name).as_primitive::<Float32Type>();
        let right = without_wrong(values, |row, value| {
            rats[row].is_some_and(|rat| cleaned.count(row, radio::check(rat, quantity, value)))
        });
        let of_quantity = || indices.iter().filter(|(_, (of, _))| *of == quantity);
        if of_quantity().next().is_none() {
            cleaned.put(name, right);
            continue;
        }
        let mut filled: Vec<Option<f32>> = right.as_ref().unwrap_or(values).iter().collect();
        for (row, (_, value)) in of_quantity() {
            filled[*row].get_or_insert(*value);
        }
        cleaned.put(name, Some(Float32Array::from(filled)));
    }
    clean_cell_numbers(wire, &rats, cleaned);
}

/// Rows of one terminal stand together, and mostly have one RAT.
fn rats(column: &StringArray) -> Vec<Option<Rat>> {
    let mut before = (None, None);
    let rats = column.iter().map(|text| {
        if before.0 != text {
            before = (text, text.and_then(|text| Rat::from_str(text).ok()));
        }
        before.1
    });
    rats.collect()
}

/// Returns the rows whose index stands for a value.
fn decode_indices(
    kinds: &ArrayRef,
    indices: &ArrayRef,
    cleaned: &mut Cleaned,
) -> Vec<(usize, (Quantity, f32))> {
    let (kinds, indices) = (
        kinds.as_string::<i32>(),
        indices.as_primitive::<Int32Type>(),
    );
    let mut found = Vec::new();
    each_value(kinds, |row| {
        let Ok(kind) = IndexKind::from_str(kinds.value(row)) else {
            return;
        };
        if indices.is_null(row) {
            return;
        }
        match kind.decode(indices.value(row)) {
            IndexReading::Value {
                quantity, middle, ..
            } => found.push((row, (quantity, middle))),
            IndexReading::Unknown => cleaned.sentinels[row] += 1,
            IndexReading::OutOfRange => cleaned.out_of_range[row] += 1,
        }
    });
    found
}

fn clean_cell_numbers(wire: &RecordBatch, rats: &[Option<Rat>], cleaned: &mut Cleaned) {
    for number in CellNumber::ALL {
        let name = number.column();
        let column = wire
            .column_by_name(name)
            .expect("signals have every column");
        let mut is_right = |row: usize, value: i64| {
            rats[row].is_some_and(|rat| cleaned.count(row, radio::check_number(rat, number, value)))
        };
        match column.data_type() {
            DataType::Int32 => {
                let column = column.as_primitive::<Int32Type>();
                let kept = without_wrong(column, |row, value| is_right(row, value.into()));
                cleaned.put(name, kept);
            }
            _ => {
                let kept = without_wrong(column.as_primitive::<Int64Type>(), is_right);
                cleaned.put(name, kept);
            }
        }
    }
}
