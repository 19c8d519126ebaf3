//! One topic's windows to one commit: decode, check, quarantine first, then rows with positions.

use std::sync::atomic::Ordering;
use std::time::Instant;

use chrono::{DateTime, Utc};
use deltalake_core::kernel::Add;
use schemas::lake::WithoutEvent;
use schemas::quarantine::Reason;
use schemas::{EventKind, Table};

use super::aside::{Cover, in_table};
use super::engine::{Engine, Partition};
use super::heed::Fate;
use super::quarantine::{behind, quarantine_rows};
use super::window::Window;
use crate::accept::{Acceptance, Taken};
use crate::config::Encoding;
use crate::decode;
use crate::error::IngestError;
use crate::flush::Trigger;
use crate::sink::commit::{Advance, Outcome, commit_fenced};
use crate::validate::Origin;

impl Engine {
    /// Flushes the windows of `partitions`; returns those another writer took away.
    pub(crate) async fn flush(
        &mut self,
        partitions: &[Partition],
        trigger: Trigger,
    ) -> Result<Vec<Partition>, IngestError> {
        let mut fenced = Vec::new();
        for kind in EventKind::ALL {
            let mine: Vec<Partition> = partitions
                .iter()
                .filter(|partition| partition.0 == kind)
                .filter(|partition| self.windows.get(partition).is_some_and(|w| w.moved()))
                .copied()
                .collect();
            if !mine.is_empty() && self.flush_topic(kind, &mine, trigger).await? == Outcome::Fenced
            {
                fenced.extend(mine);
            }
        }
        Ok(fenced)
    }

    async fn flush_topic(
        &mut self,
        kind: EventKind,
        partitions: &[Partition],
        trigger: Trigger,
    ) -> Result<Outcome, IngestError> {
        let now = (self.clock)();
        let started = Instant::now();
        let mut places = std::mem::take(&mut self.places);
        let windows = || partitions.iter().map(|p| (p.1, &self.windows[p]));
        let mut taken = Vec::with_capacity(windows().map(|(_, window)| window.rows()).sum());
        taken.extend(windows().flat_map(|(partition, window)| messages(partition, window)));
        if self.topic(kind).encoding == Encoding::Avro {
            let payloads: Vec<&[u8]> = taken.iter().map(|taken| taken.payload).collect();
            let named = decode::schema_ids_of(&payloads);
            self.ids.learn(named).await?;
        }
        let acceptance = Acceptance {
            kind,
            topic: self.topic(kind),
            validation: &self.config.validation,
            partition_resolution: self.facts[&kind].partition_resolution,
            ids: &self.ids,
        };
        let table = &self.facts[&kind];
        let accepted = acceptance
            .accept(&taken, &mut places, Some(table), now)
            .await?;
        let refused = quarantine_rows(&self.topic(kind).name, &taken, &accepted.refused, now)
            .map_err(in_table(Table::Quarantine))?;
        let advances: Vec<Advance> = partitions.iter().map(|p| self.advance(*p)).collect();
        drop(taken);
        self.places = places;
        stage("write", started);
        written(kind.table(), &accepted.adds);
        for refusal in &accepted.refused {
            metrics::counter!("notspot_ingest_dead_letters_total", "reason" => refusal.reason.as_str())
                .increment(1);
        }
        let covers: Vec<Cover> = partitions.iter().map(|p| self.cover(*p)).collect();
        let quarantined = match refused.num_rows() {
            0 => 0,
            _ => {
                let new = |positions: &_| behind(&refused, positions);
                self.commit_aside(Table::Quarantine, &covers, new, now)
                    .await?
            }
        };
        self.commit_skipped(&covers, now).await?;
        let outcome = self
            .commit_facts(kind, accepted.adds, &advances, now)
            .await?;
        self.settle(partitions, outcome, accepted.rows, quarantined)
            .await;
        if outcome == Outcome::Committed {
            freshness(accepted.newest_us, now);
            let reasons: Vec<Reason> = accepted.refused.iter().map(|one| one.reason).collect();
            let fate = Fate {
                rows: accepted.rows,
                refused: &reasons,
                unknown_fields: &accepted.unknown_fields,
            };
            let topic = self.topic(kind).clone();
            let heeded = self.heeded.entry(kind).or_default();
            heeded.heed(kind, &topic, &fate, &self.progress);
        }
        metrics::counter!("notspot_ingest_flush_total", "trigger" => trigger.as_str()).increment(1);
        tracing::info!(
            table = %kind.table(), rows = accepted.rows, quarantined,
            trigger = trigger.as_str(), outcome = ?outcome, "flushed"
        );
        Ok(outcome)
    }

