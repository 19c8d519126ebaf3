//! Reports over a lake small enough to be counted by hand; the counts are beside the rows.

mod fixture;
mod silence;

use analytics::report::{self, Params};
use analytics::{LakeSession, map_cells};
use arrow::array::AsArray;
use fixture::{FixtureLake, LYON, PARIS, event, query, text};
use schemas::Table;
use schemas::lake::DEFAULT_PARTITION_RESOLUTION;
use serde_json::{Value, json};

const DAY: &str = "2026-11-23";

fn at(time: &str) -> String {
    format!("{DAY}T{time}Z")
}

fn device(model: &str, plmn: Option<&str>, seq: usize) -> Value {
    json!({"model": model, "firmware": "1.0", "merchant_id": "m1", "sim_plmn": "208-01",
        "serving_plmn": plmn, "boot_id": "b", "seq": seq})
}

fn merged(parts: [Value; 2]) -> Value {
    let [mut left, right] = parts;
    let more = right.as_object().expect("an object").clone();
    left.as_object_mut().expect("an object").extend(more);
    left
}

/// Heartbeats every hour, their counters as the failures but for one more of `t2`; `t1` and `t2` in Paris, `t3` in Lyon, `t4` without a position.
fn heartbeats() -> Vec<Value> {
    let beat = |no, terminal, time: &str, place, model, seq, attempts: u32, no_answer: u32| {
        let counters = json!({"rat": "lte", "interval_s": 3600, "attempts": attempts,
            "approvals": attempts - no_answer, "no_answer": no_answer});
        event(
            no,
            terminal,
            &at(time),
            place,
            merged([device(model, Some("208-01"), seq), counters]),
        )
    };
    let mut copy = beat(3, "t2", "10:00:00", Some(PARIS), "M2", 1, 100, 14);
    copy["kafka_offset"] = json!(999);
    copy["ingest_time"] = json!("2026-11-23T12:00:00.000Z");
    vec![
        // 200 attempts; its next heartbeat is three intervals later, so two are missing.
        beat(1, "t1", "10:00:00", Some(PARIS), "M1", 1, 100, 4),
        beat(2, "t1", "13:00:00", Some(PARIS), "M1", 5, 100, 2),
        // 100 attempts, sent twice.
        beat(3, "t2", "10:00:00", Some(PARIS), "M2", 1, 100, 14),
        copy,
        // 200 attempts, regular.
        beat(4, "t3", "12:00:00", Some(LYON), "M1", 1, 100, 1),
        beat(5, "t3", "13:00:00", Some(LYON), "M1", 3, 100, 0),
        // 50 attempts nobody can place.
        beat(6, "t4", "13:00:00", None, "M2", 1, 50, 0),
    ]
}

/// Paris: 6 failures of `t1`, 13 of `t2` (one of them an EMV Y3) and one refusal; Lyon: 1 failure.
fn declines() -> Vec<Value> {
    let decline = |no: usize, terminal, place, model, outcome: &str, code: Option<&str>| {
        let time = at(&format!("11:{:02}:00", no % 60));
        let what = json!({"attempt_id": format!("a{no}"), "outcome": outcome, "response_code": code,
            "code_profile": code.map(|_| "unionpay"), "seq": null,
            "last_signal_rat": "lte", "last_signal_plmn": "208-01"});
        event(
            no,
            terminal,
            &time,
            place,
            merged([device(model, None, 0), what]),
        )
    };
    let mut rows = Vec::new();
    rows.extend((100..106).map(|no| decline(no, "t1", Some(PARIS), "M1", "no_answer", None)));
    rows.extend((110..122).map(|no| decline(no, "t2", Some(PARIS), "M2", "no_answer", None)));
    rows.push(decline(
        122,
        "t2",
        Some(PARIS),
        "M2",
        "offline_approved",
        Some("Y3"),
    ));
    rows.push(decline(
        123,
        "t2",
        Some(PARIS),
        "M2",
        "declined",
        Some("51"),
    ));
    rows.push(decline(130, "t3", Some(LYON), "M1", "no_answer", None));
    // The copy of a decline, and one that waited ten minutes for a link.
    rows.push(rows[0].clone());
    rows[1]["sent_time"] = json!("2026-11-23T11:51:00.000Z");
    rows
}

fn signal_readings() -> Vec<Value> {
    let reading = |no, terminal, place, model, plmn, measured: Value| {
        let measured = merged([device(model, Some(plmn), 0), measured]);
        event(
            no,
            terminal,
            &at("10:30:00"),
            place,
            merged([measured, json!({"seq": null})]),
        )
    };
    vec![
        reading(
            200,
            "t1",
            Some(PARIS),
            "M1",
            "208-01",
            json!({"rat": "lte", "rsrp_dbm": -100.0}),
        ),
        reading(
            201,
            "t1",
            Some(PARIS),
            "M1",
            "208-01",
            json!({"rat": "lte", "rsrp_dbm": -112.0}),
        ),
        reading(
            202,
            "t2",
            Some(PARIS),
            "M2",
            "208-01",
            json!({"rat": "lte", "rsrp_dbm": -120.0, "sentinels_nulled": 1}),
        ),
        // Roaming, and strong for GSM.
        reading(
            203,
            "t3",
            Some(LYON),
            "M1",
            "208-10",
            json!({"rat": "gsm", "rssi_dbm": -80.0}),
        ),
        // Nothing that could be judged.
        reading(204, "t3", Some(LYON), "M1", "208-10", json!({"rat": "gsm"})),
    ]
}

