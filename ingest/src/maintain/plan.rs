//! Which files are merged: pure, from what the log says.

use std::collections::BTreeMap;

use chrono::{DateTime, Days as DayCount, NaiveDate, NaiveTime, TimeDelta, Utc};
use lake::LakeFile;
use schemas::Table;

/// A day is closed this long after its end: most late events are in, and what comes later is merged
/// once there are two files of it.
const GRACE: TimeDelta = TimeDelta::hours(2);
/// Files of a day that is not closed are merged so many at least: more come, and a row is not to be
/// written again for every few of them.
const FEWEST_OF_OPEN: usize = 8;

/// The days whose files may be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// First day.
    pub from: Option<NaiveDate>,
    /// Last day.
    pub to: Option<NaiveDate>,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Days {
    fn hold(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    fn is_closed(&self, day: NaiveDate) -> bool {
        let next = day.checked_add_days(DayCount::new(1));
        let end = next.map(|next| next.and_time(NaiveTime::MIN).and_utc());
        end.is_some_and(|end| end + GRACE <= self.now)
    }
}

/// Files of one partition that become fewer.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The partition's folder, with a slash at its end.
    pub folder: String,
    pub files: Vec<LakeFile>,
}

impl Job {
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    pub fn rows(&self) -> u64 {
        self.files.iter().filter_map(|file| file.rows).sum()
    }
}

/// Returns the partitions with at least two files smaller than `small_bytes`, the largest first; of a
/// day that is not closed those with several of about a size.
///
/// What is derived is replaced whole, and a table without partitions too. A file whose rows the log
/// does not count, or counts less some deleted ones, is left alone: nothing could be proved of it.
pub(super) fn jobs(table: Table, files: Vec<LakeFile>, days: &Days, small_bytes: u64) -> Vec<Job> {
    let Some(day_column) = table.partition_columns().first() else {
        return Vec::new();
    };
    if table.is_derived() {
        return Vec::new();
    }
    let mut folders: BTreeMap<(String, NaiveDate), Vec<LakeFile>> = BTreeMap::new();
    for file in files {
        let day = file.partition.get(*day_column).cloned().flatten();
        let day = day.and_then(|day| day.parse().ok());
        let provable = file.rows.is_some() && file.removal.deletion_vector.is_none();
        let path = file.path.to_string();
        if let (Some((folder, _)), Some(day)) = (path.rsplit_once('/'), day)
            && days.hold(day)
            && provable
            && file.size_bytes < small_bytes
        {
            let folder = format!("{folder}/");
            folders.entry((folder, day)).or_default().push(file);
        }
    }
    let jobs = folders.into_iter().filter_map(|((folder, day), files)| {
        let (files, fewest) = match days.is_closed(day) {
            true => (files, 2),
            false => (of_about_a_size(files), FEWEST_OF_OPEN),
        };
        (files.len() >= fewest).then_some(Job { folder, files })
    });
    let mut jobs: Vec<Job> = jobs.collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.bytes()));
    jobs
}

/// Keeps the smaller files up to one that is larger than all of them together: so a row of a day with N
/// files is written again about log2 N times, however often somebody looks.
fn of_about_a_size(mut files: Vec<LakeFile>) -> Vec<LakeFile> {
    files.sort_by_key(|file| file.size_bytes);
    let mut sum = 0;
    let smaller = files.iter().enumerate().take_while(|(at, file)| {
        let fits = *at < 2 || file.size_bytes <= sum;
        sum += file.size_bytes;
        fits
    });
    files.truncate(smaller.count());
    files
}

#[cfg(test)]
mod tests {
    use deltalake_core::Path;
    use deltalake_core::kernel::Remove;

    use super::*;

    fn file(day: &str, cell: &str, size_bytes: u64) -> LakeFile {
        let name = uuid::Uuid::new_v4();
        LakeFile {
            path: Path::from(format!(
                "event_date={day}/partition_cell={cell}/{name}.parquet"
            )),
            size_bytes,
            rows: Some(10),
            partition: [("event_date".to_owned(), Some(day.to_owned()))].into(),
            removal: Remove::default(),
        }
    }

