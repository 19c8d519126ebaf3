//! `mode` and `percentile_disc`: values of a group that stand at a place in their order.
//!
//! Both keep a group's values as they come and sort them at its end, so they do not depend on how
//! rows are dealt to tasks.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{SortOptions, concat, filter, is_not_null, partition, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;

use super::FunctionDoc;

pub(super) const MODE: FunctionDoc = FunctionDoc {
    name: "mode",
    usage: "mode(x) or mode() WITHIN GROUP (ORDER BY x)",
    doc: "the most frequent value; of several the least",
};
pub(super) const PERCENTILE_DISC: FunctionDoc = FunctionDoc {
    name: "percentile_disc",
    usage: "percentile_disc(p) WITHIN GROUP (ORDER BY x) or percentile_disc(x, p)",
    doc: "the least value that a share p of the values does not exceed; one of the values, unlike percentile_cont",
};

/// Which value of a group it is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    MostFrequent,
    Share(f64),
}

/// One of the two functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Ranked {
    name: &'static str,
    arguments: usize,
    signature: Signature,
}

impl Ranked {
    pub(super) fn mode() -> Self {
        Self::new(MODE.name, 1)
    }

    pub(super) fn percentile_disc() -> Self {
        Self::new(PERCENTILE_DISC.name, 2)
    }

    fn new(name: &'static str, arguments: usize) -> Self {
        Self {
            name,
            arguments,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn place(&self, args: &AccumulatorArgs) -> Result<Place> {
        if self.arguments == 1 {
            return Ok(Place::MostFrequent);
        }
        let share = args.exprs[1].downcast_ref::<Literal>();
        match share.map(Literal::value) {
            Some(ScalarValue::Float64(Some(share))) if (0.0..=1.0).contains(share) => {
                Ok(Place::Share(*share))
            }
            _ => plan_err!("percentile_disc takes a share from 0 to 1 that is not of a column"),
        }
    }
}

impl AggregateUDFImpl for Ranked {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match (self.arguments, given) {
            (1, [value]) => Ok(vec![value.clone()]),
            (2, [value, _]) => Ok(vec![value.clone(), DataType::Float64]),
            (1, _) => plan_err!("mode is called as {}", MODE.usage),
            _ => plan_err!("percentile_disc is called as {}", PERCENTILE_DISC.usage),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(given[0].clone())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let item = Field::new_list_field(args.return_type().clone(), true);
        let name = format_state_name(args.name, self.name);
        let list = Field::new(name, DataType::List(Arc::new(item)), true);
        Ok(vec![Arc::new(list)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Values {
            place: self.place(&args)?,
            is_distinct: args.is_distinct,
            kind: args.return_field.data_type().clone(),
            kept: Vec::new(),
        }))
    }
}

#[derive(Debug)]
struct Values {
    place: Place,
    is_distinct: bool,
    kind: DataType,
    kept: Vec<ArrayRef>,
}

impl Values {
    fn all(&self) -> Result<ArrayRef> {
        let kept: Vec<&dyn Array> = self.kept.iter().map(AsRef::as_ref).collect();
        match kept.is_empty() {
            true => Ok(arrow::array::new_empty_array(&self.kind)),
            false => Ok(concat(&kept)?),
        }
    }

    fn keep(&mut self, values: &ArrayRef) -> Result<()> {
        let values = match values.null_count() {
            0 => Arc::clone(values),
            _ => filter(values, &is_not_null(values)?)?,
        };
        if !values.is_empty() {
            // A slice would hold on to the whole batch.
            let rows =
                UInt32Array::from_iter_values(0..u32::try_from(values.len()).unwrap_or(u32::MAX));
            self.kept.push(take(&values, &rows, None)?);
        }
        Ok(())
    }
}

/// Sorts values, and returns where runs of equal ones begin and end.
fn sorted(values: &ArrayRef) -> Result<(ArrayRef, Vec<std::ops::Range<usize>>)> {
    let order = sort_to_indices(values, Some(SortOptions::default()), None)?;
    let sorted = take(values, &order, None)?;
    let runs = partition(std::slice::from_ref(&sorted))?.ranges();
    Ok((sorted, runs))
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.keep(&values[0])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let all = self.all()?;
        if all.is_empty() {
            return ScalarValue::try_from(&self.kind);
        }
        let (sorted, runs) = sorted(&all)?;
        let at = match self.place {
            Place::MostFrequent => {
                let mut longest = &runs[0];
                for run in &runs {
                    if run.len() > longest.len() {
                        longest = run;
                    }
                }
                longest.start
            }
            Place::Share(share) => {
                let count = if self.is_distinct {
                    runs.len()
                } else {
                    sorted.len()
                };
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share from 0 to 1 of a number of rows"
                )]
                let rank = ((share * count as f64).ceil() as usize).clamp(1, count) - 1;
                if self.is_distinct {
                    runs[rank].start
                } else {
                    rank
                }
            }
        };
        ScalarValue::try_from_array(&sorted, at)
    }

    fn size(&self) -> usize {
        let kept: usize = self
            .kept
            .iter()
            .map(|kept| kept.get_array_memory_size())
            .sum();
        size_of_val(self) + kept
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = SingleRowListArrayBuilder::new(self.all()?);
        Ok(vec![list.build_list_scalar()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.keep(&list)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::cells::test_columns::{ints, texts};
    use super::*;

    fn value(place: Place, is_distinct: bool, columns: &[ArrayRef]) -> ScalarValue {
        let mut values = Values {
            place,
            is_distinct,
            kind: columns[0].data_type().clone(),
            kept: Vec::new(),
        };
        for column in columns {
            values
                .update_batch(std::slice::from_ref(column))
                .expect("kept");
        }
        values.evaluate().expect("a value")
    }

    #[test]
    fn the_most_frequent_is_found_and_of_two_the_least() {
        let models = [
            texts([Some("b"), None, Some("c")]),
            texts([Some("c"), Some("b")]),
        ];
        assert_eq!(value(Place::MostFrequent, false, &models), "b".into());
        let none = [texts([None::<&str>])];
        assert!(value(Place::MostFrequent, false, &none).is_null());
    }

    #[test]
    fn a_percentile_is_the_least_value_that_the_share_does_not_exceed() {
        let numbers = [ints([4, 1, 3].map(Some)), ints([Some(2), None, Some(2)])];
        for (share, expected) in [(0.0, 1), (0.2, 1), (0.5, 2), (0.61, 3), (1.0, 4)] {
            let found = value(Place::Share(share), false, &numbers);
            assert_eq!(found, ScalarValue::from(i64::from(expected)), "{share}");
        }
        assert_eq!(
            value(Place::Share(0.75), true, &numbers),
            ScalarValue::from(3_i64)
        );
    }
}
