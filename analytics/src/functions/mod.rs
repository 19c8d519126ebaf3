//! SQL functions for places, rates and causes, one a file; each file holds the pure function first
//! and its way over columns after.
//!
//! Names are those of the H3 extensions of DuckDB and PostgreSQL where those have the function.
//! A cell is an `Int64`; functions that take one also take its hexadecimal text. What is no cell,
//! no resolution or not reachable gives null; a request for more than [`MAX_CELLS`] cells is an error.

mod cause_class;
mod cause_rule;
mod cause_sub;
mod cells;
mod h3_area;
mod h3_boundary;
mod h3_cell;
mod h3_centroid;
mod h3_children;
mod h3_disk;
mod h3_distance;
mod h3_parent;
mod h3_resolution;
mod h3_text;
mod h3_valid;
mod is_elsewhere;
mod sql_function;
mod weak_signal;
mod wilson;

use datafusion::prelude::SessionContext;

pub use cells::MAX_CELLS;
use sql_function::SqlFunction;

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
        h3_centroid::latitude(),
        h3_centroid::longitude(),
        h3_parent::function(),
        h3_children::function(),
        h3_disk::function(),
        h3_distance::function(),
        h3_boundary::function(),
        h3_area::function(),
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
    ]
}

/// Returns every function of ours, in the order of the documentation.
pub fn catalog() -> Vec<FunctionDoc> {
    all().iter().map(SqlFunction::describe).collect()
}

/// Makes the functions known to a session.
pub(crate) fn register(context: &SessionContext) {
    for function in all() {
        context.register_udf(function.into());
    }
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
