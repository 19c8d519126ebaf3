//! Replays of the shipped samples against counts made without the replayer, and of what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampMillisecondType};
use arrow::error::ArrowError;
use schemas::{ContractField, EventKind, FieldKind};
use serde_json::Value;

use super::*;
use crate::publish::{EventSink, PublishError, PublishSummary};

/// Keeps all batches.
#[derive(Default)]
struct Kept(Vec<(EventKind, RecordBatch)>);

impl EventSink for Kept {
    fn send(&mut self, kind: EventKind, batch: &RecordBatch) -> Result<(), PublishError> {
        self.0.push((kind, batch.clone()));
        Ok(())
    }

    fn finish(&mut self) -> Result<PublishSummary, PublishError> {
        Ok(PublishSummary::default())
    }
}

impl Kept {
    fn batches(&self, kind: EventKind) -> impl Iterator<Item = &RecordBatch> {
        self.0
            .iter()
            .filter(move |(own, _)| *own == kind)
            .map(|(_, batch)| batch)
    }

    fn texts(&self, column: &str) -> Vec<Option<String>> {
        let columns = self
            .0
            .iter()
            .filter_map(|(_, batch)| batch.column_by_name(column));
        columns
            .flat_map(|values| {
                values
                    .as_string::<i32>()
                    .iter()
                    .map(|v| v.map(str::to_owned))
            })
            .collect()
    }

    fn distinct(&self, column: &str) -> BTreeSet<String> {
        self.texts(column).into_iter().flatten().collect()
    }

    fn numbers(&self, kind: EventKind, column: &str) -> Vec<Option<f64>> {
        self.batches(kind)
            .flat_map(|batch| numbers(&batch[column]))
            .collect()
    }
}

fn numbers(values: &dyn Array) -> Vec<Option<f64>> {
    let cast = arrow::compute::cast(values, &arrow::datatypes::DataType::Float64);
    cast.expect("the column is a number")
        .as_primitive::<Float64Type>()
        .iter()
        .collect()
}

fn replay_sample(name: &str, options: &ReplayOptions) -> (ReplaySummary, Kept) {
    let mapping = Mapping::load(name).expect("the mapping is shipped");
    let mut kept = Kept::default();
    let summary = replay(&mapping, &[], options, &mut kept, &mut Unobserved);
    (summary.expect("the sample is shipped"), kept)
}

fn expected(name: &str) -> Value {
    let counts: Value = serde_json::from_str(include_str!("../../samples/expected_counts.json"))
        .expect("the counts are JSON");
    counts[name].clone()
}

const SAMPLES: [&str; 4] = [
    "trai-mycall",
    "cn-bandwidth",
    "dakar-gnettrack",
    "tehran-fieldtest",
];

#[test]
fn every_sample_gives_the_events_an_independent_count_says() {
    for name in SAMPLES {
        let (summary, kept) = replay_sample(name, &ReplayOptions::default());
        let counts = expected(name);
        assert_eq!(summary.first_refused, [], "{name}");
        assert_eq!(counts["rows_read"], summary.rows_read, "{name}");
        assert_eq!(counts["rows_used"], summary.rows_used, "{name}");
        assert_eq!(counts["attempts"], summary.attempts, "{name}");
        assert_eq!(counts["failures"], summary.failures, "{name}");
        for kind in EventKind::ALL {
            assert_eq!(
                counts["events"][kind.to_string()],
                summary.events_of(kind),
                "{name} {kind}"
            );
            let rows: usize = kept.batches(kind).map(RecordBatch::num_rows).sum();
            assert_eq!(summary.events_of(kind), rows as u64, "{name} {kind}");
        }
    }
}

#[test]
fn heartbeats_and_declines_of_a_sample_tell_the_same_counts() {
    for name in SAMPLES {
        let (summary, kept) = replay_sample(name, &ReplayOptions::default());
        let sum = |column: &str| -> f64 {
            kept.numbers(EventKind::Heartbeat, column)
                .into_iter()
                .flatten()
                .sum()
        };
        assert_eq!(sum("attempts"), summary.attempts as f64, "{name}");
        assert_eq!(sum("no_answer"), summary.failures as f64, "{name}");
        assert_eq!(
            summary.events_of(EventKind::Decline),
            summary.failures,
            "{name}"
        );
    }
}

