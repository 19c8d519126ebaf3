//! Topics that lose messages, or are deleted and made anew: nothing of it passes in silence.

use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use schemas::Table;
use schemas::lake::WithoutEvent;
use testkit::{Message, shared_kafka};

use crate::{Case, heartbeat};

/// A case whose lake holds the first hundred messages of one partition.
fn hundred() -> Case {
    let case = Case::new(1);
    case.produce(&batch(100, 1));
    case.ingest().expect("read to the end");
    case
}

fn batch(messages: i64, attempts: i64) -> Vec<Message> {
    let message = |n| heartbeat(&format!("T{n}"), attempts).to_partition(0);
    (0..messages).map(message).collect()
}

/// Counts the offsets recorded as having no event for a reason.
fn skipped(case: &Case, why: WithoutEvent) -> i64 {
    let mut skipped = 0;
    for rows in case.rows(Table::OffsetsWithoutEvent) {
        let kinds = rows["kind"].as_string::<i32>();
        let first = rows["first_offset"].as_primitive::<Int64Type>();
        let last = rows["last_offset"].as_primitive::<Int64Type>();
        let of_kind = (0..rows.num_rows()).filter(|row| kinds.value(*row) == why.as_str());
        skipped += of_kind
            .map(|row| last.value(row) - first.value(row) + 1)
            .sum::<i64>();
    }
    skipped
}

#[test]
fn messages_deleted_before_they_were_read_stop_it_unless_the_gap_is_recorded() {
    let mut case = hundred();
    case.produce(&batch(100, 2));
    shared_kafka()
        .delete_records(&case.topic, 0, 150)
        .expect("deleted");
    let error = case.ingest().expect_err("50 messages are gone").to_string();
    for told in [
        &format!("{}/0", case.topic),
        "100",
        "150..200",
        "--allow-gap",
    ] {
        assert!(error.contains(told), "{told} in {error}");
    }
    case.config.allow_gap = true;
    let summary = case.ingest().expect("gaps are allowed");
    assert_eq!(
        (summary.rows, skipped(&case, WithoutEvent::NotKept)),
        (50, 50)
    );
    // What is recorded is no gap any more.
    case.config.allow_gap = false;
    assert_eq!(case.ingest().expect("no gap").consumed, 0);
    let of = &case.assert_sound().partitions[0];
    assert_eq!((of.rows, of.without_event), (150, 50));
}

#[test]
fn a_topic_made_anew_is_noticed_and_read_from_its_start_in_a_new_epoch() {
    // Shorter than what was read, as long, and longer: only the first shows in the offsets.
    for messages in [40, 100, 160] {
        let mut case = hundred();
        let broker = shared_kafka();
        broker.delete_topic(&case.topic).expect("deleted");
        broker.create_topic(&case.topic, 1).expect("made anew");
        // Times of another day than those of the first topic.
        let later = |message: Message| message.at(1_795_500_000_000);
        case.produce(
            &batch(messages, 2)
                .into_iter()
                .map(later)
                .collect::<Vec<_>>(),
        );
        case.config.allow_gap = true;
        let error = case.ingest().expect_err("another topic").to_string();
        for told in [&format!("{}/0", case.topic), "made anew", "`epoch`"] {
            assert!(error.contains(told), "{messages}: {told} in {error}");
        }
        case.config.allow_gap = false;
        case.config.epoch = 1;
        let summary = case.ingest().expect("a new epoch");
        assert_eq!(summary.rows, messages.unsigned_abs());
        case.assert_sound();
    }
}

#[test]
fn aborted_messages_and_control_records_at_the_end_are_passed_and_may_be_deleted() {
    let case = Case::new(1);
    let wait = Duration::from_secs(30);
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", shared_kafka().bootstrap());
    settings.set("transactional.id", testkit::unique_name("transaction"));
    let producer: BaseProducer = settings.create().expect("a producer");
    producer.init_transactions(wait).expect("a coordinator");
    for (messages, is_aborted) in [(10, false), (5, true)] {
        producer.begin_transaction().expect("ready");
        for message in batch(messages, 1) {
            let payload = message.payload.expect("an event");
            let record = BaseRecord::to(&case.topic).key("T").payload(&payload);
            producer
                .send(record)
                .map_err(|(error, _)| error)
                .expect("queued");
        }
        producer.flush(wait).expect("arrived");
        match is_aborted {
            false => producer.commit_transaction(wait).expect("committed"),
            true => producer.abort_transaction(wait).expect("aborted"),
        }
    }
    // Ten rows and their marker, five aborted and theirs.
    assert_eq!(case.ingest().expect("read to the end").rows, 10);
    assert_eq!(skipped(&case, WithoutEvent::Hole), 7);
    let of = &case.assert_sound().partitions[0];
    assert_eq!((of.rows, of.without_event, of.next_offset), (10, 7, 17));
    // Retention takes the markers too: no message is lost with them.
    shared_kafka()
        .delete_records(&case.topic, 0, 17)
        .expect("deleted");
    assert_eq!(case.ingest().expect("nothing is lost").consumed, 0);
}

#[test]
fn a_topic_deleted_while_it_runs_ends_it() {
    let mut case = Case::new(1);
    case.config.flush.max_age = Duration::from_millis(500);
    case.set("topic.metadata.refresh.interval.ms", "500");
    case.set("topic.metadata.propagation.max.ms", "1000");
    let member = case.start();
    case.produce(&batch(10, 1));
    member.has_consumed(10);
    shared_kafka().delete_topic(&case.topic).expect("deleted");
    let error = member.end().expect_err("nothing to read").to_string();
    assert!(error.contains(&case.topic), "{error}");
}

#[test]
fn tombstones_are_counted_and_a_clock_far_off_opens_no_partition() {
    let case = Case::new(1);
    let day = 86_400_000;
    let at = |event_ms: i64| {
        Message::json(
            "T",
            &testkit::events::heartbeat("T", event_ms, serde_json::json!({})),
        )
    };
    let tombstone = Message {
        payload: None,
        ..Message::new("T", "")
    };
    case.produce(&[
        at(0),
        at(crate::EVENT_MS),
        tombstone,
        at(crate::EVENT_MS + 365 * day),
    ]);
    let summary = case.ingest().expect("read to the end");
    assert_eq!(
        (summary.rows, summary.quarantined, summary.tombstones),
        (1, 2, 1)
    );
    assert_eq!(skipped(&case, WithoutEvent::Tombstone), 1);
    let folders = std::fs::read_dir(case.lake.path().join("heartbeats")).expect("a table");
    let days: Vec<String> = folders
        .map(|entry| {
            entry
                .expect("a folder")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.starts_with("event_date="))
        .collect();
    assert_eq!(days, ["event_date=2026-11-24"]);
}
