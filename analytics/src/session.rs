//! The one place a `SessionContext` is built: owns tables, functions, views and the limits of a session.

mod error;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use futures::TryStreamExt;
use futures::future::try_join_all;
use object_store::ObjectStore;
use schemas::Table;
use url::Url;

use crate::tables::{Copies, DataFile, LakeTable, OnceTable, PinnedTable, TableState};
use crate::{dialect, functions, views};

pub use error::SessionError;

/// SQL schema of the tables as they lie in the lake, duplicates included.
pub const RAW_SCHEMA: &str = "lake";
/// SQL schema of the fact tables without copies, which the views are made of.
const ONCE_SCHEMA: &str = "once";

/// The moment a session looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AsOf {
    /// The newest version of every table.
    #[default]
    Latest,
    /// The version every table had at a moment.
    Time(DateTime<Utc>),
    /// The version that events, registry and interventions had at a moment, and the newest of what is
    /// derived: what an analysis as of that moment reads and writes.
    Facts(DateTime<Utc>),
}

impl AsOf {
    /// Returns the moment at which a table is read, the newest version when `None`.
    pub(crate) fn moment(self, table: Table) -> Option<DateTime<Utc>> {
        match self {
            Self::Latest => None,
            Self::Time(moment) => Some(moment),
            Self::Facts(moment) => (!table.is_derived()).then_some(moment),
        }
    }
}

/// The limits of a session.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// How many parts of a query run at once.
    pub target_partitions: NonZeroUsize,
    /// Memory all queries share; sorts and groups past it go to disk.
    pub memory_limit_bytes: usize,
    /// Rows in a batch.
    pub batch_size: NonZeroUsize,
    /// Where spilled data goes; the system's temporary folder when `None`.
    pub spill_dir: Option<PathBuf>,
    /// The moment looked at.
    pub as_of: AsOf,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            target_partitions: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            memory_limit_bytes: 1 << 30,
            batch_size: NonZeroUsize::new(8192).expect("8192 is not 0"),
            spill_dir: None,
            as_of: AsOf::Latest,
        }
    }
}

/// The rows of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Columns, also of an answer without rows.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Answer {
    /// Counts the rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Returns the first rows.
    #[must_use]
    pub fn first(&self, rows: usize) -> Self {
        let mut left = rows;
        let cut = |batch: &RecordBatch| {
            let taken = batch.slice(0, left.min(batch.num_rows()));
            left -= taken.num_rows();
            taken
        };
        Self {
            schema: self.schema.clone(),
            batches: self.batches.iter().map(cut).collect(),
        }
    }
}

/// A session over one lake.
///
/// When it is opened the versions of all tables are found; the files of a table are listed when a
/// statement asks for it.
pub struct LakeSession {
    context: SessionContext,
    location: Url,
    as_of: AsOf,
    /// In the order of [`Table::ALL`].
    opened: Vec<Arc<LakeTable>>,
    facts: Vec<Arc<LakeTable>>,
}

impl std::fmt::Debug for LakeSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LakeSession")
            .field("location", &self.location.as_str())
            .field("as_of", &self.as_of)
            .finish_non_exhaustive()
    }
}

