//! A disk that is full: the ingester says so and ends, and goes on where it was once there is room.

use std::process::Command;

use serde_json::Value;
use testkit::Message;

use crate::kafka::{Lake, fleet, names, produce, topics};
use crate::support::{finish, text};

/// In a mount namespace of its own: a small file system where the lake lies, which gets room later.
/// Ends with 99 when this machine lets nobody make one.
const SCRIPT: &str = r#"
mount -t tmpfs -o size=1536k tmpfs "$LAKE" || exit 99
"$@"
echo "full: $?" >&2
mount -o remount,size=256m "$LAKE"
"$@" && "$1" audit "$LAKE" && "$1" sql --lake "$LAKE" --format csv -c 'select count(*) from lake.heartbeats'
"#;

#[test]
fn a_full_disk_ends_it_by_name_and_costs_nothing() {
    let count = 40_000;
    let topics = topics();
    let events = fleet().events[0].iter().cycle().take(count);
    let messages: Vec<Message> = (0..)
        .zip(events)
        .map(|(n, event)| Message::json("T", &Value::Object(event.clone())).to_partition(n % 2))
        .collect();
    produce(&topics[0], &messages);
    let lake = Lake::plain(names(&topics), "json");
    let path = lake.path();
    std::fs::create_dir_all(&path).expect("a folder");
    let ingest = lake.command(&["--set=flush.max_size=2MiB"]);
    let environment = ingest.get_envs();
    let environment = environment.filter_map(|(name, value)| Some((name, value?)));
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"])
        .arg(ingest.get_program())
        .args(ingest.get_args())
        .env_clear()
        .envs(environment)
        .env("LAKE", &path);
    let ran = finish(&mut command);
    assert_ne!(
        ran.code, 99,
        "this machine allows no mount namespace: {ran:?}"
    );
    assert!(
        !ran.stderr.contains("full: 0"),
        "the disk was not full: {ran:?}"
    );
    for told in ["No space left on device", text(&path)] {
        assert!(ran.stderr.contains(told), "{told} in {ran:?}");
    }
    assert!(ran.done().contains(&count.to_string()));
}
