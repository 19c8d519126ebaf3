//! The whole path through the program, on Apache Kafka and a schema registry: what a fleet sends is in
//! the lake, in both encodings, once, however the ingester ended before; what is bad is told.

mod poison;
mod registry;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use chrono::{Days, Utc};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use schemas::{EventKind, Table};
use serde_json::{Map, Value};
use testkit::{Broker, Message, SecureKafka, produce_all, shared_registry, unique_name};

use crate::support::{Ran, finish, notspot, run, text};

type Row = Map<String, Value>;
/// Topic, partition and offset.
type Place = (String, i64, i64);

/// A small fleet with duplicates, every datum, and modems that report indices.
const SCENARIO: [&str; 9] = [
    "simulate",
    "weak-zone",
    "--terminals=200",
    "--days=2",
    "--seed=5",
    "--set=fleet.country=CN",
    "--set=fleet.gcj02_share=0.2",
    "--set=fleet.bd09_share=0.1",
    "--set=fleet.duplicate_share=0.02",
];

/// What the fleet sent: to one broker as JSON, to a secured one as Avro, and to files.
pub(crate) struct Fleet {
    pub(crate) plain: Broker,
    pub(crate) secure: SecureKafka,
    answer_key: Value,
    /// Events of the JSON files, in the order of [`EventKind::ALL`].
    pub(crate) events: [Vec<Row>; 3],
    /// Messages of the Avro files, in the same order.
    pub(crate) frames: [Vec<Vec<u8>>; 3],
}

pub(crate) fn fleet() -> &'static Fleet {
    static FLEET: LazyLock<Fleet> = LazyLock::new(|| {
        let (plain, secure) = thread::scope(|scope| {
            let plain = scope.spawn(plain_kafka);
            let secure = scope.spawn(|| testkit::secure_kafka().expect("a secured broker"));
            shared_registry();
            (plain.join(), secure.join())
        });
        Fleet::send(plain.expect("a broker"), secure.expect("a broker"))
    });
    &FLEET
}

fn plain_kafka() -> Broker {
    let broker = Broker::own_kafka().expect("a broker");
    for kind in EventKind::ALL {
        broker.create_topic(kind.topic(), 3).expect("a topic");
    }
    broker
}

impl Fleet {
    fn send(plain: Broker, secure: SecureKafka) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (json, avro) = (folder.path().join("json"), folder.path().join("avro"));
        let registry = [
            "--encoding=avro",
            "--schema-registry",
            shared_registry().url(),
        ];
        let to = |secure: &SecureKafka| ["--brokers".to_owned(), secure.bootstrap.clone()];
        let secured = [to(&secure).to_vec(), security(&secure)].concat();
        let secured: Vec<&str> = secured.iter().map(String::as_str).collect();
        let runs: [&[&str]; 4] = [
            &["--brokers", plain.bootstrap()],
            &[&secured[..], &registry].concat(),
            &["--output", text(&json)],
            &[&["--output", text(&avro)][..], &registry].concat(),
        ];
        let keys = runs.map(|destination| simulate(destination, &secure.password));
        assert!(keys.iter().all(|key| *key == keys[0]), "a seed is one run");
        let [answer_key, ..] = keys;
        Self {
            plain,
            secure,
            answer_key,
            events: EventKind::ALL.map(|kind| read_events(&json, kind)),
            frames: EventKind::ALL.map(|kind| read_frames(&avro, kind)),
        }
    }
}

/// Sends the fleet's events somewhere and returns the answer key.
fn simulate(destination: &[&str], password: &str) -> Value {
    // The same day for every run, and before the clock's present however terminals' clocks drift.
    static END: LazyLock<String> = LazyLock::new(|| {
        #[expect(clippy::disallowed_methods, reason = "the program's clock is this one")]
        let today = Utc::now().date_naive();
        (today - Days::new(1)).to_string()
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let key = folder.path().join("key.json");
    let options = ["--end", &END, "--answer-key", text(&key)];
    let mut command = notspot(&[&SCENARIO[..], destination, &options].concat());
    command.env("NOTSPOT_KAFKA_SASL_PASSWORD", password);
    finish(&mut command).done();
    let key = std::fs::read(key).expect("an answer key");
    serde_json::from_slice(&key).expect("JSON")
}

/// Options of `simulate` for the secured broker, but for the password.
fn security(kafka: &SecureKafka) -> Vec<String> {
    let properties = [
        "security.protocol=SASL_SSL".to_owned(),
        "sasl.mechanism=SCRAM-SHA-512".to_owned(),
        format!("sasl.username={}", kafka.username),
        format!("ssl.ca.location={}", text(&kafka.ca_pem_path)),
    ];
    properties
        .map(|property| format!("--kafka={property}"))
        .to_vec()
}

fn read_events(folder: &Path, kind: EventKind) -> Vec<Row> {
    let file = folder.join(format!("{}.ndjson", kind.topic()));
    let lines = std::fs::read_to_string(file).expect("a file of messages");
    let event = |line: &str| serde_json::from_str(line).expect("an event a line");
    lines.lines().map(event).collect()
}

fn read_frames(folder: &Path, kind: EventKind) -> Vec<Vec<u8>> {
    let file = folder.join(format!("{}.avro-messages", kind.topic()));
    let file = std::fs::read(file).expect("a file of messages");
    let mut rest = &file[..];
    let mut frames = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).expect("messages are small");
        let (frame, after) = after.split_at(length);
        frames.push(frame.to_vec());
        rest = after;
    }
    frames
}

