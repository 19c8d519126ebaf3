//! The analysis against the answer key: the whole demo fleet on more than one seed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{run, text};

const SEEDS: [&str; 2] = ["2026", "7"];
/// A fleet's weeks depend on the calendar; within the ingester's retention of 400 days for a year.
const END: &str = "2026-11-24";

/// A demo of one seed, and what the lake answers.
pub struct Fleet {
    folder: tempfile::TempDir,
    pub seed: String,
}

impl Fleet {
    fn simulated(seed: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::of(folder, "demo", seed, &[])
    }

    /// Makes a demo of another scenario, in a folder that may hold its file.
    pub fn of(folder: tempfile::TempDir, scenario: &str, seed: &str, more: &[&str]) -> Self {
        let fleet = Self {
            folder,
            seed: seed.to_owned(),
        };
        let out = fleet.path("");
        let arguments = [
            "demo",
            "--scenario",
            scenario,
            "--seed",
            seed,
            "--end",
            END,
            "--force",
            "--out",
            &out,
        ];
        run(&[&arguments, more].concat()).done();
        fleet
    }

    fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name)).to_owned()
    }

    pub fn json(&self, name: &str) -> Value {
        let json = std::fs::read_to_string(self.path(name)).expect("the demo wrote it");
        serde_json::from_str(&json).expect("JSON")
    }

    pub fn sql(&self, sql: &str) -> Value {
        let lake = self.path("lake");
        let rows = run(&["sql", "--lake", &lake, "-c", sql, "--format", "json"]).done();
        serde_json::from_str(&rows).expect("JSON")
    }

    pub fn truths(&self, kind: &str) -> Vec<Value> {
        let key = self.json("answer-key.json");
        let truths = key["truths"].as_array().expect("a list").iter();
        truths
            .filter(|planted| planted["truth"]["type"] == kind)
            .cloned()
            .collect()
    }

    pub fn number(&self, sql: &str) -> f64 {
        let rows = self.sql(sql);
        rows[0]["n"].as_f64().unwrap_or(0.0)
    }
}

#[test]
fn what_is_planted_is_found_and_what_is_not_planted_is_not() {
    let (mut right, mut accused) = (0.0, 0.0);
    for seed in SEEDS {
        let fleet = Fleet::simulated(seed);
        a_query_counts_what_the_roll_up_counted(&fleet);
        advice_rests_on_the_causes_of_every_failure(&fleet);
        everything_planted_is_found(&fleet);
        zones_hold_what_was_planted_and_little_else(&fleet);
        outages_begin_and_end_when_they_did(&fleet);
        let of_fleet = terminals_accused(&fleet);
        (right, accused) = (right + of_fleet.0, accused + of_fleet.1);
        shares_add_up(&fleet);
        causes_are_right(&fleet);
    }
    // A fleet has six bad terminals: only of the fleets together is a share worth its name.
    assert!(right >= 0.9 * accused, "{right} of {accused} rightly");
}

fn a_query_counts_what_the_roll_up_counted(fleet: &Fleet) {
    for day in ["2026-11-13", "2026-11-21"] {
        for query in [
            include_str!("rollup.sql"),
            include_str!("rollup_radio_cells.sql"),
        ] {
            let rows = fleet.sql(&query.replace("{day}", day));
            let count = |name: &str| rows[0][name].as_u64().expect("a count");
            assert!(count("rows") > 2_000, "{day}: {rows}");
            assert_eq!(count("differing"), 0, "{day} of seed {}", fleet.seed);
        }
    }
}

fn advice_rests_on_the_causes_of_every_failure(fleet: &Fleet) {
    let window = fleet.sql(
        "select cast(max(window_from) as text) as from_day, cast(max(window_to) as text) as to_day from cells",
    );
    let day = |name: &str| window[0][name].as_str().expect("a day").to_owned();
    let (from, to) = (day("from_day"), day("to_day"));
    let days = format!("event_date between date '{from}' and date '{to}'");
    let closed_regions = include_str!("../../../analytics/sql/views/closed_regions.sql");
    let causes = include_str!("../../../analytics/sql/rollups/action_causes.sql");
    let causes = analytics::causes::bind(causes, &format!("date '{to}'"));
    let query = include_str!("remedies.sql")
        .replace("{causes}", &causes)
        .replace("{closed_regions}", &closed_regions.replace("{days}", &days))
        .replace("{from}", &from)
        .replace("{to}", &to);
    let remedies = fleet.sql(&query);
    let remedies = remedies.as_array().expect("a list");
    assert!(remedies.len() >= 8, "{remedies:?}");
    for remedy in remedies {
        let number = |name: &str| remedy[name].as_f64().expect("a count");
        assert!(number("expected") >= 50.0, "{remedy}");
        // A terminal that changed the carrier within a day may stand in a zone of one of them.
        let few = number("expected") / 1000.0 + 1e-6;
        assert!(
            number("differing") <= few,
            "{remedy} of seed {}",
            fleet.seed
        );
    }
}

