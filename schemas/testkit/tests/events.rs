//! The built events keep the contracts.

use std::io::Cursor;

use arrow::json::ReaderBuilder;
use schemas::EventKind;
use serde_json::{Value, json};
use testkit::{batches, events};

const NOON_MS: i64 = 1_760_000_000_000;

fn built(kind: EventKind, overrides: Value) -> Value {
    match kind {
        EventKind::Heartbeat => events::heartbeat("T-1", NOON_MS, overrides),
        EventKind::Signal => events::signal("T-1", NOON_MS, overrides),
        EventKind::Decline => events::decline("T-1", NOON_MS, overrides),
    }
}

#[test]
fn every_event_decodes_strictly_into_the_wire_schema_and_back() {
    for kind in EventKind::ALL {
        let event = built(kind, json!({}));
        let reader = ReaderBuilder::new(kind.wire_schema())
            .with_strict_mode(true)
            .build(Cursor::new(event.to_string()))
            .expect("a reader");
        let rows: Vec<_> = reader.map(|batch| batch.expect("decodes")).collect();
        let rows = batches::json_rows(&rows).expect("rows");
        assert_eq!(rows.len(), 1, "{kind}");
        assert_eq!(rows[0]["terminal_id"], event["terminal_id"], "{kind}");
        assert_eq!(rows[0]["event_id"], event["event_id"], "{kind}");
    }
}

#[test]
fn overrides_replace_add_and_remove_fields() {
    let event = events::signal(
        "T-1",
        NOON_MS,
        json!({"rat": "gsm", "rsrp_dbm": null, "seq": 7}),
    );
    assert_eq!(event["rat"], "gsm");
    assert_eq!(event["seq"], 7);
    assert!(event.get("rsrp_dbm").is_none());
}

#[test]
fn the_same_event_built_twice_is_a_resend() {
    let ids = |time| built(EventKind::Decline, json!({"event_time": time}))["event_id"].clone();
    assert_eq!(ids(NOON_MS), ids(NOON_MS));
    let later = events::decline("T-1", NOON_MS + 1, json!({}));
    assert_ne!(later["event_id"], ids(NOON_MS));
}
