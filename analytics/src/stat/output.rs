//! A table of results: named columns, in the forms of an answer.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch,
    StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use crate::report::{Format, render};

/// A column of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it says, in which unit, and when it is undefined.
    pub doc: &'static str,
}

/// What a method answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    rows: RecordBatch,
    /// What the method learned beside its rows, a sentence each.
    pub notes: Vec<String>,
}

/// Describes a column.
pub(super) const fn column(name: &'static str, doc: &'static str) -> Column {
    Column { name, doc }
}

impl Results {
    /// Returns the rows, with the columns in the order of the method.
    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    /// Writes the rows; a list becomes text joined by `;` in CSV and in a table.
    ///
    /// # Errors
    /// When the output fails.
    pub fn write(
        &self,
        format: Format,
        out: &mut (impl Write + Send),
    ) -> Result<(), render::RenderError> {
        let rows = match format {
            Format::Csv | Format::Table => with_joined_lists(&self.rows)?,
            Format::Json | Format::NdJson | Format::Parquet => self.rows.clone(),
        };
        render::write(format, &rows.schema(), &[rows], out)
    }
}

fn with_joined_lists(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(rows.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(rows.num_columns());
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let Some(lists) = column.as_list_opt::<i32>() else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
            continue;
        };
        let joined = lists.iter().map(|list| list.map(|list| joined(&list)));
        fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
        columns.push(Arc::new(joined.collect::<StringArray>()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn joined(texts: &dyn Array) -> String {
    let texts: Vec<&str> = texts.as_string::<i32>().iter().flatten().collect();
    texts.join(";")
}

/// Results while a method fills them, column by column.
#[derive(Debug, Default)]
pub(super) struct Filling {
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl Filling {
    /// Adds a column of text.
    pub(super) fn text(self, name: &str, values: impl Iterator<Item = impl Into<String>>) -> Self {
        let values: StringArray = values.map(|value| Some(value.into())).collect();
        self.add(name, Arc::new(values))
    }

    /// Adds a column of counts.
    pub(super) fn count(self, name: &str, values: impl Iterator<Item = u64>) -> Self {
        let values = values.map(|value| i64::try_from(value).expect("counts are at most 2^53"));
        self.add(name, Arc::new(values.collect::<Int64Array>()))
    }

    /// Adds a column of numbers; one that is not finite is as good as undefined.
    pub(super) fn number(self, name: &str, values: impl Iterator<Item = Option<f64>>) -> Self {
        let finite = values.map(|value| value.filter(|value| value.is_finite()));
        self.add(name, Arc::new(finite.collect::<Float64Array>()))
    }

    /// Adds a column of flags.
    pub(super) fn flag(self, name: &str, values: impl Iterator<Item = Option<bool>>) -> Self {
        self.add(name, Arc::new(values.collect::<BooleanArray>()))
    }

    /// Adds a column of lists of text.
    pub(super) fn list(
        self,
        name: &str,
        values: impl Iterator<Item = impl IntoIterator<Item = impl ToString>>,
    ) -> Self {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for value in values {
            for text in value {
                lists.values().append_value(text.to_string());
            }
            lists.append(true);
        }
        self.add(name, Arc::new(lists.finish()))
    }

    /// Closes the results.
    ///
    /// # Panics
    /// When the columns are not those that the method promises.
    pub(super) fn finish(self, promised: &[Column], notes: Vec<String>) -> Results {
        let names: Vec<&str> = self
            .fields
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        let promised: Vec<&str> = promised.iter().map(|column| column.name).collect();
        assert_eq!(names, promised, "a method fills the columns it promises");
        let schema = Arc::new(Schema::new(self.fields));
        let rows = RecordBatch::try_new(schema, self.columns).expect("columns of one length");
        Results { rows, notes }
    }

    fn add(mut self, name: &str, column: ArrayRef) -> Self {
        self.fields
            .push(Field::new(name, column.data_type().clone(), true));
        self.columns.push(column);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        column("id", "name"),
        column("n", "count"),
        column("share", "share"),
        column("found", "whether"),
        column("members", "names"),
    ];

    fn written(format: Format) -> String {
        let results = Filling::default()
            .text("id", ["a, b", "c"].into_iter())
            .count("n", [0, 7].into_iter())
            .number("share", [Some(0.1 + 0.2), Some(f64::NAN)].into_iter())
            .flag("found", [Some(true), None].into_iter())
            .list("members", [vec!["x", "y"], vec![]].into_iter())
            .finish(COLUMNS, Vec::new());
        let mut out = Vec::new();
        results.write(format, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn csv_joins_lists_and_leaves_the_undefined_empty() {
        assert_eq!(
            written(Format::Csv),
            "id,n,share,found,members\n\"a, b\",0,0.30000000000000004,true,x;y\nc,7,,,\n"
        );
    }

    #[test]
    fn json_keeps_lists_and_writes_null() {
        let rows: serde_json::Value = serde_json::from_str(&written(Format::Json)).expect("JSON");
        assert_eq!(rows[0]["members"], serde_json::json!(["x", "y"]));
        assert!(
            rows[1]["share"].is_null() && rows[1]["found"].is_null(),
            "{rows}"
        );
    }
}
