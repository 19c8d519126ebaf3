//! `notspot stat` on the reference inputs of the statistics, against what other tools answered.

use std::collections::HashMap;
use std::path::PathBuf;

use insta::{Settings, assert_snapshot};

use crate::support::{Ran, finish, notspot, run, text};

/// The columns of each method, as promised.
const COLUMNS: [(&str, &[&str], &str); 7] = [
    (
        "gi-star",
        &["gi_star_city_input.csv"],
        "cell,neighbours,value,z,p,q,class",
    ),
    (
        "scan",
        &["scan_grid_input.csv"],
        "rank,members,attempts,failures,expected,relative_risk,llr,p",
    ),
    (
        "rates",
        &["rates_spread_input.csv"],
        "id,rate,eb_rate,low,high,weight",
    ),
    (
        "models",
        &["models_input.csv"],
        "model,reference,strata,crude_or,or,low,high,chi2,p,q,breslow_day_p,risk_difference,avoidable",
    ),
    (
        "terminals",
        &["terminals_input.csv"],
        "terminal,expected_rate,probability,p,q,odds_ratio,flagged,testable",
    ),
    (
        "effect",
        &["effect_period_input.csv", "--start", "5"],
        "estimate,se,low,high,p,placebo_p,warnings",
    ),
    ("fdr", &["fdr_input.csv"], "id,p,q,rejected"),
];

type Row = HashMap<String, String>;

fn reference(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../analytics/statistics/tests/expected")
        .join(name)
}

/// Reads CSV in which only the last column may be quoted.
fn table(csv: &str) -> Vec<Row> {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let row = |line: &str| {
        let values = line.splitn(names.len(), ',');
        let values = values.map(|value| value.trim_matches('"').to_owned());
        let names = names.iter().map(|name| (*name).to_owned());
        names.zip(values).collect()
    };
    lines.map(row).collect()
}

fn expected(name: &str) -> Vec<Row> {
    table(&std::fs::read_to_string(reference(name)).expect("a committed file"))
}

/// Runs a method on a reference input.
fn stat(method: &str, input: &str, options: &[&str]) -> String {
    let input = reference(input);
    run(&[&["stat", method, "--input", text(&input)], options].concat()).done()
}

fn number(row: &Row, column: &str) -> Option<f64> {
    let value = &row[column];
    (!value.is_empty()).then(|| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{column}: {value}"))
    })
}

#[track_caller]
fn assert_close(what: &str, got: Option<f64>, expected: Option<f64>, tolerance: f64) {
    let (Some(a), Some(b)) = (got, expected) else {
        assert_eq!(got, expected, "{what}");
        return;
    };
    assert!(
        (a - b).abs() <= tolerance * b.abs().max(1e-12),
        "{what}: {a} is not {b}"
    );
}

#[test]
fn every_method_answers_with_the_promised_columns() {
    for (method, arguments, columns) in COLUMNS {
        let answer = stat(method, arguments[0], &arguments[1..]);
        assert_eq!(answer.lines().next(), Some(columns), "{method}");
        assert!(
            !answer.contains("NaN") && !answer.contains("inf,"),
            "{method}"
        );
    }
}

#[test]
fn neither_row_order_nor_threads_change_a_byte() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("reversed.csv");
    for (method, arguments, _) in COLUMNS {
        let csv = std::fs::read_to_string(reference(arguments[0])).expect("a committed file");
        let (header, rows) = csv.split_once('\n').expect("a header");
        let reversed: Vec<&str> = rows.lines().rev().collect();
        std::fs::write(&file, format!("{header}\n{}\n", reversed.join("\n"))).expect("written");
        let options = &arguments[1..];
        let mut command = notspot(&[&["stat", method, "--input", text(&file)], options].concat());
        let turned = finish(command.env("RAYON_NUM_THREADS", "1")).done();
        assert_eq!(turned, stat(method, arguments[0], options), "{method}");
    }
}

