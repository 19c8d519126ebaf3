//! Help, version and completions.

use insta::assert_snapshot;

use crate::support::run;

const COMMANDS: [&[&str]; 28] = [
    &[],
    &["demo"],
    &["simulate"],
    &["replay"],
    &["registry", "load"],
    &["ingest"],
    &["audit"],
    &["maintain"],
    &["quarantine", "list"],
    &["quarantine", "count"],
    &["quarantine", "show"],
    &["quarantine", "resubmit"],
    &["sql"],
    &["analyze"],
    &["intervention", "add"],
    &["intervention", "list"],
    &["intervention", "remove"],
    &["report"],
    &["stat"],
    &["stat", "gi-star"],
    &["stat", "scan"],
    &["stat", "rates"],
    &["stat", "models"],
    &["stat", "terminals"],
    &["stat", "effect"],
    &["stat", "fdr"],
    &["schema"],
    &["completions"],
];

#[test]
fn the_help_of_every_command_is_as_reviewed() {
    for command in COMMANDS {
        let name = if command.is_empty() {
            "notspot".into()
        } else {
            command.join("-")
        };
        let help = run(&[command, &["--help"]].concat()).done();
        assert_snapshot!(name, help);
    }
}

#[test]
fn the_help_shows_examples_of_every_command_and_the_exit_codes() {
    for command in &COMMANDS[1..] {
        let help = run(&[*command, &["--help"]].concat()).done();
        assert!(
            help.contains(&format!("  notspot {}", command.join(" "))),
            "{command:?}: {help}"
        );
    }
    assert!(run(&["--help"]).done().contains("Exit codes:"));
}

#[test]
fn the_version_names_the_commit() {
    let version = run(&["--version"]).done();
    let commit = version
        .trim()
        .strip_prefix("notspot 0.1.0 (")
        .and_then(|rest| rest.strip_suffix(')'));
    let commit = commit.unwrap_or_else(|| panic!("no commit in {version}"));
    let hash = commit.strip_suffix("+dirty").unwrap_or(commit);
    let is_hash = hash.len() >= 7 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_hash || commit == "unknown commit", "{commit}");
}

#[test]
fn every_shell_gets_a_completion_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).done();
        assert!(
            script.contains("registry") && script.contains("until-end"),
            "{shell}"
        );
    }
}

#[test]
fn the_contracts_are_printed_in_every_form() {
    let fields = run(&["schema", "signal"]).done();
    assert!(
        fields.contains("rsrp_dbm") && !fields.contains("battery_pct"),
        "{fields}"
    );
    let avro: serde_json::Value =
        serde_json::from_str(&run(&["schema", "decline", "--form", "avro"]).done()).expect("JSON");
    assert_eq!(avro["name"], "Decline");
    let schema = run(&["schema", "heartbeat", "--form", "json-schema"]).done();
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    assert!(schema["properties"]["terminal_id"].is_object(), "{schema}");
}
