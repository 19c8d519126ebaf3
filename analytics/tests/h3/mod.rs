//! H3 functions by value, as the extensions of DuckDB and PostgreSQL answer them, and the forms a
//! cell may come in.

use crate::{error_of, json_of};

/// Calls and answers that h3-duckdb 1.5.3 (H3 4.5.0) gives too, as JSON.
const SAME_AS_DUCKDB: [(&str, &str); 62] = [
    ("h3_latlng_to_cell(0, 0, 1)", "583031433791012863"),
    ("h3_latlng_to_cell(0, 0, -1)", "null"),
    ("h3_latlng_to_cell(37.7752702151959, null, 9)", "null"),
    ("h3_latlng_to_cell_string(0, 0, 1)", "\"81757ffffffffff\""),
    (
        "h3_latlng_to_cell_string(37.7752702151959, -122.418307270836, 9)",
        "\"8928308280fffff\"",
    ),
    ("h3_latlng_to_cell_string(0, 0, -1)", "null"),
    (
        "round(h3_cell_to_latlng('85283473fffffff')[1], 9)",
        "37.345793375",
    ),
    (
        "round(h3_cell_to_latlng('85283473fffffff')[2], 9)",
        "-121.976375973",
    ),
    ("h3_cell_to_latlng('ffffffffffffffff')", "null"),
    ("h3_get_resolution('822d57fffffffff')", "2"),
    ("h3_is_valid_cell('85283473fffffff')", "true"),
    ("h3_is_valid_cell('1234')", "false"),
    ("h3_is_valid_cell('115283473fffffff')", "false"),
    ("h3_string_to_h3(',,,,,')", "null"),
    (
        "h3_cell_to_parent(586265647244115967, 1)",
        "581764796395814911",
    ),
    (
        "h3_cell_to_parent('822d57fffffffff', 1)",
        "\"812d7ffffffffff\"",
    ),
    ("h3_cell_to_parent('822d57fffffffff', -1)", "null"),
    (
        "h3_cell_to_center_child(586265647244115967, 4)",
        "595272305332977663",
    ),
    (
        "h3_cell_to_center_child('822d57fffffffff', 4)",
        "\"842d501ffffffff\"",
    ),
    ("h3_cell_to_center_child('822d57fffffffff', 0)", "null"),
    ("h3_cell_to_children_size('822d57fffffffff', 3)", "7"),
    ("h3_cell_to_children_size('822d57fffffffff', 4)", "49"),
    ("h3_cell_to_children_size('822d57fffffffff', 30)", "null"),
    (
        "h3_compact_cells([586266746755743743, 586266196999929855, 586265097488302079, 586265647244115967, 586267846267371519, 586267296511557631, 586264547732488191])",
        "[581764796395814911]",
    ),
    (
        "h3_compact_cells(['822d67fffffffff', '822d5ffffffffff', '822d4ffffffffff', '822d57fffffffff', '822d77fffffffff', '822d6ffffffffff', '822d47fffffffff'])",
        "[\"812d7ffffffffff\"]",
    ),
    ("h3_compact_cells(['X', '822d5ffffffffff'])", "null"),
    (
        "h3_uncompact_cells([581764796395814911], 2)",
        "[586264547732488191,586265097488302079,586265647244115967,586266196999929855,586266746755743743,586267296511557631,586267846267371519]",
    ),
    ("h3_uncompact_cells(['X'], 2)", "null"),
    (
        "h3_grid_disk('822d57fffffffff', 1)",
        "[\"822d57fffffffff\",\"822d0ffffffffff\",\"822c27fffffffff\",\"822c2ffffffffff\",\"822d5ffffffffff\",\"822d47fffffffff\",\"822d77fffffffff\"]",
    ),
    ("h3_grid_disk('8408001ffffffff', -1)", "null"),
    (
        "h3_grid_disk_distances('822d57fffffffff', 1)",
        "[[\"822d57fffffffff\"],[\"822d0ffffffffff\",\"822c27fffffffff\",\"822c2ffffffffff\",\"822d5ffffffffff\",\"822d47fffffffff\",\"822d77fffffffff\"]]",
    ),
    (
        "h3_grid_disk_distances(586265647244115967, 1)",
        "[[586265647244115967],[586260699441790975,586244756523188223,586245306279002111,586266196999929855,586264547732488191,586267846267371519]]",
    ),
    (
        "array_sort(h3_grid_ring('822d57fffffffff', 1))",
        "[\"822c27fffffffff\",\"822c2ffffffffff\",\"822d0ffffffffff\",\"822d47fffffffff\",\"822d5ffffffffff\",\"822d77fffffffff\"]",
    ),
    (
        "array_sort(h3_grid_ring('804dfffffffffff', 1))",
        "[\"802bfffffffffff\",\"803bfffffffffff\",\"8045fffffffffff\",\"805ffffffffffff\",\"8067fffffffffff\"]",
    ),
    (
        "h3_grid_path_cells('86584e9afffffff', '8658412c7ffffff')",
        "[\"86584e9afffffff\",\"86584e91fffffff\",\"86584e907ffffff\",\"86584e92fffffff\",\"8658412d7ffffff\",\"8658412c7ffffff\"]",
    ),
    ("h3_grid_path_cells('86584e9afffffff', '0')", "null"),
    (
        "h3_grid_distance('86584e9afffffff', '8658412c7ffffff')",
        "5",
    ),
    ("h3_grid_distance('0', '86584e9afffffff')", "null"),
    ("h3_is_pentagon('801dfffffffffff')", "true"),
    ("h3_is_pentagon('85283473fffffff')", "false"),
    (
        "h3_are_neighbor_cells(599686042433355775, 599686030622195711)",
        "true",
    ),
    (
        "h3_are_neighbor_cells(599686042433355775, 599686029548453887)",
        "false",
    ),
    (
        "h3_cells_to_directed_edge(599686042433355775, 599686030622195711)",
        "1608492358964346879",
    ),
    (
        "h3_origin_to_directed_edges('85283473fffffff')",
        "[\"115283473fffffff\",\"125283473fffffff\",\"135283473fffffff\",\"145283473fffffff\",\"155283473fffffff\",\"165283473fffffff\"]",
    ),
    (
        "round(h3_edge_length('115283473fffffff', 'km'), 9)",
        "10.294736086",
    ),
    (
        "round(h3_edge_length(1608492358964346879, 'm'), 6)",
        "10302.930275",
    ),
    ("h3_edge_length('fffffffffffffff', 'km')", "null"),
    (
        "round(h3_get_hexagon_area_avg(0, 'km^2'), 6)",
        "4357449.416078",
    ),
    (
        "round(h3_get_hexagon_area_avg(1, 'm^2'), 0)",
        "6.09788441794e11",
    ),
    ("h3_get_hexagon_area_avg(-1, 'km^2')", "null"),
    ("h3_get_num_cells(0)", "122"),
    ("h3_get_num_cells(5)", "2016842"),
    ("h3_get_num_cells(-1)", "null"),
    ("h3_great_circle_distance(5, 5, 5, 5, 'km')", "0.0"),
    (
        "round(h3_great_circle_distance(5, 5, 15, 15, 'rads'), 12)",
        "0.244786822379",
    ),
    (
        "round(h3_great_circle_distance(5, 5, 15, 15, 'km'), 9)",
        "1559.538603169",
    ),
    ("h3_great_circle_distance(5, 5, -15, -15, null)", "null"),
    ("h3_cells_to_multi_polygon_wkt([0])", "null"),
    ("h3_cells_to_multi_polygon_wkt(['zero'])", "null"),
    (
        "h3_cells_to_multi_polygon_wkt([])",
        "\"MULTIPOLYGON EMPTY\"",
    ),
    ("h3_polygon_wkt_to_cells('POLYGON EMPTY', 9)", "[]"),
    // The polygon of H3's own tests, with 1,253 cells.
    (
        "array_length(h3_polygon_wkt_to_cells('POLYGON ((-122.40898669969356 37.81331899988944, -122.38054369969613 37.78663019990699, -122.35447369969584 37.719806199904276, -122.51234369969448 37.70761319990403, -122.52471869969825 37.783587199903444, -122.47987669969707 37.81515719990604, -122.40898669969356 37.81331899988944))', 9))",
        "1253",
    ),
];