#[test]
fn gi_star_agrees_with_esda() {
    for name in ["city", "pentagon", "antimeridian"] {
        let all = expected(&format!("gi_star_{name}_expected.csv"));
        for rings in ["1", "2"] {
            let got = table(&stat(
                "gi-star",
                &format!("gi_star_{name}_input.csv"),
                &["--rings", rings],
            ));
            let expected: Vec<&Row> = all.iter().filter(|row| row["rings"] == rings).collect();
            assert_eq!(got.len(), expected.len());
            for (got, row) in got.iter().zip(expected) {
                let what = format!("{name} {}", row["cell"]);
                assert_eq!(got["cell"], row["cell"], "{what}");
                assert_eq!(got["class"], row["class"], "{what}");
                if !row["value"].is_empty() {
                    assert_eq!(got["neighbours"], row["neighbours"], "{what}");
                }
                for column in ["value", "z", "p", "q"] {
                    assert_close(&what, number(got, column), number(row, column), 1e-9);
                }
            }
        }
    }
}

#[test]
fn scan_agrees_with_numpy() {
    let expected = expected("scan_expected.csv");
    let columns = ["input", "windows", "model", "max_share", "min_cases"];
    let family = |row: &Row| columns.map(|column| row[column].clone());
    for same in expected.chunk_by(|a, b| family(a) == family(b)) {
        let [input, windows, model, max_share, min_cases] = family(&same[0]);
        let options = [
            ["--windows", &windows],
            ["--model", &model],
            ["--max-share", &max_share],
            ["--min-cases", &min_cases],
            ["--seed", "3"],
            ["--secondary", "4"],
        ];
        let got = table(&stat(
            "scan",
            &format!("scan_{input}_input.csv"),
            &options.concat(),
        ));
        assert!(got.len() >= same.len());
        for (got, row) in got.iter().zip(same) {
            let what = format!("{input} {windows} {model} rank {}", row["rank"]);
            for column in ["rank", "members", "attempts", "failures"] {
                assert_eq!(got[column], row[column], "{what}");
            }
            for column in ["expected", "relative_risk", "llr"] {
                assert_close(&what, number(got, column), number(row, column), 1e-8);
            }
            // Two simulations: five standard deviations of the difference of their shares.
            let p = number(row, "p").expect("given");
            let runs = number(row, "runs").expect("given");
            let noise = (p * (1.0 - p) * (1.0 / runs + 1.0 / 999.0)).sqrt();
            let got_p = number(got, "p").expect("with runs");
            assert!(
                (got_p - p).abs() <= 5.0 * noise + 2e-3,
                "{what}: {got_p} for {p}"
            );
        }
    }
}

#[test]
fn scan_reports_one_cluster_unless_more_are_asked_for() {
    let count = |options: &[&str]| table(&stat("scan", "scan_grid_input.csv", options)).len();
    assert_eq!(count(&["--runs", "0"]), 1);
    assert_eq!(count(&["--runs", "0", "--secondary", "2"]), 3);
    assert!(count(&["--secondary", "--runs", "0"]) > 3);
}

