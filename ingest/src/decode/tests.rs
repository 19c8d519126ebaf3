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