#[tokio::test]
async fn functions_answer_as_the_extension_of_duckdb_does() {
    for (call, expected) in SAME_AS_DUCKDB {
        assert_eq!(json_of(call).await, expected, "{call}");
    }
}

#[tokio::test]
async fn a_cell_is_any_whole_number_or_its_text() {
    for cell in [
        "599686042433355775",
        "599686042433355775::bigint unsigned",
        "599686042433355775::decimal(20, 0)",
        "'85283473fffffff'",
        "'0x85283473fffffff'",
        "arrow_cast('85283473fffffff', 'Utf8View')",
        "arrow_cast('85283473fffffff', 'LargeUtf8')",
        "arrow_cast('85283473fffffff', 'Dictionary(Int32, Utf8)')",
    ] {
        assert_eq!(
            json_of(&format!("h3_get_resolution({cell})")).await,
            "5",
            "{cell}"
        );
    }
    assert_eq!(
        json_of("h3_get_resolution(18446744073709551615::bigint unsigned)").await,
        "null"
    );
    assert_eq!(json_of("h3_is_valid_cell(7::smallint)").await, "false");
    for (wrong, kind) in [
        ("599686042433355775.0", "Float64"),
        ("5.5::decimal(20, 2)", "Decimal128(20, 2)"),
        ("date '2026-11-21'", "Date32"),
        ("true", "Boolean"),
    ] {
        let told = error_of(&format!("h3_get_resolution({wrong})")).await;
        assert!(
            told.contains("a cell, as a whole number or as hexadecimal text"),
            "{told}"
        );
        assert!(told.contains(kind), "{told}");
    }
}