#[test]
fn rates_agree_with_the_formulas() {
    let expected = expected("rates_spread_expected.csv");
    let mut compared = 0;
    for same in expected.chunk_by(|a, b| (&a["method"], &a["rings"]) == (&b["method"], &b["rings"]))
    {
        let (method, rings) = (same[0]["method"].as_str(), same[0]["rings"].as_str());
        let (ends, tolerance, local): (_, _, &[&str]) = match method {
            "marshall" => ("gamma", 1e-9, &[]),
            // The other tools know no floor of attempts.
            "marshall-local" => (
                "gamma",
                1e-9,
                &["--rings", rings, "--min-local-attempts", "0"],
            ),
            "beta-binomial" => ("beta", 1e-6, &[]),
            _ => continue,
        };
        let options = [&["--method", method], local].concat();
        let got = table(&stat("rates", "rates_spread_input.csv", &options));
        let got: HashMap<&str, &Row> = got.iter().map(|row| (row["id"].as_str(), row)).collect();
        for row in same {
            let got = got[row["id"].as_str()];
            let what = format!("{method} {rings} {}", row["id"]);
            for (column, other) in [
                ("rate", "rate"),
                ("eb_rate", "eb_rate"),
                ("weight", "weight"),
                ("low", &format!("{ends}_low")),
                ("high", &format!("{ends}_high")),
            ] {
                // The others take a prior without variance for certain, and its interval for none.
                if column != "low" && column != "high" || number(row, "weight") != Some(0.0) {
                    assert_close(&what, number(got, column), number(row, other), tolerance);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn models_agree_with_statsmodels() {
    let all = expected("models_expected.csv");
    for same in all.chunk_by(|a, b| a["reference"] == b["reference"]) {
        let reference = same[0]["reference"].as_str();
        let options: &[&str] = match reference {
            "others" => &[],
            named => &["--reference", named],
        };
        let got = table(&stat("models", "models_input.csv", options));
        assert_eq!(got.len(), same.len(), "{reference}");
        for row in same {
            let found = got.iter().find(|got| got["model"] == row["model"]);
            let got = found.unwrap_or_else(|| panic!("no {}", row["model"]));
            for column in COLUMNS[3].2.split(',').skip(2) {
                let what = format!("{} against {reference}: {column}", row["model"]);
                assert_close(&what, number(got, column), number(row, column), 1e-8);
            }
            assert_eq!(got["reference"], reference);
        }
    }
}

#[test]
fn terminals_flag_what_an_oracle_flags() {
    let got = table(&stat("terminals", "terminals_input.csv", &[]));
    let truth = expected("terminals_truth.csv");
    assert_eq!(got.len(), truth.len());
    let differ = got.iter().zip(&truth).filter(|(got, truth)| {
        assert_eq!(got["terminal"], truth["terminal"]);
        got["flagged"] != truth["oracle_flagged"]
    });
    assert!(differ.count() <= 2);
}

#[test]
fn effects_agree_with_clustered_regression() {
    let mut compared = 0;
    for row in expected("effect_expected.csv") {
        let input = row["input"].as_str();
        if row["contrast"] != "effect" {
            continue;
        }
        let mut options = match row["start"].as_str() {
            "" => Vec::new(),
            start => vec!["--start", start],
        };
        if row["weighted"] == "true" {
            options.push("--weighted");
        }
        let got = table(&stat(
            "effect",
            &format!("effect_{input}_input.csv"),
            &options,
        ));
        for column in ["estimate", "se", "low", "high", "p"] {
            let what = format!("{column} of {input} {options:?}");
            assert_close(&what, number(&got[0], column), number(&row, column), 1e-9);
        }
        assert!(got[0]["warnings"].contains("few units: "), "{got:?}");
        compared += 1;
    }
    assert_eq!(compared, 6);
}

#[test]
fn false_discovery_rates_agree_with_statsmodels() {
    for method in ["bh", "by"] {
        let got = table(&stat("fdr", "fdr_input.csv", &["--method", method]));
        let expected = expected("fdr_expected.csv");
        assert_eq!(got.len(), expected.len());
        for (got, row) in got.iter().zip(&expected) {
            assert_eq!(got["id"], row["id"]);
            assert_eq!(
                got["rejected"],
                row[&format!("{method}_rejected")],
                "{}",
                row["id"]
            );
            let q = number(row, &format!("{method}_q"));
            assert_close(&row["id"], number(got, "q"), q, 1e-12);
        }
    }
}

#[test]
fn json_and_parquet_hold_what_csv_holds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let csv = stat("gi-star", "gi_star_city_input.csv", &[]);
    for ending in ["json", "ndjson", "parquet", "csv"] {
        let file = folder.path().join(format!("first.{ending}"));
        let written = stat(
            "gi-star",
            "gi_star_city_input.csv",
            &["--output", text(&file)],
        );
        assert_eq!(written, "");
        // The results are an input too: cell and value give the same answer again.
        assert_eq!(
            run(&["stat", "gi-star", "-i", text(&file)]).done(),
            csv,
            "{ending}"
        );
    }
}

#[test]
fn members_and_warnings_are_lists_in_json() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("answer.json");
    let read = || -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(&file).expect("written")).expect("JSON")
    };
    stat("scan", "scan_grid_input.csv", &["--output", text(&file)]);
    assert_eq!(read()[0]["members"][0], "g12");
    stat(
        "effect",
        "effect_post_input.csv",
        &["--output", text(&file)],
    );
    assert!(read()[0]["warnings"][0].is_string() && read()[0]["placebo_p"].is_null());
}

/// Answer or error of a method on a file of this text, without the folder.
fn on(folder: &tempfile::TempDir, name: &str, content: &str, arguments: &[&str]) -> Ran {
    let file = folder.path().join(name);
    std::fs::write(&file, content).expect("written");
    run(&[&["stat", arguments[0], "-i", text(&file)], &arguments[1..]].concat())
}

#[test]
fn ids_flags_and_counts_are_read_however_they_are_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = "unit,treated,post,attempts,failures\n\
        1,true,false,100,20\n1,true,true,100,11\n2,true,false,100,18\n2,true,true,100,10\n\
        3,false,false,100,19\n3,false,true,100,18\n4,false,false,100,21\n4,false,true,100,22\n";
    let answer = on(&folder, "plain.csv", plain, &["effect"]).done();
    assert!(answer.contains("\n-0.0849999"), "{answer}");
    let pandas = plain
        .replace("true", "True")
        .replace("false", "False")
        .replace(",100,", ",100.0,");
    let digits = plain.replace("true", "1").replace("false", "0");
    let more = plain.replace('\n', ",extra\n");
    for (name, content) in [
        ("pandas.csv", &pandas),
        ("digits.csv", &digits),
        ("more.csv", &more),
    ] {
        assert_eq!(
            on(&folder, name, content, &["effect"]).done(),
            answer,
            "{name}"
        );
    }
    let json = plain.lines().skip(1).map(|line| {
        let values: Vec<&str> = line.split(',').collect();
        format!(
            r#"{{"unit":{},"treated":{},"post":{},"attempts":{},"failures":{}}}"#,
            values[0], values[1], values[2], values[3], values[4]
        )
    });
    let json: Vec<String> = json.collect();
    let array = format!("[{}]", json.join(",\n"));
    assert_eq!(
        on(&folder, "array.json", &array, &["effect"]).done(),
        answer
    );
    assert_eq!(
        on(&folder, "lines.ndjson", &json.join("\n"), &["effect"]).done(),
        answer
    );
}