async fn lake() -> (FixtureLake, LakeSession) {
    let mut lake = FixtureLake::new().await;
    lake.append(Table::Heartbeats, heartbeats()).await;
    lake.append(Table::Declines, declines()).await;
    lake.append(Table::SignalReadings, signal_readings()).await;
    lake.create(
        Table::Terminals,
        Table::Terminals.properties(DEFAULT_PARTITION_RESOLUTION),
    )
    .await;
    let terminal = |id: &str, merchant: &str| json!({"terminal_id": id, "merchant_id": merchant, "model": "M1", "loaded_at": "2026-11-01T00:00:00.000Z"});
    lake.append(
        Table::Terminals,
        vec![terminal("t1", "m1"), terminal("t9", "m9")],
    )
    .await;
    lake.create(
        Table::Quarantine,
        Table::Quarantine.properties(DEFAULT_PARTITION_RESOLUTION),
    )
    .await;
    let refused = |offset: u32, reason: &str| {
        json!({"kafka_topic": "terminal.decline", "kafka_partition": 0, "kafka_offset": offset,
            "reason": reason, "detail": "", "payload_size_bytes": 3, "payload_masked": false,
            "ingest_time": at("12:00:00"), "ingest_date": DAY})
    };
    let rows = vec![
        refused(1, "undecodable"),
        refused(2, "undecodable"),
        refused(3, "card_data"),
    ];
    lake.append(Table::Quarantine, rows).await;
    let session = lake.session().await;
    (lake, session)
}

async fn run(session: &LakeSession, name: &str, params: &[(&str, &str)]) -> String {
    let report = report::find(name).expect("a report");
    let params = report
        .parse_params(params.iter().copied())
        .expect("valid parameters");
    let answer = report
        .run(session, &params)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let columns: Vec<&str> = answer
        .schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let stated: Vec<&str> = report
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(
        columns, stated,
        "{name}: the header states the columns of the answer"
    );
    text(&answer)
}

#[tokio::test]
async fn every_report_runs_over_an_empty_lake() {
    let lake = FixtureLake::new().await;
    let session = lake.session().await;
    for report in report::catalog() {
        let answer = report.run(&session, &Params::default()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error:?}", report.name));
        assert_eq!(answer.rows(), 0, "{}", report.name);
    }
}

#[tokio::test]
async fn every_report_takes_all_its_parameters_at_once() {
    let (_lake, session) = lake().await;
    for report in report::catalog() {
        let sample = |kind: report::ParamKind| match kind {
            report::ParamKind::Date => DAY,
            report::ParamKind::Text => "lte",
            report::ParamKind::Target => "zone",
            report::ParamKind::Rat => "lte",
            report::ParamKind::Int => "1",
            report::ParamKind::Float => "0.5",
            report::ParamKind::Cell => "821fb7fffffffff",
            report::ParamKind::Plmn => "208-01",
        };
        let given = report
            .params
            .iter()
            .map(|spec| (spec.name.as_str(), sample(spec.kind)));
        let params = report.parse_params(given).expect("valid parameters");
        report
            .run(&session, &params)
            .await
            .unwrap_or_else(|error| panic!("{}: {error:?}", report.name));
    }
}

#[tokio::test]
async fn views_keep_one_row_an_event_and_the_copy_that_came_first() {
    let (_lake, session) = lake().await;
    let count = |table: &'static str| {
        let session = &session;
        async move { query(session, &format!("select count(*) as n from {table}")).await }
    };
    assert!(count("lake.heartbeats").await.contains("| 7 |"));
    assert!(count("heartbeats").await.contains("| 6 |"));
    assert!(count("lake.declines").await.contains("| 22 |"));
    assert!(count("declines").await.contains("| 21 |"));
    let kept = query(
        &session,
        "select kafka_offset from heartbeats where terminal_id = 't2'",
    )
    .await;
    assert!(kept.contains("| 3            |"), "{kept}");
}

#[tokio::test]
async fn coverage_ranks_cells_by_what_is_sure() {
    let (_lake, session) = lake().await;
    insta::assert_snapshot!("coverage", run(&session, "coverage", &[]).await);
}

