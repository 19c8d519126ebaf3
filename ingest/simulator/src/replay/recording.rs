//! The files of one replay, read row by row through the sources of a mapping.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use tabular::{Row, Source as File};

use super::builtin;
use super::convert::Fault;
use super::files::{self, Values};
use super::mapping::{Mapping, Source};
use super::plan::{Columns, FilePlan, RowEvents};
use super::run::{ReplayError, TimeShift};

/// The files of a replay, each with the source that reads it.
pub(super) struct Recording<'m> {
    mapping: &'m Mapping,
    pub(super) files: Vec<RecordedFile<'m>>,
}

pub(super) struct RecordedFile<'m> {
    input: File,
    pub(super) name: String,
    source: &'m Source,
    /// What the `*` of the source's pattern stands for in the name.
    starred: String,
}

impl<'m> Recording<'m> {
    pub(super) fn open(mapping: &'m Mapping, paths: &[PathBuf]) -> Result<Self, ReplayError> {
        let inputs = if paths.is_empty() {
            let samples = builtin::find(&mapping.name).map_or(&[][..], |ready| ready.samples);
            samples
                .iter()
                .map(|sample| File::inside(sample.file_name, sample.bytes))
                .collect()
        } else {
            let wanted = |name: &str| source_of(mapping, name).is_some();
            files::expand(paths, wanted).map_err(|source| {
                let named: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
                ReplayError::Read {
                    file: named.join(", "),
                    source: source.into(),
                }
            })?
        };
        if inputs.is_empty() {
            return Err(ReplayError::NoSample {
                mapping: mapping.name.clone(),
            });
        }
        let mut names = BTreeSet::new();
        let mut files = Vec::new();
        for input in inputs {
            let file = Self::file(mapping, input)?;
            if !names.insert(file.name.clone()) {
                return Err(ReplayError::SameName { file: file.name });
            }
            files.push(file);
        }
        Ok(Self { mapping, files })
    }

    fn file(mapping: &'m Mapping, input: File) -> Result<RecordedFile<'m>, ReplayError> {
        let name = input.name();
        match source_of(mapping, &name) {
            Some((source, starred)) => Ok(RecordedFile {
                input,
                name,
                source,
                starred,
            }),
            None => Err(ReplayError::NoSource {
                mapping: mapping.name.clone(),
                file: name,
                patterns: mapping
                    .sources
                    .iter()
                    .flat_map(|s| s.files.clone())
                    .collect(),
            }),
        }
    }

    /// Visits every row; `Break` ends the reading.
    pub(super) fn each_row(&self, visit: &mut Visit<'_>) -> Result<(), ReplayError> {
        for file in &self.files {
            if self.each_row_of(file, visit)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn each_row_of(
        &self,
        file: &RecordedFile<'m>,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, ReplayError> {
        let unreadable = |source| ReplayError::Read {
            file: file.input.shown(),
            source,
        };
        let table = file.input.open(&file.source.text).map_err(unreadable)?;
        let columns = Columns::of(&table);
        let plan = FilePlan::resolve(&self.mapping.name, file.source, &file.name, &columns)
            .map_err(|unknown| ReplayError::Column {
                mapping: self.mapping.name.clone(),
                file: file.name.clone(),
                reason: unknown.to_string(),
            })?;
        let chosen = columns.asked_for();
        let mut rows = table.rows(&chosen).map_err(unreadable)?;
        let mut row = Row::default();
        let mut number = 0;
        while rows.read(&mut row).map_err(unreadable)? {
            number += 1;
            let made = match row.fault() {
                Some(fault) => Err(Fault::from(fault)),
                None => plan.events(
                    number,
                    Values {
                        row: &row,
                        starred: &file.starred,
                    },
                ),
            };
            if visit(&file.name, row.number(), made)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    pub(super) fn shift_ms(&self, shift: TimeShift) -> Result<i64, ReplayError> {
        const WEEK_MS: i64 = 7 * 86_400_000;
        let until_last = |target: DateTime<Utc>| {
            let last = self.last_ms()?;
            Ok(last.map_or(0, |last_ms| target.timestamp_millis() - last_ms))
        };
        match shift {
            TimeShift::None => Ok(0),
            TimeShift::By(span) => Ok(span.num_milliseconds()),
            TimeShift::LastAt(target) => until_last(target),
            TimeShift::WholeWeeksBefore(target) => {
                Ok(until_last(target)?.div_euclid(WEEK_MS) * WEEK_MS)
            }
        }
    }

    fn last_ms(&self) -> Result<Option<i64>, ReplayError> {
        let mut last = None;
        self.each_row(&mut |_, _, made| {
            let times = made
                .iter()
                .flat_map(|row| &row.events)
                .map(|event| event.time_ms);
            last = last.max(times.max());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(last)
    }
}

pub(super) type Visit<'v> =
    dyn FnMut(&str, u64, Result<RowEvents, Fault>) -> Result<ControlFlow<()>, ReplayError> + 'v;

fn source_of<'m>(mapping: &'m Mapping, name: &str) -> Option<(&'m Source, String)> {
    mapping.sources.iter().find_map(|source| {
        let starred = source
            .files
            .iter()
            .find_map(|pattern| files::matched(pattern, name))?;
        Some((source, starred.to_owned()))
    })
}