#[tokio::test]
async fn the_next_resolution_is_meant_where_none_is_given() {
    for (call, expected) in [
        (
            "h3_cell_to_parent('8928308280fffff')",
            "\"8828308281fffff\"",
        ),
        ("h3_cell_to_parent('8009fffffffffff')", "null"),
        ("array_length(h3_cell_to_children('8928308280fffff'))", "7"),
        ("h3_cell_to_children_size('8009fffffffffff')", "6"),
        (
            "h3_get_resolution(h3_cell_to_center_child('8928308280fffff'))",
            "10",
        ),
        (
            "round(h3_cell_area('8928308280fffff') / h3_cell_area('8928308280fffff', 'km^2'), 9)",
            "1.0",
        ),
    ] {
        assert_eq!(json_of(call).await, expected, "{call}");
    }
}

#[tokio::test]
async fn a_mistake_of_the_statement_is_an_error_and_no_null() {
    for (call, told) in [
        (
            "h3_cell_area('8928308280fffff', 'acre')",
            "knows no unit \"acre\"",
        ),
        (
            "h3_great_circle_distance(0, 0, 1, 1, 'miles')",
            "knows no unit \"miles\"",
        ),
        (
            "h3_polygon_wkt_to_cells('POLYGON ((1 2, x 3))', 5)",
            "expected a number at character 16",
        ),
        (
            "h3_polygon_wkt_to_cells('POLYGON ((0 0, 90 0, 90 80, 0 80, 0 0))', 15)",
            "at most 120000 are allowed",
        ),
        (
            "h3_grid_ring('8928308280fffff', 1000)",
            "at most 120000 are allowed",
        ),
        (
            "h3_uncompact_cells(['8009fffffffffff'], 15)",
            "at most 120000 are allowed",
        ),
        ("h3_compact_cells('8928308280fffff')", "a list of cells"),
        (
            "h3_grid_disk('8928308280fffff')",
            "h3_grid_disk(cell, rings)",
        ),
    ] {
        let found = error_of(call).await;
        assert!(found.contains(told), "{call}: {found}");
    }
}

#[tokio::test]
async fn a_set_of_cells_and_its_outline_are_the_same_place() {
    let disk = "h3_grid_disk('8828308281fffff', 3)";
    let back = format!("h3_polygon_wkt_to_cells_string(h3_cells_to_multi_polygon_wkt({disk}), 8)");
    assert_eq!(
        json_of(&format!("array_sort({back}) = array_sort({disk})")).await,
        "true"
    );
    // What users gather has repeats.
    let twice = "(select h3_compact_cells(array_agg(c)) from (select unnest(h3_cell_to_children('8828308281fffff', 9)) \
        as c union all select '8928308280fffff'))";
    assert_eq!(json_of(twice).await, "[\"8828308281fffff\"]");
}
