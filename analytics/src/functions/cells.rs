//! Cells and numbers out of and into columns: what the kernels of several functions share.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, Int64Builder, ListBuilder, PrimitiveArray,
};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, Float64Type, Int64Type};
use datafusion::common::{Result, exec_datafusion_err};
use h3o::{CellIndex, Resolution};
use schemas::lake::{cell_from_i64, cell_to_i64};

/// Most cells one call may return: a disk of 199 rings, or the children six resolutions down.
pub const MAX_CELLS: u64 = 120_000;

/// The two forms of a cell argument.
pub(super) const CELL_TYPES: [DataType; 2] = [DataType::Int64, DataType::Utf8];

/// Returns the argument types of a function of a cell and what follows it.
pub(super) fn takes_cell(rest: &[DataType]) -> Vec<Vec<DataType>> {
    CELL_TYPES
        .iter()
        .map(|cell| [std::slice::from_ref(cell), rest].concat())
        .collect()
}

/// Returns the type of a column of lists of cells.
pub(super) fn cell_list() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)))
}

/// Reads a column of cells, whole numbers or text.
pub(super) fn cells(column: &ArrayRef) -> Box<dyn Iterator<Item = Option<CellIndex>> + '_> {
    match column.data_type() {
        DataType::Utf8 => Box::new(
            column
                .as_string::<i32>()
                .iter()
                .map(|text| text.and_then(parse_cell)),
        ),
        _ => Box::new(int64s(column).map(|cell| cell.and_then(cell_from_i64))),
    }
}

/// Reads a cell from its hexadecimal text; a `0x` in front is allowed.
pub(super) fn parse_cell(text: &str) -> Option<CellIndex> {
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

/// Makes a column of cells.
pub(super) fn cell_column(cells: impl Iterator<Item = Option<CellIndex>>) -> ArrayRef {
    Arc::new(
        cells
            .map(|cell| cell.map(cell_to_i64))
            .collect::<Int64Array>(),
    )
}

/// Makes a column of lists of cells.
pub(super) fn cell_list_column<C: IntoIterator<Item = CellIndex>>(
    lists: impl Iterator<Item = Result<Option<C>>>,
) -> Result<ArrayRef> {
    let mut builder = ListBuilder::new(Int64Builder::new());
    for list in lists {
        let list = list?;
        let is_valid = list.is_some();
        for cell in list.into_iter().flatten() {
            builder.values().append_value(cell_to_i64(cell));
        }
        builder.append(is_valid);
    }
    Ok(Arc::new(builder.finish()))
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
    use arrow::array::{Float64Array, StringArray};

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
