use arrow::array::AsArray;
use arrow::datatypes::TimestampMillisecondType;
use proptest::prelude::*;
use schemas::contract::{ContractField, FieldKind};
use serde_json::Value;

use super::*;

const GOOD: &str = r#"{"event_id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","terminal_id":"T1","event_time":1790000000000,"attempts":3}"#;

fn decode(messages: &[&str]) -> Decoded {
    let payloads: Vec<&[u8]> = messages.iter().map(|m| m.as_bytes()).collect();
    decode_json(EventKind::Heartbeat, &payloads).expect("columns fit together")
}

#[test]
fn one_bad_payload_never_costs_its_neighbours() {
    let bad = [
        "{",
        "nonsense",
        "[1]",
        "",
        "{} {}",
        r#"{"attempts":"many"}"#,
        r#"{"attempts":1"#,
    ];
    for bad in bad {
        let decoded = decode(&[GOOD, bad, GOOD, GOOD]);
        assert_eq!(decoded.messages, [0, 2, 3], "{bad}");
        assert_eq!(decoded.rows.num_rows(), 3, "{bad}");
        let refused: Vec<_> = decoded
            .refused
            .iter()
            .map(|r| (r.message, r.reason))
            .collect();
        assert_eq!(refused, [(1, Reason::Undecodable)], "{bad}");
    }
}

#[test]
fn what_stands_behind_an_event_costs_its_neighbours_not_even_the_short_way() {
    let behind = format!("{GOOD} {GOOD}");
    let payloads = [GOOD, &behind, GOOD].map(str::as_bytes);
    let mut state = Assembly::new(EventKind::Heartbeat);
    assert_eq!(
        state.direct(&payloads, vec![0, 1, 2], direct_json::read),
        [1]
    );
}

#[test]
fn all_bad_leaves_no_rows_and_every_message_refused() {
    let decoded = decode(&["x"; 9]);
    assert_eq!((decoded.rows.num_rows(), decoded.refused.len()), (0, 9));
}

#[test]
fn avro_without_framing_or_of_an_unknown_id_is_refused_with_its_reason() {
    let payloads: Vec<&[u8]> = vec![b"", b"\x01\0\0\0\x01x", b"\0\0\0\0\x63x", b"\0\0\0\0\x01x"];
    let decoded = decode_avro(EventKind::Heartbeat, &payloads, &SchemaIds::embedded())
        .expect("columns fit together");
    let reasons: Vec<_> = decoded.refused.iter().map(|r| r.reason).collect();
    use Reason::{Undecodable, UnknownSchemaId, WrongFraming};
    assert_eq!(
        reasons,
        [WrongFraming, WrongFraming, UnknownSchemaId, Undecodable]
    );
}

proptest::proptest! {
    #[test]
    fn whatever_the_bytes_every_message_is_accounted_for_once(
        payloads in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..60), 0..20)
    ) {
        let mut payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        payloads.push(GOOD.as_bytes());
        for decoded in [
            decode_json(EventKind::Heartbeat, &payloads).expect("columns fit"),
            decode_avro(EventKind::Heartbeat, &payloads, &SchemaIds::embedded()).expect("columns fit"),
        ] {
            let mut seen: Vec<usize> = decoded.messages.clone();
            seen.extend(decoded.refused.iter().map(|r| r.message));
            seen.sort_unstable();
            proptest::prop_assert_eq!(seen, (0..payloads.len()).collect::<Vec<_>>());
            proptest::prop_assert_eq!(decoded.rows.num_rows(), decoded.messages.len());
        }
    }
}

/// What the general decoders alone make of messages.
fn in_general(kind: EventKind, payloads: &[&[u8]], id: Option<u32>) -> Decoded {
    let all: Vec<usize> = (0..payloads.len()).collect();
    let mut state = Assembly::new(kind);
    match id {
        None => state.judge(payloads, all, json::read),
        Some(id) => state.decode(&all, &|messages| {
            let contract = (kind.contract().avro, &Writer::default());
            avro::decode(kind, id, contract, payloads, messages)
        }),
    }
    state.finish().expect("columns fit together")
}

