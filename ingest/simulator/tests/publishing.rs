//! Events on their way out: payloads say what the batches say, in files and on a broker.

#[expect(dead_code, reason = "the other tests use the rest")]
mod common;

use std::collections::HashMap;
use std::io::Read;
use std::time::{Duration, Instant};

use arrow::array::ArrayRef;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use common::{run, scenario, texts};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use schemas::EventKind;
use simulator::publish::{
    EmbeddedBroker, Encoding, EventSink, FileCompression, FileSink, FileSinkConfig, KafkaSink,
    KafkaSinkConfig, MessageEncoder, Messages, PublishError, SchemaIds,
};
use simulator::{Scenario, simulate};

const IDS: SchemaIds = SchemaIds::new([71, 300, 70_000]);

fn small() -> Scenario {
    scenario(
        "demo",
        &[
            "fleet.terminals=120",
            "window.days=14",
            "plant.bad_terminals.0.count=1",
        ],
    )
}

fn encode(kind: EventKind, encoding: Encoding, batch: &RecordBatch) -> Messages {
    let mut encoder = MessageEncoder::new(kind, encoding, IDS).expect("contracts can be encoded");
    encoder.encode(batch).expect("wire batches can be encoded")
}

#[test]
fn avro_messages_are_framed_and_read_back_by_the_contract() {
    let (_, kept) = run(&small());
    for (kind, batch) in kept.batches.iter().take(30) {
        let messages = encode(*kind, Encoding::Avro, batch);
        assert_eq!(messages.len(), batch.num_rows());
        for message in messages.iter() {
            assert_eq!(message[0], 0, "magic byte");
            assert_eq!(message[1..5], IDS.of(*kind).to_be_bytes(), "schema id");
        }
        let read = read_avro(*kind, &messages);
        assert_eq!(read.num_rows(), batch.num_rows());
        for column in ["event_id", "terminal_id", "model", "merchant_id"] {
            assert_eq!(
                texts(&read, column),
                texts(batch, column),
                "{kind}.{column}"
            );
        }
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if field.name() != "neighbours" {
                let read = in_contract_time(&read[field.name().as_str()], field.data_type());
                assert_eq!(&read, column, "{kind}.{}", field.name());
            }
        }
    }
}

/// Arrow's reader calls UTC "+00:00"; the instants are the same.
fn in_contract_time(column: &ArrayRef, wanted: &DataType) -> ArrayRef {
    match column.data_type() {
        DataType::Timestamp(_, Some(zone)) if zone.as_ref() == "+00:00" => {
            cast(column, wanted).expect("a time in UTC can be called so")
        }
        _ => column.clone(),
    }
}

fn read_avro(kind: EventKind, messages: &Messages) -> RecordBatch {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    let schema = AvroSchema::new(kind.contract().avro.to_owned());
    store
        .set(Fingerprint::Id(IDS.of(kind)), schema)
        .expect("the contract is an Avro schema");
    let mut decoder = ReaderBuilder::new()
        .with_batch_size(messages.len())
        .with_writer_schema_store(store)
        .build_decoder()
        .expect("the contract can be decoded");
    let mut batches = Vec::new();
    for message in messages.iter() {
        assert_eq!(decoder.decode(message).expect("well framed"), message.len());
        if decoder.batch_is_full() {
            batches.extend(decoder.flush().expect("whole records"));
        }
    }
    batches.extend(decoder.flush().expect("whole records"));
    concat_batches(&batches[0].schema(), &batches).expect("one schema")
}

#[test]
fn json_messages_read_back_as_the_batch_they_came_from() {
    let (_, kept) = run(&small());
    for (kind, batch) in kept.batches.iter().take(30) {
        let messages = encode(*kind, Encoding::Json, batch);
        assert_eq!(messages.len(), batch.num_rows());
        let mut decoder = arrow_json::ReaderBuilder::new(kind.wire_schema())
            .with_batch_size(batch.num_rows())
            .build_decoder()
            .expect("wire schemas can be read from JSON");
        for message in messages.iter() {
            assert!(!message.contains(&b'\n'));
            decoder.decode(message).expect("one object");
        }
        let read = decoder.flush().expect("whole objects").expect("rows");
        assert_eq!(&read, batch, "{kind}");
    }
}

#[test]
fn files_hold_every_message_once() {
    for (encoding, compression) in [
        (Encoding::Json, FileCompression::None),
        (Encoding::Json, FileCompression::Zstd),
        (Encoding::Avro, FileCompression::Zstd),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = FileSinkConfig {
            folder: folder.path().join("made/on/demand"),
            encoding,
            schema_ids: IDS,
            compression,
        };
        let mut sink = FileSink::create(&config).expect("the folder can be made");
        let answer_key = simulate(&small(), &mut sink, &mut |_| {}).expect("files take everything");
        let counts = [
            answer_key.counts.heartbeats,
            answer_key.counts.signals,
            answer_key.counts.declines,
        ];
        for (kind, count) in EventKind::ALL.into_iter().zip(counts) {
            let found = messages_in(&config, kind);
            assert_eq!(found, count, "{kind} as {encoding}");
        }
    }
}

