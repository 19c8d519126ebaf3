//! Quarantined messages once more through decoding and checks, after what refused them was mended: what
//! is accepted now becomes events and leaves the quarantine, exactly once.
//!
//! Events come first, then their messages leave. Both tables count these steps: where the counts differ,
//! a run ended between the two, and which messages are events already is looked up before anything else.

mod batch;
mod steps;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use lake::{LakeFile, LakeTable};
use schemas::quarantine::Reason;
use schemas::{EventKind, Table};

use crate::config::{IngestConfig, TopicConfig};
use crate::decode::schema_ids::SchemaIds;
use crate::error::IngestError;
use batch::Batch;
use steps::Steps;

/// Bytes of quarantine files, as stored, that are taken in one step.
const STEP_BYTES: u64 = 16 << 20;

/// Which messages are to be tried again.
#[derive(Debug, Clone, Default)]
pub struct ResubmitOptions {
    /// Reasons they were refused for; all when empty.
    pub reasons: Vec<Reason>,
    /// Names of their topics; every topic of the settings when empty.
    pub topics: Vec<String>,
    /// Whether only to count what would be accepted.
    pub dry_run: bool,
}

/// What became of the messages of one topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicReport {
    /// The topic.
    pub topic: String,
    /// Messages that are events now; of a dry run those that would be.
    pub accepted: u64,
    /// Messages that are still refused, by the reason of today.
    pub refused: BTreeMap<Reason, u64>,
    /// Messages of which card data was taken out: what is kept is not what was sent.
    pub masked: u64,
    /// Messages too large to be kept.
    pub not_kept: u64,
    /// Messages that an interrupted run had made events of, and that have left the quarantine now.
    pub settled: u64,
}

/// Counts what is done, for whoever watches.
#[derive(Debug, Default)]
pub struct ResubmitProgress {
    /// Bytes of quarantine files to look through.
    pub bytes_wanted: AtomicU64,
    /// Bytes looked through.
    pub bytes_read: AtomicU64,
}

/// Tries quarantined messages again, by the settings the ingester runs with.
///
/// # Errors
/// When the lake cannot be read or written, or the schema registry not be asked. Whatever was done
/// before stays; another run goes on.
pub async fn resubmit(
    config: &IngestConfig,
    options: &ResubmitOptions,
    progress: &ResubmitProgress,
    now: DateTime<Utc>,
) -> Result<Vec<TopicReport>, IngestError> {
    let is_known = |topic: &&String| config.topics.values().any(|known| known.name == **topic);
    if let Some(unknown) = options.topics.iter().find(|topic| !is_known(topic)) {
        let known: Vec<&str> = config.topics.values().map(|of| of.name.as_str()).collect();
        return Err(IngestError::UnknownTopic {
            topic: unknown.clone(),
            known: known.join(", "),
        });
    }
    let Some(quarantine) = LakeTable::found(&config.lake, Table::Quarantine).await? else {
        return Ok(Vec::new());
    };
    let mut run = Run {
        config,
        options,
        quarantine: quarantine.checked()?,
        ids: SchemaIds::of(&config.schema_registry),
        now,
    };
    let wanted = config
        .topics
        .iter()
        .filter(|(_, topic)| options.topics.is_empty() || options.topics.contains(&topic.name));
    let wanted: Vec<(EventKind, &TopicConfig)> = wanted
        .map(|(name, topic)| ((*name).into(), topic))
        .collect();
    let files = run.quarantine.files().await?;
    let bytes: u64 = files.iter().map(|file| file.size_bytes).sum();
    progress
        .bytes_wanted
        .store(bytes * wanted.len() as u64, Ordering::Relaxed);
    let mut reports = Vec::new();
    for (kind, topic) in wanted {
        let facts =
            LakeTable::open_or_create(&config.lake, kind.table(), config.partition_resolution())
                .await?;
        reports.push(run.topic(kind, topic, facts, progress).await?);
    }
    Ok(reports)
}

struct Run<'a> {
    config: &'a IngestConfig,
    options: &'a ResubmitOptions,
    quarantine: LakeTable,
    ids: SchemaIds,
    now: DateTime<Utc>,
}

impl Run<'_> {
    async fn topic(
        &mut self,
        kind: EventKind,
        topic: &TopicConfig,
        mut facts: LakeTable,
        progress: &ResubmitProgress,
    ) -> Result<TopicReport, IngestError> {
        let mut report = TopicReport {
            topic: topic.name.clone(),
            ..TopicReport::default()
        };
        let mut steps = Steps::of(&facts, &self.quarantine).await?;
        if steps.is_cut_off() && !self.options.dry_run {
            let events = steps::already_events(&facts, &self.quarantine, topic).await?;
            report.settled = events.len() as u64;
            let files = self.quarantine.files().await?;
            steps
                .leave(&mut self.quarantine, &files, topic, &events, self.now)
                .await?;
        }
        let mut files = self.quarantine.files().await?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        for files in in_steps(&files) {
            let rows = batch::read(&self.quarantine, files).await?;
            let batch = Batch::of(&rows, &topic.name, &self.options.reasons, &mut report);
            batch.learn(topic.encoding, &mut self.ids).await?;
            let accepted = batch.accept(kind, topic, self, &facts, &mut report).await?;
            report.accepted += accepted.rows as u64;
            if accepted.rows > 0 && !self.options.dry_run {
                let places = batch.accepted(&accepted);
                steps.enter(&mut facts, accepted.adds, self.now).await?;
                steps
                    .leave(&mut self.quarantine, files, topic, &places, self.now)
                    .await?;
            }
            let bytes = files.iter().map(|file| file.size_bytes).sum();
            progress.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(report)
    }
}

/// Cuts the files into runs of about [`STEP_BYTES`].
fn in_steps(files: &[LakeFile]) -> Vec<&[LakeFile]> {
    let mut steps = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, file) in files.iter().enumerate() {
        bytes += file.size_bytes;
        if bytes >= STEP_BYTES || at + 1 == files.len() {
            steps.push(&files[from..=at]);
            (from, bytes) = (at + 1, 0);
        }
    }
    steps
}
