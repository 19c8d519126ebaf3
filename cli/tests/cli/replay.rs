//! `notspot simulate` and `notspot replay` to files.

use crate::support::{run, text};

#[test]
fn a_simulation_repeats_itself_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str| {
        let out = folder.path().join(name);
        run(&[
            "simulate",
            "null",
            "--terminals",
            "50",
            "--days",
            "1",
            "--seed",
            "9",
            "--output",
            text(&out),
        ])
        .done();
        std::fs::read(out.join("terminal.heartbeat.ndjson")).expect("a file")
    };
    let first = write("one");
    assert!(!first.is_empty());
    assert_eq!(first, write("two"));
}

#[test]
fn every_ready_mapping_with_a_sample_replays() {
    let listed = run(&["replay", "--list"]).done();
    let with_sample: Vec<&str> = listed
        .lines()
        .filter(|line| line.contains("with a sample"))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(with_sample.len() >= 4, "{listed}");
    for mapping in with_sample {
        // Recordings hold rows that cannot be used; they are told and end in exit code 1.
        let ran = run(&["replay", mapping, "--discard"]);
        assert!(ran.code <= 1, "{mapping}: {ran:?}");
        assert!(ran.stdout.contains("rows read"), "{mapping}: {ran:?}");
    }
}