#[test]
fn details_of_the_samples_are_as_counted() {
    let (_, mycall) = replay_sample("trai-mycall", &ReplayOptions::default());
    let counts = expected("trai-mycall");
    let placed = [EventKind::Heartbeat, EventKind::Decline]
        .into_iter()
        .flat_map(|kind| mycall.numbers(kind, "lat"))
        .flatten()
        .count();
    assert_eq!(counts["with_position"], placed);
    assert_eq!(counts["networks"], mycall.distinct("sim_plmn").len());
    let rats = [mycall.texts("rat"), mycall.texts("last_signal_rat")].concat();
    assert_eq!(
        counts["without_rat"],
        rats.iter().filter(|rat| rat.is_none()).count()
    );

    let (summary, bandwidth) = replay_sample("cn-bandwidth", &ReplayOptions::default());
    let counts = expected("cn-bandwidth");
    let rsrp = bandwidth.numbers(EventKind::Signal, "rsrp_dbm");
    assert_eq!(counts["with_rsrp"], rsrp.iter().flatten().count());
    assert_eq!(counts["models"], bandwidth.distinct("model").len());
    assert_eq!(
        counts["unmapped_serving_plmn"],
        summary.values_unmapped["serving_plmn"]
    );
}

#[test]
fn clamped_and_unsigned_readings_of_android_are_not_taken_as_they_stand() {
    let (_, kept) = replay_sample("cn-bandwidth", &ReplayOptions::default());
    for batch in kept.batches(EventKind::Signal) {
        let rats = batch["rat"].as_string::<i32>();
        let firmware = batch["firmware"].as_string::<i32>();
        for (row, rsrp) in numbers(&batch["rsrp_dbm"]).into_iter().enumerate() {
            let Some(rsrp) = rsrp else { continue };
            let is_2021 = batch["event_time"]
                .as_primitive::<TimestampMillisecondType>()
                .value(row)
                < 1_650_000_000_000;
            if rats.value(row) == "nr" && is_2021 {
                assert_eq!(firmware.value(row), "10");
                assert!((-105.0..=-39.0).contains(&rsrp), "{rsrp}");
            }
        }
    }
}

/// Values the recordings hold although they cannot be true: the ingester nulls and counts them.
fn known_oddity(field: &str, value: f64) -> bool {
    const ANDROID_UNAVAILABLE: f64 = 2_147_483_647.0;
    // As f32 the sentinel is rounded to 2^31.
    (value - ANDROID_UNAVAILABLE).abs() <= 1.0
        || match field {
            // Tehran: Ec/N0 of 58 to 72, RxLev above -25 dBm.
            "ecno_db" => (50.0..=75.0).contains(&value),
            "rssi_dbm" => (-25.0..=-23.0).contains(&value),
            // China: RSSNR down to -30, from versions of Android that had no common unit.
            "sinr_db" => (-30.0..-23.0).contains(&value),
            _ => false,
        }
}

#[test]
fn events_of_samples_hold_what_the_contracts_allow() {
    for name in SAMPLES {
        let (_, kept) = replay_sample(name, &ReplayOptions::default());
        for (kind, batch) in &kept.0 {
            for field in &kind.contract().fields {
                check_column(name, field, &batch[field.name.as_str()]);
            }
        }
    }
}

fn check_column(name: &str, field: &ContractField, values: &dyn Array) {
    let place = format!("{name}: {}", field.name);
    assert!(field.nullable || values.null_count() == 0, "{place}");
    match field.kind {
        FieldKind::Text => {
            for text in values.as_string::<i32>().iter().flatten() {
                assert!(
                    field.symbols.is_empty() || field.symbols.iter().any(|s| s == text),
                    "{place}: {text}"
                );
                assert!(!text.is_empty(), "{place}");
                if field.name.ends_with("plmn") {
                    assert!(schemas::Plmn::is_valid(text), "{place}: {text}");
                }
            }
        }
        FieldKind::Int | FieldKind::Long | FieldKind::Float | FieldKind::Double => {
            let (low, high) = field.range;
            for value in numbers(values).into_iter().flatten() {
                let inside =
                    low.is_none_or(|low| value >= low) && high.is_none_or(|high| value <= high);
                assert!(
                    inside || known_oddity(&field.name, value),
                    "{place}: {value}"
                );
            }
        }
        FieldKind::Boolean | FieldKind::TimestampMillis | FieldKind::Records(_) => {}
    }
}

