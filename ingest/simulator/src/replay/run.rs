//! A replay from beginning to end: moves times, keeps the pace, counts.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::batch::Batches;
use super::convert::Fault;
use super::mapping::Mapping;
use super::plan::{Event, RowEvents};
use super::recording::Recording;
use super::summary::{RefusedRow, ReplaySummary};
use crate::publish::{EventSink, PublishError};

/// How fast a recording is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Speed {
    /// As fast as the sink takes it, in the order of the files and in constant memory.
    #[default]
    Full,
    /// As it was recorded, in the order of time; all events are held in memory.
    Recorded,
    /// This many times as fast as recorded, in the order of time.
    Scaled(f64),
}

/// How the times of a recording are moved: an ingester refuses events beyond its retention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeShift {
    /// Not at all.
    #[default]
    None,
    /// By one span for all events.
    By(TimeDelta),
    /// So that the last event is at this time.
    LastAt(DateTime<Utc>),
    /// By whole weeks, so that the last event is at most a week before this time: hours and weekdays stay.
    WholeWeeksBefore(DateTime<Utc>),
}

/// Settings of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayOptions {
    /// How fast events are sent.
    pub speed: Speed,
    /// How times are moved.
    pub shift: TimeShift,
    /// How many refused rows the summary repeats; all are counted.
    pub keep_refused: usize,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self {
            speed: Speed::Full,
            shift: TimeShift::None,
            keep_refused: 20,
        }
    }
}

/// Watches a replay, and waits for it: the clock is the caller's.
pub trait ReplayObserver {
    /// Is told now and then how many rows were read.
    fn progress(&mut self, rows_read: u64) {
        let _ = rows_read;
    }

    /// Is told of every refused row.
    fn refused(&mut self, row: &RefusedRow) {
        let _ = row;
    }

    /// Waits until this long after the first event was sent; `Break` ends the replay there.
    fn wait_until(&mut self, since_start: Duration) -> ControlFlow<()> {
        let _ = since_start;
        ControlFlow::Continue(())
    }
}

/// Neither watches nor waits: recorded and scaled speed then only decide the order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl ReplayObserver for Unobserved {}

/// Why a replay ended.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No file was given and the mapping ships no sample.
    #[error("mapping {mapping} ships no sample: name the files to replay")]
    NoSample {
        /// Name of the mapping.
        mapping: String,
    },
    /// A file could not be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// Path or base name.
        file: String,
        /// Why it is no table, or what the system said.
        source: tabular::ReadError,
    },
    /// A file's name matches no source of the mapping.
    #[error("mapping {mapping} has no source for file {file}: it reads {}", patterns.join(", "))]
    NoSource {
        /// Name of the mapping.
        mapping: String,
        /// Base name of the file.
        file: String,
        /// Name patterns of its sources.
        patterns: Vec<String>,
    },
    /// Two files have one name, so that their events would have the same identities.
    #[error("two files are named {file}: their events would get the same event_id")]
    SameName {
        /// The name.
        file: String,
    },
    /// The mapping names a column the file does not have.
    #[error("mapping {mapping}, file {file}: {reason}")]
    Column {
        /// Name of the mapping.
        mapping: String,
        /// Base name of the file.
        file: String,
        /// The column and what there is instead.
        reason: String,
    },
    /// The speed is not a positive number.
    #[error("speed {0} is not a positive number")]
    Speed(f64),
    /// Events could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Replays recorded files, or the mapping's sample when `paths` is empty, and finishes the sink.
///
/// A folder stands for the files in it that the mapping reads. A bad row is reported and counted, and
/// the good ones go on.
///
/// # Errors
/// When a file cannot be read or does not fit the mapping, or the sink fails.
pub fn replay(
    mapping: &Mapping,
    paths: &[PathBuf],
    options: &ReplayOptions,
    sink: &mut dyn EventSink,
    observer: &mut dyn ReplayObserver,
) -> Result<ReplaySummary, ReplayError> {
    let pace = Pace::new(options.speed)?;
    let recording = Recording::open(mapping, paths)?;
    let shift_ms = recording.shift_ms(options.shift)?;
    let mut run = Run {
        shift_ms,
        keep_refused: options.keep_refused,
        batches: Batches::default(),
        sink,
        observer,
        summary: ReplaySummary {
            mapping: mapping.name.clone(),
            files: recording
                .files
                .iter()
                .map(|file| file.name.clone())
                .collect(),
            shifted_by_ms: shift_ms,
            ..ReplaySummary::default()
        },
    };
    match pace {
        None => run.at_once(&recording)?,
        Some(pace) => run.paced(&recording, pace)?,
    }
    run.batches.flush(run.sink)?;
    run.summary.published = run.sink.finish()?;
    Ok(run.summary)
}

/// Event time that passes in one unit of real time.
#[derive(Debug, Clone, Copy)]
struct Pace(f64);