#[tokio::test]
async fn coverage_leaves_out_what_is_asked_to_be_left_out() {
    let (_lake, session) = lake().await;
    let few = run(&session, "coverage", &[("min_attempts", "250")]).await;
    assert_eq!(few.lines().count(), 5, "{few}");
    let other_day = run(&session, "coverage", &[("from", "2026-11-24")]).await;
    assert_eq!(other_day.lines().count(), 4, "{other_day}");
    let lyon = fixture::cell_of(LYON, h3o::Resolution::Four);
    let lyon = run(&session, "coverage", &[("cell", &lyon)]).await;
    assert!(lyon.contains("| 200      | 1 "), "{lyon}");
    assert_eq!(lyon.lines().count(), 5, "{lyon}");
}

#[tokio::test]
async fn device_models_are_measured_against_their_places() {
    let (_lake, session) = lake().await;
    insta::assert_snapshot!("device_models", run(&session, "device-models", &[]).await);
}

#[tokio::test]
async fn carriers_keep_counts_beside_rates() {
    let (_lake, session) = lake().await;
    insta::assert_snapshot!("carriers", run(&session, "carriers", &[]).await);
}

#[tokio::test]
async fn silent_terminals_counts_what_did_not_come() {
    let (_lake, session) = lake().await;
    let report = run(&session, "silent-terminals", &[("min_silent_h", "3")]).await;
    insta::assert_snapshot!("silent_terminals", report);
}

#[tokio::test]
async fn data_quality_counts_copies_late_and_refused() {
    let (_lake, session) = lake().await;
    insta::assert_snapshot!("data_quality", run(&session, "data-quality", &[]).await);
}

#[tokio::test]
async fn a_report_reads_only_the_files_of_its_window() {
    let (_lake, session) = lake().await;
    let report = report::find("coverage").expect("a report");
    let params = report.parse_params([
        ("from", DAY),
        ("cell", &fixture::cell_of(LYON, h3o::Resolution::Five)),
    ]);
    let frame = report
        .dataframe(&session, &params.expect("valid"))
        .await
        .expect("a plan");
    let answer = frame
        .explain(false, false)
        .expect("a plan")
        .collect()
        .await
        .expect("a plan");
    let plan: String = answer[0]
        .column(1)
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(
        fixture::partitions_read(&plan),
        [fixture::folder(DAY, Some(LYON))],
        "{plan}"
    );
}

#[tokio::test]
async fn the_map_holds_the_reports_numbers_and_each_carriers_part() {
    let (_lake, session) = lake().await;
    let map = map_cells(&session, &Params::default())
        .await
        .expect("a map");
    let [paris, lyon] = &map.cells[..] else {
        panic!("two cells: {map:?}")
    };
    assert_eq!(paris.cell, fixture::cell_of(PARIS, h3o::Resolution::Eight));
    assert_eq!(
        (paris.attempts, paris.out_of_range_failures, paris.terminals),
        (300, 19, 2)
    );
    assert_eq!(paris.boundary.len(), 6);
    assert!(
        (paris.boundary[0][0] - PARIS.0).abs() < 0.02,
        "latitude first"
    );
    assert_eq!(paris.carriers.len(), 1);
    let plmns: Vec<&str> = lyon
        .carriers
        .iter()
        .map(|carrier| carrier.plmn.as_str())
        .collect();
    assert_eq!(plmns, ["208-01", "208-10"]);
    assert_eq!(
        (lyon.carriers[0].attempts, lyon.carriers[1].attempts),
        (200, 0)
    );
    assert_eq!(
        (lyon.carriers[0].readings, lyon.carriers[1].readings),
        (0, 1)
    );
    let json = serde_json::to_value(&map).expect("JSON");
    assert_eq!(json["cells"][0]["carriers"][0]["plmn"], "208-01");
}

#[tokio::test]
async fn answers_are_written_in_every_format_with_times_as_rfc_3339() {
    let (_lake, session) = lake().await;
    let sql = "select event_time, terminal_id, rat, attempts from heartbeats where terminal_id = 't3' order by 1";
    let answer = session.collect(sql).await.expect("rows");
    let written = |format| {
        let mut out = Vec::new();
        report::render::write(format, &answer.schema, &answer.batches, &mut out).expect("written");
        out
    };
    let as_text = |format| String::from_utf8(written(format)).expect("UTF-8");
    insta::assert_snapshot!(as_text(report::Format::Csv), @"
    event_time,terminal_id,rat,attempts
    2026-11-23T12:00:00Z,t3,lte,100
    2026-11-23T13:00:00Z,t3,lte,100
    ");
    insta::assert_snapshot!(as_text(report::Format::NdJson), @r#"
    {"event_time":"2026-11-23T12:00:00Z","terminal_id":"t3","rat":"lte","attempts":100}
    {"event_time":"2026-11-23T13:00:00Z","terminal_id":"t3","rat":"lte","attempts":100}
    "#);
    let json: Value = serde_json::from_str(&as_text(report::Format::Json)).expect("one JSON value");
    assert_eq!(json.as_array().map(Vec::len), Some(2));
    assert_eq!(&written(report::Format::Parquet)[..4], b"PAR1");
}
