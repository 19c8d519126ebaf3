//! Senders of several versions at once: what each wrote is read by its own schema, while the ingester runs.

use schemas::EventKind;
use serde_json::{Value, json};
use testkit::{Message, shared_registry, unique_name};

use crate::groups::Member;
use crate::kafka::{Lake, fleet, names, produce, topics};

fn frame(id: i32, body: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], body].concat()
}

/// Bodies of heartbeats whose last field is null, one byte.
fn bodies(count: usize) -> Vec<&'static [u8]> {
    let frames = fleet().frames[0].iter();
    let bodies = frames
        .map(|frame| &frame[5..])
        .filter(|body| body.ends_with(&[0]));
    let bodies: Vec<_> = bodies.take(count).collect();
    assert_eq!(bodies.len(), count);
    bodies
}

#[test]
fn older_newer_and_unknown_schema_ids_come_interleaved_while_it_runs() {
    let registry = shared_registry();
    let subject = unique_name("heartbeat");
    let contract: Value = serde_json::from_str(EventKind::Heartbeat.contract().avro).expect("JSON");
    let (mut older, mut newer) = (contract.clone(), contract.clone());
    let fields = |schema: &mut Value| schema["fields"].as_array_mut().expect("a record").clone();
    let (mut fewer, mut more) = (fields(&mut older), fields(&mut newer));
    let dropped = fewer.pop().expect("there are fields");
    more.push(json!({"name": "battery_health", "type": ["null", "string"], "default": null}));
    (older["fields"], newer["fields"]) = (fewer.into(), more.into());
    let register = |schema: &Value| {
        registry
            .register(&subject, &schema.to_string())
            .expect("registered")
    };
    let (older, ours) = (register(&older), register(&contract));

    let topics = topics();
    let lake = Lake::plain(names(&topics), "avro");
    let options = [
        "--schema-registry",
        registry.url(),
        "--set=flush.max_age=300ms",
    ];
    let member = Member::start(&lake, &options);
    let send = |frames: &[Vec<u8>]| {
        let messages: Vec<Message> = (0..)
            .zip(frames)
            .map(|(n, frame)| Message::new("T", frame.clone()).to_partition(n % 2))
            .collect();
        produce(&topics[0], &messages);
    };
    let (before, after) = (bodies(200), bodies(300));
    let before = before
        .iter()
        .flat_map(|body| [frame(ours, body), frame(older, &body[..body.len() - 1])]);
    send(&before.collect::<Vec<_>>());
    member.has_consumed(400);
    // A release of terminals brings a field that nobody has told the ingester of.
    let newer = register(&newer);
    let added = |body: &[u8]| [body, &[2, 8], b"good"].concat();
    let after = after[200..].iter().flat_map(|body| {
        [
            frame(newer, &added(body)),
            frame(ours, body),
            frame(7_654_321, body),
            frame(older, &body[..body.len() - 1]),
        ]
    });
    send(&after.collect::<Vec<_>>());
    member.has_consumed(800);
    assert_eq!(member.terminate(), 0);

    let count = |sql: &str| lake.ask(sql)[0]["n"].as_u64().expect("a count");
    assert_eq!(count("select count(*) as n from lake.heartbeats"), 700);
    let quarantined = "select count(*) as n from quarantine where reason = 'unknown_schema_id'";
    assert_eq!(count(quarantined), 100);
    // Of whatever version, a body gives the same row.
    let distinct = "select count(*) as n from (select distinct * except (kafka_topic_partition, kafka_offset, \
                    kafka_time, ingest_time) from lake.heartbeats)";
    assert_eq!(count(distinct), 300);
    let name = dropped["name"].as_str().expect("text");
    assert_eq!(
        count(&format!("select count({name}) as n from lake.heartbeats")),
        0
    );
    lake.audit().done();
}
