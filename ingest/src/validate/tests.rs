use std::fs;
use std::path::PathBuf;

use arrow::datatypes::{Float32Type, Float64Type, Int32Type};
use chrono::TimeZone;
use schemas::quarantine::Reason;

use super::*;
use crate::config::UnknownFields;
use crate::decode::decode_json;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2027, 1, 1, 0, 0, 0)
        .single()
        .expect("a date")
}

fn rules() -> Rules {
    Rules {
        max_future: Duration::from_secs(600),
        retention: Duration::from_secs(3650 * 86_400),
        partition_resolution: Resolution::Two,
        unknown_fields: UnknownFields::Count,
    }
}

fn checked(kind: EventKind, payload: &[u8]) -> Checked {
    checked_by(&rules(), kind, payload)
}

fn checked_by(rules: &Rules, kind: EventKind, payload: &[u8]) -> Checked {
    let decoded = decode_json(kind, &[payload]).expect("columns fit together");
    let origin = Origin {
        partition: 0,
        offset: 7,
        time_ms: Some(1_790_000_000_000),
    };
    let known = Known {
        origin,
        found: None,
    };
    let mut places = Places::default();
    check(
        kind,
        kind.topic(),
        decoded,
        &[known],
        rules,
        &mut places,
        now(),
    )
    .expect("columns fit together")
}

