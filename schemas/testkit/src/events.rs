//! Events as JSON: each the smallest one that is accepted with a position, and whatever a test
//! overrides in it.

use serde_json::{Value, json};
use uuid::Uuid;

/// Makes a heartbeat; a field of `overrides` replaces ours, and `null` in it removes the field.
///
/// The event id follows from terminal, time and kind: the same call again is a resend.
pub fn heartbeat(terminal_id: &str, event_time_ms: i64, overrides: Value) -> Value {
    let own = json!({
        "interval_s": 300,
        "attempts": 4,
        "approvals": 3,
        "no_answer": 1,
    });
    event("heartbeat", terminal_id, event_time_ms, [own, overrides])
}

/// Makes an LTE signal reading; see [`heartbeat`].
pub fn signal(terminal_id: &str, event_time_ms: i64, overrides: Value) -> Value {
    let own = json!({
        "rat": "lte",
        "serving_plmn": "310-410",
        "rsrp_dbm": -101.0,
    });
    event("signal", terminal_id, event_time_ms, [own, overrides])
}

/// Makes a decline without an answer from the host; see [`heartbeat`].
pub fn decline(terminal_id: &str, event_time_ms: i64, overrides: Value) -> Value {
    let own = json!({
        "attempt_id": format!("{terminal_id}-{event_time_ms}"),
        "phase_failed": "tcp",
        "outcome": "no_answer",
    });
    event("decline", terminal_id, event_time_ms, [own, overrides])
}

fn event(kind: &str, terminal_id: &str, event_time_ms: i64, layers: [Value; 2]) -> Value {
    let identity = format!("{kind}/{terminal_id}/{event_time_ms}");
    let mut event = json!({
        "event_id": Uuid::new_v5(&Uuid::NAMESPACE_OID, identity.as_bytes()).to_string(),
        "terminal_id": terminal_id,
        "event_time": event_time_ms,
        "lat": 41.8781,
        "lon": -87.6298,
        "datum": "WGS84",
    });
    let fields = event.as_object_mut().expect("built as an object above");
    for layer in layers {
        let Value::Object(layer) = layer else {
            panic!("overrides of an event are a JSON object, not {layer}");
        };
        fields.extend(layer);
    }
    fields.retain(|_, value| !value.is_null());
    event
}
