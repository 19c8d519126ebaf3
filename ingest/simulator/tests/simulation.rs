//! What a simulated fleet must show: the same for a seed, consistent in itself, and true to its answer key.

mod common;

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use common::{Kept, ints, millis, run, scenario, texts};
use schemas::{EventKind, FieldKind};
use simulator::publish::{Encoding, MessageEncoder, NullSink, SchemaIds};
use simulator::{CauseClass, CsvTrueCauses, SimOptions, Tally, Truth, simulate_with};

const SMALL: [&str; 2] = ["fleet.terminals=150", "window.days=1"];

fn bytes_of(seed: u64) -> Vec<Vec<u8>> {
    let seed = format!("seed={seed}");
    let (_, kept) = run(&scenario("null", &[SMALL[0], SMALL[1], &seed]));
    let encoders = MessageEncoder::for_all(Encoding::Json, SchemaIds::embedded());
    let mut encoders = encoders.expect("the contracts can be encoded");
    let mut messages = Vec::new();
    for (kind, batch) in &kept.batches {
        let encoded = encoders[*kind as usize]
            .encode(batch)
            .expect("wire batches can be encoded");
        messages.extend(encoded.iter().map(<[u8]>::to_vec));
    }
    messages
}

#[test]
fn a_seed_decides_every_byte() {
    let once = bytes_of(5);
    assert!(once.len() > 2_000, "{} messages", once.len());
    assert!(once == bytes_of(5), "the same seed gave other bytes");
    assert!(once != bytes_of(6), "another seed gave the same bytes");
}

#[test]
fn events_keep_to_their_contracts() {
    // One fleet for each code profile, for as many days as something is planted.
    for (name, terminals) in [("demo", "600"), ("remote-branch", "300")] {
        let (_, kept) = run(&scenario(name, &[&format!("fleet.terminals={terminals}")]));
        for kind in EventKind::ALL {
            for field in &kind.contract().fields {
                for batch in kept.of(kind) {
                    check_column(kind, field, &batch[field.name.as_str()]);
                }
            }
        }
    }
}

fn check_column(kind: EventKind, field: &schemas::ContractField, column: &dyn Array) {
    let place = format!("{kind}.{}", field.name);
    assert!(field.nullable || column.null_count() == 0, "{place}");
    if !field.symbols.is_empty() {
        for value in column.as_string::<i32>().iter().flatten() {
            assert!(
                field.symbols.iter().any(|symbol| symbol == value),
                "{place} is {value}"
            );
        }
    }
    if field.range != (None, None) && !matches!(field.kind, FieldKind::TimestampMillis) {
        let numbers = cast(column, &DataType::Float64).expect("fields with a range are numbers");
        for value in numbers.as_primitive::<Float64Type>().iter().flatten() {
            let low = field.range.0.unwrap_or(f64::NEG_INFINITY);
            let high = field.range.1.unwrap_or(f64::INFINITY);
            let sentinel = schemas::radio::SENTINELS.contains(&(value as f32));
            assert!(
                (low..=high).contains(&value) || sentinel,
                "{place} is {value}"
            );
        }
    }
    if field.name.ends_with("plmn") {
        for value in column.as_string::<i32>().iter().flatten() {
            assert!(schemas::ids::Plmn::is_valid(value), "{place} is {value}");
        }
    }
}

#[test]
fn no_text_of_an_event_looks_like_a_card_number() {
    let (_, kept) = run(&scenario("demo", &["fleet.terminals=600"]));
    for (kind, batch) in &kept.batches {
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if field.data_type() == &DataType::Utf8 {
                for value in column.as_string::<i32>().iter().flatten() {
                    let card = schemas::card_data::looks_like_pan(value);
                    assert!(!card, "{kind}.{} is {value}", field.name());
                }
            }
        }
    }
}

/// Heartbeats and declines of one terminal, duplicates gone: (time, counts) and (time, outcome).
#[derive(Default)]
struct Life {
    heartbeats: Vec<(i64, [i32; 3])>,
    declines: Vec<(i64, String)>,
}