fn fixtures(kind: EventKind, side: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../schemas/fixtures/wire-v1")
        .join(side)
        .join(kind.to_string());
    let entries = fs::read_dir(&folder).expect("fixtures are in the tree");
    let files = entries.map(|entry| entry.expect("a folder can be listed").path());
    files
        .map(|file| {
            let name = file
                .file_stem()
                .expect("a file has a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read(&file).expect("a fixture can be read"))
        })
        .collect()
}

#[test]
fn every_good_fixture_becomes_one_row_of_its_table() {
    for kind in EventKind::ALL {
        let fixtures = fixtures(kind, "good");
        assert!(!fixtures.is_empty());
        for (name, payload) in fixtures {
            let checked = checked(kind, &payload);
            assert_eq!(checked.refused, [], "{kind} {name}");
            assert_eq!(checked.rows.num_rows(), 1, "{kind} {name}");
            assert_eq!(
                checked.rows.schema(),
                kind.table().schema(),
                "{kind} {name}"
            );
        }
    }
}

#[test]
fn every_bad_fixture_is_refused_for_the_reason_in_its_name() {
    for kind in EventKind::ALL {
        let fixtures = fixtures(kind, "bad");
        assert!(!fixtures.is_empty());
        for (name, payload) in fixtures {
            let (expected, _) = name
                .split_once("__")
                .expect("bad fixtures name their reason");
            let checked = checked(kind, &payload);
            let reasons: Vec<_> = checked.refused.iter().map(|r| r.reason.as_str()).collect();
            assert_eq!(reasons, [expected], "{kind} {name}: {:?}", checked.refused);
            assert_eq!(checked.rows.num_rows(), 0, "{kind} {name}");
        }
    }
}

fn signal(fields: &str) -> RecordBatch {
    let payload = format!(
        r#"{{"event_id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","terminal_id":"T1","event_time":1790000000000,{fields}}}"#
    );
    let checked = checked(EventKind::Signal, payload.as_bytes());
    assert_eq!(checked.refused, []);
    checked.rows
}

fn count(rows: &RecordBatch, column: &str) -> i32 {
    rows.column_by_name(column)
        .expect("a count")
        .as_primitive::<Int32Type>()
        .value(0)
}

#[test]
fn sentinels_and_impossible_readings_become_null_and_are_counted_apart() {
    let rows = signal(r#""rat":"lte","rsrp_dbm":2147483647,"rsrq_db":-99.5,"sinr_db":12"#);
    assert!(
        rows.column_by_name("rsrp_dbm")
            .expect("a column")
            .is_null(0)
    );
    assert!(rows.column_by_name("rsrq_db").expect("a column").is_null(0));
    let sinr = rows
        .column_by_name("sinr_db")
        .expect("a column")
        .as_primitive::<Float32Type>();
    assert_eq!(sinr.value(0), 12.0);
    assert_eq!(
        (
            count(&rows, "sentinels_nulled"),
            count(&rows, "out_of_range_nulled")
        ),
        (1, 1)
    );
}

#[test]
fn a_modem_index_fills_its_quantity_and_an_unknown_one_does_not() {
    let rows = signal(r#""rat":"lte","raw_kind":"cesq_rsrp","raw_index":41"#);
    let rsrp = rows
        .column_by_name("rsrp_dbm")
        .expect("a column")
        .as_primitive::<Float32Type>();
    assert!(
        (rsrp.value(0) - -99.5).abs() < 1e-6,
        "index 41 is [-100, -99) dBm"
    );
    let rows = signal(r#""rat":"lte","raw_kind":"cesq_rsrp","raw_index":255"#);
    assert!(
        rows.column_by_name("rsrp_dbm")
            .expect("a column")
            .is_null(0)
    );
    assert_eq!(count(&rows, "sentinels_nulled"), 1);
}

#[test]
fn a_declared_gcj02_position_is_moved_and_the_original_kept() {
    let rows = signal(r#""rat":"lte","lat":39.9087,"lon":116.3975,"datum":"GCJ02""#);
    let value = |name: &str| {
        rows.column_by_name(name)
            .expect("a column")
            .as_primitive::<Float64Type>()
            .value(0)
    };
    assert_eq!(
        (value("lat_declared"), value("lon_declared")),
        (39.9087, 116.3975)
    );
    let moved_m = schemas::position::haversine_m(
        schemas::LatLon::new(value("lat"), value("lon")).expect("on the globe"),
        schemas::LatLon::new(39.9087, 116.3975).expect("on the globe"),
    );
    assert!((400.0..700.0).contains(&moved_m), "{moved_m} m in Beijing");
}

#[test]
fn a_clock_far_off_opens_no_partition() {
    for (time, reason) in [
        (0_i64, Reason::TimeBeyondRetention),
        (4_102_444_800_000, Reason::TimeInFuture),
    ] {
        let payload = format!(
            r#"{{"event_id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","terminal_id":"T1","event_time":{time}}}"#
        );
        let checked = checked(EventKind::Heartbeat, payload.as_bytes());
        assert_eq!(checked.refused[0].reason, reason);
        assert!(
            checked.refused[0].detail.contains("T1"),
            "{}",
            checked.refused[0].detail
        );
    }
}

/// A heartbeat with further fields, its ids in the spelling given.
fn heartbeat(terminal: &str, fields: &str) -> Checked {
    let payload = format!(
        r#"{{"event_id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","terminal_id":"{terminal}","event_time":1790000000000{fields}}}"#
    );
    checked(EventKind::Heartbeat, payload.as_bytes())
}

fn text_of<'a>(rows: &'a RecordBatch, column: &str) -> Option<&'a str> {
    let column = rows
        .column_by_name(column)
        .expect("a text")
        .as_string::<i32>();
    column.is_valid(0).then(|| column.value(0))
}

#[test]
fn a_padded_id_is_the_id_and_one_with_something_unseen_inside_is_none() {
    for terminal in [
        "P0042",
        "P0042   ",
        "\\tP0042\u{3000}",
        "\\u00a0P0042\\u200b",
    ] {
        let checked = heartbeat(terminal, r#","model":" V400m ","firmware":"   ""#);
        assert_eq!(checked.refused, [], "{terminal:?}");
        assert_eq!(text_of(&checked.rows, "terminal_id"), Some("P0042"));
        assert_eq!(text_of(&checked.rows, "model"), Some("V400m"));
        assert_eq!(text_of(&checked.rows, "firmware"), None);
    }
    let too_long = "9".repeat(65);
    for (terminal, reason) in [
        ("P\\u00a042", Reason::MalformedId),
        ("P\\n42", Reason::MalformedId),
        (too_long.as_str(), Reason::MalformedId),
        ("\\u200b \\ufeff", Reason::MissingField),
    ] {
        let checked = heartbeat(terminal, "");
        assert_eq!(checked.refused.len(), 1, "{terminal:?}");
        assert_eq!(checked.refused[0].reason, reason, "{terminal:?}");
    }
}

#[test]
fn an_event_id_has_no_case() {
    let payload = br#"{"event_id":"7D444840-9dc0-11D1-b245-5ffdce74FAD2","terminal_id":"T1","event_time":1790000000000}"#;
    let rows = checked(EventKind::Heartbeat, payload).rows;
    assert_eq!(
        text_of(&rows, "event_id"),
        Some("7d444840-9dc0-11d1-b245-5ffdce74fad2")
    );
}

#[test]
fn an_event_id_that_is_no_uuid_is_refused_with_its_form() {
    let payload = br#"{"event_id":"42","terminal_id":"T1","event_time":1790000000000}"#;
    let refused = &checked(EventKind::Heartbeat, payload).refused[0];
    assert_eq!(refused.reason, Reason::MalformedId);
    assert!(
        refused
            .detail
            .starts_with(r#"event_id "42" is not of the form ^[0-9a-fA-F]{8}-"#),
        "{refused:?}"
    );
}

#[test]
fn a_network_code_without_its_zeros_is_no_network() {
    for (plmn, kept) in [
        ("244-05", Some("244-05")),
        (" 334-020", Some("334-020")),
        ("244-5", None),
        ("24405", None),
        ("244-", None),
        ("244.0-5.0", None),
        ("中国移动", None),
    ] {
        let rows = heartbeat("T1", &format!(r#","serving_plmn":"{plmn}""#)).rows;
        assert_eq!(text_of(&rows, "serving_plmn"), kept, "{plmn:?}");
        let nulled = i32::from(kept.is_none());
        assert_eq!(count(&rows, "out_of_range_nulled"), nulled, "{plmn:?}");
    }
}

#[test]
fn counts_have_an_upper_end_and_no_fractions() {
    for (fields, nulled, sentinels) in [
        (
            r#","attempts":100000,"approvals":1e2,"no_answer":3.0"#,
            0,
            0,
        ),
        (r#","attempts":100001"#, 1, 0),
        (r#","attempts":2147483647,"approvals":65535.0"#, 0, 1),
        (r#","attempts":-3,"no_answer":0.5,"battery_pct":87.5"#, 3, 0),
        (r#","seq":9223372036854775807,"uptime_s":4294967295"#, 0, 2),
    ] {
        let rows = heartbeat("T1", fields).rows;
        let found = (
            count(&rows, "out_of_range_nulled"),
            count(&rows, "sentinels_nulled"),
        );
        assert_eq!(found, (nulled, sentinels), "{fields}");
    }
}

#[test]
fn a_time_of_sending_is_after_the_event_and_not_in_the_future() {
    let sent = |time: i64| {
        let rows = heartbeat("T1", &format!(r#","sent_time":{time}"#)).rows;
        let is_kept = rows
            .column_by_name("sent_time")
            .expect("a time")
            .is_valid(0);
        assert_eq!(
            count(&rows, "out_of_range_nulled"),
            i32::from(!is_kept),
            "{time}"
        );
        is_kept
    };
    let (happened, now) = (1_790_000_000_000, now().timestamp_millis());
    assert!(sent(happened) && sent(happened - 600_000) && sent(now) && sent(now + 600_000));
    for wrong in [
        happened - 600_001,
        now + 600_001,
        0,
        -1,
        1_790_000_000,
        i64::MAX,
        i64::MIN,
    ] {
        assert!(!sent(wrong), "{wrong}");
    }
}

#[test]
fn a_time_in_another_unit_is_refused_by_name() {
    for (time, unit) in [
        (1_790_000_000, "seconds"),
        (1_790_000_000_000_000, "microseconds"),
        (1_790_000_000_000_000_000_i64, "nanoseconds"),
    ] {
        let payload = format!(
            r#"{{"event_id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","terminal_id":"T1","event_time":{time}}}"#
        );
        let refused = &checked(EventKind::Heartbeat, payload.as_bytes()).refused[0];
        assert!(
            refused.detail.contains(&format!("right as {unit}")),
            "{refused:?}"
        );
    }
}

#[test]
fn no_fix_is_no_position() {
    for (fields, nowhere) in [
        (r#","lat":0,"lon":0.0,"datum":"WGS84""#, true),
        (r#","lat":1e-5,"lon":-0.0,"datum":"BD09""#, true),
        (r#","lat":0,"lon":0"#, true),
        (r#","lat":0.0,"lon":6.7,"datum":"WGS84""#, false),
    ] {
        let rows = heartbeat("T1", fields).rows;
        for column in ["lat", "lon", "cell_r9", "partition_cell"] {
            let column = rows.column_by_name(column).expect("a place");
            assert_eq!(column.is_null(0), nowhere, "{fields}");
        }
        assert_eq!(
            count(&rows, "sentinels_nulled"),
            i32::from(nowhere),
            "{fields}"
        );
    }
}

#[test]
fn what_stands_in_a_list_is_held_to_its_contract() {
    let rows = signal(
        r#""rat":"lte","neighbours":[{"rat":"lte","plmn":"262-01","pci":3,"signal_dbm":-90},
           {"rat":"lte","plmn":"262-1","pci":5000,"radio_cell_id":4111111111111111,"signal_dbm":-10}]"#,
    );
    assert_eq!(count(&rows, "out_of_range_nulled"), 4);
    let list = rows
        .column_by_name("neighbours")
        .expect("a list")
        .as_list::<i32>();
    let records = list.values().as_struct();
    for name in ["plmn", "pci", "radio_cell_id", "signal_dbm"] {
        let column = records.column_by_name(name).expect("a field");
        assert!(column.is_null(1), "{name}");
        assert_eq!(column.is_valid(0), name != "radio_cell_id", "{name}");
    }
}

#[test]
fn fields_that_no_contract_has_are_counted_by_name_or_refused() {
    let payload = br#"{"event_id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","terminal_id":"T1",
        "event_time":1790000000000,"rat":"lte","latitude":1.5,"Rsrp_dBm":-90,"x":{"y":[1]},
        "neighbours":[{"rat":"lte","beam":1},{"rat":"nr","beam":2}]}"#;
    let counted = checked(EventKind::Signal, payload);
    assert_eq!(counted.refused, []);
    let names: Vec<&str> = counted.unknown_fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["Rsrp_dBm", "latitude", "neighbours.beam", "x"]);
    assert!(
        counted
            .unknown_fields
            .values()
            .all(|messages| *messages == 1)
    );
    let refuse = Rules {
        unknown_fields: UnknownFields::Refuse,
        ..rules()
    };
    let refused = checked_by(&refuse, EventKind::Signal, payload).refused;
    let [
        Refused {
            reason: Reason::UnknownField,
            detail,
            ..
        },
    ] = &refused[..]
    else {
        panic!("refused for the field: {refused:?}");
    };
    assert!(
        detail.starts_with(r#"signal has no field "latitude" (did you mean "lat"?)"#),
        "{detail}"
    );
}
