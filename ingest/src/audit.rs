//! Proves from the lake alone that nothing was lost and nothing doubled: every offset up to a
//! partition's position is a row, a quarantined message or recorded as an offset without an event,
//! once; every file of the log is there with the rows the log says.

mod files;
mod offsets;
mod scan;
mod spans;

use std::collections::BTreeMap;

use lake::{LakeTable, TableError};
use schemas::{EventKind, Table};

pub use scan::AuditProgress;

use offsets::{Counted, Found};
use scan::Source;
use spans::Place;

/// What is to be audited.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// Folder or URL of the lake.
    pub lake: String,
    /// The topics; every topic the lake has positions of when empty.
    pub topics: Vec<String>,
}

/// What one partition of a topic came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionAudit {
    /// The table its events are in.
    pub table: Table,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// First offset that was ever read.
    pub first_offset: i64,
    /// Offset after the last one that is committed.
    pub next_offset: i64,
    /// Events in the table.
    pub rows: u64,
    /// Messages in quarantine.
    pub quarantined: u64,
    /// Offsets recorded as having no event.
    pub without_event: u64,
    /// Offsets that are nowhere.
    pub missing: u64,
    /// Offsets that are somewhere more often than they were read.
    pub doubled: u64,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Offsets that are nowhere.
    Missing,
    /// Offsets that are somewhere more often than they were read.
    Doubled,
    /// Rows at or behind the position of their partition, or of a partition without one.
    Beyond,
    /// A file of the log that is not in the store.
    FileMissing,
    /// A file that is not what the log says: its rows, its bytes, or no Parquet file at all.
    FileDiffers,
}

impl FaultKind {
    /// Returns the name, as answers show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Doubled => "doubled",
            Self::Beyond => "beyond",
            Self::FileMissing => "file_missing",
            Self::FileDiffers => "file_differs",
        }
    }
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// The table.
    pub table: Table,
    /// The topic and partition, where it is about offsets.
    pub place: Option<(String, i32)>,
    /// First and last offset of the range.
    pub offsets: Option<(i64, i64)>,
    /// The files that hold the offsets, or the file.
    pub files: Vec<String>,
    /// What else there is to say.
    pub detail: String,
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Every partition with a position.
    pub partitions: Vec<PartitionAudit>,
    /// What is wrong; nothing when the lake is sound.
    pub faults: Vec<Fault>,
}

/// Why a lake cannot be audited.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// There is nothing to audit.
    #[error("lake {0} has no events and no positions")]
    NoLake(String),
    /// A topic that was asked for was never read.
    #[error("the lake has no position of topic {0}")]
    UnknownTopic(String),
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A worker thread died.
    #[error("a worker of the audit died")]
    Worker,
}

impl Fault {
    fn of(kind: FaultKind, table: Table) -> Self {
        Self {
            kind,
            table,
            place: None,
            offsets: None,
            files: Vec::new(),
            detail: String::new(),
        }
    }
}

/// Audits a lake.
///
/// Tables of events are read before the others: what those hold beyond the events' positions belongs to
/// a flush under way.
///
/// # Errors
/// When a table cannot be read. What is wrong with offsets and files is in the report.
pub async fn audit(
    options: &AuditOptions,
    progress: &AuditProgress,
) -> Result<AuditReport, AuditError> {
    let lake = &options.lake;
    let mut facts = Vec::new();
    for kind in EventKind::ALL {
        facts.extend(LakeTable::found(lake, kind.table()).await?);
    }
    let mut others = Vec::new();
    for table in Table::ALL {
        if table.event_kind().is_none() {
            others.extend(LakeTable::found(lake, table).await?);
        }
    }
    let mut found: BTreeMap<Place, Found> = BTreeMap::new();
    for table in &facts {
        for (place, spans) in spans::read(table, &options.topics).await? {
            found.insert(place, Found::of(spans));
        }
    }
    if found.is_empty() && facts.is_empty() {
        return Err(AuditError::NoLake(lake.clone()));
    }
    let known = |topic: &&String| found.keys().any(|place| place.topic == **topic);
    if let Some(unknown) = options.topics.iter().find(|topic| !known(topic)) {
        return Err(AuditError::UnknownTopic(unknown.clone()));
    }
    let sources = Source::of(&facts, &others).await?;
    progress.wants(&sources);
    let mut report = AuditReport::default();
    for source in &sources {
        scan::offsets(
            source,
            &options.topics,
            &mut found,
            &mut report.faults,
            progress,
        )
        .await?;
    }
    for table in &others {
        if !sources
            .iter()
            .any(|source| source.table.table == table.table)
        {
            files::check(table, &mut report.faults).await?;
        }
    }
    for (place, found) in &found {
        let Counted { audit, faults } = found.counted(place);
        report.partitions.push(audit);
        report.faults.extend(faults);
    }
    scan::name_files(&sources, &mut report.faults).await?;
    report.faults.sort_by(|one, other| {
        (one.kind, one.table, &one.place, one.offsets).cmp(&(
            other.kind,
            other.table,
            &other.place,
            other.offsets,
        ))
    });
    Ok(report)
}
