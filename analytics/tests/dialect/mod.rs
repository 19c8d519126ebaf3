//! SQL as analysts type it, by value, through the whole engine and in every form of an answer.

mod orders;

use analytics::LakeSession;
use analytics::report::{Format, render};
use schemas::Table;
use serde_json::json;

use crate::fixture::{FixtureLake, LYON, PARIS, event};
use crate::one_row;

/// Four declines of three terminals, of which one has a number for an id.
async fn lake() -> FixtureLake {
    let mut lake = FixtureLake::new().await;
    let decline = |no: usize, terminal: &str, time: &str, place, latency_ms: Option<i64>| {
        let more = json!({"attempt_id": format!("a{no}"), "outcome": "no_answer", "model": format!("Vela {no}"),
            "latency_ms": latency_ms, "retry_no": no % 2});
        event(no, terminal, time, place, more)
    };
    let rows = vec![
        decline(1, "00123", "2026-11-23T10:00:00Z", Some(PARIS), Some(1500)),
        decline(2, "123", "2026-11-23T22:30:15.250Z", Some(LYON), Some(2500)),
        decline(3, "t3", "2026-11-24T10:00:00Z", Some(PARIS), None),
        decline(4, "t3", "2026-11-24T16:00:00Z", None, Some(700)),
    ];
    lake.append(Table::Declines, rows).await;
    lake
}

async fn answer(session: &LakeSession, format: Format, sql: &str) -> Vec<u8> {
    let answer = session.collect(sql).await;
    let answer = answer.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut out = Vec::new();
    render::write(format, &answer.schema, &answer.batches, &mut out).expect("written");
    out
}

async fn csv(session: &LakeSession, sql: &str) -> String {
    let out = answer(session, Format::Csv, sql).await;
    let text = String::from_utf8(out).expect("UTF-8");
    text.lines().skip(1).collect::<Vec<_>>().join("\n")
}

