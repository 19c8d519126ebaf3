//! `sum`: the engine's own, but that a sum of whole numbers too large for its type is an error.
//!
//! The engine goes on from the other end of the numbers, and nobody sees it.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, BooleanArray};
use arrow::datatypes::{DataType, FieldRef, Int64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature, StatisticsArgs,
};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

/// The engine's sum with whole numbers taken out of it.
#[derive(Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct CheckedSum {
    engine: Sum,
}

fn too_large<T>() -> Result<T> {
    exec_err!(
        "the sum is too large for a whole number of 64 bits: write sum(cast(x as decimal(38, 0))), \
         or sum(cast(x as double)) where digits may be lost"
    )
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        self.engine.return_type(given)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.engine.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match (args.return_field.data_type(), args.is_distinct) {
            (DataType::Int64, false) => Ok(Box::new(Whole::<Int64Type>::default())),
            (DataType::UInt64, false) => Ok(Box::new(Whole::<UInt64Type>::default())),
            (DataType::Int64, true) => Ok(Box::new(Distinct::<Int64Type>::default())),
            (DataType::UInt64, true) => Ok(Box::new(Distinct::<UInt64Type>::default())),
            _ => self.engine.accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match (args.return_field.data_type(), args.is_distinct) {
            (DataType::Int64, false) => Ok(Box::new(Whole::<Int64Type>::default())),
            (DataType::UInt64, false) => Ok(Box::new(Whole::<UInt64Type>::default())),
            _ => self.engine.create_sliding_accumulator(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.engine.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match args.return_field.data_type() {
            DataType::Int64 => Ok(Groups::of::<Int64Type>(&DataType::Int64)),
            DataType::UInt64 => Ok(Groups::of::<UInt64Type>(&DataType::UInt64)),
            _ => self.engine.create_groups_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.engine.reverse_expr()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.engine.order_sensitivity()
    }

    fn set_monotonicity(&self, kind: &DataType) -> SetMonotonicity {
        self.engine.set_monotonicity(kind)
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        self.engine.value_from_stats(args)
    }
}

/// One sum in twice the bits, so that only the end must fit.
#[derive(Debug)]
struct Whole<T: ArrowPrimitiveType> {
    sum: i128,
    count: i64,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Default for Whole<T> {
    fn default() -> Self {
        Self {
            sum: 0,
            count: 0,
            kind: std::marker::PhantomData,
        }
    }
}

impl<T: ArrowPrimitiveType<Native: Into<i128> + TryFrom<i128>>> Whole<T> {
    fn add(&mut self, values: &ArrayRef, sign: i8) {
        for value in values.as_primitive::<T>().iter().flatten() {
            let value: i128 = value.into();
            // 2^63 rows of 2^64 fit into 127 bits.
            self.sum += value * i128::from(sign);
            self.count += i64::from(sign);
        }
    }

    fn value(&self) -> Result<ScalarValue> {
        if self.count == 0 {
            return ScalarValue::try_from(&T::DATA_TYPE);
        }
        match T::Native::try_from(self.sum) {
            Ok(sum) => ScalarValue::new_primitive::<T>(Some(sum), &T::DATA_TYPE),
            Err(_) => too_large(),
        }
    }
}

impl<T> Accumulator for Whole<T>
where
    T: ArrowPrimitiveType<Native: Into<i128> + TryFrom<i128>> + Debug,
{
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0], 1);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.value()
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0], -1);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// The sum of different numbers.
#[derive(Debug)]
struct Distinct<T: ArrowPrimitiveType>(HashSet<i128>, std::marker::PhantomData<fn() -> T>);

impl<T: ArrowPrimitiveType> Default for Distinct<T> {
    fn default() -> Self {
        Self(HashSet::new(), std::marker::PhantomData)
    }
}

impl<T> Accumulator for Distinct<T>
where
    T: ArrowPrimitiveType<Native: Into<i128> + TryFrom<i128>> + Debug,
{
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<T>().iter().flatten();
        self.0.extend(values.map(Into::into));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.0.is_empty() {
            return ScalarValue::try_from(&T::DATA_TYPE);
        }
        match T::Native::try_from(self.0.iter().sum()) {
            Ok(sum) => ScalarValue::new_primitive::<T>(Some(sum), &T::DATA_TYPE),
            Err(_) => too_large(),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.capacity() * size_of::<i128>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.0.iter().map(|value| {
            let value = T::Native::try_from(*value).ok();
            ScalarValue::new_primitive::<T>(value, &T::DATA_TYPE)
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        let list = ScalarValue::new_list_nullable(&values, &T::DATA_TYPE);
        Ok(vec![ScalarValue::List(list)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[list])?;
        }
        Ok(())
    }
}

/// The engine's sums of many groups, and whether one of them did not fit.
struct Groups {
    inner: Box<dyn GroupsAccumulator>,
    is_too_large: Arc<AtomicBool>,
}

impl Groups {
    fn of<T>(kind: &DataType) -> Box<dyn GroupsAccumulator>
    where
        T: ArrowPrimitiveType<Native: ArrowNativeTypeOp> + Send,
    {
        let is_too_large = Arc::new(AtomicBool::new(false));
        let found = Arc::clone(&is_too_large);
        let add = move |sum: &mut T::Native, value: T::Native| match sum.add_checked(value) {
            Ok(whole) => *sum = whole,
            Err(_) => found.store(true, Ordering::Relaxed),
        };
        Box::new(Self {
            inner: Box::new(PrimitiveGroupsAccumulator::<T, _>::new(kind, add)),
            is_too_large,
        })
    }

    fn checked<V>(&self, value: Result<V>) -> Result<V> {
        match self.is_too_large.load(Ordering::Relaxed) {
            true => too_large(),
            false => value,
        }
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let added = self.inner.update_batch(values, groups, filter, total);
        self.checked(added)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.inner.evaluate(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        let added = self.inner.merge_batch(states, groups, total);
        self.checked(added)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let converted = self.inner.convert_to_state(values, filter);
        self.checked(converted)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn only_a_sum_that_fits_is_one() {
        let column = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
        let mut sum = Whole::<Int64Type>::default();
        sum.update_batch(&[column(&[i64::MAX, 1])]).expect("added");
        assert!(sum.evaluate().is_err());
        sum.retract_batch(&[column(&[1])]).expect("taken away");
        assert_eq!(sum.evaluate().expect("fits"), ScalarValue::from(i64::MAX));
        let mut groups = Groups::of::<Int64Type>(&DataType::Int64);
        let added = groups.update_batch(&[column(&[i64::MAX, 5])], &[0, 1], None, 2);
        added.expect("two groups");
        let added = groups.update_batch(&[column(&[1])], &[0], None, 2);
        assert!(added.is_err());
    }
}