fn messages_in(config: &FileSinkConfig, kind: EventKind) -> u64 {
    let mut files = std::fs::read_dir(&config.folder).expect("made").flatten();
    let file = files.find(|file| file.file_name().to_string_lossy().starts_with(kind.topic()));
    let mut bytes = std::fs::read(file.expect("one a topic").path()).expect("readable");
    if config.compression == FileCompression::Zstd {
        let mut plain = Vec::new();
        let mut decoder = zstd::Decoder::new(bytes.as_slice()).expect("zstd");
        decoder.read_to_end(&mut plain).expect("whole");
        bytes = plain;
    }
    match config.encoding {
        Encoding::Json => bytes.iter().filter(|byte| **byte == b'\n').count() as u64,
        Encoding::Avro => {
            let (mut at, mut count) = (0, 0);
            while at < bytes.len() {
                let length = u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
                at += 4 + length as usize;
                count += 1;
            }
            assert_eq!(at, bytes.len());
            count
        }
    }
}

#[test]
fn a_broker_gets_every_message_with_its_key_and_time() {
    let broker = EmbeddedBroker::start([3, 3, 2]).expect("the mock cluster starts");
    let config = KafkaSinkConfig {
        brokers: broker.bootstrap_servers().to_owned(),
        encoding: Encoding::Json,
        schema_ids: IDS,
        properties: Vec::new(),
    };
    let mut sink = KafkaSink::connect(&config).expect("the topics exist");
    let answer_key =
        simulate(&small(), &mut sink, &mut |_| {}).expect("the broker takes everything");
    let counts = answer_key.counts;
    assert_eq!(
        broker.low_watermark_risen().expect("the broker answers"),
        None
    );
    for (kind, count) in
        EventKind::ALL
            .into_iter()
            .zip([counts.heartbeats, counts.signals, counts.declines])
    {
        let highs = broker.high_watermarks(kind).expect("the broker answers");
        assert_eq!(highs.iter().sum::<i64>() as u64, count, "{kind}");
    }
    check_declines(&broker, counts.declines);
}

fn check_declines(broker: &EmbeddedBroker, expected: u64) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "test")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer");
    consumer
        .subscribe(&[EventKind::Decline.topic()])
        .expect("a topic name");
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut partition_of: HashMap<String, i32> = HashMap::new();
    let mut read = 0;
    while read < expected {
        assert!(
            Instant::now() < deadline,
            "{read} of {expected} messages came"
        );
        let Some(message) = consumer.poll(Duration::from_millis(500)) else {
            continue;
        };
        let message = message.expect("a message");
        let event: serde_json::Value =
            serde_json::from_slice(message.payload().expect("a payload")).expect("JSON");
        let terminal = event["terminal_id"].as_str().expect("a terminal");
        assert_eq!(message.key(), Some(terminal.as_bytes()));
        let sent = event["sent_time"].as_str().expect("a time");
        let sent = chrono::DateTime::parse_from_rfc3339(sent).expect("RFC 3339");
        assert_eq!(
            message.timestamp().to_millis(),
            Some(sent.timestamp_millis())
        );
        let partition = *partition_of
            .entry(terminal.to_owned())
            .or_insert(message.partition());
        assert_eq!(
            partition,
            message.partition(),
            "a terminal keeps to its partition"
        );
        read += 1;
    }
}

#[test]
fn a_missing_topic_and_a_silent_broker_are_told_apart() {
    let cluster = rdkafka::mocking::MockCluster::new(1).expect("the mock cluster starts");
    cluster
        .create_topic(EventKind::Heartbeat.topic(), 1, 1)
        .expect("a topic");
    let mut config = KafkaSinkConfig {
        brokers: cluster.bootstrap_servers(),
        encoding: Encoding::Avro,
        schema_ids: SchemaIds::embedded(),
        properties: vec![("security.protocol".into(), "nonsense".into())],
    };
    let refused = KafkaSink::connect(&config).err().expect("no such protocol");
    assert!(matches!(refused, PublishError::Settings(_)), "{refused}");
    config.properties.clear();
    let missing = KafkaSink::connect(&config)
        .err()
        .expect("two topics are missing");
    assert!(missing.to_string().contains("terminal.signal"), "{missing}");
}

#[test]
fn a_finished_file_sink_takes_no_more() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut sink = FileSink::create(&FileSinkConfig {
        folder: folder.path().to_owned(),
        encoding: Encoding::Json,
        schema_ids: IDS,
        compression: FileCompression::None,
    })
    .expect("the folder is there");
    let (_, kept) = run(&small());
    let (kind, batch) = &kept.batches[0];
    sink.send(*kind, batch).expect("an open sink");
    let summary = sink.finish().expect("closes");
    assert_eq!(summary.total(), batch.num_rows() as u64);
    assert!(sink.send(*kind, batch).is_err());
}