fn lives(kept: &Kept) -> HashMap<String, Life> {
    let mut seen = HashSet::new();
    let mut lives: HashMap<String, Life> = HashMap::new();
    for batch in kept.of(EventKind::Heartbeat) {
        let columns = ["attempts", "no_answer", "offline_approved"].map(|name| ints(batch, name));
        let (ids, terminals) = (texts(batch, "event_id"), texts(batch, "terminal_id"));
        for (row, time) in millis(batch, "event_time").into_iter().enumerate() {
            if seen.insert(ids[row].clone()) {
                let life = lives.entry(terminals[row].clone()).or_default();
                life.heartbeats
                    .push((time, [0, 1, 2].map(|nth: usize| columns[nth][row])));
            }
        }
    }
    for batch in kept.of(EventKind::Decline) {
        let (ids, terminals) = (texts(batch, "event_id"), texts(batch, "terminal_id"));
        let outcomes = texts(batch, "outcome");
        for (row, time) in millis(batch, "event_time").into_iter().enumerate() {
            if seen.insert(ids[row].clone()) {
                let life = lives.entry(terminals[row].clone()).or_default();
                life.declines.push((time, outcomes[row].clone()));
            }
        }
    }
    lives
}

#[test]
fn counters_of_heartbeats_add_up_to_the_declines_sent() {
    // A busy terminal fills a store of the usual size within an outage of hours.
    let large_stores = "fleet.stored_forward_capacity=1000";
    let (answer_key, kept) = run(&scenario("demo", &["fleet.terminals=800", large_stores]));
    assert_eq!(answer_key.counts.lost, 0, "stores are large enough here");
    let lives = lives(&kept);
    let mut failures = 0;
    for (terminal, life) in &lives {
        let last = life
            .heartbeats
            .iter()
            .map(|(time, _)| *time)
            .max()
            .unwrap_or(i64::MIN);
        let count = |outcome: &str| {
            let reported = life
                .declines
                .iter()
                .filter(|(time, of)| of == outcome && *time < last);
            reported.count() as i32
        };
        let sum = |nth: usize| {
            life.heartbeats
                .iter()
                .map(|(_, counts)| counts[nth])
                .sum::<i32>()
        };
        assert_eq!(sum(1), count("no_answer"), "no_answer of {terminal}");
        assert_eq!(
            sum(2),
            count("offline_approved"),
            "offline_approved of {terminal}"
        );
        failures += sum(1);
    }
    assert!(
        failures > 1_000,
        "{failures} failures are too few to prove anything"
    );
    let counts = answer_key.counts;
    let attempts = counts.approvals + counts.declined + counts.no_answer + counts.offline_approved;
    assert_eq!(attempts, counts.attempts, "every attempt has one outcome");
    assert!(counts.attempts_reported <= counts.attempts);
    assert!(
        counts.attempts_reported as f64 > 0.95 * counts.attempts as f64,
        "{counts:?}"
    );
}

#[test]
fn messages_come_late_twice_and_with_gaps() {
    let (answer_key, kept) = run(&scenario("demo", &["fleet.terminals=800"]));
    let counts = answer_key.counts;
    let (mut late, mut messages, mut ids) = (0, 0, HashSet::new());
    for (_, batch) in &kept.batches {
        let sent = millis(batch, "sent_time");
        let event = millis(batch, "event_time");
        for ((id, sent), event) in texts(batch, "event_id").into_iter().zip(sent).zip(event) {
            assert!(sent >= event, "sent before it happened");
            messages += 1;
            if ids.insert(id) && sent - event >= 60_000 {
                late += 1;
            }
        }
    }
    assert_eq!(messages, counts.events());
    assert_eq!(messages - ids.len() as u64, counts.duplicates);
    assert!(counts.duplicates > 100, "{counts:?}");
    assert_eq!(late, counts.late);
    assert!(late > 500, "{counts:?}");
    assert!(
        counts.heartbeats_missed > 50 && counts.reversals > 100,
        "{counts:?}"
    );
}

