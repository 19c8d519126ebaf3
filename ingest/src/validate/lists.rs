//! What stands in lists is held to its contract as what stands beside them: a number out of its range and
//! a text of another form become null in their record, and are counted with the row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, PrimitiveArray, StringArray,
    StructArray,
};
use arrow::datatypes::{Float32Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use schemas::contract::{ContractField, FieldKind};
use schemas::radio::ReadingCheck;

use super::numbers::{nulls_and, within};

/// Returns the list with what is wrong nulled, `None` when nothing is; `count` is told the row of each.
pub(super) fn clean(
    fields: &[ContractField],
    list: &ListArray,
    mut count: impl FnMut(usize, ReadingCheck),
) -> Result<Option<ListArray>, ArrowError> {
    let records = list.values().as_struct();
    let mut columns = records.columns().to_vec();
    let mut changed = false;
    for (field, column) in fields.iter().zip(&mut columns) {
        let mut wrong = Vec::new();
        for item in (0..column.len()).filter(|item| column.is_valid(*item)) {
            let check = check(field, column, item);
            if check != ReadingCheck::Valid {
                wrong.push(item);
                let ends = list.value_offsets();
                let row =
                    ends.partition_point(|end| usize::try_from(*end).is_ok_and(|end| end <= item));
                count(row - 1, check);
            }
        }
        if let Some(nulls) = nulls_and(column, &wrong) {
            changed = true;
            *column = with_nulls(column, nulls);
        }
    }
    if !changed {
        return Ok(None);
    }
    let (asked, _, nulls) = records.clone().into_parts();
    let records = StructArray::try_new(asked, columns, nulls)?;
    let (field, offsets, _, nulls) = list.clone().into_parts();
    ListArray::try_new(field, offsets, Arc::new(records), nulls).map(Some)
}

/// Checks a value that is there. What a record cannot be without is left to those who read it.
#[expect(clippy::cast_precision_loss, reason = "bounds are below 2^53")]
fn check(field: &ContractField, column: &ArrayRef, item: usize) -> ReadingCheck {
    if !field.nullable {
        return ReadingCheck::Valid;
    }
    match &field.kind {
        FieldKind::Int => within(field, column.as_primitive::<Int32Type>().value(item).into()),
        FieldKind::Long => within(field, column.as_primitive::<Int64Type>().value(item) as f64),
        FieldKind::Float => within(
            field,
            column.as_primitive::<Float32Type>().value(item).into(),
        ),
        FieldKind::Text => match field.holds(column.as_string::<i32>().value(item)) {
            true => ReadingCheck::Valid,
            false => ReadingCheck::OutOfRange,
        },
        _ => ReadingCheck::Valid,
    }
}

fn with_nulls(column: &ArrayRef, nulls: arrow::buffer::NullBuffer) -> ArrayRef {
    fn numbers<T: ArrowPrimitiveType>(
        column: &ArrayRef,
        nulls: arrow::buffer::NullBuffer,
    ) -> ArrayRef {
        let column = column.as_primitive::<T>();
        Arc::new(PrimitiveArray::<T>::new(
            column.values().clone(),
            Some(nulls),
        ))
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        let (offsets, values, _) = texts.clone().into_parts();
        return Arc::new(StringArray::new(offsets, values, Some(nulls)));
    }
    if column.as_primitive_opt::<Int32Type>().is_some() {
        return numbers::<Int32Type>(column, nulls);
    }
    if column.as_primitive_opt::<Int64Type>().is_some() {
        return numbers::<Int64Type>(column, nulls);
    }
    numbers::<Float32Type>(column, nulls)
}
