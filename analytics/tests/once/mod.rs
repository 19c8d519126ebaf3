//! Each event once: random lakes with copies, asked on any number of tasks, against a naive answer.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use analytics::analyze::{AnalyzeOptions, Stop, analyze};
use analytics::report::{self, Params};
use analytics::{LakeSession, SessionOptions};
use chrono::{DateTime, Duration, Utc};
use schemas::Table;
use serde_json::{Value, json};

use crate::fixture::{FixtureLake, LYON, PARIS, cell_of, event, query, text};

const FACTS: [Table; 3] = [Table::Heartbeats, Table::SignalReadings, Table::Declines];
/// Numbers of tasks, with the rows of a batch.
const RUNS: [(usize, usize); 4] = [(1, 8192), (2, 64), (3, 7), (16, 1000)];

/// Numbers that look random and are the same everywhere (Steele and others 2014, SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) % most as u64).expect("below a usize")
    }
}

fn place(dice: &mut Dice) -> Option<(f64, f64)> {
    [Some(PARIS), Some(LYON), None][dice.below(3)]
}

fn fact(dice: &mut Dice, table: Table, no: usize) -> Value {
    let number = dice.below(12);
    let terminal = format!("t{number}");
    let start: DateTime<Utc> = "2026-11-23T00:00:00Z".parse().expect("a time");
    let time = start + Duration::minutes(i64::try_from(dice.below(3 * 1440)).expect("minutes"));
    let device = json!({"model": "M1", "firmware": "1.0", "merchant_id": format!("m{}", dice.below(4)),
        "sim_plmn": "208-01", "serving_plmn": "208-01", "rat": "lte", "boot_id": "b", "seq": no});
    let own = match table {
        Table::Heartbeats => {
            json!({"interval_s": 3600, "attempts": 20, "approvals": 19, "no_answer": 1})
        }
        Table::SignalReadings => {
            json!({"rsrp_dbm": -120 + i64::try_from(dice.below(40)).expect("dB"),
            "tac": 1, "radio_cell_id": dice.below(3)})
        }
        _ => {
            json!({"attempt_id": format!("a{}", no / 2), "outcome": "no_answer", "retry_no": dice.below(3),
            "last_signal_rat": "lte", "last_signal_plmn": "208-01", "serving_plmn": null})
        }
    };
    let columns = table.schema();
    let mut more = device.as_object().expect("an object").clone();
    more.extend(own.as_object().expect("an object").clone());
    more.retain(|name, _| columns.field_with_name(name).is_ok());
    event(
        no,
        &terminal,
        &time.to_rfc3339(),
        place(dice),
        Value::Object(more),
    )
}

/// A copy: same terminal, id and time; read from another offset, and maybe at another place.
fn copy(dice: &mut Dice, original: &Value, offset: usize) -> Value {
    let mut copy = original.clone();
    copy["kafka_offset"] = json!(offset);
    copy["kafka_topic_partition"] =
        json!(["terminal.test/0", "terminal.test/10", "terminal.test/9"][dice.below(3)]);
    if dice.below(2) == 0 {
        let text = original["event_time"].as_str().expect("a time");
        let moved = event(0, "t", text, place(dice), json!({}));
        for name in ["lat", "lon", "cell_r9", "partition_cell"] {
            copy[name] = moved[name].clone();
        }
    }
    copy
}

/// Topic, partition and offset: what chooses among copies.
fn position(row: &Value) -> (String, u32, i64) {
    let place = row["kafka_topic_partition"].as_str().expect("a place");
    let (topic, partition) = place.rsplit_once('/').expect("topic and partition");
    let partition = partition.parse().expect("a number");
    (
        topic.to_owned(),
        partition,
        row["kafka_offset"].as_i64().expect("an offset"),
    )
}

