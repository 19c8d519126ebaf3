//! SQL functions for places, rates and causes, and those of the SQL that analysts know; each file
//! holds the pure function first and its way over columns after.
//!
//! Names and signatures of H3 functions are those of the H3 extensions of DuckDB and PostgreSQL; where
//! the two differ, DuckDB's. A cell is a whole number of any kind or its hexadecimal text, and text
//! in gives text out. **Null or error** is the same everywhere: a value out of data that has no
//! answer (what is no cell, no resolution, off the globe, not reachable, or null) gives null; a
//! mistake of the statement (an unknown unit, WKT that cannot be read, a fraction or a day for a
//! cell) is an error, and so is a request for more than [`MAX_CELLS`] cells.

mod cause_class;
mod cause_rule;
mod cause_sub;
mod cells;
mod date_part;
mod great_circle;
mod h3_area;
mod h3_boundary;
mod h3_cell;
mod h3_centroid;
mod h3_children;
mod h3_compact;
mod h3_disk;
mod h3_distance;
mod h3_edge;
mod h3_kind;
mod h3_parent;
mod h3_path;
mod h3_polygon;
mod h3_resolution;
mod h3_sizes;
mod h3_text;
mod h3_valid;
mod is_elsewhere;
mod md5;
mod ranked;
mod read_time;
mod similar_to;
mod sql_function;
mod sum;
mod time_pattern;
mod time_zone;
mod to_char;
mod weak_signal;
mod width_bucket;
mod wilson;
mod wkt;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;
use schemas::lake::cell_to_i64;

pub use cells::MAX_CELLS;
use sql_function::{Arg, Returns, SqlFunction};

/// What a person needs to call a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionDoc {
    /// Name in SQL.
    pub name: &'static str,
    /// How it is called.
    pub usage: &'static str,
    /// What it returns.
    pub doc: &'static str,
}

fn all() -> Vec<SqlFunction> {
    vec![
        h3_cell::function(),
        h3_cell::as_text(),
        h3_centroid::latitude(),
        h3_centroid::longitude(),
        h3_centroid::both(),
        h3_parent::function(),
        h3_children::function(),
        h3_children::centre(),
        h3_children::size(),
        h3_compact::compact(),
        h3_compact::uncompact(),
        h3_disk::function(),
        h3_disk::distances(),
        h3_disk::ring(),
        h3_distance::function(),
        h3_path::function(),
        h3_kind::are_neighbors(),
        h3_kind::is_pentagon(),
        h3_boundary::function(),
        h3_polygon::outline(),
        h3_polygon::to_cells(),
        h3_polygon::to_texts(),
        h3_area::function(),
        h3_sizes::area(),
        h3_sizes::edge_length(),
        h3_sizes::count(),
        h3_edge::between(),
        h3_edge::from_origin(),
        h3_edge::length(),
        great_circle::function(),
        h3_resolution::function(),
        h3_text::to_text(),
        h3_text::from_text(),
        h3_valid::function(),
        wilson::low(),
        wilson::high(),
        weak_signal::function(),
        is_elsewhere::function(),
        cause_class::function(),
        cause_sub::function(),
        cause_rule::class(),
        cause_rule::sub(),
        similar_to::function(),
        width_bucket::function(),
        md5::function(),
    ]
}

/// Functions that are no [`SqlFunction`], because their types depend on more than their arguments'.
const OTHERS: [FunctionDoc; 6] = [
    time_zone::DOC,
    to_char::DOC,
    read_time::DOCS[0],
    read_time::DOCS[1],
    ranked::MODE,
    ranked::PERCENTILE_DISC,
];

/// Returns every function of ours, in the order of the documentation.
pub fn catalog() -> Vec<FunctionDoc> {
    let own = all();
    let own = own.iter().map(SqlFunction::describe);
    own.chain(OTHERS).chain(crate::dialect::ALIASES).collect()
}

/// Makes the functions known to a session, some in place of the engine's.
pub(crate) fn register(context: &SessionContext) -> Result<()> {
    for function in all() {
        context.register_udf(function.into());
    }
    context.register_udf(time_zone::TimeZoneFunction::new().into());
    let engines = |name| context.udf(name);
    context.register_udf(date_part::DatePart::over(engines("date_part")?).into());
    context.register_udf(to_char::ToChar::over(engines("to_char")?).into());
    for name in ["to_timestamp", "to_date"] {
        let ours: ScalarUDF = read_time::ReadTime::over(engines(name)?).into();
        context.register_udf(ours);
    }
    context.register_udaf(AggregateUDF::from(sum::CheckedSum::default()));
    context.register_udaf(AggregateUDF::from(ranked::Ranked::mode()));
    context.register_udaf(AggregateUDF::from(ranked::Ranked::percentile_disc()));
    Ok(())
}

/// Reads the hexadecimal text of a cell as the number it is in the lake.
pub(crate) fn cell_number(text: &str) -> Option<i64> {
    cells::parse_cell(text).map(cell_to_i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_usage_starts_with_the_name() {
        let mut seen = std::collections::HashSet::new();
        for doc in catalog() {
            assert!(seen.insert(doc.name), "{} twice", doc.name);
            assert!(
                doc.usage.starts_with(&format!("{}(", doc.name)),
                "{}",
                doc.usage
            );
        }
    }
}
