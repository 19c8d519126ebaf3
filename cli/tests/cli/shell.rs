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