impl LakeSession {
    /// Opens the lake at a path or URL.
    ///
    /// A table nobody wrote yet is empty. Raw tables are in the SQL schema [`RAW_SCHEMA`],
    /// deduplicated views under their plain names.
    ///
    /// # Errors
    /// When there is no lake, or the log of one of its tables cannot be listed. One that cannot be
    /// read, or has another layout, is an error of the statement that asks for it.
    pub async fn open(lake: &str, options: SessionOptions) -> Result<Self, SessionError> {
        let location = lake::lake_url(lake)?;
        let config = session_config(&options);
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime(&options)?)
            .with_default_features()
            .with_analyzer_rules(dialect::analyzer_rules())
            .build();
        let context = SessionContext::new_with_state(state);
        functions::register(&context)?;
        let mut session = Self {
            context,
            location,
            as_of: options.as_of,
            opened: Vec::new(),
            facts: Vec::new(),
        };
        session.refresh().await?;
        let mut versions = session.opened.iter().map(|table| table.pinned().version);
        if versions.all(|version| version.is_none()) {
            let facts = Table::ALL
                .iter()
                .filter(|table| table.event_kind().is_some());
            let facts: Vec<&str> = facts.map(|table| table.name()).collect();
            return Err(SessionError::NoLake {
                lake: lake.to_owned(),
                tables: facts.join(", "),
            });
        }
        Ok(session)
    }

    /// Takes up what was committed since the session was opened or last refreshed.
    ///
    /// # Errors
    /// When a table cannot be read; the session then keeps what it had.
    pub async fn refresh(&mut self) -> Result<(), SessionError> {
        self.open_tables(|_| true).await
    }

    /// Takes up what was derived since; everything else stays as it was found. An analysis goes by one
    /// state of the facts, whose logs take longest to read.
    pub(crate) async fn refresh_derived(&mut self) -> Result<(), SessionError> {
        self.open_tables(Table::is_derived).await
    }

    /// Takes up what was committed to some tables since.
    pub(crate) async fn refresh_tables(&mut self, tables: &[Table]) -> Result<(), SessionError> {
        self.open_tables(|table| tables.contains(&table)).await
    }

    /// Finds the versions of some tables, all together, so that they are of one moment.
    async fn pin(&self, anew: impl Fn(Table) -> bool) -> Result<Vec<Arc<LakeTable>>, SessionError> {
        let pinned = Table::ALL.into_iter().enumerate().map(|(at, table)| {
            let known = self.opened.get(at).filter(|_| !anew(table)).cloned();
            async move {
                match known {
                    Some(known) => Ok((known, None)),
                    None => PinnedTable::find(&self.location, table, self.as_of)
                        .await
                        .map(|(pinned, store)| (Arc::new(LakeTable::new(pinned)), store)),
                }
            }
        });
        let mut opened = Vec::with_capacity(Table::ALL.len());
        for (table, store) in try_join_all(pinned).await? {
            if let Some(store) = store
                && self.location.scheme() != "file"
            {
                let root = table.pinned().store_url.clone();
                self.context.register_object_store(root.as_ref(), store);
            }
            opened.push(table);
        }
        Ok(opened)
    }

    async fn open_tables(&mut self, anew: impl Fn(Table) -> bool) -> Result<(), SessionError> {
        let opened = self.pin(anew).await?;
        let [raw, once] = [(); 2].map(|()| Arc::new(MemorySchemaProvider::new()));
        let mut facts = Vec::new();
        for table in &opened {
            let name = table.pinned().table.name().to_owned();
            if table.pinned().table.event_kind().is_some() {
                facts.push(table.clone());
                once.register_table(name.clone(), Arc::new(OnceTable::new(table.clone())))?;
            }
            raw.register_table(name, table.clone())?;
        }
        let catalog = self
            .context
            .catalog("datafusion")
            .expect("a session has its default catalog");
        catalog.register_schema(RAW_SCHEMA, raw)?;
        catalog.register_schema(ONCE_SCHEMA, once)?;
        views::register(&self.context).await?;
        // The views have what they need of it; nobody else is to ask it.
        catalog.deregister_schema(ONCE_SCHEMA, true)?;
        self.opened = opened;
        self.facts = facts;
        Ok(())
    }

    /// Returns the engine's session, for completion and for plans.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Returns where the lake is.
    pub fn location(&self) -> &Url {
        &self.location
    }

    /// Returns version, files and rows of every table.
    ///
    /// # Errors
    /// When the log of one cannot be read.
    pub async fn tables(&self) -> Result<Vec<TableState>, SessionError> {
        let mut states = Vec::with_capacity(self.opened.len());
        for table in &self.opened {
            states.push(table.snapshot().await?.state());
        }
        Ok(states)
    }

    /// Tells whether somebody wrote a table.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub async fn has(&self, table: Table) -> Result<bool, SessionError> {
        let mut tables = self.opened.iter();
        match tables.find(|opened| opened.pinned().table == table) {
            Some(opened) => Ok(opened.snapshot().await?.version.is_some()),
            None => Ok(false),
        }
    }

    /// Returns how many rows, copies included, the fact tables hold of each day, by their logs.
    ///
    /// # Errors
    /// When one of the logs cannot be read.
    pub async fn fact_rows_by_day(&self) -> Result<BTreeMap<NaiveDate, u64>, SessionError> {
        let mut days = BTreeMap::new();
        for table in &self.facts {
            table.add_rows_by_day(&mut days).await?;
        }
        Ok(days)
    }

    /// Returns the files of a day in the fact tables, with their partition cells.
    ///
    /// # Errors
    /// When one of the logs cannot be read.
    pub(crate) async fn fact_files(
        &self,
        day: NaiveDate,
    ) -> Result<Vec<(Table, Option<String>, DataFile)>, SessionError> {
        let mut files = Vec::new();
        for table in &self.facts {
            files.extend(table.files_of(day).await?);
        }
        Ok(files)
    }

    /// Returns which rows of a fact table's files of a day are copies.
    ///
    /// # Errors
    /// When a file cannot be read, or there is no room to compare its rows.
    pub(crate) async fn copies(
        &self,
        table: Table,
        day: NaiveDate,
    ) -> Result<Copies, SessionError> {
        let mut facts = self.facts.iter();
        match facts.find(|lake| lake.pinned().table == table) {
            Some(lake) => Ok(lake.copies_of_day(&self.context.state(), day).await?),
            None => Ok(Copies::default()),
        }
    }

    /// Returns where the files of the lake are read from.
    ///
    /// # Errors
    /// When no store is known for the lake, which is a bug.
    pub(crate) fn store(&self) -> Result<Arc<dyn ObjectStore>, SessionError> {
        let root = &self.location[url::Position::BeforeScheme..url::Position::BeforePath];
        let root = ObjectStoreUrl::parse(root)?;
        Ok(self.context.runtime_env().object_store(root)?)
    }

    /// Returns how many tasks a query runs at once.
    pub(crate) fn tasks(&self) -> usize {
        self.context.state().config().target_partitions()
    }

    /// Plans a statement; nothing that writes to the lake or to a file is let through.
    ///
    /// # Errors
    /// When the statement is not SQL, names what does not exist, or writes.
    pub async fn sql(&self, sql: &str) -> Result<DataFrame, SessionError> {
        let read_only = SQLOptions::new().with_allow_dml(false);
        let plan = dialect::plan(&self.context.state(), sql).await?;
        read_only.verify_plan(&plan)?;
        Ok(self.context.execute_logical_plan(plan).await?)
    }

    /// Runs a statement and gathers its rows.
    ///
    /// # Errors
    /// As [`LakeSession::sql`], and when running fails.
    pub async fn collect(&self, sql: &str) -> Result<Answer, SessionError> {
        gather(self.sql(sql).await?).await
    }

    /// Runs a statement as its rows are asked for; dropping the stream stops the query.
    ///
    /// # Errors
    /// As [`LakeSession::sql`].
    pub async fn stream(&self, sql: &str) -> Result<SendableRecordBatchStream, SessionError> {
        Ok(self.sql(sql).await?.execute_stream().await?)
    }
}