#[test]
fn batches_are_small_and_follow_the_time_of_sending() {
    let scenario = scenario("null", &["fleet.terminals=4000", "window.days=1"]);
    let (_, kept) = run(&scenario);
    let (start, end) = (
        scenario.start().timestamp_millis(),
        scenario.end().timestamp_millis(),
    );
    // Clocks of a few terminals are hours off; the middle row shows the true time.
    let (mut before, mut reached, mut last_kind) = (0, 0, EventKind::Decline);
    for (kind, batch) in &kept.batches {
        assert!(batch.num_rows() <= 8_192);
        let mut sent = millis(batch, "sent_time");
        sent.sort_unstable();
        let middle = sent[sent.len() / 2];
        // The kinds take turns: what comes with a batch spans the same time, in one order or another.
        if *kind as usize <= last_kind as usize {
            before = reached;
        }
        last_kind = *kind;
        assert!(middle >= before, "{kind} batches run backwards");
        assert!((start..end + 600_000).contains(&middle));
        reached = reached.max(middle);
    }
    assert!(
        reached > end - 3_600_000,
        "nothing comes from the last hour"
    );
}

#[test]
fn nothing_planted_leaves_ordinary_rates_and_no_truth() {
    let (answer_key, _) = run(&scenario(
        "null",
        &[
            "fleet.heartbeat_interval_s=86400",
            "fleet.signal_interval_s=86400",
        ],
    ));
    assert!(answer_key.truths.is_empty());
    assert_eq!(answer_key.out_of_range_by_cause.get("geography"), None);
    assert_eq!(answer_key.out_of_range_by_cause.get("device"), None);
    for (plmn, tally) in &answer_key.unplanted {
        let rate = tally
            .out_of_range_rate()
            .expect("every carrier has attempts");
        assert!((0.006..0.03).contains(&rate), "{plmn}: {tally:?} is {rate}");
    }
}

/// Runs a scenario with one truth, with few heartbeats and readings to make.
fn one_truth(name: &str) -> (Tally, f64, Truth) {
    let quiet = [
        "fleet.heartbeat_interval_s=86400",
        "fleet.signal_interval_s=86400",
    ];
    let (answer_key, _) = run(&scenario(name, &quiet));
    assert_eq!(answer_key.truths.len(), 1, "{name}");
    let outside = answer_key
        .unplanted
        .values()
        .fold(Tally::default(), |sum, tally| Tally {
            attempts: sum.attempts + tally.attempts,
            out_of_range: sum.out_of_range + tally.out_of_range,
            caused: 0,
        });
    let planted = answer_key.truths.into_iter().next().expect("counted above");
    (
        planted.inside,
        outside.out_of_range_rate().expect("terminals outside"),
        planted.truth,
    )
}

#[test]
fn each_truth_that_breaks_the_link_stands_out() {
    for (name, times, attempts) in [
        ("weak-zone", 4.0, 2_000),
        ("not-spot", 4.0, 2_000),
        ("bad-terminals", 6.0, 500),
        ("bad-model", 2.0, 10_000),
        ("host-outage", 20.0, 300),
        ("carrier-outage", 20.0, 100),
        ("bad-release", 4.0, 5_000),
    ] {
        let (inside, outside, truth) = one_truth(name);
        let rate = inside.out_of_range_rate().expect("the truth has attempts");
        assert!(inside.attempts >= attempts, "{name}: {inside:?}");
        assert!(
            rate > times * outside,
            "{name}: {rate} inside, {outside} outside; {truth:?}"
        );
        assert!(
            inside.caused * 2 > inside.out_of_range,
            "{name}: {inside:?}"
        );
    }
}

#[test]
fn each_truth_of_a_host_refuses_without_breaking_the_link() {
    for (name, refused) in [
        ("moved-terminals", 0.8),
        ("region-not-open", 0.8),
        ("merchant-config", 0.8),
        ("card-limit", 0.03),
    ] {
        let (inside, outside, truth) = one_truth(name);
        let caused = inside.caused as f64 / inside.attempts as f64;
        assert!(caused > refused, "{name}: {inside:?}; {truth:?}");
        let rate = inside.out_of_range_rate().expect("the truth has attempts");
        assert!(
            rate < 2.5 * outside,
            "{name}: {rate} inside, {outside} outside"
        );
    }
}

