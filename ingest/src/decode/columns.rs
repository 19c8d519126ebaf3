//! The columns of one kind of event, filled value by value: owns how a row that turns out bad is taken back.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, BooleanBufferBuilder, ListArray, PrimitiveArray,
    RecordBatch, StringArray, StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Field, Float32Type, Float64Type, Int32Type, Int64Type, SchemaRef,
    TimestampMillisecondType,
};
use arrow::error::ArrowError;
use schemas::contract::{ContractField, FieldKind};

use super::remarks::Remarks;

/// Room for a text, bytes: an event's id takes 36. What is reserved and not used costs nothing.
const TEXT_BYTES: usize = 40;

/// Columns of equally many rows, but for the row being read.
pub(super) struct Columns {
    pub(super) fields: &'static [ContractField],
    pub(super) columns: Vec<Column>,
    /// How each is named in JSON.
    pub(super) keys: Vec<Key>,
    pub(super) remarks: Remarks,
    rows: usize,
}

/// A key of JSON as writers spell it, with quotes and colon, to be compared in two steps.
pub(super) struct Key {
    pub(super) len: usize,
    text: [u128; 2],
    mask: [u128; 2],
}

impl Key {
    const BYTES: usize = 32;

    fn new(name: &str) -> Self {
        let spelled = format!("\"{name}\":");
        assert!(
            spelled.len() <= Self::BYTES,
            "contracts have shorter names than {name}"
        );
        let (mut text, mut mask) = ([0; Self::BYTES], [0; Self::BYTES]);
        for (at, byte) in spelled.bytes().enumerate() {
            (text[at], mask[at]) = (byte, u8::MAX);
        }
        Self {
            len: spelled.len(),
            text: halves(&text),
            mask: halves(&mask),
        }
    }

    /// Tells whether the bytes begin with the key; close to their end it may fail to see it.
    #[inline]
    pub(super) fn begins(&self, bytes: &[u8]) -> bool {
        bytes.first_chunk().is_some_and(|bytes| {
            let bytes = halves(bytes);
            let differ = |at: usize| (bytes[at] ^ self.text[at]) & self.mask[at];
            differ(0) | differ(1) == 0
        })
    }
}

#[inline]
fn halves(bytes: &[u8; Key::BYTES]) -> [u128; 2] {
    let half = |at: usize| {
        let bytes = bytes[at..].first_chunk();
        u128::from_le_bytes(*bytes.expect("half of them"))
    };
    [half(0), half(16)]
}

/// One column; a value that is not known is null.
pub(super) enum Column {
    Text(Texts),
    Boolean(Booleans),
    Int(Numbers<Int32Type>),
    Long(Numbers<Int64Type>),
    Float(Numbers<Float32Type>),
    Double(Numbers<Float64Type>),
    Time(Numbers<TimestampMillisecondType>),
    Records(Records),
}

/// Which rows have a value: told row by row only once there is one without.
#[derive(Default)]
pub(super) struct Known {
    rows: usize,
    told: Option<Vec<bool>>,
}

impl Known {
    #[inline]
    fn value(&mut self) {
        self.rows += 1;
        if let Some(told) = &mut self.told {
            told.push(true);
        }
    }

    #[inline]
    fn null(&mut self) {
        let told = self.told.get_or_insert_with(|| vec![true; self.rows]);
        told.push(false);
        self.rows += 1;
    }

    fn truncate(&mut self, rows: usize) {
        self.rows = rows;
        if let Some(told) = &mut self.told {
            told.truncate(rows);
        }
    }

    fn finish(self) -> Option<NullBuffer> {
        let nulls = NullBuffer::from(self.told?);
        (nulls.null_count() > 0).then_some(nulls)
    }
}

/// Texts, one behind the other.
pub(super) struct Texts {
    ends: Vec<i32>,
    bytes: Vec<u8>,
    known: Known,
}

impl Texts {
    /// Adds a text; `None` when the column grows beyond what its offsets can say.
    pub(super) fn push(&mut self, text: &[u8]) -> Option<()> {
        self.bytes.extend_from_slice(text);
        self.ends.push(i32::try_from(self.bytes.len()).ok()?);
        self.known.value();
        Some(())
    }
}

