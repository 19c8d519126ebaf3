//! From the table log to a plan: what a session sees, and which files a question reads.

mod as_of;
mod fixture;
mod once;

use analytics::{LakeSession, SessionOptions};
use fixture::{FixtureLake, LYON, PARIS, cell_of, event, folder, partitions_read, plan, query};
use h3o::Resolution;
use schemas::Table;
use schemas::lake::{DEFAULT_PARTITION_RESOLUTION, PROPERTY_LAYOUT_VERSION};
use serde_json::json;

fn decline(no: usize, terminal: &str, time: &str, place: Option<(f64, f64)>) -> serde_json::Value {
    event(
        no,
        terminal,
        time,
        place,
        json!({"attempt_id": format!("a{no}"), "outcome": "no_answer"}),
    )
}

/// Two days in two places, and one event without a position.
async fn four_partitions() -> FixtureLake {
    let mut lake = FixtureLake::new().await;
    let rows = vec![
        decline(1, "t1", "2026-11-23T10:00:00Z", Some(PARIS)),
        decline(2, "t1", "2026-11-24T10:00:00Z", Some(PARIS)),
        decline(3, "t2", "2026-11-23T22:00:00Z", Some(LYON)),
        decline(4, "t2", "2026-11-24T10:00:00Z", Some(LYON)),
        decline(5, "t3", "2026-11-24T11:00:00Z", None),
    ];
    lake.append(Table::Declines, rows).await;
    lake
}

/// Which partitions a question over the view reads.
async fn read_by(filter: &str) -> Vec<String> {
    let lake = four_partitions().await;
    partitions_read(
        &plan(
            &lake.session().await,
            &format!("select event_id from declines where {filter}"),
        )
        .await,
    )
}

