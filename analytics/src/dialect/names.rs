//! Names that are not found: owns what is said of them, with what is near.

use std::collections::BTreeSet;

use datafusion::common::{Column, DataFusionError, Result, SchemaError, TableReference};
use datafusion::execution::context::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;

use super::{ALIASES, Refusal};
use schemas::spelling::nearest;

/// Refuses a question about a table that is not there.
pub(super) fn check_tables(state: &SessionState, statement: &Statement) -> Result<()> {
    if !asks(statement) {
        return Ok(());
    }
    for table in state.resolve_table_references(statement)? {
        let exists = state
            .schema_for_ref(table.clone())
            .is_ok_and(|schema| schema.table_exist(table.table()));
        if !exists {
            return Err(unknown_table(state, &table).into());
        }
    }
    Ok(())
}

fn asks(statement: &Statement) -> bool {
    match statement {
        Statement::Explain(explain) => asks(&explain.statement),
        Statement::Statement(sql) => matches!(
            sql.as_ref(),
            Sql::Query(_) | Sql::Explain { .. } | Sql::ExplainTable { .. }
        ),
        _ => false,
    }
}

fn unknown_table(state: &SessionState, asked: &TableReference) -> Refusal {
    let mut known = BTreeSet::new();
    for catalog in state.catalog_list().catalog_names() {
        let Some(catalog) = state.catalog_list().catalog(&catalog) else {
            continue;
        };
        for name in catalog.schema_names() {
            let tables = catalog.schema(&name).map(|schema| schema.table_names());
            for table in tables.into_iter().flatten() {
                known.insert(match name.as_str() {
                    "public" => table,
                    schema => format!("{schema}.{table}"),
                });
            }
        }
    }
    let name = asked.to_string();
    let near = hint(nearest(&name, known.iter().map(String::as_str)));
    Refusal(format!("there is no table {name:?}{near}; \\d lists them"))
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"))
}

/// Returns what a failed plan is about, where it is a name.
pub(super) fn explained(state: &SessionState, error: DataFusionError) -> DataFusionError {
    let refusal = match error.find_root() {
        DataFusionError::SchemaError(fault, _) => match fault.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => Some(unknown_column(field, valid_fields)),
            _ => None,
        },
        DataFusionError::Plan(text) => match text.strip_prefix("Invalid function '") {
            Some(rest) => rest
                .split('\'')
                .next()
                .map(|name| unknown_function(state, name)),
            None => own_words(text).map(|text| Refusal(text.to_owned())),
        },
        _ => None,
    };
    refusal.map_or(error, Into::into)
}

/// What a function of ours says of its arguments, without what the engine puts around it.
fn own_words(text: &str) -> Option<&str> {
    let (_, own) = text.split_once("user-defined coercion failed with: Error during planning: ")?;
    Some(own.split(". No function matches").next().unwrap_or(own))
}

fn unknown_column(asked: &Column, valid: &[Column]) -> Refusal {
    let names: BTreeSet<&str> = valid.iter().map(|column| column.name.as_str()).collect();
    let near = hint(nearest(&asked.name, names.iter().copied()));
    let asked = asked.flat_name();
    if names.is_empty() {
        return Refusal(format!(
            "there is no column {asked:?} here: no table is asked"
        ));
    }
    let names: Vec<&str> = names.into_iter().collect();
    Refusal(format!(
        "there is no column {asked:?}{near}; there are {}",
        names.join(", ")
    ))
}

fn unknown_function(state: &SessionState, asked: &str) -> Refusal {
    let asked = asked.to_lowercase();
    let mut known: BTreeSet<&str> = ALIASES.iter().map(|doc| doc.name).collect();
    known.extend(state.scalar_functions().keys().map(String::as_str));
    known.extend(state.aggregate_functions().keys().map(String::as_str));
    known.extend(state.window_functions().keys().map(String::as_str));
    // Of a short name nearly every other is a few letters away.
    let alike = known
        .into_iter()
        .filter(|name| name.len().abs_diff(asked.len()) * 2 <= asked.len())
        .filter(|name| asked.len() > 3 || name.starts_with(&asked[..asked.len().min(1)]));
    let near = hint(nearest(&asked, alike));
    Refusal(format!(
        "there is no function {asked}{near}; \\df lists ours, information_schema.routines all"
    ))
}