/// The rows in the order of their messages, and the messages refused.
fn ordered(decoded: &Decoded) -> (RecordBatch, Vec<usize>, Vec<usize>) {
    let mut order: Vec<u32> = (0..u32::try_from(decoded.messages.len()).expect("few")).collect();
    order.sort_by_key(|row| decoded.messages[*row as usize]);
    let mut messages = decoded.messages.clone();
    messages.sort_unstable();
    let mut refused: Vec<usize> = decoded.refused.iter().map(|one| one.message).collect();
    refused.sort_unstable();
    (
        take_rows(&decoded.rows, &order).expect("rows lie there"),
        messages,
        refused,
    )
}

/// A value of a field, as both encodings can hold it.
fn value(field: &'static ContractField) -> BoxedStrategy<Value> {
    let some = match &field.kind {
        FieldKind::Text => "[ -~]{0,12}|7d444840-9dc0-11d1-b245-5ffdce74fad2|é€😀"
            .prop_map(Value::from)
            .boxed(),
        FieldKind::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        FieldKind::Int => any::<i32>().prop_map(Value::from).boxed(),
        FieldKind::Long => any::<i64>().prop_map(Value::from).boxed(),
        FieldKind::TimestampMillis => (0_i64..4_000_000_000_000).prop_map(Value::from).boxed(),
        FieldKind::Float => (-20_000_i32..20_000, 0_i32..4)
            .prop_map(|(digits, power)| Value::from(f64::from(digits) / 10_f64.powi(power)))
            .boxed(),
        FieldKind::Double => prop_oneof![
            (-180.0..180.0).prop_map(Value::from),
            (-2_000_000_000_i32..2_000_000_000)
                .prop_map(|digits| Value::from(f64::from(digits) / 1e7)),
        ]
        .boxed(),
        FieldKind::Records(fields) => prop::collection::vec(record(fields), 0..3)
            .prop_map(Value::from)
            .boxed(),
    };
    match field.nullable {
        true => prop_oneof![1 => Just(Value::Null), 3 => some].boxed(),
        false => some,
    }
}

fn record(fields: &'static [ContractField]) -> BoxedStrategy<Value> {
    let values: Vec<_> = fields.iter().map(value).collect();
    values
        .prop_map(move |values| {
            let named = fields.iter().zip(values);
            Value::Object(
                named
                    .map(|(field, value)| (field.name.clone(), value))
                    .collect(),
            )
        })
        .boxed()
}

/// Writes a record as the Avro specification says.
fn avro_body(fields: &[ContractField], value: &Value, body: &mut Vec<u8>) {
    fn long(number: i64, body: &mut Vec<u8>) {
        let mut left = ((number << 1) ^ (number >> 63)).cast_unsigned();
        while left >= 0x80 {
            body.push(left as u8 | 0x80);
            left >>= 7;
        }
        body.push(left as u8);
    }
    for field in fields {
        let value = &value[&field.name];
        if field.nullable {
            body.push(if value.is_null() { 0 } else { 2 });
        }
        if value.is_null() {
            continue;
        }
        let number = value.as_f64().unwrap_or_default();
        match &field.kind {
            FieldKind::Text => {
                let text = value.as_str().expect("a text");
                long(text.len() as i64, body);
                body.extend(text.as_bytes());
            }
            FieldKind::Boolean => body.push(value.as_bool().expect("a truth value").into()),
            FieldKind::Int | FieldKind::Long | FieldKind::TimestampMillis => {
                long(value.as_i64().expect("an integer"), body);
            }
            FieldKind::Float => body.extend((number as f32).to_le_bytes()),
            FieldKind::Double => body.extend(number.to_le_bytes()),
            FieldKind::Records(fields) => {
                let records = value.as_array().expect("a list");
                if !records.is_empty() {
                    long(records.len() as i64, body);
                    records
                        .iter()
                        .for_each(|record| avro_body(fields, record, body));
                }
                long(0, body);
            }
        }
    }
}

