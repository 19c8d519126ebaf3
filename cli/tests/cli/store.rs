//! Lakes in an object store: the whole path through the program, and a store that fails at every commit.

use std::process::Command;

use schemas::{EventKind, Table};
use testkit::{Fault, FaultyStore, shared_store, store_environment, unique_name};

use crate::kafka::{Lake, all_places};
use crate::support::{Ran, finish, notspot};

/// A lake in the shared store, filled from the fleet's plain broker.
struct InBucket {
    url: String,
    settings: Lake,
}

impl InBucket {
    fn new() -> Self {
        let topics = EventKind::ALL.map(EventKind::topic);
        Self {
            url: format!("s3://lake/{}", unique_name("lake")),
            settings: Lake::plain(topics, "json"),
        }
    }

    /// Ingests to the end through an endpoint, in a few commits.
    fn ingest(&self, endpoint: &str) -> Ran {
        let options = ["--lake", &self.url, "--set=flush.max_size=4MiB"];
        through(endpoint, &mut self.settings.command(&options))
    }

    fn run(&self, before: &[&str], after: &[&str]) -> Ran {
        let arguments = [before, &[&self.url], after].concat();
        through(shared_store().url(), &mut notspot(&arguments))
    }

    fn ask(&self, sql: &str) -> String {
        let answer = self.run(&["sql", "--lake"], &["-c", sql, "--format=csv"]);
        answer.done().lines().skip(1).collect()
    }

    /// Fails unless every message the broker ever had is one row.
    fn assert_whole(&self) {
        self.run(&["audit"], &[]).done();
        let rows = EventKind::ALL.map(|kind| format!("select * from lake.{}", kind.table()));
        let place = "kafka_topic_partition || '/' || cast(kafka_offset as varchar)";
        let counted = rows.map(|rows| format!("select {place} as place from ({rows})"));
        let places = counted.join(" union all ");
        let answer = self.ask(&format!(
            "select count(*), count(distinct place) from ({places})"
        ));
        let sent = all_places(EventKind::ALL.map(EventKind::topic)).len();
        assert_eq!(answer, format!("{sent},{sent}"));
    }
}

fn through(endpoint: &str, command: &mut Command) -> Ran {
    finish(command.envs(store_environment(endpoint)))
}

#[test]
fn a_lake_in_a_bucket_is_filled_merged_analyzed_and_asked() {
    let lake = InBucket::new();
    lake.ingest(shared_store().url()).done();
    lake.assert_whole();
    lake.run(&["maintain"], &[]).done();
    lake.assert_whole();
    lake.run(&["analyze", "--lake"], &[]).done();
    let days = format!("select count(*) from lake.{}", Table::TerminalDays.name());
    assert_ne!(lake.ask(&days), "0");
    // Nothing is left to read.
    let again = lake.ingest(shared_store().url()).done();
    assert!(again.contains("0  rows committed"), "{again}");
}

#[test]
fn every_commit_outlives_a_store_that_fails_at_it() {
    std::thread::scope(|scope| {
        for fault in Fault::ALL {
            scope.spawn(move || {
                let faulty = FaultyStore::start(shared_store().url(), fault).expect("a free port");
                let lake = InBucket::new();
                let ran = lake.ingest(faulty.url());
                assert_eq!(ran.code, 0, "{fault:?}: {}", ran.stderr);
                // Five tables are made, and each fact table takes a commit at least.
                assert!(
                    faulty.struck() >= 8,
                    "{fault:?} struck {} times",
                    faulty.struck()
                );
                lake.assert_whole();
            });
        }
    });
}