/// A lake of its own, filled by `notspot ingest` with the settings of a file.
pub(crate) struct Lake {
    pub(crate) folder: tempfile::TempDir,
}

impl Lake {
    /// Makes the settings of an ingester that reads `topics` with a group of its own.
    pub(crate) fn new(kafka: &str, topics: [&str; 3], encoding: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (lake, group) = (folder.path().join("lake"), unique_name("group"));
        let mut settings = format!(
            "lake = {lake:?}\ngroup = \"{group}\"\nuntil_end = true\n[http]\nenabled = false\n[kafka]\n{kafka}\n"
        );
        for (kind, topic) in ["heartbeat", "signal", "decline"].iter().zip(topics) {
            settings +=
                &format!("[topics.{kind}]\nname = \"{topic}\"\nencoding = \"{encoding}\"\n");
        }
        std::fs::write(folder.path().join("ingest.toml"), settings).expect("a writable folder");
        Self { folder }
    }

    /// A lake of the fleet's plain broker.
    pub(crate) fn plain(topics: [&str; 3], encoding: &str) -> Self {
        let kafka = format!("brokers = \"{}\"", fleet().plain.bootstrap());
        Self::new(&kafka, topics, encoding)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    pub(crate) fn command(&self, options: &[&str]) -> Command {
        let settings = self.folder.path().join("ingest.toml");
        notspot(&[&["ingest", "--config", text(&settings)], options].concat())
    }

    pub(crate) fn ingest(&self, options: &[&str]) -> Ran {
        finish(&mut self.command(options))
    }

    pub(crate) fn audit(&self) -> Ran {
        run(&["audit", text(&self.path())])
    }

    pub(crate) fn ask(&self, sql: &str) -> Vec<Row> {
        let lake = self.path();
        let answer = run(&["sql", "--lake", text(&lake), "-c", sql, "--format=ndjson"]).done();
        let row = |line: &str| serde_json::from_str(line).expect("an object a line");
        answer.lines().map(row).collect()
    }

    /// Returns the rows of a table without what depends on how they came.
    fn rows(&self, kind: EventKind) -> Vec<Row> {
        self.ask(&format!(
            "select * except (kafka_topic_partition, kafka_offset, kafka_time, ingest_time) from lake.{}",
            kind.table()
        ))
    }

    /// Returns where every row of a fact table came from.
    pub(crate) fn stored(&self) -> Vec<Place> {
        let of = |kind: EventKind| {
            format!(
                "select split_part(kafka_topic_partition, '/', 1) as topic, \
                 cast(split_part(kafka_topic_partition, '/', 2) as int) as part, kafka_offset from lake.{}",
                kind.table()
            )
        };
        self.places(&EventKind::ALL.map(of).join(" union all "))
    }

    fn quarantined(&self) -> Vec<Place> {
        self.places(
            "select kafka_topic as topic, kafka_partition as part, kafka_offset from quarantine",
        )
    }

    fn places(&self, sql: &str) -> Vec<Place> {
        let number = |value: &Value| value.as_i64().expect("a number");
        let place = |row: Row| {
            let topic = row["topic"].as_str().expect("text").to_owned();
            (topic, number(&row["part"]), number(&row["kafka_offset"]))
        };
        let mut places: Vec<Place> = self.ask(sql).into_iter().map(place).collect();
        places.sort();
        places
    }
}

/// Makes three topics of two partitions, one a kind, on the fleet's plain broker.
pub(crate) fn topics() -> [String; 3] {
    EventKind::ALL.map(|kind| {
        let name = unique_name(kind.topic());
        fleet().plain.create_topic(&name, 2).expect("a topic");
        name
    })
}

/// Sends messages to a topic of the plain broker and returns where each lies.
pub(crate) fn produce(topic: &str, messages: &[Message]) -> Vec<Place> {
    let places = produce_all(fleet().plain.bootstrap(), topic, messages).expect("acknowledged");
    places
        .into_iter()
        .map(|(partition, offset)| (topic.to_owned(), partition.into(), offset))
        .collect()
}

/// Returns every place the plain broker has given out in these topics.
pub(crate) fn all_places(topics: [&str; 3]) -> Vec<Place> {
    let wait = Duration::from_secs(10);
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", fleet().plain.bootstrap());
    let client: BaseConsumer = settings.create().expect("a client");
    let mut places = Vec::new();
    for topic in topics {
        let metadata = client.fetch_metadata(Some(topic), wait).expect("metadata");
        for partition in metadata.topics()[0].partitions() {
            let (low, high) = client
                .fetch_watermarks(topic, partition.id(), wait)
                .expect("watermarks");
            places.extend(
                (low..high).map(|offset| (topic.to_owned(), partition.id().into(), offset)),
            );
        }
    }
    places.sort();
    places
}

pub(crate) fn names(topics: &[String; 3]) -> [&str; 3] {
    topics.each_ref().map(String::as_str)
}

/// Fails with the first difference rather than with thousands of rows.
fn assert_same<T: PartialEq + std::fmt::Debug>(left: &[T], right: &[T], what: &str) {
    let differ = left.iter().zip(right).find(|(left, right)| left != right);
    assert!(differ.is_none(), "{what}: {differ:#?}");
    assert_eq!(left.len(), right.len(), "{what}");
}

#[test]
fn both_encodings_give_the_rows_of_the_answer_key_and_of_the_files() {
    let fleet = fleet();
    let json = Lake::plain(EventKind::ALL.map(EventKind::topic), "json");
    json.ingest(&[]).done();
    let kafka = format!(
        "brokers = \"{}\"\nsecurity = \"sasl_tls\"\nsasl_mechanism = \"SCRAM-SHA-512\"\n\
         sasl_username = \"{}\"\ntls_ca_file = {:?}",
        fleet.secure.bootstrap, fleet.secure.username, fleet.secure.ca_pem_path
    );
    let avro = Lake::new(&kafka, EventKind::ALL.map(EventKind::topic), "avro");
    let mut command = avro.command(&["--schema-registry", shared_registry().url()]);
    command.env(
        "NOTSPOT_INGEST__KAFKA__SASL_PASSWORD",
        &fleet.secure.password,
    );
    finish(&mut command).done();
    for (kind, sent) in EventKind::ALL.into_iter().zip(&fleet.events) {
        let (of_json, of_avro) = (in_order(json.rows(kind)), in_order(avro.rows(kind)));
        assert_same(&of_json, &of_avro, kind.topic());
        let counted = &fleet.answer_key["counts"][format!("{kind}s")];
        assert_eq!(Some(of_json.len() as u64), counted.as_u64(), "{kind}");
        assert_eq!(of_json.len(), sent.len(), "{kind}");
        for (event, row) in in_order(sent.clone()).iter().zip(&of_json) {
            assert_keeps(event, row);
        }
    }
    assert!(json.quarantined().is_empty() && avro.quarantined().is_empty());
    assert_eq!(
        json.stored(),
        all_places(EventKind::ALL.map(EventKind::topic))
    );
}

/// Sorts events or their rows, copies of an event by when they were sent.
fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_cached_key(|row| (row["event_id"].to_string(), row["sent_time"].to_string()));
    rows
}

