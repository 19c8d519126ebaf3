//! Orders and windows over the fact views, on any number of tasks.

use std::num::NonZeroUsize;

use analytics::{LakeSession, SessionOptions};
use schemas::Table;
use serde_json::json;

use super::csv;
use crate::fixture::{FixtureLake, LYON, PARIS, event};

const TABLES: [&str; 3] = ["declines", "heartbeats", "signal_readings"];

/// Sixty events a table, each twice, in three days and two places, in several files.
async fn lake() -> FixtureLake {
    let mut lake = FixtureLake::new().await;
    for table in [Table::Declines, Table::Heartbeats, Table::SignalReadings] {
        let rows = (0..60).map(|no| {
            let own = match table {
                Table::Declines => json!({"attempt_id": format!("a{no}"), "outcome": "no_answer"}),
                Table::Heartbeats => json!({"interval_s": 600, "attempts": no, "approvals": no, "no_answer": 0, "boot_id": "b"}),
                _ => json!({"rat": "lte", "rsrp_dbm": -90}),
            };
            let time = format!("2026-11-{:02}T{:02}:{:02}:00Z", 22 + no % 3, no % 24, no);
            let place = if no % 2 == 0 { PARIS } else { LYON };
            event(no, &format!("t{}", no % 7), &time, Some(place), own)
        });
        let rows: Vec<_> = rows.collect();
        for part in rows.chunks(25) {
            lake.append(table, part.to_vec()).await;
        }
        lake.append(table, rows).await;
    }
    lake
}

async fn open(lake: &FixtureLake, tasks: usize) -> LakeSession {
    let options = SessionOptions {
        target_partitions: NonZeroUsize::new(tasks).expect("a task"),
        ..SessionOptions::default()
    };
    let path = lake.path().to_str().expect("a UTF-8 path");
    let session = LakeSession::open(path, options).await.expect("a lake");
    let cut = "set datafusion.optimizer.repartition_file_min_size = 1";
    session.collect(cut).await.expect("a setting");
    session
}

fn questions(table: &str) -> Vec<(String, usize)> {
    [
        ("event_id, event_time from T order by event_time, event_id", 60),
        ("event_id from T order by terminal_id desc, event_time limit 9", 9),
        ("event_id from T order by event_time offset 55", 5),
        ("terminal_id, array_to_string(array_agg(event_id order by event_time), ' ') from T group by 1 order by 1", 7),
        ("terminal_id, string_agg(event_id, ',' order by event_time desc) from T group by 1 order by 1", 7),
        ("string_agg(event_id, ',' order by event_time, event_id) from T", 1),
        ("event_id, rank() over (order by event_date) as r from T order by r, event_id", 60),
        ("event_id, sum(1) over (order by event_time, event_id) as n from T order by n", 60),
        ("event_id, row_number() over (partition by terminal_id order by event_time) as n from T order by n, event_id", 60),
        ("event_id, lag(event_time) over (partition by terminal_id order by event_time) as p from T order by event_id", 60),
        ("event_id, count(*) over (partition by terminal_id order by event_time range between interval '1 hour' preceding and current row) as n from T order by event_id", 60),
        ("* from (select terminal_id, event_id, row_number() over (partition by terminal_id order by event_time desc) as n from T) where n = 1 order by 1", 7),
        ("first_value(event_id order by event_time, event_id), last_value(event_id order by event_time, event_id) from T", 1),
        ("distinct on (terminal_id) terminal_id, event_id from T order by terminal_id, event_time desc", 7),
    ]
    .into_iter()
    .map(|(sql, rows)| (format!("select {}", sql.replace(" T", &format!(" {table}"))), rows))
    .collect()
}

#[tokio::test]
async fn orders_and_windows_answer_the_same_on_any_number_of_tasks() {
    let lake = lake().await;
    let sessions = [
        open(&lake, 1).await,
        open(&lake, 2).await,
        open(&lake, 16).await,
    ];
    for table in TABLES {
        for (sql, rows) in questions(table) {
            let first = csv(&sessions[0], &sql).await;
            assert_eq!(first.lines().count(), rows, "{sql}");
            for session in &sessions[1..] {
                assert_eq!(csv(session, &sql).await, first, "{sql}");
            }
        }
    }
}