/// Bytes as a fault on the way would leave them: one replaced, or the end gone.
fn spoil(message: &mut Vec<u8>, fault: Option<(usize, u8, bool)>) {
    let Some((at, byte, cut)) = fault.filter(|_| !message.is_empty()) else {
        return;
    };
    let at = at % message.len();
    match cut {
        true => message.truncate(at),
        false => message[at] = byte,
    }
}

#[test]
fn a_frame_behind_an_event_costs_its_neighbours_nothing_in_the_general_decoder() {
    let kind = EventKind::Heartbeat;
    let id = kind.embedded_schema_id();
    let frame = [&[0], &id.to_be_bytes()[..]].concat();
    let mut good = frame.clone();
    let event = serde_json::from_str(GOOD).expect("JSON");
    avro_body(&kind.contract().fields, &event, &mut good);
    let behind = [&good[..], &frame].concat();
    let decoded = in_general(kind, &[&good, &behind, &good], Some(id));
    assert_eq!(ordered(&decoded).1, [0, 2]);
    assert_eq!(ordered(&decoded).2, [1]);
}

proptest::proptest! {
    #[test]
    fn straight_into_columns_comes_to_the_same_as_the_general_decoders(
        kind in prop::sample::select(EventKind::ALL.to_vec()),
        messages in prop::sample::select(EventKind::ALL.to_vec()).prop_flat_map(|kind| {
            prop::collection::vec(
                (record(&kind.contract().fields), prop::option::weighted(0.3, any::<(usize, u8, bool)>())), 1..8)
                .prop_map(move |messages| (kind, messages))
        }),
        gaps in any::<bool>(),
    ) {
        // Events of another kind are a case too.
        let (written, messages) = messages;
        let kind = if gaps { kind } else { written };
        let fields = &written.contract().fields;
        let mut json = Vec::new();
        let mut avro = Vec::new();
        for (record, fault) in &messages {
            let mut text = match gaps {
                true => serde_json::to_vec_pretty(record),
                false => serde_json::to_vec(record),
            }
            .expect("JSON");
            spoil(&mut text, *fault);
            json.push(text);
            let mut body = vec![0];
            body.extend(kind.embedded_schema_id().to_be_bytes());
            let frame = body.len();
            avro_body(fields, record, &mut body);
            let mut rest = body.split_off(frame);
            spoil(&mut rest, *fault);
            body.extend(rest);
            avro.push(body);
        }
        let json: Vec<&[u8]> = json.iter().map(Vec::as_slice).collect();
        let avro: Vec<&[u8]> = avro.iter().map(Vec::as_slice).collect();
        let direct = decode_json(kind, &json).expect("columns fit together");
        prop_assert_eq!(ordered(&direct), ordered(&in_general(kind, &json, None)));
        let direct = decode_avro(kind, &avro, &SchemaIds::embedded()).expect("columns fit together");
        prop_assert_eq!(ordered(&direct), ordered(&in_general(kind, &avro, Some(kind.embedded_schema_id()))));
    }
}

#[test]
fn what_terminals_write_is_decoded_straight_into_columns() {
    let moments = GOOD.replace("1790000000000", "\"2026-11-24T10:20:30.123Z\"");
    let odd = GOOD.replace("\"T1\"", "\"T\\u0031\"");
    let payloads = [GOOD.as_bytes(), moments.as_bytes(), odd.as_bytes()];
    let mut state = Assembly::new(EventKind::Heartbeat);
    let left = state.direct(&payloads, vec![0, 1, 2], direct_json::read);
    assert_eq!(left, [2]);
    let times = state.batches[0]
        .column_by_name("event_time")
        .expect("a column");
    let times = times.as_primitive::<TimestampMillisecondType>();
    assert_eq!(times.values()[..], [1_790_000_000_000, 1_795_515_630_123]);
}