    fn advance(&self, partition: Partition) -> Advance {
        let window = &self.windows[&partition];
        Advance {
            app_id: self.app_id(partition),
            start: window.start,
            end: window.next,
            last_time_ms: window.last_time_ms,
        }
    }

    fn cover(&self, partition: Partition) -> Cover {
        let window = &self.windows[&partition];
        Cover {
            partition,
            start: window.start,
            end: window.next,
            skipped: window.skipped().to_vec(),
        }
    }

    async fn commit_facts(
        &mut self,
        kind: EventKind,
        adds: Vec<Add>,
        advances: &[Advance],
        now: DateTime<Utc>,
    ) -> Result<Outcome, IngestError> {
        let table = self
            .facts
            .get_mut(&kind)
            .expect("tables of the settings are open");
        let started = Instant::now();
        let outcome = commit_fenced(table, adds, advances, now.timestamp_millis()).await?;
        stage("commit", started);
        Ok(outcome)
    }

    async fn settle(
        &mut self,
        partitions: &[Partition],
        outcome: Outcome,
        rows: usize,
        quarantined: usize,
    ) {
        let Some((kind, _)) = partitions.first() else {
            return;
        };
        let (table, topic) = (kind.table().name(), self.topic(*kind).name.clone());
        let result = match outcome {
            Outcome::Committed => "ok",
            Outcome::Fenced => "fenced",
        };
        metrics::counter!("notspot_ingest_commits_total", "table" => table, "result" => result)
            .increment(1);
        if outcome == Outcome::Fenced {
            return;
        }
        let (mut tombstones, mut holes) = (0, 0);
        for partition in partitions {
            let window = self
                .windows
                .get_mut(partition)
                .expect("flushed windows stay");
            tombstones += window.count(WithoutEvent::Tombstone);
            holes += window.count(WithoutEvent::Hole);
            window.committed();
        }
        let progress = &self.progress;
        progress.tombstones.fetch_add(tombstones, Ordering::Release);
        progress.rows.fetch_add(rows as u64, Ordering::Release);
        progress
            .quarantined
            .fetch_add(quarantined as u64, Ordering::Release);
        progress.commits.fetch_add(1, Ordering::Release);
        metrics::counter!("notspot_ingest_tombstones_total", "topic" => topic.clone())
            .increment(tombstones);
        metrics::counter!("notspot_ingest_offset_holes_total", "topic" => topic).increment(holes);
        metrics::counter!("notspot_ingest_records_written_total", "table" => table)
            .increment(rows as u64);
        let now_s = (self.clock)().timestamp_millis() as f64 / 1000.0;
        metrics::gauge!("notspot_ingest_last_commit_timestamp_seconds", "table" => table)
            .set(now_s);
        let facts = &self.facts[kind];
        let version = facts.version() as f64;
        metrics::gauge!("notspot_ingest_table_version", "table" => table).set(version);
        if let Ok(files) = facts.file_count().await {
            metrics::gauge!("notspot_ingest_table_active_files", "table" => table)
                .set(files as f64);
        }
    }
}

/// Returns the messages of a partition's window.
fn messages(partition: i32, window: &Window) -> impl Iterator<Item = Taken<'_>> {
    window.messages().map(move |(message, key, payload)| Taken {
        origin: Origin {
            partition,
            offset: message.offset,
            time_ms: message.time_ms,
        },
        key,
        payload,
    })
}

/// Shows how long a stage of the flush took.
fn stage(stage: &'static str, started: Instant) {
    metrics::histogram!("notspot_ingest_flush_duration_seconds", "stage" => stage)
        .record(started.elapsed().as_secs_f64());
}

/// Shows what was stored; a commit that is refused leaves it for vacuum.
fn written(table: Table, adds: &[Add]) {
    let (name, bytes) = (
        table.name(),
        adds.iter().map(|add| add.size.unsigned_abs()).sum(),
    );
    metrics::counter!("notspot_ingest_files_written_total", "table" => name)
        .increment(adds.len() as u64);
    let size = metrics::histogram!("notspot_ingest_file_size_bytes", "table" => name);
    adds.iter().for_each(|add| size.record(add.size as f64));
    metrics::counter!("notspot_ingest_bytes_written_total", "table" => name).increment(bytes);
}

/// Shows how old the newest event is that has just become visible.
fn freshness(newest_us: Option<i64>, now: DateTime<Utc>) {
    if let Some(newest_us) = newest_us {
        let age_s = (now.timestamp_micros() - newest_us) as f64 / 1e6;
        metrics::gauge!("notspot_ingest_freshness_seconds").set(age_s);
    }
}