/// Rows with copies among them, and what is left of them.
fn rows(dice: &mut Dice, table: Table) -> (Vec<Value>, Vec<Value>) {
    let mut all: Vec<Value> = (0..150).map(|no| fact(dice, table, no)).collect();
    for offset in 150..150 + dice.below(120) {
        let original = all[dice.below(all.len())].clone();
        let copy = copy(dice, &original, offset);
        all.push(copy);
    }
    for at in (1..all.len()).rev() {
        all.swap(at, dice.below(at + 1));
    }
    let mut kept: BTreeMap<[String; 3], Value> = BTreeMap::new();
    for row in &all {
        let key = ["terminal_id", "event_id", "event_time"].map(|name| row[name].to_string());
        let known = kept.entry(key).or_insert_with(|| row.clone());
        if position(row) < position(known) {
            *known = row.clone();
        }
    }
    (all, kept.into_values().collect())
}

/// Two lakes: with the copies, in some files, and without.
async fn lakes(seed: u64) -> (FixtureLake, FixtureLake) {
    let mut dice = Dice(seed);
    let (mut with, mut without) = (FixtureLake::new().await, FixtureLake::new().await);
    for table in FACTS {
        let (all, kept) = rows(&mut dice, table);
        let commits = [1, 2, 5][dice.below(3)];
        for part in all.chunks(all.len().div_ceil(commits)) {
            with.append(table, part.to_vec()).await;
        }
        without.append(table, kept).await;
    }
    (with, without)
}

async fn open(lake: &FixtureLake, (tasks, batch): (usize, usize)) -> LakeSession {
    let options = SessionOptions {
        target_partitions: NonZeroUsize::new(tasks).expect("a task"),
        batch_size: NonZeroUsize::new(batch).expect("a row"),
        ..SessionOptions::default()
    };
    let path = lake.path().to_str().expect("a UTF-8 path");
    let session = LakeSession::open(path, options).await.expect("a lake");
    // Else no file of a test is large enough to be cut.
    session
        .collect("set datafusion.optimizer.repartition_file_min_size = 1")
        .await
        .expect("a setting");
    session
}

fn questions() -> Vec<String> {
    let parent = cell_of(PARIS, h3o::Resolution::Two);
    let filters = [
        "true".to_owned(),
        "event_date = '2026-11-24'".to_owned(),
        "event_time >= '2026-11-23T18:00:00Z' and event_time < '2026-11-24T06:00:00Z'".to_owned(),
        "terminal_id in ('t1', 't5')".to_owned(),
        "kafka_offset < 100".to_owned(),
        "partition_cell is null".to_owned(),
        format!("partition_cell = '{parent}'"),
        "cell_r9 is not null".to_owned(),
    ];
    let columns = "terminal_id, event_id, event_time, kafka_topic_partition, kafka_offset, cell_r9";
    let mut all = Vec::new();
    for table in FACTS {
        let table = table.name();
        for filter in &filters {
            let from = format!("from {table} where {filter}");
            all.push(format!("select count(*) as n {from}"));
            all.push(format!(
                "select {columns} {from} order by event_id, terminal_id, event_time"
            ));
            all.push(format!(
                "select {columns} {from} order by event_time desc, event_id, terminal_id limit 7"
            ));
        }
        let from = format!("from {table}");
        all.push(format!(
            "select count(*) as n, max(kafka_offset) as last, min(event_time) as t {from}"
        ));
        all.push(format!("select terminal_id, count(*) as n, count(cell_r9) as placed {from} group by 1 order by 1"));
        all.push(format!("select event_id, row_number() over (order by event_time, event_id) as n {from} order by n"));
        all.push(format!("select n, count(*) as events from (select event_id, count(*) over \
            (partition by terminal_id order by event_time, event_id) as n {from}) group by n order by n"));
        all.push(format!("select one.event_id, other.kafka_offset from {table} as one inner join {table} as other \
            on one.terminal_id = other.terminal_id and one.event_time < other.event_time \
            where one.kafka_offset < 40 order by 1, 2, other.event_id"));
    }
    all
}