#[test]
fn cells_are_read_as_numbers_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hex = std::fs::read_to_string(reference("gi_star_city_input.csv")).expect("a file");
    let lines = hex.lines().map(|line| match line.split_once(',') {
        Some((cell, rest)) if cell != "cell" => {
            let cell = u64::from_str_radix(cell, 16).expect("hexadecimal");
            format!("{cell},{rest}")
        }
        _ => line.to_owned(),
    });
    let numbers: Vec<String> = lines.collect();
    let answer = on(&folder, "numbers.csv", &numbers.join("\r\n"), &["gi-star"]).done();
    assert_eq!(answer, stat("gi-star", "gi_star_city_input.csv", &[]));
}

#[test]
fn periods_may_be_numbers_or_dates() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = std::fs::read_to_string(reference("effect_period_input.csv")).expect("a file");
    let lines = input.lines().map(|line| {
        let values: Vec<&str> = line.split(',').collect();
        match values[2].parse::<u32>() {
            // Week 9 and week 10 are on both sides of a change in length.
            Ok(period) => line.replacen(
                &format!(",{period},"),
                &format!(",2026-W{},", period + 6),
                1,
            ),
            Err(_) => line.to_owned(),
        }
    });
    let weeks: Vec<String> = lines.collect();
    let arguments = ["effect", "--start", "2026-W11"];
    let answer = on(&folder, "weeks.csv", &weeks.join("\n"), &arguments).done();
    assert_eq!(
        answer,
        stat("effect", "effect_period_input.csv", &["--start", "5"])
    );
}

#[test]
fn a_cell_without_attempts_is_undefined_and_not_zero() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cells = "cell,attempts,failures\n888c1078cdfffff,0,0\n888c1079d1fffff,290,12\n\
        888c10791dfffff,192,10\n";
    let answer = on(&folder, "cells.csv", cells, &["gi-star"]).done();
    assert!(
        answer.contains("888c1078cdfffff,0,,,,,undefined"),
        "{answer}"
    );
    let rates = on(&folder, "rates.csv", cells, &["rates"]).done();
    let empty = rates
        .lines()
        .find(|line| line.starts_with("888c1078cdfffff,,"));
    assert!(empty.is_some_and(|line| line.contains(",,,")), "{rates}");
}

fn check(name: &str, ran: Ran) {
    let mut settings = Settings::clone_current();
    settings.add_filter(r"/[^ :,]*/\.tmp[A-Za-z0-9]+", "[TMP]");
    let seen = format!("exit {}\n{}{}", ran.code, ran.stdout, ran.stderr);
    settings.bind(|| assert_snapshot!(name, seen));
}