/// Columns the ingester makes, and those it may fill from a modem's index.
const MADE: [&str; 9] = [
    "lat",
    "lon",
    "lat_declared",
    "lon_declared",
    "cell_r9",
    "sentinels_nulled",
    "out_of_range_nulled",
    "event_date",
    "partition_cell",
];
const READINGS: [&str; 6] = [
    "rssi_dbm", "rscp_dbm", "ecno_db", "rsrp_dbm", "rsrq_db", "sinr_db",
];

/// Holds a row against the event it is of: each value is there, or was nulled and counted.
fn assert_keeps(event: &Row, row: &Row) {
    let mut nulled = 0;
    for (name, sent) in event {
        let column = match name.as_str() {
            "lat" => "lat_declared",
            "lon" => "lon_declared",
            name => name,
        };
        match without_nulls(&row[column]) {
            Value::Null => nulled += 1,
            stored => assert_eq!(stored, *sent, "{name} of {event:?}"),
        }
    }
    let indexed = event.contains_key("raw_index");
    let counted = |column: &str| row[column].as_i64().expect("a count");
    let counted = counted("sentinels_nulled") + counted("out_of_range_nulled");
    // An index that stands for "not known" is counted too, and kept as it was sent.
    assert!(
        counted == nulled || indexed && counted == nulled + 1,
        "{nulled} values nulled, {counted} counted: {event:?}"
    );
    for (name, value) in row {
        let explained = event.contains_key(name)
            || MADE.contains(&name.as_str())
            || indexed && READINGS.contains(&name.as_str());
        assert!(explained || value.is_null(), "{name} is {value}: {event:?}");
    }
    assert_eq!(
        row["event_date"].as_str(),
        event["event_time"].as_str().map(|time| &time[..10])
    );
    let moved = row["lat"] != row["lat_declared"];
    assert_eq!(
        moved,
        row["lat"].is_f64() && event["datum"] != "WGS84",
        "{event:?}"
    );
}

