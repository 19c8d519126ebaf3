//! SQL as analysts type it: owns where a statement means something else here than to the engine.
//!
//! The engine answers some statements of PostgreSQL, DuckDB or Superset wrongly without a word, and
//! others not at all. Each is either made to mean what it means there or refused with the form that
//! works, in one of three places:
//!
//! - [`statement`], before a plan is made: functions under other names, `extract`, `at time zone` and
//!   `similar to` as functions of ours, clauses the engine does not know;
//! - [`types`], where types are known: text against numbers, fractions cast to whole numbers, times
//!   without seconds, cells in hexadecimal text;
//! - [`overflow`], when types agree: sums, differences and products of whole numbers that do not fit.
//!
//! What is not found is told with what is near it ([`names`]).

mod aliases;
mod names;
mod overflow;
mod statement;
mod types;

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::optimizer::{Analyzer, AnalyzerRule};

pub(crate) use aliases::ALIASES;

/// A statement that cannot be run as it is typed, with what to type instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refusal(pub(crate) String);

impl From<Refusal> for DataFusionError {
    fn from(refusal: Refusal) -> Self {
        Self::External(Box::new(refusal))
    }
}

/// Returns the engine's rules about types with ours before and after them.
pub(crate) fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![Arc::new(types::TypedAsMeant)];
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(overflow::CheckedArithmetic));
    rules
}

/// Returns the columns that the expressions of a node may name.
fn schema_of(plan: &LogicalPlan) -> Result<DFSchema> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = plan {
        let columns = scan.source.schema();
        let columns = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &columns)?;
        schema.merge(&columns);
    }
    Ok(schema)
}

/// Plans a statement as it is meant.
///
/// # Errors
/// When it is not SQL, names what does not exist, or means what cannot be done.
pub(crate) async fn plan(state: &SessionState, sql: &str) -> Result<LogicalPlan> {
    let dialect = state.config().options().sql_parser.dialect;
    let mut parsed = state.sql_to_statement(sql, &dialect)?;
    statement::rewrite(&mut parsed)?;
    names::check_tables(state, &parsed)?;
    let planned = state.statement_to_plan(parsed).await;
    planned.map_err(|error| names::explained(state, error))
}

/// Returns what an error is about, without the engine's steps on the way to it.
pub(crate) fn cause(error: DataFusionError) -> DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => cause(*inner),
        // Shared between tasks: what is ours is copied out of it.
        DataFusionError::Shared(inner) => match inner.find_root() {
            DataFusionError::External(own) => match own.downcast_ref::<Refusal>() {
                Some(own) => own.clone().into(),
                None => DataFusionError::Shared(inner),
            },
            _ => DataFusionError::Shared(inner),
        },
        error => error,
    }
}
