//! Cells and numbers out of and into columns: what the kernels of several functions share.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Array, Int64Builder, ListArray, PrimitiveArray, StringArray,
    StringBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Field, Float64Type, Int64Type, UInt64Type,
};
use datafusion::common::{Result, exec_datafusion_err};
use h3o::{CellIndex, Resolution};

use super::sql_function::is_text;

/// Most cells one call may return: a disk of 199 rings, or the children six resolutions down.
pub const MAX_CELLS: u64 = 120_000;

/// How cells are written: as those of an argument are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Whole numbers.
    Number,
    /// Hexadecimal text.
    Text,
}

impl Form {
    /// Returns the form of a column of cells, or of lists of cells.
    pub(super) fn of(column: &ArrayRef) -> Self {
        match is_text(column.data_type()) {
            true => Self::Text,
            false => Self::Number,
        }
    }
}

/// A cell or an edge: what is 64 bits, and hexadecimal in text.
pub(super) trait Index: TryFrom<u64> + FromStr + Into<u64> + Display + Copy {}

impl<T: TryFrom<u64> + FromStr + Into<u64> + Display + Copy> Index for T {}

/// Reads a column of cells.
pub(super) fn cells(column: &ArrayRef) -> Box<dyn Iterator<Item = Option<CellIndex>> + '_> {
    indexes(column)
}

/// Reads a column of cells or edges, whole numbers or text; what is none is null.
pub(super) fn indexes<T: Index>(column: &ArrayRef) -> Box<dyn Iterator<Item = Option<T>> + '_> {
    fn of<T: Index>(number: impl TryInto<u64>) -> Option<T> {
        T::try_from(number.try_into().ok()?).ok()
    }
    match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>().iter();
            Box::new(texts.map(|text| text.and_then(parse)))
        }
        DataType::UInt64 => {
            Box::new(values::<UInt64Type>(column).map(|number| number.and_then(of)))
        }
        DataType::Decimal128(..) => {
            Box::new(values::<Decimal128Type>(column).map(|number| number.and_then(of)))
        }
        _ => Box::new(int64s(column).map(|number| number.and_then(of))),
    }
}

/// Reads a column of lists of cells; a list with something that is no cell is null.
pub(super) fn cell_lists(column: &ArrayRef) -> Vec<Option<Vec<CellIndex>>> {
    let lists = column.as_list::<i32>();
    let lists = lists.iter();
    lists
        .map(|list| cells(&list?).collect::<Option<Vec<_>>>())
        .collect()
}

/// Reads a cell from its hexadecimal text; a `0x` in front is allowed.
pub(super) fn parse_cell(text: &str) -> Option<CellIndex> {
    parse(text)
}

fn parse<T: FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    text.strip_prefix("0x").unwrap_or(text).parse().ok()
}

/// Reads a column of whole numbers.
pub(super) fn int64s(column: &ArrayRef) -> impl Iterator<Item = Option<i64>> + '_ {
    values::<Int64Type>(column)
}

/// Reads a column of floating point numbers.
pub(super) fn float64s(column: &ArrayRef) -> impl Iterator<Item = Option<f64>> + '_ {
    values::<Float64Type>(column)
}

fn values<T: ArrowPrimitiveType>(
    column: &ArrayRef,
) -> impl Iterator<Item = Option<T::Native>> + '_ {
    let column: &PrimitiveArray<T> = column.as_primitive();
    column.iter()
}

/// Reads a resolution; `None` for a number that is none.
pub(super) fn resolution(number: i64) -> Option<Resolution> {
    Resolution::try_from(u8::try_from(number).ok()?).ok()
}

fn number(index: impl Index) -> i64 {
    // The highest bit of an index is not used.
    index.into().cast_signed()
}

/// Makes a column of cells or edges as numbers.
pub(super) fn cell_numbers(cells: impl Iterator<Item = Option<impl Index>>) -> ArrayRef {
    Arc::new(cells.map(|cell| cell.map(number)).collect::<Int64Array>())
}

/// Makes a column of cells or edges.
pub(super) fn cell_column(form: Form, cells: impl Iterator<Item = Option<impl Index>>) -> ArrayRef {
    match form {
        Form::Number => cell_numbers(cells),
        Form::Text => {
            let texts = cells.map(|cell| cell.map(|cell| cell.to_string()));
            Arc::new(texts.collect::<StringArray>())
        }
    }
}

/// Builds lists of cells or edges in one of the two forms.
struct Lists {
    form: Form,
    lengths: Vec<usize>,
    valid: Vec<bool>,
    numbers: Int64Builder,
    texts: StringBuilder,
}

impl Lists {
    fn new(form: Form) -> Self {
        Self {
            form,
            lengths: Vec::new(),
            valid: Vec::new(),
            numbers: Int64Builder::new(),
            texts: StringBuilder::new(),
        }
    }

    fn append(&mut self, list: Option<impl IntoIterator<Item = impl Index>>) {
        self.valid.push(list.is_some());
        let mut length = 0;
        for cell in list.into_iter().flatten() {
            match self.form {
                Form::Number => self.numbers.append_value(number(cell)),
                Form::Text => self.texts.append_value(cell.to_string()),
            }
            length += 1;
        }
        self.lengths.push(length);
    }

    fn finish(mut self) -> ArrayRef {
        let cells: ArrayRef = match self.form {
            Form::Number => Arc::new(self.numbers.finish()),
            Form::Text => Arc::new(self.texts.finish()),
        };
        list_of(cells, self.lengths, self.valid)
    }
}

fn list_of(values: ArrayRef, lengths: Vec<usize>, valid: Vec<bool>) -> ArrayRef {
    let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Arc::new(ListArray::new(item, offsets, values, Some(valid.into())))
}

/// Makes a column of lists of cells or edges.
pub(super) fn cell_list_column<C: IntoIterator<Item = impl Index>>(
    form: Form,
    lists: impl Iterator<Item = Result<Option<C>>>,
) -> Result<ArrayRef> {
    let mut column = Lists::new(form);
    for list in lists {
        column.append(list?);
    }
    Ok(column.finish())
}

/// Makes a column of lists of lists of cells.
pub(super) fn ring_column<R, C>(
    form: Form,
    rows: impl Iterator<Item = Result<Option<R>>>,
) -> Result<ArrayRef>
where
    R: IntoIterator<Item = C>,
    C: IntoIterator<Item: Index>,
{
    let (mut rings, mut lengths, mut valid) = (Lists::new(form), Vec::new(), Vec::new());
    for row in rows {
        let row = row?;
        valid.push(row.is_some());
        let before = rings.lengths.len();
        for ring in row.into_iter().flatten() {
            rings.append(Some(ring));
        }
        lengths.push(rings.lengths.len() - before);
    }
    Ok(list_of(rings.finish(), lengths, valid))
}

/// Refuses a call that would fill the memory.
pub(super) fn check_count(function: &str, count: u64) -> Result<()> {
    if count > MAX_CELLS {
        return Err(exec_datafusion_err!(
            "{function} would return {count} cells, at most {MAX_CELLS} are allowed"
        ));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod test_columns {
    use arrow::array::Float64Array;

    use super::*;

    pub(crate) fn ints(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
        Arc::new(values.into_iter().collect::<Int64Array>())
    }

    pub(crate) fn floats(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
        Arc::new(values.into_iter().collect::<Float64Array>())
    }

    pub(crate) fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(values.into_iter().collect::<StringArray>())
    }

    /// The cell of the H3 documentation's examples, San Francisco at resolution 9.
    pub(crate) const SAN_FRANCISCO: &str = "8928308280fffff";
}