/// Truth values.
pub(super) struct Booleans {
    values: BooleanBufferBuilder,
    known: Known,
}

impl Booleans {
    pub(super) fn push(&mut self, value: bool) {
        self.values.append(value);
        self.known.value();
    }
}

/// Numbers of one type.
pub(super) struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    known: Known,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    pub(super) fn push(&mut self, value: T::Native) {
        self.values.push(value);
        self.known.value();
    }

    fn finish(self) -> PrimitiveArray<T> {
        PrimitiveArray::new(ScalarBuffer::from(self.values), self.known.finish())
    }
}

/// Lists of records; the records of all lists lie in columns of their own.
pub(super) struct Records {
    ends: Vec<i32>,
    known: Known,
    pub(super) items: Columns,
}

impl Records {
    /// Ends the list whose records were added to `items`.
    pub(super) fn end_list(&mut self) -> Option<()> {
        self.ends.push(i32::try_from(self.items.rows).ok()?);
        self.known.value();
        Some(())
    }
}

impl Columns {
    pub(super) fn new(fields: &'static [ContractField], rows: usize) -> Self {
        let columns = fields.iter().map(|field| Column::new(&field.kind, rows));
        Self {
            fields,
            columns: columns.collect(),
            keys: fields.iter().map(|field| Key::new(&field.name)).collect(),
            remarks: Remarks::default(),
            rows: 0,
        }
    }

    /// Returns how many rows are ended, which is the index of the one being read.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Notes a field of the row being read that the contract does not have.
    pub(super) fn unknown(&mut self, name: &str) {
        self.remarks.unknown(self.rows, name);
    }

    /// Ends a row of which every column has its value.
    pub(super) fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Takes back what was read of the row that is not ended.
    pub(super) fn take_back(&mut self) {
        self.truncate(self.rows);
    }

    fn truncate(&mut self, rows: usize) {
        self.rows = rows;
        self.remarks.truncate(rows);
        for column in &mut self.columns {
            column.truncate(rows);
        }
    }

    /// Returns the rows in a schema that has these columns in this order.
    ///
    /// # Errors
    /// When a text is not UTF-8, or a value is missing that the schema wants.
    pub(super) fn finish(
        mut self,
        schema: &SchemaRef,
    ) -> Result<(RecordBatch, Remarks), ArrowError> {
        let remarks = self.all_remarks();
        let columns = self.columns.into_iter().zip(schema.fields());
        let arrays = columns.map(|(column, field)| column.finish(field));
        let rows = RecordBatch::try_new(schema.clone(), arrays.collect::<Result<_, _>>()?)?;
        Ok((rows, remarks))
    }

    /// Takes the remarks on every row, those on the records of its lists too.
    fn all_remarks(&mut self) -> Remarks {
        let mut remarks = std::mem::take(&mut self.remarks);
        for (field, column) in self.fields.iter().zip(&mut self.columns) {
            if let Column::Records(records) = column {
                let of_items = records.items.all_remarks();
                let row_of = |item: usize| {
                    let ends_before =
                        |end: &i32| usize::try_from(*end).is_ok_and(|end| end <= item);
                    records.ends.partition_point(ends_before) - 1
                };
                remarks.take_over(&of_items, &format!("{}.", field.name), row_of);
            }
        }
        remarks
    }
}

impl Column {
    fn new(kind: &'static FieldKind, rows: usize) -> Self {
        let known = Known::default();
        match kind {
            FieldKind::Text => Self::Text(Texts {
                ends: offsets(rows),
                bytes: Vec::with_capacity(rows * TEXT_BYTES),
                known,
            }),
            FieldKind::Boolean => Self::Boolean(Booleans {
                values: BooleanBufferBuilder::new(rows),
                known,
            }),
            FieldKind::Int => Self::Int(numbers(rows, known)),
            FieldKind::Long => Self::Long(numbers(rows, known)),
            FieldKind::Float => Self::Float(numbers(rows, known)),
            FieldKind::Double => Self::Double(numbers(rows, known)),
            FieldKind::TimestampMillis => Self::Time(numbers(rows, known)),
            FieldKind::Records(fields) => Self::Records(Records {
                ends: offsets(rows),
                known,
                items: Columns::new(fields, 0),
            }),
        }
    }