#[tokio::test]
async fn copies_change_no_answer_on_any_number_of_tasks() {
    for seed in 0..4 {
        let (with, without) = lakes(seed).await;
        let naive = open(&without, (1, 8192)).await;
        let mut expected = Vec::new();
        for sql in questions() {
            expected.push(
                query(
                    &naive,
                    &sql.replace(" from ", " from lake.")
                        .replace("lake.(", "(")
                        .replace("join ", "join lake."),
                )
                .await,
            );
        }
        for run in RUNS {
            let session = open(&with, run).await;
            for (sql, expected) in questions().iter().zip(&expected) {
                assert_eq!(
                    &query(&session, sql).await,
                    expected,
                    "seed {seed}, {run:?}: {sql}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_limit_without_an_order_gives_so_many_rows_and_only_kept_ones() {
    for seed in 10..14 {
        let (with, _) = lakes(seed).await;
        for run in RUNS {
            let session = open(&with, run).await;
            let all = query(&session, "select kafka_offset, event_id from declines").await;
            let total = all.lines().count() - 4;
            for limit in [1, 5, 149, 10_000] {
                let sql = format!("select kafka_offset, event_id from declines limit {limit}");
                let answer = query(&session, &sql).await;
                assert_eq!(
                    answer.lines().count() - 4,
                    total.min(limit),
                    "{sql}, {run:?}"
                );
                assert!(
                    answer.lines().all(|line| all.contains(line)),
                    "{sql}, {run:?}: {answer}"
                );
            }
        }
    }
}

async fn analysed(lake: &FixtureLake, run: (usize, usize)) -> LakeSession {
    let mut session = open(lake, run).await;
    let options = AnalyzeOptions {
        from: None,
        to: None,
        window_days: 3,
        now: DateTime::UNIX_EPOCH,
        stop: Stop::default(),
    };
    analyze(&mut session, &options, &mut |_| {})
        .await
        .expect("analysed");
    session
}

/// What every report says, and every derived table but for where its rows come from.
async fn everything(session: &LakeSession) -> Vec<(String, String)> {
    let mut said = Vec::new();
    for report in report::catalog() {
        // It counts the copies.
        if report.name == "data-quality" {
            continue;
        }
        let answer = report.run(session, &Params::default()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", report.name));
        said.push((report.name.to_owned(), text(&answer)));
    }
    for table in Table::ALL.into_iter().filter(|table| table.is_derived()) {
        let schema = table.schema();
        let columns = schema.fields().iter().map(|field| field.name().as_str());
        let origin = ["source_rows", "data_until", "made_from"];
        let columns: Vec<&str> = columns.filter(|name| !origin.contains(name)).collect();
        let columns = columns.join(", ");
        let sql = format!(
            "select {columns} from lake.{} order by {columns}",
            table.name()
        );
        said.push((table.name().to_owned(), query(session, &sql).await));
    }
    said
}

#[tokio::test]
async fn copies_change_no_report_and_nothing_an_analysis_finds() {
    for (seed, run) in (20..).zip([(1, 8192), (3, 64), (16, 1000)]) {
        let (with, without) = lakes(seed).await;
        let expected = everything(&analysed(&without, (2, 8192)).await).await;
        let found = everything(&analysed(&with, run).await).await;
        for ((name, expected), (_, found)) in expected.iter().zip(&found) {
            assert_eq!(found, expected, "seed {seed}, {run:?}: {name}");
        }
    }
}

#[tokio::test]
async fn a_topic_read_twice_counts_once() {
    let mut lake = FixtureLake::new().await;
    let mut dice = Dice(99);
    let first: Vec<Value> = (0..120)
        .map(|no| fact(&mut dice, Table::Declines, no))
        .collect();
    lake.append(Table::Declines, first.clone()).await;
    // The same offsets again, as after a raised epoch.
    lake.append(Table::Declines, first).await;
    for run in RUNS {
        let session = open(&lake, run).await;
        let raw = query(&session, "select count(*) as n from lake.declines").await;
        assert!(raw.contains("| 240 |"), "{raw}");
        let once = query(
            &session,
            "select count(*) as n, count(distinct event_id) as d from declines",
        )
        .await;
        assert!(once.contains("| 120 | 120 |"), "{run:?}: {once}");
    }
}