#[test]
fn a_second_replay_repeats_the_identities_and_no_two_events_share_one() {
    for name in SAMPLES {
        let (summary, first) = replay_sample(name, &ReplayOptions::default());
        let (_, second) = replay_sample(name, &ReplayOptions::default());
        assert_eq!(first.0, second.0, "{name}");
        let events: u64 = summary.events.iter().sum();
        assert_eq!(first.distinct("event_id").len() as u64, events, "{name}");
    }
}

#[test]
fn order_and_identity_do_not_depend_on_the_speed() {
    let paced = ReplayOptions {
        speed: Speed::Scaled(1000.0),
        ..ReplayOptions::default()
    };
    let (at_once, kept) = replay_sample("dakar-gnettrack", &ReplayOptions::default());
    let (summary, in_time) = replay_sample("dakar-gnettrack", &paced);
    assert_eq!(summary, at_once);
    assert_eq!(kept.distinct("event_id"), in_time.distinct("event_id"));
    for kind in EventKind::ALL {
        let times = in_time.batches(kind).flat_map(|batch| {
            batch["event_time"]
                .as_primitive::<TimestampMillisecondType>()
                .values()
                .to_vec()
        });
        assert!(times.is_sorted(), "{kind}");
    }
}

#[test]
fn a_shift_puts_the_last_event_where_it_is_asked_for() {
    let target = chrono::DateTime::from_timestamp_millis(1_790_000_000_000).expect("in range");
    let moved = |shift| {
        let options = ReplayOptions {
            shift,
            ..ReplayOptions::default()
        };
        replay_sample("tehran-fieldtest", &options).0
    };
    assert_eq!(moved(TimeShift::LastAt(target)).last_event, Some(target));
    let weeks = moved(TimeShift::WholeWeeksBefore(target));
    assert_eq!(weeks.shifted_by_ms % (7 * 86_400_000), 0);
    let last = weeks.last_event.expect("there are events");
    assert!(last <= target && target - last < chrono::TimeDelta::days(7));
}

/// Records when it was asked to wait, and ends after some rows.
struct Watch {
    waits: Vec<std::time::Duration>,
    breaks_after: usize,
}

impl ReplayObserver for Watch {
    fn wait_until(&mut self, since_start: std::time::Duration) -> std::ops::ControlFlow<()> {
        self.waits.push(since_start);
        match self.waits.len() > self.breaks_after {
            true => std::ops::ControlFlow::Break(()),
            false => std::ops::ControlFlow::Continue(()),
        }
    }
}

#[test]
fn a_scaled_replay_waits_for_the_recorded_time_divided_and_can_be_stopped() {
    let mapping = Mapping::parse(&minimal("", ""), "test").expect("the mapping is valid");
    let file = file(
        "rows.csv",
        "t,dbm\n1000,-90\n3000,-91\n2000,-92\n5000,-93\n",
    );
    let mut sink = Kept::default();
    let mut watch = Watch {
        waits: Vec::new(),
        breaks_after: 3,
    };
    let options = ReplayOptions {
        speed: Speed::Scaled(10.0),
        ..ReplayOptions::default()
    };
    let summary = replay(&mapping, &[file.1], &options, &mut sink, &mut watch).expect("readable");
    let waits_ms: Vec<u128> = watch
        .waits
        .iter()
        .map(std::time::Duration::as_millis)
        .collect();
    assert_eq!(waits_ms, [0, 100, 200, 400]);
    assert!(summary.stopped_early);
    assert_eq!(summary.events_of(EventKind::Signal), 3);
    assert_eq!(
        sink.numbers(EventKind::Signal, "rsrp_dbm"),
        [Some(-90.0), Some(-92.0), Some(-91.0)]
    );
}

/// A mapping of `rows.csv` with columns t (ms) and dbm.
fn minimal(more_source: &str, more_fields: &str) -> String {
    format!(
        r#"
name = "test"
title = "test"
licence = "none"
credit = "none"
[[source]]
files = ["*.csv", "*.parquet"]
time = {{ column = "t", format = "epoch_ms" }}
terminal = {{ prefix = "test" }}
{more_source}
[[source.emit]]
kind = "signal"
[source.emit.fields]
rat = {{ value = "lte" }}
rsrp_dbm = {{ column = "dbm", missing = ["-"] }}
{more_fields}
"#
    )
}