    pub(super) fn push_null(&mut self) {
        fn null<T: ArrowPrimitiveType>(numbers: &mut Numbers<T>) -> &mut Known {
            numbers.values.push(T::Native::default());
            &mut numbers.known
        }
        let known = match self {
            Self::Text(texts) => {
                texts.ends.push(texts.ends.last().copied().unwrap_or(0));
                &mut texts.known
            }
            Self::Boolean(booleans) => {
                booleans.values.append(false);
                &mut booleans.known
            }
            Self::Int(numbers) => null(numbers),
            Self::Long(numbers) => null(numbers),
            Self::Float(numbers) => null(numbers),
            Self::Double(numbers) => null(numbers),
            Self::Time(numbers) => null(numbers),
            Self::Records(records) => {
                records.ends.push(records.ends.last().copied().unwrap_or(0));
                &mut records.known
            }
        };
        known.null();
    }

    fn truncate(&mut self, rows: usize) {
        fn cut<T: ArrowPrimitiveType>(numbers: &mut Numbers<T>, rows: usize) -> &mut Known {
            numbers.values.truncate(rows);
            &mut numbers.known
        }
        let end = |ends: &[i32]| usize::try_from(ends[rows]).expect("an offset is not negative");
        let known = match self {
            Self::Text(texts) => {
                texts.ends.truncate(rows + 1);
                texts.bytes.truncate(end(&texts.ends));
                &mut texts.known
            }
            Self::Boolean(booleans) => {
                booleans.values.truncate(rows);
                &mut booleans.known
            }
            Self::Int(numbers) => cut(numbers, rows),
            Self::Long(numbers) => cut(numbers, rows),
            Self::Float(numbers) => cut(numbers, rows),
            Self::Double(numbers) => cut(numbers, rows),
            Self::Time(numbers) => cut(numbers, rows),
            Self::Records(records) => {
                records.ends.truncate(rows + 1);
                records.items.truncate(end(&records.ends));
                &mut records.known
            }
        };
        known.truncate(rows);
    }

    fn finish(self, field: &Field) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Text(texts) => Arc::new(StringArray::try_new(
                OffsetBuffer::new(texts.ends.into()),
                Buffer::from_vec(texts.bytes),
                texts.known.finish(),
            )?),
            Self::Boolean(mut booleans) => {
                let values: BooleanBuffer = booleans.values.finish();
                Arc::new(BooleanArray::new(values, booleans.known.finish()))
            }
            Self::Int(numbers) => Arc::new(numbers.finish()),
            Self::Long(numbers) => Arc::new(numbers.finish()),
            Self::Float(numbers) => Arc::new(numbers.finish()),
            Self::Double(numbers) => Arc::new(numbers.finish()),
            Self::Time(numbers) => {
                Arc::new(numbers.finish().with_data_type(field.data_type().clone()))
            }
            Self::Records(records) => {
                let DataType::List(item) = field.data_type() else {
                    return Err(misfit(field));
                };
                let DataType::Struct(fields) = item.data_type() else {
                    return Err(misfit(field));
                };
                let columns = records.items.columns.into_iter().zip(fields);
                let arrays = columns.map(|(column, field)| column.finish(field));
                let items =
                    StructArray::try_new(fields.clone(), arrays.collect::<Result<_, _>>()?, None)?;
                Arc::new(ListArray::try_new(
                    item.clone(),
                    OffsetBuffer::new(records.ends.into()),
                    Arc::new(items),
                    records.known.finish(),
                )?)
            }
        })
    }
}

fn misfit(field: &Field) -> ArrowError {
    ArrowError::SchemaError(format!("{} is no list of records", field.name()))
}

fn offsets(rows: usize) -> Vec<i32> {
    let mut ends = Vec::with_capacity(rows + 1);
    ends.push(0);
    ends
}

fn numbers<T: ArrowPrimitiveType>(rows: usize, known: Known) -> Numbers<T> {
    Numbers {
        values: Vec::with_capacity(rows),
        known,
    }
}
