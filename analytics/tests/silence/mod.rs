//! `silent-terminals` says what `terminal_days` says: hours in which a shop is closed lack no heartbeat.

use analytics::analyze::{AnalyzeOptions, Stop, analyze};
use chrono::DateTime;
use schemas::Table;
use schemas::lake::DEFAULT_PARTITION_RESOLUTION;
use serde_json::{Value, json};

use crate::fixture::{FixtureLake, PARIS, event, query};
use crate::run;

/// Three days, of which `t1` is heard in every open hour, `t2` lacks two of them and `t3` the last day.
fn heartbeats() -> Vec<Value> {
    let mut rows = Vec::new();
    for (day, hour) in (21..24).flat_map(|day| (8..20).map(move |hour| (day, hour))) {
        for terminal in ["t1", "t2", "t3"] {
            let is_missing = match terminal {
                "t2" => day == 22 && (11..13).contains(&hour),
                "t3" => day == 23,
                _ => false,
            };
            if !is_missing {
                let time = format!("2026-11-{day}T{hour:02}:30:00Z");
                let beat = json!({"rat": "lte", "interval_s": 3600, "attempts": 1, "merchant_id": "m1",
                    "serving_plmn": "208-01", "sim_plmn": "208-01", "model": "M1"});
                rows.push(event(rows.len(), terminal, &time, Some(PARIS), beat));
            }
        }
    }
    // The data of the last day reaches to its end.
    let late = json!({"rat": "lte", "interval_s": 3600, "attempts": 1, "merchant_id": "m2", "model": "M1"});
    let time = "2026-11-23T23:30:00Z";
    rows.push(event(rows.len(), "t4", time, Some(PARIS), late));
    rows
}

async fn lake() -> FixtureLake {
    let mut lake = FixtureLake::new().await;
    lake.append(Table::Heartbeats, heartbeats()).await;
    for table in [Table::Terminals, Table::Merchants] {
        let properties = table.properties(DEFAULT_PARTITION_RESOLUTION);
        lake.create(table, properties).await;
    }
    let loaded_at = "2026-11-01T00:00:00.000Z";
    let terminal = |id| json!({"terminal_id": id, "merchant_id": "m1", "loaded_at": loaded_at});
    let terminals = ["t1", "t2", "t3"].map(terminal);
    lake.append(Table::Terminals, terminals.to_vec()).await;
    let merchant = json!({"merchant_id": "m1", "time_zone": "UTC", "opens_local": "08:00",
        "closes_local": "20:00", "loaded_at": loaded_at});
    lake.append(Table::Merchants, vec![merchant]).await;
    lake
}

#[tokio::test]
async fn silent_terminals_expects_the_heartbeats_that_terminal_days_expects() {
    let lake = lake().await;
    let options = AnalyzeOptions {
        from: None,
        to: None,
        window_days: 7,
        now: DateTime::UNIX_EPOCH,
        stop: Stop::default(),
    };
    analyze(&mut lake.session().await, &options, &mut |_| {})
        .await
        .expect("analysed");
    let session = lake.session().await;
    let days = "select terminal_id, sum(heartbeats_seen) as seen, sum(heartbeats_expected) as expected \
                from lake.terminal_days where terminal_id < 't4' group by 1 order by 1";
    insta::assert_snapshot!("silent_days", query(&session, days).await);
    let report = run(&session, "silent-terminals", &[]).await;
    insta::assert_snapshot!("silent_in_open_hours", report);
}
