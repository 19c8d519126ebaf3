//! Numbers outside what their RAT or contract allows become null and are counted; indices of
//! modems become values; unknown words of open enumerations become null.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Float32Type, Int32Type, Int64Type};
use schemas::EventKind;
use schemas::contract::ContractField;
use schemas::radio::{self, CellNumber, IndexKind, IndexReading, Quantity, Rat, ReadingCheck};

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

    fn count(&mut self, row: usize, check: ReadingCheck) -> bool {
        match check {
            ReadingCheck::Valid => return true,
            ReadingCheck::Sentinel => self.sentinels[row] += 1,
            ReadingCheck::OutOfRange => self.out_of_range[row] += 1,
        }
        false
    }
}

pub(super) fn clean(kind: EventKind, wire: &RecordBatch) -> Cleaned {
    let rows = wire.num_rows();
    let mut cleaned = Cleaned {
        columns: HashMap::new(),
        sentinels: vec![0; rows],
        out_of_range: vec![0; rows],
    };
    if kind == EventKind::Signal {
        clean_readings(wire, &mut cleaned);
    }
    for field in &kind.contract().fields {
        if cleaned.columns.contains_key(&field.name) {
            continue;
        }
        let column = wire
            .column_by_name(&field.name)
            .expect("decoded rows have every column");
        let bounded = field.range.0.is_some() || field.range.1.is_some();
        match column.data_type() {
            DataType::Int32 if bounded => clean_ints(field, column, &mut cleaned),
            DataType::Int64 if bounded => clean_longs(field, column, &mut cleaned),
            DataType::Float32 if bounded => clean_floats(field, column, &mut cleaned),
            DataType::Utf8 if !field.symbols.is_empty() => clean_words(field, column, &mut cleaned),
            _ => {}
        }
    }
    cleaned
}

fn within(field: &ContractField, value: f64) -> ReadingCheck {
    let low = field.range.0.unwrap_or(f64::NEG_INFINITY);
    let high = field.range.1.unwrap_or(f64::INFINITY);
    // All-ones and Android's UNAVAILABLE stand for "not known" in any field that cannot hold them.
    match value {
        value if (low..=high).contains(&value) => ReadingCheck::Valid,
        value if value == f64::from(i32::MAX) || value == -1.0 => ReadingCheck::Sentinel,
        _ => ReadingCheck::OutOfRange,
    }
}

fn clean_ints(field: &ContractField, column: &ArrayRef, cleaned: &mut Cleaned) {
    let column = column.as_primitive::<Int32Type>();
    let values = column.iter().enumerate();
    let kept: Int32Array = values
        .map(|(row, value)| value.filter(|v| cleaned.count(row, within(field, f64::from(*v)))))
        .collect();
    cleaned.columns.insert(field.name.clone(), Arc::new(kept));
}

fn clean_longs(field: &ContractField, column: &ArrayRef, cleaned: &mut Cleaned) {
    let column = column.as_primitive::<Int64Type>();
    let values = column.iter().enumerate();
    #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
    let kept: Int64Array = values
        .map(|(row, value)| value.filter(|v| cleaned.count(row, within(field, *v as f64))))
        .collect();
    cleaned.columns.insert(field.name.clone(), Arc::new(kept));
}

fn clean_floats(field: &ContractField, column: &ArrayRef, cleaned: &mut Cleaned) {
    let column = column.as_primitive::<Float32Type>();
    let values = column.iter().enumerate();
    let kept: Float32Array = values
        .map(|(row, value)| value.filter(|v| cleaned.count(row, within(field, f64::from(*v)))))
        .collect();
    cleaned.columns.insert(field.name.clone(), Arc::new(kept));
}

fn clean_words(field: &ContractField, column: &ArrayRef, cleaned: &mut Cleaned) {
    let column = column.as_string::<i32>();
    let known = |word: &str| match field.symbols.iter().any(|symbol| symbol == word) {
        true => ReadingCheck::Valid,
        false => ReadingCheck::OutOfRange,
    };
    let values = column.iter().enumerate();
    let kept: StringArray = values
        .map(|(row, value)| value.filter(|word| cleaned.count(row, known(word))))
        .collect();
    cleaned.columns.insert(field.name.clone(), Arc::new(kept));
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
    let rats: Vec<Option<Rat>> = column("rat")
        .as_string::<i32>()
        .iter()
        .map(|rat| Rat::from_str(rat?).ok())
        .collect();
    let indices = decode_indices(column("raw_kind"), column("raw_index"), cleaned);
    for quantity in QUANTITIES {
        let values = column(quantity.column()).as_primitive::<Float32Type>();
        let mut kept = Vec::with_capacity(rats.len());
        for (row, rat) in rats.iter().enumerate() {
            let given = values.is_valid(row).then(|| values.value(row));
            let checked = given.filter(|value| {
                rat.is_some_and(|rat| cleaned.count(row, radio::check(rat, quantity, *value)))
            });
            let indexed = indices[row]
                .filter(|(of, _)| *of == quantity)
                .map(|(_, value)| value);
            kept.push(checked.or(indexed));
        }
        let kept: ArrayRef = Arc::new(Float32Array::from(kept));
        cleaned.columns.insert(quantity.column().to_owned(), kept);
    }
    clean_cell_numbers(wire, &rats, cleaned);
}

fn decode_indices(
    kinds: &ArrayRef,
    indices: &ArrayRef,
    cleaned: &mut Cleaned,
) -> Vec<Option<(Quantity, f32)>> {
    let (kinds, indices) = (
        kinds.as_string::<i32>(),
        indices.as_primitive::<Int32Type>(),
    );
    let decode = |(row, (kind, index)): (usize, (Option<&str>, Option<i32>))| {
        let kind = IndexKind::from_str(kind?).ok()?;
        match kind.decode(index?) {
            IndexReading::Value {
                quantity, middle, ..
            } => Some((quantity, middle)),
            IndexReading::Unknown => {
                cleaned.sentinels[row] += 1;
                None
            }
            IndexReading::OutOfRange => {
                cleaned.out_of_range[row] += 1;
                None
            }
        }
    };
    kinds
        .iter()
        .zip(indices.iter())
        .enumerate()
        .map(decode)
        .collect()
}

fn clean_cell_numbers(wire: &RecordBatch, rats: &[Option<Rat>], cleaned: &mut Cleaned) {
    for number in [
        CellNumber::Tac,
        CellNumber::Pci,
        CellNumber::Arfcn,
        CellNumber::RadioCellId,
    ] {
        let column = wire
            .column_by_name(number.column())
            .expect("signals have every column");
        let longs = arrow::compute::cast(column, &DataType::Int64).expect("integers widen");
        let longs = longs.as_primitive::<Int64Type>();
        let kept: Int64Array = longs
            .iter()
            .zip(rats)
            .enumerate()
            .map(|(row, (value, rat))| {
                value.filter(|value| {
                    rat.is_some_and(|rat| {
                        cleaned.count(row, radio::check_number(rat, number, *value))
                    })
                })
            })
            .collect();
        let kept = arrow::compute::cast(&kept, column.data_type()).expect("in range after checks");
        cleaned.columns.insert(number.column().to_owned(), kept);
    }
}