#[test]
fn a_weak_zone_shows_in_the_messages_alone() {
    let (answer_key, kept) = run(&scenario("weak-zone", &[]));
    let Truth::WeakZone { plmn, area } = &answer_key.truths[0].truth else {
        panic!("the scenario plants a weak zone");
    };
    assert!(area.terminals >= 12 && area.merchants >= 3, "{area:?}");
    let cells: HashSet<&str> = area.cells.iter().map(String::as_str).collect();
    // Readings tell who is inside on the zone's carrier, and how weak it is there.
    let (mut inside, mut weak, mut readings) = (HashSet::new(), 0, 0);
    for batch in kept.of(EventKind::Signal) {
        let lat = batch["lat"].as_primitive::<Float64Type>();
        let lon = batch["lon"].as_primitive::<Float64Type>();
        let rsrp = cast(&batch["rsrp_dbm"], &DataType::Float64).expect("numbers");
        let rsrp = rsrp.as_primitive::<Float64Type>();
        let (carriers, terminals) = (texts(batch, "serving_plmn"), texts(batch, "terminal_id"));
        for row in 0..batch.num_rows() {
            if lat.is_null(row) || carriers[row] != *plmn {
                continue;
            }
            let place = schemas::LatLon::new(lat.value(row), lon.value(row)).expect("on the globe");
            let cell = place
                .cell_r9()
                .parent(h3o::Resolution::Eight)
                .expect("coarser");
            if cells.contains(cell.to_string().as_str()) {
                inside.insert(terminals[row].clone());
                readings += u32::from(rsrp.is_valid(row));
                weak += u32::from(rsrp.is_valid(row) && rsrp.value(row) < -110.0);
            }
        }
    }
    assert!(
        f64::from(weak) > 0.3 * f64::from(readings),
        "{weak} of {readings} readings are weak"
    );
    let mut counts = [[0_i64; 2]; 2];
    for (terminal, life) in lives(&kept) {
        let side = &mut counts[usize::from(inside.contains(&terminal))];
        for (_, [attempts, no_answer, offline]) in life.heartbeats {
            side[0] += i64::from(attempts);
            side[1] += i64::from(no_answer + offline);
        }
    }
    let rate = |[attempts, failures]: [i64; 2]| failures as f64 / attempts as f64;
    assert!(
        rate(counts[1]) > 3.0 * rate(counts[0]),
        "outside, inside: {counts:?}"
    );
}

#[test]
fn a_remote_branch_gets_better_with_each_step() {
    let (answer_key, _) = run(&scenario("remote-branch", &["fleet.terminals=400"]));
    let Truth::RemoteBranch {
        phases,
        terminal_ids,
        ..
    } = &answer_key.truths[0].truth
    else {
        panic!("the scenario plants a remote branch");
    };
    assert_eq!(terminal_ids.len(), 8);
    let rates: Vec<f64> = phases
        .iter()
        .map(|phase| {
            phase
                .tally
                .out_of_range_rate()
                .expect("the branch sells in every phase")
        })
        .collect();
    assert!(rates[0] > 2.0 * rates[1], "{rates:?}");
    assert!(rates[1] > rates[2], "{rates:?}");
    assert!(rates[2] > rates[3], "{rates:?}");
}

#[test]
fn a_moved_terminal_reports_another_place_and_is_refused_there() {
    let (answer_key, kept) = run(&scenario("moved-terminals", &[]));
    let Truth::MovedTerminals { terminal_ids, .. } = &answer_key.truths[0].truth else {
        panic!("the scenario moves terminals");
    };
    let mut places: BTreeMap<String, Vec<(i64, schemas::LatLon)>> = BTreeMap::new();
    for batch in kept.of(EventKind::Heartbeat) {
        let lat = batch["lat"].as_primitive::<Float64Type>();
        let lon = batch["lon"].as_primitive::<Float64Type>();
        let times = millis(batch, "event_time");
        for (row, terminal) in texts(batch, "terminal_id").into_iter().enumerate() {
            if terminal_ids.contains(&terminal) {
                let place = schemas::LatLon::new(lat.value(row), lon.value(row));
                places
                    .entry(terminal)
                    .or_default()
                    .push((times[row], place.expect("on the globe")));
            }
        }
    }
    assert_eq!(places.len(), terminal_ids.len());
    for (terminal, mut track) in places {
        track.sort_by_key(|(time, _)| *time);
        let (first, last) = (track[0].1, track[track.len() - 1].1);
        let moved_m = schemas::position::haversine_m(first, last);
        assert!(moved_m > 19_000.0, "{terminal} moved {moved_m} m");
    }
    let refused = kept.of(EventKind::Decline).flat_map(|batch| {
        let codes = texts(batch, "response_code");
        codes.into_iter().zip(texts(batch, "terminal_id"))
    });
    let refused: Vec<String> = refused
        .filter(|(code, _)| code == "E010404000003")
        .map(|(_, terminal)| terminal)
        .collect();
    assert!(
        refused.len() > 100
            && refused
                .iter()
                .all(|terminal| terminal_ids.contains(terminal))
    );
}