#[tokio::test]
async fn a_question_by_day_reads_that_day_alone_through_the_view() {
    let expected = [
        folder("2026-11-23", Some(LYON)),
        folder("2026-11-23", Some(PARIS)),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(read_by("event_date = '2026-11-23'").await, expected);
}

#[tokio::test]
async fn a_question_by_time_reads_the_days_it_touches_and_no_file_outside_its_hours() {
    let read =
        read_by("event_time >= '2026-11-23T20:00:00Z' and event_time < '2026-11-24T00:00:00Z'")
            .await;
    assert_eq!(read, [folder("2026-11-23", Some(LYON))]);
}

#[tokio::test]
async fn a_question_by_parent_cell_reads_that_place_alone_and_shows_the_range() {
    let folder_of_lake = four_partitions().await;
    let lake = folder_of_lake.session().await;
    for resolution in [
        Resolution::Zero,
        Resolution::Two,
        Resolution::Five,
        Resolution::Eight,
    ] {
        let cell = cell_of(LYON, resolution);
        let level = u8::from(resolution);
        let sql = format!(
            "select event_id from declines where h3_cell_to_parent(cell_r9, {level}) = h3_string_to_h3('{cell}')"
        );
        let plan = plan(&lake, &sql).await;
        // At resolution 0 the two places share a cell.
        if resolution != Resolution::Zero {
            let expected = [
                folder("2026-11-23", Some(LYON)),
                folder("2026-11-24", Some(LYON)),
            ];
            assert_eq!(partitions_read(&plan), expected, "{plan}");
        }
        assert!(plan.contains("cell_r9@") && plan.contains(">="), "{plan}");
        assert!(!plan.contains("h3_cell_to_parent(cell_r9"), "{plan}");
    }
}

#[tokio::test]
async fn a_question_by_the_analysis_cell_prunes_as_one_by_the_stored_cell() {
    let cell = cell_of(PARIS, Resolution::Eight);
    let expected = [
        folder("2026-11-23", Some(PARIS)),
        folder("2026-11-24", Some(PARIS)),
    ];
    assert_eq!(
        read_by(&format!("cell_r8 = h3_string_to_h3('{cell}')")).await,
        expected
    );
    let parent = cell_of(PARIS, Resolution::Five);
    let by_parent = format!("h3_cell_to_parent(cell_r8, 5) = h3_string_to_h3('{parent}')");
    assert_eq!(read_by(&by_parent).await, expected);
}

#[tokio::test]
async fn a_question_by_terminal_skips_files_by_statistics() {
    let read = read_by("terminal_id = 't3'").await;
    assert_eq!(read, [folder("2026-11-24", None)]);
}

#[tokio::test]
async fn events_without_a_position_are_found_by_asking_for_null() {
    let lake = four_partitions().await;
    let session = lake.session().await;
    let sql = "select terminal_id from declines where cell_r9 is null";
    assert_eq!(
        partitions_read(&plan(&session, sql).await),
        [folder("2026-11-24", None)]
    );
    insta::assert_snapshot!(query(&session, sql).await, @"
    +-------------+
    | terminal_id |
    +-------------+
    | t3          |
    +-------------+
    ");
    let by_partition = "select count(*) as n from declines where partition_cell is null";
    assert!(query(&session, by_partition).await.contains("| 1 |"));
    let placed = "select count(*) as n from declines where partition_cell is not null";
    assert!(query(&session, placed).await.contains("| 4 |"));
}

#[tokio::test]
async fn a_plan_is_made_of_the_engines_own_parquet_scan() {
    let folder_of_lake = four_partitions().await;
    let lake = folder_of_lake.session().await;
    let plan = plan(
        &lake,
        "select terminal_id from lake.declines where retry_no > 1",
    )
    .await;
    assert!(plan.contains("DataSourceExec: file_groups="), "{plan}");
    assert!(
        plan.contains("file_type=parquet, predicate=retry_no@"),
        "{plan}"
    );
    assert!(!plan.contains("LakeTable"), "{plan}");
}

#[tokio::test]
async fn the_answer_is_the_same_with_and_without_pruning() {
    let lake = four_partitions().await;
    let session = lake.session().await;
    let pruned =
        "select event_id from declines where event_date = '2026-11-24' and terminal_id = 't1'";
    let unpruned = "select event_id from declines \
        where concat(cast(event_date as varchar), terminal_id) = '2026-11-24t1'";
    assert_eq!(partitions_read(&plan(&session, unpruned).await).len(), 5);
    assert_eq!(
        query(&session, pruned).await,
        query(&session, unpruned).await
    );
}

#[tokio::test]
async fn a_table_nobody_wrote_yet_is_empty_and_has_its_columns() {
    let folder = FixtureLake::new().await;
    let lake = folder.session().await;
    let answer = lake
        .collect("select * from terminals")
        .await
        .expect("an empty table");
    assert_eq!(answer.rows(), 0);
    assert_eq!(
        answer.schema.fields().len(),
        Table::Terminals.schema().fields().len() + 1
    );
    let states = lake.tables().await.expect("readable logs");
    let state = states.iter().find(|state| state.table == Table::Terminals);
    assert_eq!(state.expect("every table has a state").version, None);
}

#[tokio::test]
async fn a_refreshed_session_sees_what_was_committed_since() {
    let mut lake = four_partitions().await;
    let mut session = lake.session().await;
    lake.append(
        Table::Declines,
        vec![decline(9, "t9", "2026-11-25T00:00:00Z", None)],
    )
    .await;
    let count = "select count(*) as n from declines";
    assert!(query(&session, count).await.contains("| 5 |"));
    session.refresh().await.expect("a readable lake");
    assert!(query(&session, count).await.contains("| 6 |"));
}

#[tokio::test]
async fn a_session_sees_all_tables_of_the_moment_it_was_opened_at() {
    let mut lake = four_partitions().await;
    let session = lake.session().await;
    // Nothing has asked for declines yet.
    let later = vec![decline(9, "t9", "2026-11-25T00:00:00Z", None)];
    lake.append(Table::Declines, later).await;
    let count = "select count(*) as n from declines";
    assert!(query(&session, count).await.contains("| 5 |"));
    assert!(query(&lake.session().await, count).await.contains("| 6 |"));
}

#[tokio::test]
async fn only_the_log_of_a_table_that_is_asked_for_is_read() {
    let lake = four_partitions().await;
    let log = lake
        .path()
        .join("heartbeats/_delta_log/00000000000000000000.json");
    std::fs::write(log, "no log at all").expect("written");
    let session = lake.session().await;
    assert!(
        query(&session, "select count(*) as n from declines")
            .await
            .contains("| 5 |")
    );
    let error = session.collect("select count(*) from heartbeats").await;
    let error = error.expect_err("a broken log").to_string();
    assert!(error.contains("cannot read the table log of"), "{error}");
    assert!(session.tables().await.is_err());
}

#[tokio::test]
async fn a_filter_on_what_copies_share_is_the_scans_own_in_the_view() {
    let folder = four_partitions().await;
    let lake = folder.session().await;
    for (filter, column) in [
        ("terminal_id = 't1'", "terminal_id"),
        (
            "event_id = '00000000-0000-0000-0000-000000000002'",
            "event_id",
        ),
        ("event_time >= '2026-11-24 09:00'", "event_time"),
        ("cell_r9 is not null", "cell_r9"),
    ] {
        let plan = plan(
            &lake,
            &format!("select latency_ms from declines where {filter}"),
        )
        .await;
        assert!(plan.contains(&format!("predicate={column}@")), "{plan}");
        assert!(plan.contains("pruning_predicate="), "{plan}");
        assert!(!plan.contains("FilterExec"), "{plan}");
    }
    // Row groups by bloom filters too.
    let one = plan(
        &lake,
        "select latency_ms from declines where terminal_id = 't1'",
    )
    .await;
    assert!(
        one.contains("required_guarantees=[terminal_id in (t1)]"),
        "{one}"
    );
}

#[tokio::test]
async fn a_session_as_of_a_moment_sees_the_lake_of_then() {
    let mut lake = four_partitions().await;
    std::thread::sleep(std::time::Duration::from_millis(20));
    let moment = std::fs::metadata(
        lake.path()
            .join("declines/_delta_log/00000000000000000001.json"),
    )
    .and_then(|log| log.modified())
    .expect("the first commit has a time");
    std::thread::sleep(std::time::Duration::from_millis(20));
    lake.append(
        Table::Declines,
        vec![decline(9, "t9", "2026-11-25T00:00:00Z", None)],
    )
    .await;
    let options = SessionOptions {
        as_of: analytics::AsOf::Time(
            chrono::DateTime::from(moment) + chrono::Duration::milliseconds(5),
        ),
        ..SessionOptions::default()
    };
    let path = lake.path().to_str().expect("a UTF-8 path");
    let session = LakeSession::open(path, options)
        .await
        .expect("a readable lake");
    assert!(
        query(&session, "select count(*) as n from declines")
            .await
            .contains("| 5 |")
    );
}

#[tokio::test]
async fn a_folder_without_tables_is_named_as_no_lake() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    for place in [folder.path().to_path_buf(), folder.path().join("missing")] {
        let place = place.to_str().expect("a UTF-8 path");
        let error = LakeSession::open(place, SessionOptions::default())
            .await
            .expect_err("no lake");
        assert_eq!(
            error.to_string(),
            format!(
                "no lake at {place}: it holds none of the tables heartbeats, signal_readings, declines"
            )
        );
    }
    assert!(
        !folder.path().join("missing").exists(),
        "a reader leaves no trace"
    );
}

#[tokio::test]
async fn a_place_of_an_unknown_kind_is_an_error_that_names_it() {
    let error = LakeSession::open("nowhere://bucket/lake", SessionOptions::default()).await;
    let error = error.expect_err("an unknown scheme").to_string();
    assert!(error.contains("nowhere://bucket/lake"), "{error}");
}

#[tokio::test]
async fn another_layout_version_is_refused_by_both_numbers_and_the_table() {
    let lake = FixtureLake::new().await;
    let mut properties = Table::Quarantine.properties(DEFAULT_PARTITION_RESOLUTION);
    for (key, value) in &mut properties {
        if key == PROPERTY_LAYOUT_VERSION {
            *value = "999".into();
        }
    }
    lake.create(Table::Quarantine, properties).await;
    let session = lake.session().await;
    let error = session.collect("select count(*) from quarantine").await;
    let error = error.expect_err("a new layout").to_string();
    assert!(
        error.contains("/quarantine has layout version 999, this build reads version 1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_statement_that_writes_is_refused() {
    let lake = four_partitions().await;
    let session = lake.session().await;
    let target = lake.path().join("out.csv");
    for sql in [
        format!("copy (select 1) to '{}' stored as csv", target.display()),
        "insert into lake.declines select * from lake.declines".to_owned(),
    ] {
        assert!(session.sql(&sql).await.is_err(), "{sql}");
    }
    assert!(!target.exists());
}
