//! The shipped samples of recordings from Kafka to every report: whole, sent again, and spoiled.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemas::{EventKind, Table};
use serde_json::Value;
use statistics::rng::Stream;
use testkit::Broker;

use crate::kafka::Lake;
use crate::support::{run, text};

/// Mapping, how its sample's files begin, and what stands between their values.
const SAMPLES: [(&str, &[&str], char); 4] = [
    ("trai-mycall", &["mycall"], ','),
    ("cn-bandwidth", &["4G", "5G"], ','),
    ("dakar-gnettrack", &["Orange", "Yas", "expresso"], '\t'),
    ("tehran-fieldtest", &["cellular"], ';'),
];

struct Recordings {
    broker: Broker,
    lake: Lake,
}

impl Recordings {
    fn new() -> Self {
        let broker = Broker::own_kafka().expect("a broker");
        let topics = EventKind::ALL.map(EventKind::topic);
        for topic in topics {
            broker.create_topic(topic, 3).expect("a topic");
        }
        let kafka = format!("brokers = \"{}\"", broker.bootstrap());
        Self {
            lake: Lake::new(&kafka, topics, "json"),
            broker,
        }
    }

    /// Replays a recording, of which some rows may be refused.
    fn replay(&self, mapping: &str, files: &[&str]) {
        let to = ["--brokers", self.broker.bootstrap()];
        let replayed = run(&[&["replay", mapping][..], files, &to].concat());
        assert!(replayed.code <= 1, "{mapping}: {replayed:?}");
    }

    /// Brings what was replayed into the lake, up to every report.
    fn take_in(&self) {
        let ingested = self.lake.ingest(&["--set=validation.retention=9999d"]);
        ingested.done();
        self.lake.audit().done();
        let lake = self.lake.path();
        let lake = ["--lake", text(&lake)];
        let days = ["analyze", "--from", "2018-03-31", "--window", "366d"];
        run(&[&days[..], &lake].concat()).done();
        let listed = run(&["report", "list"]).done();
        for report in listed.lines().filter_map(|line| line.split(' ').next()) {
            let format = ["--format", "ndjson"];
            let rows = run(&[&["report", report][..], &lake, &format].concat()).done();
            for row in rows.lines() {
                serde_json::from_str::<Value>(row).expect("a row a line");
            }
        }
    }

    /// Events of each kind, copies left out.
    fn events(&self) -> BTreeMap<&'static str, i64> {
        let count = |kind: EventKind| {
            let rows = self
                .lake
                .ask(&format!("select count(*) as n from {}", kind.table()));
            (kind.table().name(), rows[0]["n"].as_i64().expect("a count"))
        };
        EventKind::ALL.map(count).into()
    }

    fn days(&self) -> Vec<serde_json::Map<String, Value>> {
        self.lake.ask(&format!(
            "select event_date, sum(attempts) as attempts, sum(radio_failures) as failures, sum(readings) as readings, \
             sum(heartbeats_seen) as seen from lake.{} group by 1 order by 1",
            Table::TerminalDays
        ))
    }
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ingest/simulator/samples")
}

/// Copies the files of a sample with their rows shuffled, every tenth row doubled and a tenth of the
/// values blanked.
fn spoil(begins: &[&str], delimiter: char, folder: &Path) {
    for file in samples().read_dir().expect("the samples") {
        let file = file.expect("an entry").path();
        let name = file
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let Some(name) = name.strip_suffix(".zst") else {
            continue;
        };
        if !begins.iter().any(|begin| name.starts_with(begin)) {
            continue;
        }
        let packed = std::fs::read(&file).expect("readable");
        let bytes = zstd::decode_all(&packed[..]).expect("zstd");
        let whole = String::from_utf8_lossy(&bytes);
        let mut lines = whole.lines();
        let header = lines.next().expect("a header");
        let mut rows: Vec<&str> = lines.collect();
        rows.extend_from_within(..rows.len() / 10);
        let mut stream = Stream::new(17, 0);
        for at in (1..rows.len()).rev() {
            let other = stream.below(at as u64 + 1);
            rows.swap(at, usize::try_from(other).expect("a row"));
        }
        let mut blank = |value| if stream.below(10) == 0 { "" } else { value };
        let mut spoiled = format!("{header}\n");
        for row in rows {
            let values: Vec<&str> = row.split(delimiter).map(&mut blank).collect();
            spoiled += &values.join(&delimiter.to_string());
            spoiled.push('\n');
        }
        std::fs::write(folder.join(name), spoiled).expect("a writable folder");
    }
}

#[test]
fn every_sample_goes_all_the_way_once_however_often_it_is_sent_and_however_spoiled() {
    let recordings = Recordings::new();
    let counts = std::fs::read_to_string(samples().join("expected_counts.json"));
    let counts: Value = serde_json::from_str(&counts.expect("readable")).expect("JSON");
    let expected = |kind: EventKind| {
        let of_sample = |sample: &Value| sample["events"][kind.to_string()].as_i64();
        let samples = counts.as_object().expect("an object").values();
        let all: i64 = samples
            .map(|sample| of_sample(sample).expect("a count"))
            .sum();
        (kind.table().name(), all)
    };
    for (mapping, ..) in SAMPLES {
        recordings.replay(mapping, &[]);
    }
    recordings.take_in();
    let (events, days) = (recordings.events(), recordings.days());
    assert_eq!(events, EventKind::ALL.map(expected).into());
    assert!(days.len() > 60, "{} days", days.len());

    for (mapping, ..) in SAMPLES {
        recordings.replay(mapping, &[]);
    }
    recordings.take_in();
    assert_eq!(recordings.events(), events, "events sent twice");
    assert!(recordings.days() == days, "events sent twice count twice");

    for (mapping, begins, delimiter) in SAMPLES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        spoil(begins, delimiter, folder.path());
        recordings.replay(mapping, &[text(folder.path())]);
    }
    recordings.take_in();
    assert!(recordings.events()["heartbeats"] >= events["heartbeats"]);
}