/// Leaves out null fields in lists of records, as events do.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                fields
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

/// When an ingester is killed: what it is, and whether the lake shows that it has come.
type Moment = (&'static str, fn(&Path) -> bool);

const MOMENTS: [Moment; 5] = [
    ("the tables are made, nothing is in them", |lake| {
        log(lake, Table::Quarantine).join(version(0)).exists()
    }),
    ("rows are written, their commit is not", |lake| {
        let table = lake.join(Table::Heartbeats.name());
        let written = data_files(&table);
        let logged = logged(&log(lake, Table::Heartbeats));
        written.iter().any(|file| !logged.contains(file))
    }),
    (
        "what is bad is quarantined, the rows beside it are not in",
        |lake| log(lake, Table::Quarantine).join(version(1)).exists(),
    ),
    ("a commit is being written", |lake| {
        // The store writes beside the name, then gives the name.
        let files = names_in(&log(lake, Table::SignalReadings));
        files.iter().any(|name| !name.ends_with(".json")) || files.len() > 15
    }),
    ("some commits are done", |lake| {
        log(lake, Table::Heartbeats).join(version(10)).exists()
    }),
];

fn log(lake: &Path, table: Table) -> PathBuf {
    lake.join(table.name()).join("_delta_log")
}

fn version(number: u32) -> String {
    format!("{number:020}.json")
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Returns the names of the Parquet files of a table, whether its log knows them or not.
fn data_files(folder: &Path) -> Vec<String> {
    let inside = |name: String| match name.ends_with(".parquet") {
        true => vec![name],
        false => data_files(&folder.join(name)),
    };
    names_in(folder).into_iter().flat_map(inside).collect()
}

fn logged(log: &Path) -> String {
    let read = |name: String| std::fs::read_to_string(log.join(name)).unwrap_or_default();
    names_in(log).into_iter().map(read).collect()
}

#[test]
fn an_ingester_killed_at_any_moment_loses_and_doubles_nothing() {
    let topics = topics();
    let mut bad = Vec::new();
    for (topic, events) in topics.iter().zip(&fleet().events) {
        let message = |(index, event): (usize, &Row)| match index % 40 {
            0 => Message::new("T", "{\"event_id\": not JSON"),
            _ => Message::json("T", &Value::Object(event.clone())),
        };
        let messages: Vec<Message> = events.iter().enumerate().map(message).collect();
        let spread = (0..)
            .zip(messages)
            .map(|(index, message)| message.to_partition(index % 2));
        let places = produce(topic, &spread.collect::<Vec<_>>());
        bad.extend(places.into_iter().step_by(40));
    }
    bad.sort();
    let (topics, bad) = (names(&topics), &bad);
    thread::scope(|scope| {
        for moment in MOMENTS {
            scope.spawn(move || kill_and_resume(moment, topics, bad));
        }
    });
}

fn kill_and_resume((moment, has_come): Moment, topics: [&str; 3], bad: &[Place]) {
    let lake = Lake::plain(topics, "json");
    let options = [
        "--set=flush.max_size=64KiB",
        // How long the broker keeps the partitions for the one that was killed.
        "--set=kafka.properties.session.timeout.ms=6000",
    ];
    let mut command = lake.command(&options);
    let mut killed = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    while !has_come(&lake.path()) {
        let ended = killed.try_wait().expect("our child");
        assert!(ended.is_none(), "{moment}: it ended before, {ended:?}");
    }
    killed.kill().expect("our child");
    let ended = killed.wait().expect("our child");
    assert_eq!(ended.signal(), Some(9), "{moment}");
    let all = all_places(topics);
    let before = lake.stored().len();
    assert!(before < all.len() / 2, "{moment}: killed too late to tell");
    // The batches of the run that goes on are cut elsewhere.
    lake.ingest(&options[1..]).done();
    assert_same(&lake.quarantined(), bad, moment);
    let mut found = [lake.stored(), bad.to_vec()].concat();
    found.sort();
    assert_same(&found, &all, moment);
    lake.audit().done();
}

/// Sends a few good Avro heartbeats to a topic of their own, and returns a lake to read them into.
pub(crate) fn avro_lake() -> (Lake, Vec<Place>) {
    let topics = topics();
    let good = fleet().frames[0][..50].iter();
    let messages: Vec<Message> = good.map(|frame| Message::new("T", frame.clone())).collect();
    let mut places = produce(&topics[0], &messages);
    places.sort();
    (Lake::plain(names(&topics), "avro"), places)
}
