//! An analysis as of a moment: what came later is not in it, and is back in the next.

use std::time::{Duration, SystemTime};

use analytics::analyze::{Analysis, AnalyzeOptions, Stop, analyze};
use analytics::{AsOf, LakeSession, SessionOptions};
use chrono::{DateTime, Utc};
use schemas::Table;
use serde_json::{Value, json};

use crate::fixture::{FixtureLake, PARIS, event, query};

fn heartbeat(no: usize, time: &str, attempts: u32) -> Value {
    let counters = json!({"model": "M1", "firmware": "1.0", "merchant_id": "m1", "rat": "lte",
        "serving_plmn": "208-01", "sim_plmn": "208-01", "boot_id": "b", "seq": no,
        "interval_s": 3600, "attempts": attempts, "approvals": attempts, "no_answer": 0});
    event(no, "t1", time, Some(PARIS), counters)
}

fn newest_commit(lake: &FixtureLake) -> SystemTime {
    let log = lake.path().join("heartbeats/_delta_log");
    let commits = std::fs::read_dir(log).expect("a log").map(|entry| {
        let entry = entry.expect("an entry of the log");
        entry
            .metadata()
            .and_then(|file| file.modified())
            .expect("a time")
    });
    commits.max().expect("a commit")
}

async fn run(lake: &FixtureLake, as_of: AsOf) -> (Analysis, String) {
    let path = lake.path().to_str().expect("a UTF-8 path");
    let options = SessionOptions {
        as_of,
        ..SessionOptions::default()
    };
    let mut session = LakeSession::open(path, options).await.expect("a lake");
    let options = AnalyzeOptions {
        from: None,
        to: Some("2026-11-23".parse().expect("a day")),
        window_days: 7,
        now: DateTime::UNIX_EPOCH,
        stop: Stop::default(),
    };
    let analysis = analyze(&mut session, &options, &mut |_| {})
        .await
        .expect("analysed");
    let newest = lake.session().await;
    let days = "select event_date, sum(attempts) as attempts from lake.terminal_days group by 1 order by 1";
    let cells = "select terminals, attempts from cells";
    let (days, cells) = (query(&newest, days).await, query(&newest, cells).await);
    (analysis, format!("{days}{cells}"))
}

#[tokio::test]
async fn an_analysis_as_of_a_moment_leaves_out_what_came_later_and_the_next_restates_it() {
    let mut lake = FixtureLake::new().await;
    let early = vec![heartbeat(1, "2026-11-23T10:00:00Z", 100)];
    lake.append(Table::Heartbeats, early).await;
    let moment = DateTime::<Utc>::from(newest_commit(&lake)) + Duration::from_millis(5);
    std::thread::sleep(Duration::from_millis(40));
    let late = vec![
        heartbeat(2, "2026-11-23T12:00:00Z", 30),
        heartbeat(3, "2026-11-22T12:00:00Z", 7),
    ];
    lake.append(Table::Heartbeats, late).await;

    let (first, newest) = run(&lake, AsOf::Latest).await;
    assert_eq!(first.days_computed, 2);
    assert!(
        newest.contains("| 2026-11-22 | 7 ") && newest.contains("| 2026-11-23 | 130 "),
        "{newest}"
    );

    let (then, old) = run(&lake, AsOf::Facts(moment)).await;
    assert_eq!((then.days_computed, then.window_computed), (2, true));
    assert!(
        !old.contains("2026-11-22") && old.contains("| 2026-11-23 | 100 "),
        "{old}"
    );
    let (again, same) = run(&lake, AsOf::Facts(moment)).await;
    assert_eq!((again.days_computed, again.window_computed), (0, false));
    assert_eq!(same, old);

    let (after, restated) = run(&lake, AsOf::Latest).await;
    assert_eq!(after.days_computed, 2);
    assert_eq!(restated, newest);
}
