//! `notspot sql` without a terminal: statements from options, files and standard input.

use std::io::Write;
use std::process::Stdio;

use crate::support::{demo, notspot, run, text};

#[test]
fn several_statements_answer_one_after_another() {
    let lake = demo().lake();
    let answers = run(&[
        "sql",
        "--lake",
        &lake,
        "-c",
        "select 1 as one; -- and\nselect 'a;b' as two;",
    ])
    .done();
    assert!(
        answers.contains("one") && answers.contains("a;b"),
        "{answers}"
    );
}

#[test]
fn a_file_answers_in_the_form_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("q.sql");
    std::fs::write(&file, "select 7 as n, 'x,y' as t;\n").expect("written");
    let csv = run(&[
        "sql",
        "--lake",
        &demo().lake(),
        "-f",
        text(&file),
        "--format",
        "csv",
    ])
    .done();
    assert_eq!(csv, "n,t\n7,\"x,y\"\n");
}

#[test]
fn standard_input_is_run_when_it_is_no_terminal() {
    let lake = demo().lake();
    let mut child = notspot(&["sql", "--lake", &lake, "--format", "ndjson"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(b"select h3_is_valid_cell('88283082a3fffff') as valid")
        .expect("taken");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "{\"valid\":true}\n"
    );
}

#[test]
fn a_reader_that_goes_away_ends_the_program_without_an_error() {
    let lake = demo().lake();
    for form in ["table", "csv", "json", "ndjson", "parquet"] {
        let every = "select * from lake.heartbeats limit 20000";
        let mut child = notspot(&["sql", "--lake", &lake, "-c", every, "--format", form])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{form}");
    }
}

#[test]
fn the_file_decides_the_form() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("answer.json");
    run(&[
        "sql",
        "--lake",
        &demo().lake(),
        "-c",
        "select 1 as n",
        "-o",
        text(&file),
    ])
    .done();
    assert_eq!(
        std::fs::read_to_string(file).expect("a file").trim(),
        "[{\"n\":1}]"
    );
}

#[test]
fn a_file_is_read_as_editors_write_it_or_its_fault_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("q.sql");
    let ask = |bytes: &[u8]| {
        std::fs::write(&file, bytes).expect("written");
        let lake = demo().lake();
        run(&["sql", "--lake", &lake, "-f", text(&file), "--format", "csv"])
    };
    for bytes in [
        b"\xef\xbb\xbfselect 1 as n;\r\n".as_slice(),
        b"-- \xe2\x80\x9cquoted\xe2\x80\x9d\r\nselect\r\n\xc2\xa01 as n",
    ] {
        assert_eq!(ask(bytes).done(), "n\n1\n");
    }
    let utf16: Vec<u8> = "\u{feff}select 1"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (bytes, told) in [
        (utf16.as_slice(), "UTF-16"),
        (
            "select 1\nwhere 'a' = ‘a’".as_bytes(),
            "line 2, column 13: ‘ is no quote",
        ),
    ] {
        let ran = ask(bytes);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
}

#[test]
fn tables_views_and_functions_are_listed_outside_of_the_shell() {
    let lake = demo().lake();
    let ask = |command| run(&["sql", "--lake", &lake, "-c", command]).done();
    let tables = ask("\\d");
    for name in ["heartbeats", "failures", "failure_causes"] {
        assert!(
            tables.contains(&format!("\n  {name} ")) || tables.starts_with(&format!("  {name} ")),
            "{tables}"
        );
    }
    assert!(ask("\\d failures").contains("| cause_rule"));
    let functions = ask("\\df");
    for name in ["rate(failures, attempts)", "h3_grid_ring(", "arg_max(x, y)"] {
        assert!(functions.contains(name), "{name}: {functions}");
    }
}

#[test]
fn a_statement_is_told_to_be_wrong_in_one_line() {
    let lake = demo().lake();
    for (sql, told) in [
        (
            "select terminal_id from terminals where terminal_id = 7",
            "terminal_id = '7'",
        ),
        ("select * from heartbeets", "did you mean \"heartbeats\"?"),
        ("select 9223372036854775807 * 2", "too large"),
    ] {
        let ran = run(&["sql", "--lake", &lake, "-c", sql]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}
