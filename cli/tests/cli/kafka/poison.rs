//! Bad messages between good ones: each is quarantined where and why it should be.

use serde_json::{Value, json};
use testkit::{Message, shared_registry};

use super::{Lake, Place, Row, fleet, names, produce, topics};

/// Sends each bad payload between good ones, to one partition after the other, and checks that the
/// good are rows and the bad are quarantined where and why they should.
fn check_poison(encoding: &str, options: &[&str], good: &[Vec<u8>], bad: &[(Vec<u8>, &str)]) {
    let topics = topics();
    let mut messages = Vec::new();
    for (index, (payload, _)) in (0..).zip(bad) {
        let around = [&good[messages.len() % good.len()], payload];
        messages.extend(around.map(|p| Message::new("T-1", p.clone()).to_partition(index % 2)));
    }
    messages.push(Message::new("T-1", good[0].clone()).to_partition(0));
    let places = produce(&topics[0], &messages);
    let lake = Lake::plain(names(&topics), encoding);
    let told = lake.ingest(options).done();
    let count = format!("{:>12}  messages quarantined", bad.len());
    assert!(told.contains(&count), "{told}");

    let mut rows: Vec<Place> = places.iter().step_by(2).cloned().collect();
    rows.sort();
    assert_eq!(lake.stored(), rows);
    let told = lake.ask(
        "select kafka_topic, kafka_partition, kafka_offset, kafka_key, reason, payload_size_bytes, payload_masked, \
         encode(payload, 'hex') as payload from quarantine",
    );
    assert_eq!(told.len(), bad.len());
    for ((topic, partition, offset), (payload, reason)) in places.iter().skip(1).step_by(2).zip(bad)
    {
        let at =
            |row: &&Row| row["kafka_partition"] == *partition && row["kafka_offset"] == *offset;
        let row = told.iter().find(at);
        let row = row.unwrap_or_else(|| panic!("{partition}/{offset}, {reason}: not there"));
        assert_eq!(row["reason"], *reason, "{row:?}");
        assert_eq!(
            (&row["kafka_topic"], &row["kafka_key"]),
            (&json!(topic), &json!("T-1"))
        );
        assert_eq!(row["payload_size_bytes"], payload.len());
        if row["payload_masked"] == false && *reason != "oversize" {
            assert_eq!(row["payload"], hex(payload), "{reason}");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn bad_json_among_good_is_quarantined_with_its_place_and_reason() {
    let event = &Value::Object(fleet().events[0][0].clone());
    let with = |name: &str, value: Value| {
        let mut event = event.clone();
        event[name] = value;
        event.to_string().into_bytes()
    };
    let good: Vec<Vec<u8>> = fleet().events[0][..20]
        .iter()
        .map(|event| Value::Object(event.clone()).to_string().into_bytes())
        .collect();
    let twice = [&good[1][..], b"\n", &good[2]].concat();
    let bad = [
        (b"not JSON".to_vec(), "undecodable"),
        (good[0][..good[0].len() / 2].to_vec(), "undecodable"),
        (twice, "undecodable"),
        (b"[1, 2]".to_vec(), "undecodable"),
        (Vec::new(), "undecodable"),
        (vec![0xff, 0xfe, 0x00], "undecodable"),
        (with("attempts", json!("many")), "undecodable"),
        (b"{}".to_vec(), "missing_field"),
        (with("terminal_id", Value::Null), "missing_field"),
        (
            with("event_time", json!("2999-01-01T00:00:00Z")),
            "time_in_future",
        ),
        (
            with("event_time", json!("1999-01-01T00:00:00Z")),
            "time_beyond_retention",
        ),
        (with("lat", json!(91.0)), "impossible_position"),
        (with("datum", Value::Null), "missing_datum"),
        (with("datum", json!("MARS")), "unknown_enum"),
        (with("merchant_id", json!("4111111111111111")), "card_data"),
        (with("app_version", json!("x".repeat(70_000))), "oversize"),
    ];
    check_poison("json", &[], &good, &bad);
}

#[test]
fn bad_avro_among_good_is_quarantined_with_its_place_and_reason() {
    let [good, signals, _] = &fleet().frames;
    let body = &good[0][5..];
    let mut wrong_magic = good[0].clone();
    wrong_magic[0] = 1;
    let bad = [
        (wrong_magic, "wrong_framing"),
        (vec![0, 0, 0], "wrong_framing"),
        (
            [&[0, 0x00, 0x0f, 0x42, 0x3f], body].concat(),
            "unknown_schema_id",
        ),
        ([&good[0][..], &good[1]].concat(), "undecodable"),
        ([&good[0][..], b"tail"].concat(), "undecodable"),
        (signals[0].clone(), "undecodable"),
    ];
    // Cut off anywhere behind the frame's head, at its end too.
    let cuts = (5..good[0].len()).map(|length| (good[0][..length].to_vec(), "undecodable"));
    let bad: Vec<_> = bad.into_iter().chain(cuts).collect();
    let registry = ["--schema-registry", shared_registry().url()];
    check_poison("avro", &registry, &good[..20], &bad);
}