#[test]
fn chinese_positions_come_in_their_declared_datum() {
    let scenario = scenario("card-limit", &["fleet.terminals=10"]);
    assert_eq!(scenario.fleet.country, "PT");
    let scenario = common::scenario("bad-model", &["fleet.terminals=400", "window.days=1"]);
    let (_, kept) = run(&scenario);
    let mut datums: BTreeMap<String, u32> = BTreeMap::new();
    for batch in kept.of(EventKind::Heartbeat) {
        for datum in texts(batch, "datum") {
            *datums.entry(datum).or_default() += 1;
        }
    }
    for datum in ["WGS84", "GCJ02", "BD09"] {
        assert!(
            datums.get(datum).is_some_and(|count| *count > 100),
            "{datums:?}"
        );
    }
}

#[test]
fn every_decline_has_its_true_cause_on_file() {
    let scenario = scenario("demo", &["fleet.terminals=300"]);
    let mut file = Vec::new();
    let mut causes = CsvTrueCauses::new(&mut file).expect("memory takes everything");
    let options = SimOptions {
        true_causes: Some(&mut causes),
    };
    let mut sink = NullSink::default();
    let (answer_key, delivered) =
        simulate_with(&scenario, &mut sink, options, &mut |_| {}).expect("the scenario fits");
    assert_eq!(delivered.total(), answer_key.counts.events());
    let lines: Vec<String> = String::from_utf8(file)
        .expect("text")
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(lines[0], "event_id,cause_class");
    assert_eq!(lines.len() as u64 - 1, answer_key.counts.declines);
    for line in &lines[1..] {
        let (_, class) = line.split_once(',').expect("two columns");
        assert!(class.parse::<CauseClass>().is_ok(), "{line}");
    }
}

#[test]
fn the_answer_key_survives_json() {
    let (answer_key, _) = run(&scenario("demo", &["fleet.terminals=300"]));
    assert_eq!(answer_key.truths.len(), 13);
    let text = serde_json::to_string_pretty(&answer_key).expect("answer keys have a JSON form");
    let read: simulator::AnswerKey = serde_json::from_str(&text).expect("and are read back");
    assert_eq!(read, answer_key);
}

#[test]
fn a_fleet_that_fits_nowhere_is_refused_by_name() {
    let mut nowhere = scenario("null", &[]);
    nowhere
        .apply_override("fleet.country=ZZ")
        .expect("any text is a country code");
    let error = common_error(&nowhere);
    assert!(error.contains("\"ZZ\""), "{error}");
    let model = scenario("bad-model", &["plant.bad_model.0.firmware=\"0\""]);
    assert!(common_error(&model).contains("Karo M7"));
}

fn common_error(scenario: &simulator::Scenario) -> String {
    let result = simulator::simulate(scenario, &mut NullSink::default(), &mut |_| {});
    result.expect_err("the scenario does not fit").to_string()
}

#[test]
fn the_registry_lists_every_terminal_and_merchant_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = scenario("bad-model", &["fleet.terminals=200", "window.days=1"]);
    let [terminals, merchants] =
        simulator::write_registry(&scenario, folder.path()).expect("the folder takes files");
    for (path, table) in [
        (&terminals, schemas::Table::Terminals),
        (&merchants, schemas::Table::Merchants),
    ] {
        let mut reader = csv::Reader::from_path(path).expect("just written");
        let header: Vec<String> = reader
            .headers()
            .expect("a header")
            .iter()
            .map(str::to_owned)
            .collect();
        let columns = schemas::registry::file_columns(table).iter();
        assert_eq!(
            header,
            columns
                .map(|column| column.column.clone())
                .collect::<Vec<_>>()
        );
        let ids: Vec<String> = reader
            .records()
            .map(|row| row.expect("a row")[0].to_owned())
            .collect();
        assert_eq!(ids.len(), ids.iter().collect::<HashSet<_>>().len());
        if table == schemas::Table::Terminals {
            assert_eq!(ids.len(), 200);
        }
    }
}
