//! Texts of few kinds as numbers, the same in every task.

use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;

use crate::analyze::interned::Interned;

/// Number of a text; 0 stands for null.
pub(in crate::analyze) type Name = u32;

/// Every text met so far.
#[derive(Debug, Default)]
pub(in crate::analyze) struct Names(Mutex<Interned>);

impl Names {
    /// Returns the number of a text.
    pub(in crate::analyze) fn number(&self, text: &str) -> Name {
        self.known().number(text) + 1
    }

    /// Returns the text of a number.
    pub(in crate::analyze) fn text(&self, name: Name) -> Option<Box<str>> {
        Some(self.known().text(name.checked_sub(1)?).into())
    }

    /// Returns every text; that of number `n` is at `n - 1`.
    pub(super) fn texts(&self) -> Vec<Box<str>> {
        let known = self.known();
        let numbers = 0..u32::try_from(known.len()).expect("a name is a number");
        numbers.map(|number| known.text(number).into()).collect()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Interned> {
        self.0.lock().expect("no task panics while it holds names")
    }

    fn numbers_of(&self, values: &dyn Array) -> Arc<[Name]> {
        let mut known = self.known();
        let texts = values.as_string::<i32>().iter();
        texts
            .map(|text| text.map_or(0, |text| known.number(text) + 1))
            .collect()
    }
}

/// A column of texts as numbers.
#[derive(Debug)]
pub(super) struct Coded {
    column: Option<(ScalarBuffer<i32>, Option<NullBuffer>)>,
    numbers: Arc<[Name]>,
}

impl Coded {
    /// Returns the number of a row's text.
    pub(super) fn at(&self, row: usize) -> Name {
        match &self.column {
            Some((keys, nulls)) if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) => {
                self.numbers[keys[row] as usize]
            }
            _ => 0,
        }
    }
}

/// Codes one column of batch after batch; a dictionary met again is not looked at again.
#[derive(Debug, Default)]
pub(super) struct Coder {
    last: Option<(ArrayRef, Arc<[Name]>)>,
}

impl Coder {
    pub(super) fn code(&mut self, column: Option<&ArrayRef>, names: &Names) -> Coded {
        let column = column.and_then(|column| column.as_any().downcast_ref());
        let Some(column): Option<&DictionaryArray<Int32Type>> = column else {
            return Coded {
                column: None,
                numbers: Arc::from([]),
            };
        };
        let values = column.values();
        let numbers = match &self.last {
            Some((known, numbers)) if Arc::ptr_eq(known, values) => numbers.clone(),
            _ => names.numbers_of(values),
        };
        self.last = Some((values.clone(), numbers.clone()));
        let keys = column.keys();
        Coded {
            column: Some((keys.values().clone(), keys.nulls().cloned())),
            numbers,
        }
    }
}