async fn refusal(session: &LakeSession, sql: &str) -> String {
    match session.collect(sql).await {
        Ok(_) => panic!("{sql} was answered"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn local_time_is_never_called_utc_in_any_form_of_an_answer() {
    let lake = lake().await;
    let session = lake.session().await;
    let sql = "select event_time as utc, event_time at time zone 'Asia/Tokyo' as clock, \
        arrow_cast(event_time, 'Timestamp(Microsecond, Some(\"Asia/Tokyo\"))') as zoned \
        from declines where event_id like '%02'";
    let values = [
        "2026-11-23T22:30:15.250Z",
        "2026-11-24T07:30:15.250",
        "2026-11-24T07:30:15.250+09:00",
    ];
    assert_eq!(csv(&session, sql).await, values.join(","));
    for format in [Format::Table, Format::Json, Format::NdJson] {
        let text = String::from_utf8(answer(&session, format, sql).await).expect("UTF-8");
        let around = if format == Format::Table {
            [" ", " "]
        } else {
            ["\"", "\""]
        };
        for value in values {
            let whole = format!("{}{value}{}", around[0], around[1]);
            assert!(text.contains(&whole), "{format}: {text}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.parquet");
    std::fs::write(&file, answer(&session, Format::Parquet, sql).await).expect("written");
    let back = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(
        std::fs::File::open(&file).expect("a file"),
    );
    let types: Vec<String> = back
        .expect("a Parquet file")
        .schema()
        .fields()
        .iter()
        .map(|field| field.data_type().to_string())
        .collect();
    assert_eq!(
        types,
        [
            "Timestamp(µs, \"UTC\")",
            "Timestamp(µs)",
            "Timestamp(µs, \"Asia/Tokyo\")"
        ]
    );
}

#[tokio::test]
async fn every_row_may_have_a_zone_of_its_own() {
    let lake = lake().await;
    let session = lake.session().await;
    let sql = "select event_time at time zone case when terminal_id = 't3' then 'Europe/Paris' else \
        'America/New_York' end as clock from declines order by event_id";
    let clocks =
        "2026-11-23T05:00:00\n2026-11-23T17:30:15.250\n2026-11-24T11:00:00\n2026-11-24T17:00:00";
    assert_eq!(csv(&session, sql).await, clocks);
    let by_day = "select date_trunc('day', event_time at time zone 'Asia/Tokyo')::date as day, count(*) \
        from declines group by 1 order by 1";
    assert_eq!(
        csv(&session, by_day).await,
        "2026-11-23,1\n2026-11-24,2\n2026-11-25,1"
    );
    let since = "select count(*) from declines where event_time at time zone 'Asia/Tokyo' >= '2026-11-24 07:30'";
    assert_eq!(csv(&session, since).await, "3");
    let plan = crate::fixture::plan(&session, &since.replace("count(*)", "event_id")).await;
    assert!(plan.contains("predicate=event_time@"), "{plan}");
    let unknown = "select event_time at time zone 'Asia/Tokio' from declines";
    assert!(
        refusal(&session, unknown)
            .await
            .contains("no time zone \"Asia/Tokio\"")
    );
    assert_eq!(
        one_row("timestamp '2026-07-01 12:00' at time zone 'Europe/Paris'").await,
        "2026-07-01T10:00:00Z"
    );
}

#[tokio::test]
async fn a_duration_has_all_its_seconds() {
    let lake = lake().await;
    let session = lake.session().await;
    let longest = "max(event_time) - min(event_time)";
    let sql = format!(
        "select extract(epoch from ({longest})), extract(hour from ({longest})), \
        extract(day from ({longest})) from declines"
    );
    assert_eq!(csv(&session, &sql).await, "108000.0,6,1");
    let each = "select extract(epoch from (event_time + arrow_cast(latency_ms, 'Duration(Millisecond)') - event_time)) \
        as s from declines where latency_ms is not null order by 1";
    assert_eq!(csv(&session, each).await, "0.7\n1.5\n2.5");
    let month = refusal(
        &session,
        &format!("select extract(month from ({longest})) from declines"),
    )
    .await;
    assert!(month.contains("a duration has no month"), "{month}");
    assert_eq!(
        one_row("extract(epoch from interval '1 day')").await,
        "86400"
    );
}

#[tokio::test]
async fn a_text_is_compared_with_texts_alone() {
    let lake = lake().await;
    let session = lake.session().await;
    for (filter, form) in [
        ("terminal_id = 123", "terminal_id = '123'"),
        ("123 = terminal_id", "terminal_id = '123'"),
        ("terminal_id in (123, 7)", "terminal_id = '123'"),
        ("terminal_id > 5", "try_cast(terminal_id as bigint) > 5"),
        ("terminal_id between 1 and 200", "terminal_id >= '1'"),
        (
            "terminal_id in (select retry_no from declines)",
            "cast(retry_no as varchar)",
        ),
        (
            "case terminal_id when 123 then true end",
            "terminal_id = '123'",
        ),
        ("latency_ms = 'slow'", "'slow' is none"),
        ("cell_r8 = 'paris'", "nor an H3 cell"),
    ] {
        let sql = format!("select count(*) from declines where {filter}");
        let told = refusal(&session, &sql).await;
        assert!(told.contains(form), "{filter}: {told}");
    }
    let joined = "select count(*) from declines a join declines b on a.terminal_id = b.retry_no";
    assert!(
        refusal(&session, joined)
            .await
            .contains("cast(retry_no as varchar)")
    );
    for (filter, rows) in [
        ("terminal_id = '123'", "1"),
        ("latency_ms > '1000'", "2"),
        ("terminal_id = cast(123 as varchar)", "1"),
    ] {
        let sql = format!("select count(*) from declines where {filter}");
        assert_eq!(csv(&session, &sql).await, rows, "{filter}");
    }
}

#[tokio::test]
async fn a_cell_in_hexadecimal_text_is_the_cell() {
    let lake = lake().await;
    let session = lake.session().await;
    let paris = crate::fixture::cell_of(PARIS, h3o::Resolution::Eight);
    for filter in [
        format!("cell_r8 = '{paris}'"),
        format!("'0x{paris}' = cell_r8"),
        format!("cell_r8 in ('{paris}', '8928308280fffff')"),
        format!("h3_cell_to_parent(cell_r9, 8) = '{paris}'"),
    ] {
        let sql = format!("select count(*) from declines where {filter}");
        assert_eq!(csv(&session, &sql).await, "2", "{filter}");
    }
    let plan = format!("select event_id from declines where cell_r8 = '{paris}'");
    let plan = crate::fixture::plan(&session, &plan).await;
    assert!(plan.contains("predicate=cell_r9@"), "{plan}");
}

#[tokio::test]
async fn times_may_leave_their_seconds_out() {
    let lake = lake().await;
    let session = lake.session().await;
    for (filter, rows) in [
        ("event_time >= '2026-11-23 22:30'", "3"),
        (
            "event_time between '2026-11-23 10:00' and '2026-11-23T22:30Z'",
            "1",
        ),
        ("event_time < timestamp '2026-11-24 10:00'", "2"),
        ("event_time < '2026-11-24 10:00+02:00'::timestamptz", "2"),
    ] {
        let sql = format!("select count(*) from declines where {filter}");
        assert_eq!(csv(&session, &sql).await, rows, "{filter}");
    }
}

#[tokio::test]
async fn whole_numbers_round_and_never_wrap() {
    for (select, expected) in [
        ("2.7::int", "3"),
        ("2.5::int", "3"),
        ("-2.5::bigint", "-3"),
        ("cast(2.4999 as bigint)", "2"),
        ("cast(1.5::decimal(5, 2) as smallint)", "2"),
        ("try_cast(2.6 as int)", "3"),
        ("'12'::int", "12"),
        ("9223372036854775807 - 1", "9223372036854775806"),
        (
            "sum(x) from (values (9223372036854775807), (1), (-1)) t(x)",
            "9223372036854775807",
        ),
        ("sum(distinct x) from (values (5), (5), (2)) t(x)", "7"),
        ("sum(x) from (values (1.5), (2.5)) t(x)", "4"),
        ("sum(x) is null from (values (1)) t(x) where x > 1", "true"),
    ] {
        assert_eq!(one_row(select).await, expected, "{select}");
    }
    let session = FixtureLake::new().await.session().await;
    let two = "from (values (9223372036854775807, 1), (2, 1)) t(x, y)";
    for select in [
        "9223372036854775807 + 1".to_owned(),
        "-9223372036854775807 - 2".to_owned(),
        "3037000500 * 3037000500".to_owned(),
        format!("x + y {two} where y = 1"),
        format!("x * 2 {two}"),
        format!("sum(x) {two}"),
        format!("y, sum(x) {two} group by y"),
        format!("sum(distinct x) {two}"),
        format!("sum(x) over (order by x) {two}"),
    ] {
        let told = refusal(&session, &format!("select {select}")).await;
        assert!(told.contains("too large"), "{select}: {told}");
    }
    let within = format!(
        "select sum(x) over (order by x rows between current row and current row) {two} order by 1"
    );
    assert_eq!(csv(&session, &within).await, "2\n9223372036854775807");
}

#[tokio::test]
async fn patterns_are_those_of_the_standard_and_of_postgresql() {
    for (select, expected) in [
        ("'Vela 500' similar to 'Vela%'", "true"),
        ("'Vela 500' similar to 'Vela'", "false"),
        ("'Vela 500' not similar to '%(Karo|Sable)%'", "true"),
        ("'50%' similar to '50#%' escape '#'", "true"),
        (
            "to_char(timestamp '2026-11-21 14:05:09', 'YYYY-MM')",
            "2026-11",
        ),
        (
            "to_char(timestamp '2026-11-21 14:05:09', '%Y/%m')",
            "2026/11",
        ),
        (
            "to_char(date '2026-11-21', 'FMDay DD.MM.YY')",
            "Saturday 21.11.26",
        ),
        (
            "strftime(timestamp '2026-11-21 14:05:09', '%H:%M')",
            "14:05",
        ),
        (
            "to_timestamp('2026-11-21 14:05', 'YYYY-MM-DD HH24:MI')",
            "2026-11-21T14:05:00Z",
        ),
        (
            "to_timestamp('2026-11-21 14:05:09.5', 'YYYY-MM-DD HH24:MI:SS.US')",
            "2026-11-21T14:05:09.500Z",
        ),
        ("to_date('21.11.2026', 'DD.MM.YYYY')", "2026-11-21"),
        ("to_date('21.11.2026', '%d.%m.%Y')", "2026-11-21"),
    ] {
        assert_eq!(one_row(select).await, expected, "{select}");
    }
    let session = FixtureLake::new().await.session().await;
    for (select, part) in [
        ("to_char(now(), 'nonsense')", "no part of a time"),
        ("to_char(1.5, '9.99')", "round(x, 2)"),
        (
            "to_timestamp('21.11.2026', 'YYYY-MM-DD')",
            "not as its pattern says",
        ),
        ("'a' similar to '[a'", "is not closed"),
    ] {
        let told = refusal(&session, &format!("select {select}")).await;
        assert!(told.contains(part), "{select}: {told}");
    }
}

#[tokio::test]
async fn functions_have_the_names_that_analysts_know() {
    let lake = lake().await;
    let session = lake.session().await;
    for (select, expected) in [
        ("count_if(latency_ms > 1000)", "2"),
        (
            "count_if(latency_ms > 1000) filter (where terminal_id <> '123')",
            "1",
        ),
        ("arg_max(model, latency_ms)", "Vela 2"),
        ("arg_min(model, latency_ms)", "Vela 4"),
        ("max_by(terminal_id, event_time)", "t3"),
        ("mode(terminal_id)", "t3"),
        ("mode() within group (order by outcome)", "no_answer"),
        (
            "percentile_disc(0.5) within group (order by latency_ms)",
            "1500",
        ),
        ("percentile_disc(latency_ms, 1)", "2500"),
        ("quantile_cont(latency_ms, 0.5)", "1500.0"),
        ("rate(retry_no, latency_ms)", "0.0002127659574468085"),
        ("rate(sum(retry_no), count(*))", "0.5"),
        ("rate(retry_no, 0)", "\"\""),
        ("mod(7, 4)", "3"),
        ("sign(-2.5)", "-1.0"),
        ("md5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
        ("regexp_extract('Vela 500', '[0-9]+')", "500"),
        ("regexp_extract('Vela 500', '([a-z]+) ([0-9]+)', 2)", "500"),
        ("regexp_extract('Vela', '[0-9]+')", "\"\""),
        ("width_bucket(3.5, 0, 10, 5)", "2"),
    ] {
        let sql = format!("select {select} as x from declines");
        let found = csv(&session, &sql).await;
        assert_eq!(found.lines().next().unwrap_or(""), expected, "{select}");
    }
    let weeks = "select time_bucket('1 week', event_time) as week, count(*) as n from declines group by all";
    assert_eq!(csv(&session, weeks).await, "2026-11-23T00:00:00Z,4");
    let hours = "select time_bucket(interval '12 hours', event_time), count(*) from declines group by 1 order by 1 \
        fetch first 2 rows only";
    assert_eq!(
        csv(&session, hours).await,
        "2026-11-23T00:00:00Z,1\n2026-11-23T12:00:00Z,1"
    );
    let quotient = "select sum(retry_no) / sum(latency_ms) as whole, rate(retry_no, latency_ms) > 0 as share from declines";
    assert_eq!(csv(&session, quotient).await, "0,true");
}

#[tokio::test]
async fn columns_keep_the_names_they_were_asked_for_by() {
    let lake = lake().await;
    let session = lake.session().await;
    let days = "select distinct event_time::date, extract(year from event_time) from declines \
        order by extract(year from event_time), event_time::date desc";
    assert_eq!(
        csv(&session, days).await,
        "2026-11-24,2026\n2026-11-23,2026"
    );
    let sql = "select event_time, event_time::date, rate(retry_no, latency_ms), extract(hour from event_time) \
        from declines group by all";
    let answer = session.collect(sql).await.expect("four columns");
    let names: Vec<&str> = answer
        .schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let expected = [
        "event_time",
        "event_time::DATE",
        "rate(retry_no, latency_ms)",
        "EXTRACT(HOUR FROM event_time)",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn what_is_not_there_is_told_with_what_is_near() {
    let session = lake().await.session().await;
    for (sql, told) in [
        ("select * from declinez", "(did you mean \"declines\"?)"),
        (
            "select * from lake.heartbeat",
            "(did you mean \"lake.heartbeats\"?)",
        ),
        (
            "select terminalid from declines",
            "(did you mean \"terminal_id\"?)",
        ),
        (
            "select percentile_disk(1)",
            "(did you mean \"percentile_disc\"?)",
        ),
        ("select xyz(1)", "there is no function xyz;"),
        (
            "select h3_get_resolution(1.5)",
            "argument 1 of h3_get_resolution is a cell",
        ),
    ] {
        let found = refusal(&session, sql).await;
        assert!(found.contains(told), "{sql}: {found}");
        assert!(!found.contains("Candidate"), "{found}");
    }
}

#[tokio::test]
async fn the_schema_of_kept_copies_is_not_shown_and_columns_are_of_one_table() {
    let session = lake().await.session().await;
    let tables = csv(&session, "show tables").await;
    assert!(
        tables.contains(",public,declines,") && !tables.contains(",once,"),
        "{tables}"
    );
    let columns = csv(&session, "show columns from declines").await;
    assert!(
        columns
            .lines()
            .all(|line| line.contains(",public,declines,")),
        "{columns}"
    );
    let raw = csv(&session, "show columns from lake.declines").await;
    assert!(
        raw.lines().all(|line| line.contains(",lake,declines,")),
        "{raw}"
    );
}
