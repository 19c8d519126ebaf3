//! Reference data as files: owns the columns of the terminal and merchant files people hand over.
//!
//! `schemas/contracts/registry/*.csv` lists, for each file, column, type, whether it is required,
//! unit, valid values and meaning. Columns of the lake's tables that are not listed there are
//! computed by the load.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::lake::Table;

/// A column of a registry file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryColumn {
    /// Name, in the file's header and in the lake.
    pub column: String,
    /// Type of its values: text, integer, number or date.
    #[serde(rename = "type")]
    pub kind: RegistryType,
    /// Whether every row needs a value.
    pub required: bool,
    /// Unit of the value; `none` for text.
    pub unit: String,
    /// Valid values in words: a range, a closed set separated by `|`, a pattern; may be empty.
    pub valid: String,
    /// What it holds.
    pub doc: String,
}

/// Type of a registry column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistryType {
    /// UTF-8 text.
    Text,
    /// 32-bit integer.
    Integer,
    /// Floating point with a decimal point.
    Number,
    /// `YYYY-MM-DD`.
    Date,
}

/// Returns the columns of the file that fills a registry table; empty for other tables.
pub fn file_columns(table: Table) -> &'static [RegistryColumn] {
    static TERMINALS: LazyLock<Vec<RegistryColumn>> =
        LazyLock::new(|| read(include_str!("../contracts/registry/terminals.csv")));
    static MERCHANTS: LazyLock<Vec<RegistryColumn>> =
        LazyLock::new(|| read(include_str!("../contracts/registry/merchants.csv")));
    match table {
        Table::Terminals => &TERMINALS,
        Table::Merchants => &MERCHANTS,
        _ => &[],
    }
}

fn read(file: &'static str) -> Vec<RegistryColumn> {
    csv::Reader::from_reader(file.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("embedded registry contracts are tables of columns")
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;

    /// Columns of the lake the load computes.
    const COMPUTED: [&str; 4] = ["lat_declared", "lon_declared", "cell_r9", "loaded_at"];

    #[test]
    fn files_hold_the_columns_of_their_tables_but_the_computed_ones() {
        for table in [Table::Terminals, Table::Merchants] {
            let schema = table.schema();
            let stored = schema
                .fields()
                .iter()
                .filter(|field| !COMPUTED.contains(&field.name().as_str()));
            let listed = file_columns(table);
            assert_eq!(stored.clone().count(), listed.len(), "{table}");
            for (field, column) in stored.zip(listed) {
                assert_eq!(field.name(), &column.column, "{table}");
                assert_eq!(
                    field.is_nullable(),
                    !column.required,
                    "{table}.{}",
                    column.column
                );
                let kind = match column.kind {
                    RegistryType::Text => DataType::Utf8,
                    RegistryType::Integer => DataType::Int32,
                    RegistryType::Number => DataType::Float64,
                    RegistryType::Date => DataType::Date32,
                };
                assert_eq!(field.data_type(), &kind, "{table}.{}", column.column);
                assert!(!column.doc.is_empty() && !column.unit.is_empty());
            }
        }
        assert!(file_columns(Table::Declines).is_empty());
    }
}