/// Events due within this real time are sent together.
const PACE_STEP_MS: f64 = 50.0;

impl Pace {
    fn new(speed: Speed) -> Result<Option<Self>, ReplayError> {
        match speed {
            Speed::Full => Ok(None),
            Speed::Recorded => Ok(Some(Self(1.0))),
            Speed::Scaled(factor) if factor.is_finite() && factor > 0.0 => Ok(Some(Self(factor))),
            Speed::Scaled(factor) => Err(ReplayError::Speed(factor)),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "recordings span less than 2^53 ms"
    )]
    fn due(self, since_first_ms: i64) -> Duration {
        let real_ms = (since_first_ms as f64 / self.0 / PACE_STEP_MS).floor() * PACE_STEP_MS;
        Duration::from_secs_f64(real_ms / 1000.0)
    }
}

/// A replay under way.
struct Run<'r> {
    shift_ms: i64,
    keep_refused: usize,
    batches: Batches,
    sink: &'r mut dyn EventSink,
    observer: &'r mut dyn ReplayObserver,
    summary: ReplaySummary,
}

/// Rows between two reports of progress.
const PROGRESS_ROWS: u64 = 1000;

impl Run<'_> {
    fn at_once(&mut self, recording: &Recording<'_>) -> Result<(), ReplayError> {
        recording.each_row(&mut |file, line, made| {
            for event in self.accept(file, line, made) {
                self.send(event)?;
            }
            // Asked with no time to wait for, so that an interrupted caller can end the replay.
            match self.summary.rows_read % PROGRESS_ROWS {
                0 => Ok(self.wait(Duration::ZERO)),
                _ => Ok(ControlFlow::Continue(())),
            }
        })
    }

    fn paced(&mut self, recording: &Recording<'_>, pace: Pace) -> Result<(), ReplayError> {
        let mut events = Vec::new();
        recording.each_row(&mut |file, line, made| {
            events.extend(self.accept(file, line, made));
            Ok(ControlFlow::Continue(()))
        })?;
        // Stable: events of one instant keep the order of the files.
        events.sort_by_key(|event| event.time_ms);
        let Some(first_ms) = events.first().map(|event| event.time_ms) else {
            return Ok(());
        };
        let mut due = None;
        for event in events {
            let event_due = pace.due(event.time_ms - first_ms);
            if due != Some(event_due) {
                self.batches.flush(self.sink)?;
                if self.wait(event_due).is_break() {
                    break;
                }
                due = Some(event_due);
            }
            self.send(event)?;
        }
        Ok(())
    }

    fn wait(&mut self, due: Duration) -> ControlFlow<()> {
        let flow = self.observer.wait_until(due);
        self.summary.stopped_early |= flow.is_break();
        flow
    }

    /// Counts a row and returns its events.
    fn accept(&mut self, file: &str, line: u64, made: Result<RowEvents, Fault>) -> Vec<Event> {
        self.summary.rows_read += 1;
        if self.summary.rows_read.is_multiple_of(PROGRESS_ROWS) {
            self.observer.progress(self.summary.rows_read);
        }
        match made {
            Ok(row) => self.accept_good(row),
            Err(fault) => {
                self.refuse(file, line, fault);
                Vec::new()
            }
        }
    }

    fn accept_good(&mut self, row: RowEvents) -> Vec<Event> {
        match row.events.is_empty() {
            true => self.summary.rows_without_events += 1,
            false => self.summary.rows_used += 1,
        }
        for field in row.nulls.unmapped {
            count(&mut self.summary.values_unmapped, field);
        }
        for field in row.nulls.invalid {
            count(&mut self.summary.values_invalid, field);
        }
        row.events
    }

    fn refuse(&mut self, file: &str, line: u64, fault: Fault) {
        let reason = fault.reason.to_owned();
        count(&mut self.summary.rows_refused, reason.clone());
        let row = RefusedRow {
            file: file.to_owned(),
            line,
            reason,
            detail: fault.detail,
        };
        self.observer.refused(&row);
        if self.summary.first_refused.len() < self.keep_refused {
            self.summary.first_refused.push(row);
        }
    }

    fn send(&mut self, mut event: Event) -> Result<(), ReplayError> {
        event.time_ms = event.time_ms.saturating_add(self.shift_ms);
        let summary = &mut self.summary;
        summary.events[event.kind as usize] += 1;
        summary.attempts += u64::try_from(event.counted.attempts).expect("counts are checked");
        summary.failures += u64::try_from(event.counted.failed).expect("counts are checked");
        let time = DateTime::from_timestamp_millis(event.time_ms);
        summary.first_event = [summary.first_event, time].into_iter().flatten().min();
        summary.last_event = summary.last_event.max(time);
        Ok(self.batches.push(event, self.sink)?)
    }
}

fn count(counts: &mut BTreeMap<String, u64>, key: String) {
    *counts.entry(key).or_default() += 1;
}
