//! Refused messages looked at and tried again, and the audit before and after: as an operator would.

use serde_json::Value;
use testkit::shared_registry;

use crate::kafka::avro_lake;
use crate::support::{notspot, run, text};

#[test]
fn messages_refused_by_a_wrong_setting_become_events_once_it_is_right() {
    let (lake, places) = avro_lake();
    lake.ingest(&["--encoding=json"]).done();
    assert_eq!(lake.stored(), []);
    let path = lake.path();
    let path = text(&path);
    let asked = |arguments: &[&str]| run(&[&["quarantine"], arguments, &["--lake", path]].concat());
    let rows = |arguments: &[&str]| -> Vec<Value> {
        let told = asked(&[arguments, &["--format=json"]].concat()).done();
        serde_json::from_str(&told).expect("JSON")
    };

    let counts = rows(&["count"]);
    assert_eq!(counts.len(), 1, "{counts:?}");
    assert_eq!(counts[0]["reason"], "undecodable");
    assert_eq!(counts[0]["messages"], places.len());
    assert_eq!(rows(&["list", "--limit=3"]).len(), 3);
    assert_eq!(rows(&["list", "--reason=card_data"]).len(), 0);
    assert_eq!(rows(&["list", "--topic=terminal's"]).len(), 0);

    let (topic, partition, offset) = &places[0];
    let place = format!("{topic}/{partition}/{offset}");
    let told = asked(&["show", &place]).done();
    assert!(
        told.contains("undecodable") && told.contains("00000000  00 "),
        "{told}"
    );
    let payload = notspot(&["quarantine", "show", &place, "--payload", "--lake", path]);
    let payload = { payload }.output().expect("the program starts").stdout;
    assert_eq!(payload[0], 0, "the magic byte");
    let none = asked(&["show", &format!("{topic}/{partition}/999999")]);
    assert!(none.code == 2 && none.stderr.contains("999999"), "{none:?}");

    let settings = lake.folder.path().join("ingest.toml");
    let registry = shared_registry().url();
    let resubmit = |more: &[&str]| {
        let with = ["--config", text(&settings), "--schema-registry", registry];
        run(&[&["quarantine", "resubmit"], &with[..], more].concat()).done()
    };
    let would = resubmit(&["--dry-run"]);
    assert!(would.contains("50  would become events"), "{would}");
    assert_eq!(lake.stored(), []);
    let became = resubmit(&[]);
    assert!(became.contains("50  became events"), "{became}");
    assert_eq!(lake.stored(), places);
    assert_eq!(rows(&["count"]).len(), 0);
    let audit = run(&["audit", path, "--format=json"]).done();
    let audit: Vec<Value> = serde_json::from_str(&audit).expect("JSON");
    let count = |name: &str| -> u64 { audit.iter().filter_map(|of| of[name].as_u64()).sum() };
    assert_eq!((count("rows"), count("quarantined")), (50, 0));
    assert!(
        audit.iter().all(|of| of["finding"] == "partition"),
        "{audit:?}"
    );
}
