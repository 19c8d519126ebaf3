//! Interventions from the command line to their effects, against the answer key of a mended branch.

use serde_json::Value;

use crate::support::{Ran, demo, run, text};

/// A fleet with a branch that was mended step by step, analysed by the demo.
struct Fleet {
    folder: tempfile::TempDir,
}

impl Fleet {
    fn simulated() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let fleet = Self { folder };
        let out = fleet.path("demo");
        run(&[
            "demo",
            "--scenario",
            "remote-branch",
            "--terminals",
            "160",
            "--end",
            "2026-11-24",
            "--out",
            &out,
        ])
        .done();
        fleet
    }

    fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name)).to_owned()
    }

    fn lake(&self) -> String {
        self.path("demo/lake")
    }

    fn intervention(&self, arguments: &[&str]) -> Ran {
        let lake = self.lake();
        run(&[&["intervention"], arguments, &["--lake", &lake]].concat())
    }

    fn analyze(&self) {
        run(&["analyze", "--lake", &self.lake(), "--window", "29d"]).done();
    }

    fn sql(&self, sql: &str) -> Vec<Value> {
        let lake = self.lake();
        let rows = run(&["sql", "--lake", &lake, "-c", sql, "--format", "json"]).done();
        serde_json::from_str(&rows).expect("JSON")
    }

    fn effect(&self, id: &str) -> Value {
        let sql = format!("select * from intervention_effects where intervention_id = '{id}'");
        let rows = self.sql(&sql);
        assert_eq!(rows.len(), 1, "{id}: {rows:?}");
        rows[0].clone()
    }

    /// The mended branch, as the answer key has it.
    fn branch(&self) -> Value {
        let key = std::fs::read_to_string(self.path("demo/answer-key.json")).expect("a key");
        let key: Value = serde_json::from_str(&key).expect("JSON");
        let truths = key["truths"].as_array().expect("a list").iter();
        let mut branches = truths.filter(|planted| planted["truth"]["type"] == "remote_branch");
        branches.next().expect("a mended branch")["truth"].clone()
    }
}

fn rate(phase: &Value) -> f64 {
    let count = |name: &str| phase["tally"][name].as_f64().expect("a count");
    count("out_of_range") / count("attempts")
}

fn number(row: &Value, name: &str) -> f64 {
    row[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name} of {row}"))
}

/// Returns the id that was added.
fn added(ran: Ran) -> String {
    let said = ran.done();
    let id = said.trim().strip_prefix("added ");
    id.unwrap_or_else(|| panic!("added: {said}")).to_owned()
}

#[test]
fn a_planted_effect_is_recovered_and_a_sham_has_none() {
    let fleet = Fleet::simulated();
    let branch = fleet.branch();
    let phases = branch["phases"].as_array().expect("phases");
    let merchant = branch["merchant_id"].as_str().expect("text");

    // The demo wrote the work down as people would; here it is done by hand.
    for row in fleet.sql("select intervention_id from interventions") {
        let id = row["intervention_id"].as_str().expect("text");
        assert_eq!(
            fleet.intervention(&["remove", id]).done(),
            format!("removed {id}\n")
        );
    }
    fleet.analyze();
    assert!(fleet.sql("select * from intervention_effects").is_empty());

    let steps: Vec<String> = ["other", "qr", "replace"]
        .iter()
        .zip(&phases[1..])
        .map(|(kind, phase)| {
            let from = phase["from"].as_str().expect("a time");
            added(fleet.intervention(&[
                "add",
                "--kind",
                kind,
                "--merchant",
                merchant,
                "--on",
                from,
            ]))
        })
        .collect();
    let shams = shams(&fleet, &branch);
    fleet.analyze();

    for (id, pair) in steps.iter().zip(phases.windows(2)) {
        let effect = fleet.effect(id);
        let planted = rate(&pair[1]) - rate(&pair[0]);
        let (low, high) = (number(&effect, "low"), number(&effect, "high"));
        assert!(
            low <= planted && planted <= high,
            "{planted} is not in {effect}"
        );
        let estimate = number(&effect, "estimate");
        let off = (estimate - planted).abs();
        assert!(
            off <= 0.02_f64.max(0.1 * planted.abs()),
            "{planted}: {effect}"
        );
    }
    // The first step is by far the largest: it is sure, and what it avoided is counted.
    let mended = fleet.effect(&steps[0]);
    let avoided = -number(&mended, "estimate") * number(&mended, "treated_attempts_after");
    assert!(
        (number(&mended, "failures_avoided") - avoided).abs() < 1e-6,
        "{mended}"
    );
    let [some, worst] = shams.map(|id| fleet.effect(&id));
    let (low, high) = (number(&some, "low"), number(&some, "high"));
    assert!(low <= 0.0 && 0.0 <= high, "{some}");
    for sham in [some, worst] {
        assert_eq!(sham["failures_avoided"], Value::Null, "{sham}");
    }
}