fn everything_planted_is_found(fleet: &Fleet) {
    let findings = fleet.json("reports/planted-and-found.json");
    let findings = findings.as_array().expect("a list");
    assert!(findings.len() > 10);
    for finding in findings {
        assert_eq!(
            finding["verdict"]["found"], true,
            "seed {}: {finding}",
            fleet.seed
        );
    }
}

/// Cells of planted places, as a list for SQL.
fn cells(area: &Value) -> String {
    let cells = area["cells"].as_array().expect("a list").iter();
    let quoted: Vec<String> = cells
        .map(|cell| format!("'{}'", cell.as_str().expect("text")))
        .collect();
    quoted.join(", ")
}

fn zones_hold_what_was_planted_and_little_else(fleet: &Fleet) {
    let mut planted_cells = BTreeSet::new();
    // A carrier that works somewhere in a not-spot is named there, and is no part of it.
    for (kind, whose, least) in [("weak_zone", true, 0.95), ("not_spot", false, 0.8)] {
        for planted in fleet.truths(kind) {
            let truth = &planted["truth"];
            let cells = cells(&truth["area"]);
            let whose = match whose {
                true => format!("carrier_plmn = '{}'", truth["plmn"].as_str().expect("text")),
                false => "true".to_owned(),
            };
            let inside = fleet.number(&format!(
                "select cast(sum(attempts) filter (where zone_kind in ('weak_zone', 'not_spot')) as double) \
                 / sum(attempts) as n from cells where h3_h3_to_string(cell_r8) in ({cells}) and {whose}"
            ));
            assert!(
                inside >= least,
                "seed {}: {inside} of {planted}",
                fleet.seed
            );
            planted_cells.insert(cells);
        }
    }
    let planted_cells: Vec<String> = planted_cells.into_iter().collect();
    let right = fleet.number(&format!(
        "select cast(sum(attempts) filter (where h3_h3_to_string(cell_r8) in ({})) as double) \
         / sum(attempts) as n from cells where zone_kind in ('weak_zone', 'not_spot')",
        planted_cells.join(", ")
    ));
    assert!(right >= 0.95, "seed {}: precision {right}", fleet.seed);
}

/// Edges are in slots of five minutes: an edge inside a slot may be a slot off.
fn outages_begin_and_end_when_they_did(fleet: &Fleet) {
    for (kind, column) in [
        ("host_outage", "host_id"),
        ("carrier_outage", "plmn"),
        ("bad_release", "app_version"),
    ] {
        for planted in fleet.truths(kind) {
            let who = planted["truth"][column].as_str().expect("text");
            let column = column.replace("plmn", "carrier_plmn");
            let [from, to] = ["from", "to"].map(|edge| planted[edge].as_str().expect("a time"));
            let off_min = fleet.number(&format!(
                "select greatest(abs(date_part('epoch', from_time) - date_part('epoch', timestamp '{from}')), \
                 abs(date_part('epoch', to_time) - date_part('epoch', timestamp '{to}'))) / 60.0 as n \
                 from outages where {column} = '{who}' and from_time < timestamp '{to}' and to_time > timestamp '{from}'"
            ));
            assert!(
                off_min <= 10.0,
                "seed {}: {off_min} min off {planted}",
                fleet.seed
            );
        }
    }
    let planted: usize = ["host_outage", "carrier_outage", "bad_release"]
        .map(|kind| fleet.truths(kind).len())
        .iter()
        .sum();
    let found = fleet.number("select count(*) as n from outages");
    assert!(
        found <= planted as f64,
        "seed {}: {found} outages",
        fleet.seed
    );
}

/// Returns how many terminals are accused rightly, and how many there are.
fn terminals_accused(fleet: &Fleet) -> (f64, f64) {
    let planted = &fleet.truths("bad_terminals")[0]["truth"]["terminal_ids"];
    let ids = planted.as_array().expect("a list").iter();
    let ids: Vec<String> = ids
        .map(|id| format!("'{}'", id.as_str().expect("text")))
        .collect();
    let right = fleet.number(&format!(
        "select count(*) filter (where terminal_id in ({})) as n from terminal_flags where flagged",
        ids.join(", ")
    ));
    let found = right / ids.len() as f64;
    assert!(found >= 0.8, "seed {}: {found} found", fleet.seed);
    let all = fleet.number("select count(*) as n from terminal_flags where flagged");
    (right, all)
}

