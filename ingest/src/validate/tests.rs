use std::fs;
use std::path::PathBuf;

use arrow::datatypes::{Float32Type, Float64Type, Int32Type};
use chrono::TimeZone;
use schemas::quarantine::Reason;

use super::*;
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
    }
}

fn checked(kind: EventKind, payload: &[u8]) -> Checked {
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
        &rules(),
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