    fn days(from: Option<&str>, now: &str) -> Days {
        Days {
            from: from.map(|day| day.parse().expect("a day")),
            to: None,
            now: now.parse().expect("a time"),
        }
    }

    #[test]
    fn only_closed_days_with_several_small_files_are_merged() {
        let files = || {
            vec![
                file("2026-11-24", "a", 10),
                file("2026-11-24", "a", 20),
                file("2026-11-24", "a", 2_000),
                file("2026-11-24", "b", 10),
                file("2026-11-25", "a", 500),
                file("2026-11-25", "a", 500),
            ]
        };
        let planned = |now: &str, from: Option<&str>| -> Vec<(String, usize)> {
            let jobs = jobs(Table::Heartbeats, files(), &days(from, now), 1_000);
            jobs.into_iter()
                .map(|job| (job.folder, job.files.len()))
                .collect()
        };
        let (first, second) = (
            ("event_date=2026-11-24/partition_cell=a/".to_owned(), 2),
            ("event_date=2026-11-25/partition_cell=a/".to_owned(), 2),
        );
        assert_eq!(planned("2026-11-25T01:59:59Z", None), []);
        let early = planned("2026-11-25T02:00:00Z", None);
        assert_eq!(early, std::slice::from_ref(&first));
        assert_eq!(
            planned("2026-11-26T02:00:00Z", None),
            [second.clone(), first]
        );
        assert_eq!(
            planned("2026-11-26T02:00:00Z", Some("2026-11-25")),
            [second]
        );
    }

    #[test]
    fn files_of_an_open_day_are_merged_with_others_of_about_their_size() {
        let sizes = |sizes: &[u64]| -> Vec<Vec<u64>> {
            let files = sizes.iter().map(|size| file("2026-11-24", "a", *size));
            let now = days(None, "2026-11-24T12:00:00Z");
            let jobs = jobs(Table::Heartbeats, files.collect(), &now, 1_000);
            let of_job = |job: Job| job.files.iter().map(|file| file.size_bytes).collect();
            jobs.into_iter().map(of_job).collect()
        };
        assert_eq!(sizes(&[10; 7]), [[0; 0]; 0]);
        assert_eq!(sizes(&[10; 8]), [[10; 8]]);
        // What was merged before waits until as much has come again.
        assert_eq!(sizes(&[&[81][..], &[10; 8]].concat()), [[10; 8]]);
        let all = [&[10; 8][..], &[80]].concat();
        assert_eq!(sizes(&[&[80][..], &[10; 8]].concat()), [all]);
    }

    #[test]
    fn merging_an_open_day_again_and_again_rewrites_a_row_few_times() {
        let (mut files, mut rewritten) = (Vec::new(), 0);
        for minute in 1..=1440_u64 {
            files.push(file("2026-11-24", "a", 10));
            if minute % 60 == 0 {
                let now = days(None, "2026-11-24T12:00:00Z");
                for job in jobs(Table::Heartbeats, files.clone(), &now, 1 << 20) {
                    rewritten += job.bytes();
                    files.retain(|file| !job.files.iter().any(|old| old.path == file.path));
                    files.push(file("2026-11-24", "a", job.bytes()));
                }
                assert!(files.len() <= 5, "{} files", files.len());
            }
        }
        let times = rewritten as f64 / (1440.0 * 10.0);
        assert!((1.0..6.0).contains(&times), "{times} times");
    }

    #[test]
    fn what_is_derived_or_has_no_count_of_rows_is_left_alone() {
        let now = days(None, "2026-12-01T00:00:00Z");
        let files = vec![file("2026-11-24", "a", 10), file("2026-11-24", "a", 10)];
        assert!(jobs(Table::TerminalDays, files.clone(), &now, 1_000).is_empty());
        assert!(jobs(Table::Terminals, files.clone(), &now, 1_000).is_empty());
        let uncounted = files
            .into_iter()
            .map(|file| LakeFile { rows: None, ..file });
        assert!(jobs(Table::Heartbeats, uncounted.collect(), &now, 1_000).is_empty());
    }
}
