//! SQL functions as a person calls them: names, argument types and nulls, through the whole engine.

mod dialect;
mod fixture;
mod h3;

use fixture::{FixtureLake, query};

async fn one_row(select: &str) -> String {
    let lake = FixtureLake::new().await;
    let table = query(&lake.session().await, &format!("select {select}")).await;
    let row = table
        .lines()
        .nth(3)
        .expect("a row below the header")
        .to_owned();
    row.split('|')
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The value of an expression as JSON.
async fn json_of(select: &str) -> String {
    use analytics::report::{Format, render};
    let session = FixtureLake::new().await.session().await;
    let answer = session.collect(&format!("select {select} as x")).await;
    let answer = answer.unwrap_or_else(|error| panic!("{select}: {error}"));
    let mut out = Vec::new();
    render::write(Format::NdJson, &answer.schema, &answer.batches, &mut out).expect("written");
    let text = String::from_utf8(out).expect("UTF-8");
    let value = text.trim().strip_prefix("{\"x\":");
    let value = value.and_then(|rest| rest.strip_suffix('}'));
    value.expect("an object of one value").to_owned()
}

/// What is said of an expression that has no value.
async fn error_of(select: &str) -> String {
    let session = FixtureLake::new().await.session().await;
    match session.collect(&format!("select {select} as x")).await {
        Ok(_) => panic!("{select} has a value"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn h3_functions_take_numbers_and_text_and_any_kind_of_literal() {
    for (select, expected) in [
        (
            "h3_h3_to_string(h3_latlng_to_cell(37.775938728915946, -122.41795333659342, 9))",
            "8928308280fffff",
        ),
        ("h3_string_to_h3('8928308280fffff')", "617700169958293503"),
        (
            "h3_h3_to_string(h3_cell_to_parent('8928308280fffff', 8))",
            "8828308281fffff",
        ),
        (
            "h3_h3_to_string(h3_cell_to_parent(617700169958293503, cast(8 as int)))",
            "8828308281fffff",
        ),
        ("h3_get_resolution('8928308280fffff')", "9"),
        ("cardinality(h3_grid_disk('8928308280fffff', 1))", "7"),
        (
            "cardinality(h3_cell_to_children('8928308280fffff', 11))",
            "49",
        ),
        (
            "h3_grid_distance('8928308280fffff', h3_grid_disk('8928308280fffff', 1)[2])",
            "1",
        ),
        (
            "h3_is_valid_cell('8928308280fffff') and not h3_is_valid_cell(12)",
            "true",
        ),
        ("round(h3_cell_to_lat('8928308280fffff'), 3)", "37.777"),
        ("round(h3_cell_to_lng('8928308280fffff'), 2)", "-122.42"),
        ("round(h3_cell_area('8928308280fffff', 'km^2'), 2)", "0.11"),
        (
            "h3_cell_to_boundary_wkt('8928308280fffff') like 'POLYGON ((-122.4%'",
            "true",
        ),
    ] {
        assert_eq!(one_row(select).await, expected, "{select}");
    }
}

#[tokio::test]
async fn null_and_nonsense_give_null() {
    for select in [
        "h3_cell_to_parent(null, 5)",
        "h3_cell_to_parent('8928308280fffff', null)",
        "h3_cell_to_parent('zebra', 5)",
        "h3_latlng_to_cell(91.0, 0.0, 9)",
        "wilson_low(2, 1)",
        "is_weak_signal('wimax', -120.0)",
        "cause_class('unionpay', null)",
    ] {
        assert_eq!(
            one_row(&format!("({select}) is null")).await,
            "true",
            "{select}"
        );
    }
}

#[tokio::test]
async fn rates_signals_and_codes_are_judged_in_sql() {
    for (select, expected) in [
        ("round(wilson_low(15, 148), 4)", "0.0624"),
        ("round(wilson_high(15, 148), 4)", "0.1605"),
        ("is_weak_signal('lte', -111)", "true"),
        (
            "is_weak_signal('lte', cast(-90 as float), cast(-16 as float), null)",
            "true",
        ),
        ("cause_class('gicc', '57')", "merchant_config"),
    ] {
        assert_eq!(one_row(select).await, expected, "{select}");
    }
}
