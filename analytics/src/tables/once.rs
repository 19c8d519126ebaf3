//! Each event once: a fact table as it is asked about.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::DataFile;
use super::copies::Copies;
use super::scan::{LakeTable, is_day};

/// A fact table without the copies.
///
/// Which rows are copies is known before a scan is planned (see [`super::copies`]), so that every
/// filter may go down to the files, those on a cell as well, and files may be cut and dealt as the
/// engine likes. Planning therefore reads what copies are told by, of the days that are asked about;
/// what was found of whole days is kept as long as the table's version is.
#[derive(Debug)]
pub(crate) struct OnceTable {
    inner: Arc<LakeTable>,
}

impl OnceTable {
    pub(crate) fn new(inner: Arc<LakeTable>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl TableProvider for OnceTable {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        self.inner.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.inner.needed(state, filters).await?;
        let (copies, files) = match limit {
            None => (self.inner.copies(state, filters).await?, files),
            Some(rows) => self.some(state, files, rows).await?,
        };
        self.inner.plan(state, projection, files, limit, &copies)
    }
}

impl OnceTable {
    /// Returns copies and files of as many days as hold `limit` rows: a look at a few rows need not
    /// wait for all days. The engine pushes no limit below a filter that files alone do not decide.
    async fn some(
        &self,
        state: &dyn Session,
        files: Vec<DataFile>,
        limit: usize,
    ) -> Result<(Copies, Vec<DataFile>)> {
        let mut days: BTreeMap<Option<i32>, Vec<DataFile>> = BTreeMap::new();
        for file in files {
            days.entry(file.day()).or_default().push(file);
        }
        let (mut copies, mut taken, mut held) = (Copies::default(), Vec::new(), 0);
        for (day, files) in days {
            if held >= limit {
                break;
            }
            copies.extend(&self.inner.copies(state, &[is_day(day)]).await?);
            held += files
                .iter()
                .filter_map(|file| copies.rows(file))
                .sum::<usize>();
            taken.extend(files);
        }
        Ok((copies, taken))
    }
}