#[test]
fn an_error_names_file_row_and_column() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cell = "888c1078cdfffff";
    for (name, file, content, arguments) in [
        (
            "stat_no_column",
            "a.csv",
            format!("cell,attempts\n{cell},5\n"),
            &["gi-star"][..],
        ),
        (
            "stat_no_values",
            "a.csv",
            format!("cell\n{cell}\n"),
            &["gi-star"],
        ),
        (
            "stat_no_place",
            "a.csv",
            "id,attempts,failures\nx,5,1\n".into(),
            &["scan"],
        ),
        (
            "stat_bad_cell",
            "a.csv",
            format!("cell,value\n{cell},1\nparis,2\n"),
            &["gi-star"],
        ),
        (
            "stat_bad_count",
            "a.csv",
            "id,attempts,failures\nx,5,1\ny,-3,0\n".into(),
            &["rates"],
        ),
        (
            "stat_empty_count",
            "a.csv",
            "id,attempts,failures\nx,5,\n".into(),
            &["rates"],
        ),
        (
            "stat_failures",
            "a.csv",
            "stratum,model,attempts,failures\ns,m,5,6\n".into(),
            &["models"],
        ),
        (
            "stat_bad_p",
            "a.csv",
            "id,p\nx,0.5\ny,1.5\n".into(),
            &["fdr"],
        ),
        (
            "stat_nan",
            "a.csv",
            format!("cell,value\n{cell},NaN\n"),
            &["gi-star"],
        ),
        (
            "stat_two_values",
            "a.csv",
            format!("cell,value\n{cell},1\n{cell},2\n"),
            &["gi-star"],
        ),
        (
            "stat_bad_latitude",
            "a.csv",
            "id,lat,lon,attempts,failures\nx,103.8,1.3,5,1\n".into(),
            &["scan"],
        ),
        ("stat_ragged", "a.csv", "id,p\nx,0.5\ny\n".into(), &["fdr"]),
        (
            "stat_two_columns",
            "a.csv",
            "id,p,p\nx,0.5,1\n".into(),
            &["fdr"],
        ),
        ("stat_empty_file", "a.csv", String::new(), &["fdr"]),
        (
            "stat_bad_json",
            "a.json",
            "[{\"id\":1,\"p\":0.5}".into(),
            &["fdr"],
        ),
        (
            "stat_nested_json",
            "a.json",
            "[{\"id\":1,\"p\":[0.5]}]".into(),
            &["fdr"],
        ),
        ("stat_no_parquet", "a.parquet", "id,p\n".into(), &["fdr"]),
        (
            "stat_mixed_treatment",
            "a.csv",
            "unit,treated,post,attempts,failures\nu,1,0,5,1\nu,0,1,5,1\n".into(),
            &["effect"],
        ),
        (
            "stat_no_comparison",
            "a.csv",
            "unit,treated,period,attempts,failures\nu,1,1,5,1\nu,1,2,5,1\n".into(),
            &["effect", "--start", "2"],
        ),
        (
            "stat_bad_period",
            "a.csv",
            "unit,treated,period,attempts,failures\nu,1,01/11/2026,5,1\n".into(),
            &["effect", "--start", "2026-11-02"],
        ),
    ] {
        check(name, on(&folder, file, &content, arguments));
    }
}

#[test]
fn an_option_that_cannot_be_used_is_a_fault_of_the_arguments() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let weeks = "unit,treated,period,attempts,failures\nu,1,1,5,1\nu,1,2,5,1\n";
    check("stat_no_start", on(&folder, "a.csv", weeks, &["effect"]));
    let post = weeks.replace("period", "post");
    let start = ["effect", "--start", "2"];
    check(
        "stat_start_without_period",
        on(&folder, "a.csv", &post, &start),
    );
    let models = "stratum,model,attempts,failures\ns,m,5,1\n";
    let reference = ["models", "--reference", "x"];
    check(
        "stat_unknown_reference",
        on(&folder, "a.csv", models, &reference),
    );
    let alpha = ["fdr", "--alpha", "5"];
    check("stat_bad_alpha", on(&folder, "a.csv", "id,p\n", &alpha));
    let nowhere = folder.path().join("none.csv");
    check("stat_no_file", run(&["stat", "fdr", "-i", text(&nowhere)]));
}