/// Writes down work that was not done: on some terminals, and on the worst of before, whose bad luck
/// passes by itself.
fn shams(fleet: &Fleet, branch: &Value) -> [String; 2] {
    let start = branch["phases"][2]["from"].as_str().expect("a time");
    let day = &start[..10];
    let merchant = branch["merchant_id"].as_str().expect("text");
    let before = format!(
        "from lake.terminal_days where event_date < date '{day}' and merchant_id <> '{merchant}' \
         and carrier_plmn is not null group by terminal_id having sum(attempts) > 200"
    );
    let some = format!("select terminal_id {before} order by reverse(terminal_id) limit 20");
    let worst = format!(
        "select terminal_id {before} order by cast(sum(radio_failures) as double) / sum(attempts) desc limit 12"
    );
    let wrote = |kind: &str, sql: &str| {
        let rows = fleet.sql(sql);
        let ids = rows
            .iter()
            .map(|row| row["terminal_id"].as_str().expect("text"));
        let ids: Vec<&str> = ids.flat_map(|id| ["--terminal", id]).collect();
        let add = ["add", "--kind", kind, "--on", day, "--note", "not done"];
        added(fleet.intervention(&[&add[..], &ids].concat()))
    };
    [wrote("replace", &some), wrote("firmware", &worst)]
}

#[test]
fn what_the_lake_does_not_know_is_named_and_nothing_is_written() {
    let lake = demo().lake();
    let add =
        |arguments: &[&str]| run(&[&["intervention", "add", "--lake", &lake], arguments].concat());
    let on = ["--kind", "booster", "--on", "2026-11-22"];
    for (target, said) in [
        (["--terminal", "T-none"], "unknown terminal \"T-none\""),
        (["--merchant", "M-none"], "unknown merchant \"M-none\""),
        (["--zone", "Z-none"], "unknown zone \"Z-none\""),
        (["--cell", "here"], "\"here\" is no H3 cell"),
        (["--cell", "821fb7fffffffff"], "is of resolution 2, not 8"),
    ] {
        let ran = add(&[&on[..], &target].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(
            ran.stderr.contains("nothing was written") && ran.stderr.contains(said),
            "{ran:?}"
        );
    }
    for (time, said) in [
        (
            ["--on", "2999-01-01", "--until", "2999-01-02"],
            "still to come",
        ),
        (
            ["--on", "2026-11-22", "--until", "2026-11-21"],
            "cannot be over",
        ),
        (
            ["--on", "yesterday", "--until", "2026-11-21"],
            "neither a day",
        ),
    ] {
        let ran = add(&[&["--kind", "qr", "--cell", "881f1d4887fffff"], &time[..]].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
    let gone = run(&[
        "intervention",
        "remove",
        "booster-20261110-00000000",
        "--lake",
        &lake,
    ]);
    assert_eq!(gone.code, 2, "{gone:?}");
    assert!(
        gone.stderr
            .contains("no intervention \"booster-20261110-00000000\""),
        "{gone:?}"
    );
}

#[test]
fn a_file_of_interventions_is_read_back_from_their_list() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (lake, file) = (
        folder.path().join("lake"),
        folder.path().join("merchants.csv"),
    );
    std::fs::write(&file, "merchant_id,country_code\nm-1,PT\nm-2,PT\n").expect("written");
    run(&[
        "registry",
        "load",
        "--merchants",
        text(&file),
        "--lake",
        text(&lake),
    ])
    .done();
    let done = folder.path().join("done.csv");
    let rows = "kind,target_kind,target_ids,started_at,note\n\
                qr,merchant,m-1;m-2,2026-11-10,\"QR stickers, both\"\n\
                other,cell,881f1d4887fffff,2026-11-11T08:00:00+01:00,\n";
    std::fs::write(&done, rows).expect("written");
    let add = |file| {
        run(&[
            "intervention",
            "add",
            "--file",
            text(file),
            "--lake",
            text(&lake),
        ])
        .done()
    };
    let said = add(&done);
    assert_eq!(said.matches("added ").count(), 2, "{said}");
    let list = folder.path().join("list.csv");
    run(&[
        "intervention",
        "list",
        "--lake",
        text(&lake),
        "--output",
        text(&list),
    ])
    .done();
    let listed = std::fs::read_to_string(&list).expect("a list");
    assert!(
        listed.contains("2026-11-11T07:00:00Z") && listed.contains("\"QR stickers, both\""),
        "{listed}"
    );
    let said = add(&list);
    assert_eq!(
        said.matches("was written down before: unchanged").count(),
        2,
        "{said}"
    );
    let number = u64::from_str_radix("881f1d4887fffff", 16).expect("hexadecimal");
    for spelling in ["881F1D4887FFFFF".to_owned(), number.to_string()] {
        let spelled = rows
            .replace("881f1d4887fffff", &format!("\u{a0}{spelling} "))
            .replace("m-1;m-2", " m-1 ; m-2\u{200b}");
        std::fs::write(&done, spelled.replace('\n', "\r\n")).expect("written");
        let said = add(&done);
        assert_eq!(said.matches("unchanged").count(), 2, "{said}");
    }
    let bad = rows.replace("m-2", "m-9");
    std::fs::write(&done, bad).expect("written");
    let ran = run(&[
        "intervention",
        "add",
        "--file",
        text(&done),
        "--lake",
        text(&lake),
    ]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.stderr.contains("done.csv:2: unknown merchant \"m-9\""),
        "{ran:?}"
    );
}