/// Class by class against the true cause of every decline.
fn causes_are_right(fleet: &Fleet) {
    let file = fleet.path("true-causes.csv");
    run(&[
        "simulate",
        "demo",
        "--seed",
        &fleet.seed,
        "--end",
        END,
        "--discard",
        "--true-causes",
        &file,
    ])
    .done();
    let truth = std::fs::read_to_string(&file).expect("written");
    let truth: BTreeMap<&str, &str> = truth
        .lines()
        .filter_map(|line| line.split_once(','))
        .collect();
    let lake = fleet.path("lake");
    let said = "select event_id, cause_class from failures";
    let said = run(&["sql", "--lake", &lake, "-c", said, "--format", "csv"]).done();
    let mut matrix: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (event, class) in said.lines().skip(1).filter_map(|line| line.split_once(',')) {
        *matrix.entry((truth[event], class)).or_default() += 1;
    }
    let classes: BTreeSet<&str> = matrix.keys().map(|(true_class, _)| *true_class).collect();
    let count = |fits: &dyn Fn(&str, &str) -> bool| {
        let fitting = matrix.iter().filter(|((truth, said), _)| fits(truth, said));
        fitting.map(|(_, count)| *count).sum::<u64>() as f64
    };
    let scores = classes.iter().map(|class| {
        let right = count(&|truth, said| truth == *class && said == *class);
        let wrong = count(&|truth, said| (truth == *class) != (said == *class));
        2.0 * right / (2.0 * right + wrong)
    });
    let macro_f1 = scores.sum::<f64>() / classes.len() as f64;
    assert!(classes.len() >= 7, "{classes:?}");
    assert!(
        macro_f1 >= 0.9,
        "seed {}: macro-F1 {macro_f1}: {matrix:?}",
        fleet.seed
    );
    totals_are_right(fleet, &truth);
}

/// Shares added up by class against how many declines truly had it.
fn totals_are_right(fleet: &Fleet, truth: &BTreeMap<&str, &str>) {
    let mut planted: BTreeMap<&str, f64> = BTreeMap::new();
    for class in truth.values() {
        *planted.entry(class).or_default() += 1.0;
    }
    let said = fleet.sql("select cause_class, sum(share) as n from failure_causes group by 1");
    let said: BTreeMap<&str, f64> = said
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| {
            let class = row["cause_class"].as_str().expect("text");
            (class, row["n"].as_f64().expect("a number"))
        })
        .collect();
    println!("seed {}: planted {planted:?}", fleet.seed);
    println!("seed {}: said    {said:?}", fleet.seed);
    for (class, most) in [
        ("signal", 0.2),
        ("geography", 0.2),
        ("device", 0.25),
        ("technical_fault", 0.1),
    ] {
        let off = said[class] / planted[class] - 1.0;
        assert!(
            off.abs() <= most,
            "seed {}: {class} {off:+.3}: {said:?} of {planted:?}",
            fleet.seed
        );
    }
}

/// The causes of a failure share it, and what could be avoided is what they share.
fn shares_add_up(fleet: &Fleet) {
    let wrong = fleet.number(
        "select count(*) as n from (select sum(share) as whole, count(*) filter (where is_largest) as largest \
         from failure_causes group by terminal_id, event_id, event_time) \
         where abs(whole - 1) > 1e-9 or largest <> 1",
    );
    assert_eq!(wrong, 0.0, "seed {}", fleet.seed);
    let differing = fleet.number(
        "select count(*) as n from (select terminal_id, event_id, event_time, cause_rule from failures) as one \
         full join (select terminal_id, event_id, event_time, cause_rule from failure_causes where is_largest) as other \
         on one.terminal_id = other.terminal_id and one.event_id = other.event_id \
         and one.event_time = other.event_time and one.cause_rule = other.cause_rule \
         where one.event_id is null or other.event_id is null",
    );
    assert_eq!(differing, 0.0, "seed {}", fleet.seed);
    let in_window = "event_date between (select max(window_from) from cells) and (select max(window_to) from cells)";
    for (rules, avoidable) in [
        ("'bad_terminal'", "terminal_flags"),
        ("'bad_model'", "device_models"),
        ("'weak_zone', 'not_spot'", "weak_zones"),
        ("'failure_zone'", "failure_zones"),
    ] {
        let shared = fleet.number(&format!(
            "select sum(share) as n from failure_causes where cause_rule in ({rules}) and {in_window}"
        ));
        let avoidable = fleet.number(&format!(
            "select sum(failures_avoidable) as n from {avoidable}"
        ));
        // A terminal that changed the carrier within a day may stand in a zone of one of them.
        assert!(
            (shared - avoidable).abs() <= shared / 100.0 + 1.0,
            "seed {}: {rules} {shared}, {avoidable} avoidable",
            fleet.seed
        );
    }
}