fn file(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("the folder is writable");
    (folder, path)
}

fn replay_file(
    mapping: &str,
    name: &str,
    content: &[u8],
) -> Result<(ReplaySummary, Kept), ReplayError> {
    let mapping = Mapping::parse(mapping, "test").expect("the mapping is valid");
    let (_folder, path) = file(name, content);
    let mut kept = Kept::default();
    let summary = replay(
        &mapping,
        &[path],
        &ReplayOptions::default(),
        &mut kept,
        &mut Unobserved,
    )?;
    Ok((summary, kept))
}

#[test]
fn bad_rows_are_named_by_line_and_reason_and_the_good_ones_go_on() {
    let rows = b"t,dbm\n1000,-90\nsoon,-90\n1000,strong\n\n1000\n1000,\xff\n2000,-\n";
    let (summary, kept) = replay_file(&minimal("", ""), "rows.csv", rows).expect("readable");
    let told: Vec<String> = summary
        .first_refused
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "rows.csv:3: time is not in the format: column t is \"soon\"",
            "rows.csv:4: value is not a number: column dbm is \"strong\"",
            "rows.csv:6: row is not as wide as the header: 1 values, 2 columns",
            "rows.csv:7: row is not UTF-8: byte FF is 'ÿ' in Latin-1: save the file as UTF-8",
        ]
    );
    assert_eq!(
        (summary.rows_read, summary.rows_used, summary.refused()),
        (6, 2, 4)
    );
    assert_eq!(
        kept.numbers(EventKind::Signal, "rsrp_dbm"),
        [Some(-90.0), None]
    );
}

#[test]
fn compressed_text_and_parquet_give_the_same_events() {
    let text = "t,dbm\n1000,-90\n2000,-91\n";
    let packed = zstd::encode_all(text.as_bytes(), 3).expect("memory can be compressed");
    let (_, plain) = replay_file(&minimal("", ""), "rows.csv", text.as_bytes()).expect("readable");
    let (_, zstd) = replay_file(&minimal("", ""), "rows.csv.zst", &packed).expect("readable");
    assert_eq!(plain.0, zstd.0);
    let (_, parquet) = replay_file(
        &minimal("", ""),
        "rows.parquet",
        &parquet_file().expect("encodable"),
    )
    .expect("readable");
    // The file's name is part of the identity; all else is equal.
    for column in ["terminal_id", "rat"] {
        assert_eq!(plain.texts(column), parquet.texts(column));
    }
    for column in ["rsrp_dbm", "event_time"] {
        assert_eq!(
            plain.numbers(EventKind::Signal, column),
            parquet.numbers(EventKind::Signal, column)
        );
    }
}

fn parquet_file() -> Result<Vec<u8>, ArrowError> {
    let times = arrow::array::Int64Array::from(vec![1000, 2000]);
    let dbm = arrow::array::Float64Array::from(vec![-90.0, -91.0]);
    let batch = RecordBatch::try_from_iter([
        ("t", std::sync::Arc::new(times) as arrow::array::ArrayRef),
        ("dbm", std::sync::Arc::new(dbm)),
    ])?;
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None)?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

#[test]
fn transforms_do_what_they_are_called() {
    let fields = r#"
rsrq_db = { column = "q", separator = ";", pick = "median", missing = ["99"] }
arfcn = { column = "f", scale = 10.0, offset = 1.0 }
radio_cell_id = { sum = [{ column = "f", scale = 256.0 }, { column = "c" }] }
band = { columns = ["b", "f"], join = "-" }
serving_plmn = { column = "op", map = { one = "001-01" }, unmapped = "missing" }
sinr_db = { value = 3, when = [{ column = "op", any_of = ["one"] }] }
"#;
    let rows = b"t,dbm,q,f,c,b,op\n1000,-90,-9;99;-7;-8;-6,5,7,n,one\n1000,-90,99,,,,two\n";
    let (summary, kept) = replay_file(&minimal("", fields), "rows.csv", rows).expect("readable");
    let of = |column| kept.numbers(EventKind::Signal, column);
    assert_eq!(of("rsrq_db"), [Some(-8.0), None]);
    assert_eq!(of("arfcn"), [Some(51.0), None]);
    assert_eq!(of("radio_cell_id"), [Some(1287.0), None]);
    assert_eq!(of("sinr_db"), [Some(3.0), None]);
    assert_eq!(kept.texts("band"), [Some("n-5".to_owned()), None]);
    assert_eq!(
        kept.texts("serving_plmn"),
        [Some("001-01".to_owned()), None]
    );
    assert_eq!(
        summary.values_unmapped,
        BTreeMap::from([("serving_plmn".to_owned(), 1)])
    );
}