/// Runs a plan and gathers its rows.
pub(crate) async fn gather(frame: DataFrame) -> Result<Answer, SessionError> {
    let stream = frame.execute_stream().await?;
    let schema = stream.schema();
    let batches = stream.try_collect().await?;
    Ok(Answer { schema, batches })
}

fn session_config(options: &SessionOptions) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(options.target_partitions.get())
        .with_batch_size(options.batch_size.get())
        .with_information_schema(true)
        .with_parquet_pruning(true)
        .with_parquet_bloom_filter_pruning(true)
        .with_parquet_page_index_pruning(true);
    let settings = config.options_mut();
    settings.execution.parquet.pushdown_filters = true;
    settings.execution.parquet.reorder_filters = true;
    // The layout says Utf8; one kind of text keeps plans free of casts.
    settings.execution.parquet.schema_force_view_types = false;
    settings.sql_parser.map_string_types_to_utf8view = false;
    settings.explain.show_statistics = false;
    // Each sort keeps this much back for its last merge; a report has a dozen sorts.
    settings.execution.sort_spill_reservation_bytes = options.memory_limit_bytes / 512;
    // Times in the lake are UTC, and so are times in statements that name no zone.
    settings.execution.time_zone = Some("+00:00".into());
    config
}

fn runtime(options: &SessionOptions) -> Result<Arc<RuntimeEnv>, SessionError> {
    /// Consumers an out-of-memory error lists.
    const LISTED: NonZeroUsize = NonZeroUsize::new(5).expect("5 is not 0");
    let pool = FairSpillPool::new(options.memory_limit_bytes);
    let disk = match &options.spill_dir {
        Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    Ok(RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, LISTED)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(disk))
        .build_arc()?)
}