#[test]
fn a_value_outside_its_map_refuses_the_row_by_default() {
    let fields = r#"serving_plmn = { column = "op", map = { one = "001-01" } }"#;
    let rows = b"t,dbm,op\n1000,-90,two\n";
    let (summary, _) = replay_file(&minimal("", fields), "rows.csv", rows).expect("readable");
    assert_eq!(
        summary.rows_refused,
        BTreeMap::from([("value is not in the value map".to_owned(), 1)])
    );
}

#[test]
fn a_count_of_answers_gives_one_decline_per_missing_answer() {
    let attempts = r#"
[[source.attempts]]
name = "ping"
count = { column = "tx" }
answered = { column = "rx" }
"#;
    let rows = b"t,dbm,tx,rx\n1000,-90,5,3\n2000,-90,5,5\n3000,-90,,\n4000,-90,2,3\n5000,-90,2,\n";
    let (summary, kept) = replay_file(&minimal("", attempts), "rows.csv", rows).expect("readable");
    assert_eq!((summary.attempts, summary.failures), (10, 2));
    assert_eq!(
        kept.numbers(EventKind::Heartbeat, "no_answer"),
        [Some(2.0), Some(0.0)]
    );
    assert_eq!(
        kept.numbers(EventKind::Heartbeat, "approvals"),
        [Some(3.0), Some(5.0)]
    );
    assert_eq!(kept.distinct("attempt_id").len(), 2);
    let lines: Vec<u64> = summary.first_refused.iter().map(|row| row.line).collect();
    assert_eq!(lines, [5, 6]);
}

#[test]
fn a_terminal_without_a_device_is_its_place() {
    let source = r#"
terminal = { prefix = "place", cell_resolution = 7 }
position = { lat = "lat", lon = "lon", datum = "WGS84", position_source = "gnss", missing_pairs = [[0.0, 0.0]] }
"#;
    let mapping = minimal(source, "").replace("terminal = { prefix = \"test\" }\n", "");
    let rows = b"t,dbm,lat,lon\n1,-90,28.6,77.2\n2,-90,28.6001,77.2\n3,-90,19.0,72.8\n4,-90,0,0\n5,-90,,\n6,-90,91,0\n";
    let (summary, kept) = replay_file(&mapping, "rows.csv", rows).expect("readable");
    let ids = kept.texts("terminal_id");
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_eq!(ids[3], ids[4]);
    assert_eq!(kept.distinct("terminal_id").len(), 3);
    assert_eq!(
        summary.rows_refused,
        BTreeMap::from([("position is impossible".to_owned(), 1)])
    );
}

/// Replays a file of a mapping whose times are in seconds and whose ids are plain.
fn replay_plain(fields: &str, rows: &[u8]) -> (ReplaySummary, Kept) {
    let mapping = minimal("", fields)
        .replace(
            "prefix = \"test\"",
            "prefix = \"x\", columns = [\"dev\"], id = \"plain\"",
        )
        .replace("epoch_ms", "epoch_s");
    replay_file(&mapping, "rows.csv", rows).expect("readable")
}

#[test]
fn network_codes_that_no_network_has_become_null_and_are_counted() {
    let fields = r#"serving_plmn = { columns = ["mcc", "mnc"], join = "-" }"#;
    let rows = b"dev,t,dbm,mcc,mnc\na,1793700000,-90,262,1\na,1793700001,-90,262.0,02.0\n\
        a,1793700002,-90,310,\na,1793700003,-90,310.0,410.0\na,1793700004,-90,,\n";
    let (summary, kept) = replay_plain(fields, rows);
    assert_eq!(summary.rows_used, 5);
    assert_eq!(kept.distinct("serving_plmn"), ["310-410".to_owned()].into());
    let counted = BTreeMap::from([("serving_plmn".to_owned(), 3)]);
    assert_eq!(summary.values_invalid, counted);
    let constant = minimal("", r#"serving_plmn = { value = "262-1" }"#);
    assert!(mapping_fault(&constant).contains("\"262-1\" is no serving_plmn"));
}

#[test]
fn a_device_is_one_however_its_number_is_written_and_none_where_it_was_shortened() {
    let fields = r#"radio_cell_id = { column = "ci", missing = ["0"], map = { 43235 = "7" }, unmapped = "keep" }"#;
    let rows = "dev,t,dbm,ci\n10023,1793700000,-90,43235\n10023.0,1793700001,-90,43235.0\n\
        \u{3000}10023\u{200b},1793700002,-90,0.0\n8.6012E+14,1793700003,-90,1\n=\"0012\",1793700004,-90,1\n\
        10\u{200b}023,1793700005,-90,1\n,1793700006,-90,1\n10023,1793700007,-90,2.05E+08\n";
    let (summary, kept) = replay_plain(fields, rows.as_bytes());
    assert_eq!(kept.distinct("terminal_id"), ["x-10023".to_owned()].into());
    assert_eq!(
        kept.numbers(EventKind::Signal, "radio_cell_id"),
        [Some(7.0), Some(7.0), None]
    );
    let told: Vec<(u64, &str)> = summary
        .first_refused
        .iter()
        .map(|row| {
            (
                row.line,
                row.reason.split([':', ',']).next().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (5, "value has an exponent"),
            (6, "value is marked as text for a spreadsheet (= or ')"),
            (7, "value has an invisible character inside"),
            (8, "no value names the terminal"),
            (9, "value has an exponent"),
        ]
    );
}

#[test]
fn a_column_asked_for_is_there_once_and_others_do_not_matter() {
    let twice = b"t,dbm,x,x\n1000,-90,1,2\n";
    let (summary, _) = replay_file(&minimal("", ""), "rows.csv", twice).expect("readable");
    assert_eq!(summary.rows_used, 1);
    let fields = r#"sinr_db = { column = "x" }"#;
    let error = replay_file(&minimal("", fields), "rows.csv", twice);
    let told = error.err().expect("which x is unknown").to_string();
    assert!(told.contains("two columns are called \"x\""), "{told}");
}

#[test]
fn a_time_in_another_unit_is_refused_with_the_likely_one() {
    let rows = b"t,dbm\n1793700000,-90\n1793700000000,-91\n1.7937E+12,-92\n";
    let (summary, kept) = replay_file(&minimal("", ""), "rows.csv", rows).expect("readable");
    assert_eq!(kept.numbers(EventKind::Signal, "rsrp_dbm"), [Some(-91.0)]);
    let reasons: Vec<&String> = summary.rows_refused.keys().collect();
    assert!(
        reasons[0].contains("counts seconds (epoch_s)"),
        "{reasons:?}"
    );
    assert!(reasons[1].contains("exponent"), "{reasons:?}");
}

fn mapping_fault(text: &str) -> String {
    Mapping::parse(text, "my.toml")
        .expect_err("the mapping is wrong")
        .to_string()
}

#[test]
fn what_is_wrong_with_a_mapping_is_said_before_any_row_is_read() {
    let unknown_key = mapping_fault(&minimal("speed = 3", ""));
    assert!(
        unknown_key.contains("my.toml") && unknown_key.contains("speed"),
        "{unknown_key}"
    );
    for (source, fields, told) in [
        (
            "",
            "rsrp = { column = \"dbm\" }",
            "emit signal.rsrp is not a field of signal events",
        ),
        (
            "",
            "event_id = { column = \"dbm\" }",
            "filled by the replayer",
        ),
        (
            "",
            "datum = { value = \"WGS84\" }",
            "filled by the replayer",
        ),
        (
            "",
            "sinr_db = { column = \"a\", value = 1 }",
            "exactly one of value, column, columns and sum",
        ),
        (
            "",
            "sinr_db = { value = \"much\" }",
            "emit signal.sinr_db: value is not a number",
        ),
        (
            "",
            "serving_plmn = { column = \"a\", scale = 2.0 }",
            "make numbers",
        ),
        (
            "",
            "raw_kind = { column = \"a\", map = { x = \"asu\" } }",
            "not one the event field knows",
        ),
        (
            "",
            "sinr_db = { column = \"a\", pick = \"median\" }",
            "separator and pick belong together",
        ),
        (
            "fields.colour = { value = 1 }",
            "",
            "fields.colour is not a field of heartbeat, signal, decline",
        ),
        (
            "position = { lat = \"a\", lon = \"b\", datum = \"NAD27\", position_source = \"gnss\" }",
            "",
            "position.datum \"NAD27\" is not one of WGS84, GCJ02, BD09",
        ),
    ] {
        let fault = mapping_fault(&minimal(source, fields));
        assert!(fault.contains(told), "{fault}");
    }
    for (format, told) in [
        ("\"%Y\", zone = \"Mars/Olympus\"", "Mars/Olympus"),
        ("\"%F %T %z\", zone = \"UTC\"", "contradict each other"),
    ] {
        let fault = mapping_fault(&minimal("", "").replace("\"epoch_ms\"", format));
        assert!(fault.contains(told), "{fault}");
    }
}

#[test]
fn a_file_that_does_not_fit_is_an_error_that_names_it() {
    let refused = |name: &str, content: &[u8]| {
        replay_file(&minimal("", ""), name, content)
            .err()
            .expect("it does not fit")
            .to_string()
    };
    assert_eq!(
        refused("rows.csv", b"t,level\n1,2\n"),
        "mapping test, file rows.csv: no column \"dbm\"; the file has t, level, @file"
    );
    assert_eq!(
        refused("rows.txt", b""),
        "mapping test has no source for file rows.txt: it reads *.csv, *.parquet"
    );
    assert!(refused("rows.csv", b"").contains("rows.csv: the file is empty"));
    assert!(refused("rows.parquet", b"PAR1").contains("rows.parquet"));
    let missing = Mapping::load("no-such")
        .expect_err("there is none")
        .to_string();
    assert!(missing.contains("trai-mycall"), "{missing}");
    let us_drive = Mapping::load("us-drive").expect("the mapping is shipped");
    let sampleless = replay(
        &us_drive,
        &[],
        &ReplayOptions::default(),
        &mut Kept::default(),
        &mut Unobserved,
    );
    assert!(
        sampleless
            .expect_err("it ships none")
            .to_string()
            .contains("ships no sample")
    );
}

#[test]
fn two_files_of_one_name_are_refused() {
    let mapping = Mapping::parse(&minimal("", ""), "test").expect("the mapping is valid");
    let (one, two) = (file("rows.csv", "t,dbm\n"), file("rows.csv.gz", "t,dbm\n"));
    let result = replay(
        &mapping,
        &[one.1, two.1],
        &ReplayOptions::default(),
        &mut Kept::default(),
        &mut Unobserved,
    );
    assert!(matches!(result, Err(ReplayError::SameName { file }) if file == "rows.csv"));
}

#[test]
fn a_folder_stands_for_the_files_the_mapping_reads() {
    let mapping = Mapping::parse(&minimal("", ""), "test").expect("the mapping is valid");
    let (folder, _) = file("b.csv", "t,dbm\n1,-90\n");
    std::fs::write(folder.path().join("a.csv"), "t,dbm\n1,-90\n").expect("writable");
    std::fs::write(folder.path().join("README.md"), "not rows").expect("writable");
    let paths = [folder.path().to_owned()];
    let summary = replay(
        &mapping,
        &paths,
        &ReplayOptions::default(),
        &mut Kept::default(),
        &mut Unobserved,
    )
    .expect("readable");
    assert_eq!(summary.files, ["a.csv", "b.csv"]);
}

#[test]
fn shipped_mappings_carry_their_name_licence_and_credit() {
    for ready in builtin_mappings() {
        let mapping = Mapping::load(ready.name).expect("shipped mappings are valid");
        assert_eq!(mapping.name, ready.name);
        assert!(!mapping.licence.is_empty() && !mapping.credit.is_empty());
        assert_eq!(ready.has_sample(), SAMPLES.contains(&ready.name));
    }
}
