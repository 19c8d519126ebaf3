//! Ingesters as processes: stopped, frozen, killed, watched from outside, and within their memory.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use schemas::EventKind;
use serde_json::Value;
use testkit::{Message, unique_name};

use crate::kafka::{Lake, all_places, fleet, names, produce, topics};
use crate::support::notspot;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `notspot ingest` with its metrics.
pub(crate) struct Member {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Member {
    pub(crate) fn start(lake: &Lake, options: &[&str]) -> Self {
        let port = free_port();
        let listen = format!("--set=http.listen=127.0.0.1:{port}");
        let own = [
            "--set=until_end=false",
            "--set=http.enabled=true",
            &listen,
            "--set=kafka.properties.session.timeout.ms=6000",
        ];
        let log = lake.folder.path().join(unique_name("log"));
        let stderr = std::fs::File::create(&log).expect("a writable folder");
        let child = lake
            .command(&[&own[..], options].concat())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        Self { child, port, log }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status();
        assert!(sent.expect("kill is everywhere").success(), "{name}");
    }

    /// Asks to stop and waits for the end; returns the exit code.
    pub(crate) fn terminate(mut self) -> i32 {
        self.signal("-TERM");
        self.ended()
    }

    fn ended(&mut self) -> i32 {
        let status = self.child.wait().expect("our child");
        status.code().expect("no signal ended it")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("a log")
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer))
    }

    /// Returns the sum of a metric over its labels; 0 before it is there.
    fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").map_or(String::new(), |(_, text)| text);
        let of = |line: &str| {
            let (key, value) = line.rsplit_once(' ')?;
            let key = key.split('{').next()?;
            (key == name).then(|| value.parse::<f64>().ok())?
        };
        text.lines().filter_map(of).sum()
    }

    fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "{what}: {}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn has_consumed(&self, messages: usize) {
        self.wait_until("consumed", |member| {
            member.metric("notspot_ingest_records_consumed_total") >= messages as f64
        });
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Only what a failed test leaves; it may be gone, and it may be frozen.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Heartbeats of the fleet, one partition after the other.
fn messages(count: usize) -> Vec<Message> {
    let events = fleet().events[0].iter().cycle().take(count);
    (0..)
        .zip(events)
        .map(|(n, event)| Message::json("T", &Value::Object(event.clone())).to_partition(n % 2))
        .collect()
}

/// Holds the lake against the broker: every offset a row, once.
fn assert_once(lake: &Lake, topics: [&str; 3]) {
    lake.ingest(&["--set=kafka.properties.session.timeout.ms=6000"])
        .done();
    let (found, all) = (lake.stored(), all_places(topics));
    let differ = found.iter().zip(&all).find(|(found, sent)| found != sent);
    assert_eq!(differ, None, "first place that differs: found, sent");
    assert_eq!(found.len(), all.len());
    lake.audit().done();
}

#[test]
fn a_stop_flushes_what_is_buffered_and_health_tells_progress() {
    let topics = topics();
    let lake = Lake::plain(names(&topics), "json");
    produce(&topics[0], &messages(100));
    let member = Member::start(&lake, &["--set=flush.max_age=1m"]);
    member.has_consumed(100);
    for path in ["/livez", "/readyz"] {
        assert_eq!(
            member.get(path).map(|(status, _)| status),
            Some(200),
            "{path}"
        );
    }
    assert_eq!(member.metric("notspot_ingest_records_written_total"), 0.0);
    member.wait_until("shown with the next sign of life", |member| {
        member.metric("notspot_ingest_assigned_partitions") == 6.0
            && member.metric("notspot_ingest_buffered_bytes") > 0.0
    });
    // Nothing is committed yet: all of it is lag.
    member.wait_until("lag", |member| {
        member.metric("notspot_ingest_consumer_lag_records") == 100.0
    });
    assert_eq!(member.terminate(), 0);
    assert_eq!(lake.stored(), all_places(names(&topics)));
}

#[test]
fn a_member_that_wakes_up_after_others_took_its_place_writes_nothing_twice() {
    let topics = topics();
    let lake = Lake::plain(names(&topics), "json");
    let zombie = Member::start(&lake, &["--set=flush.max_age=8s"]);
    produce(&topics[0], &messages(100));
    zombie.has_consumed(100);
    zombie.signal("-STOP");
    let heir = Member::start(&lake, &["--set=flush.max_age=1s"]);
    produce(&topics[0], &messages(100));
    heir.wait_until("taken over", |heir| {
        heir.metric("notspot_ingest_records_written_total") >= 200.0
    });
    // Its hundred messages are older than its flush interval when it wakes up.
    thread::sleep(Duration::from_secs(2));
    zombie.signal("-CONT");
    produce(&topics[0], &messages(100));
    thread::sleep(Duration::from_secs(3));
    let told = zombie.log();
    assert_eq!(heir.terminate(), 0);
    assert_eq!(zombie.terminate(), 0);
    let noticed = ["another writer moved the positions", "\"lost\"", "how=lost"];
    assert!(noticed.iter().any(|text| told.contains(text)), "{told}");
    assert_once(&lake, names(&topics));
}

#[test]
fn messages_deleted_while_it_runs_end_it_by_name_and_a_gap_can_be_allowed() {
    let topics = topics();
    let lake = Lake::plain(names(&topics), "json");
    let first = |count| -> Vec<Message> {
        let messages = messages(count).into_iter();
        messages.map(|message| message.to_partition(0)).collect()
    };
    produce(&topics[0], &first(20));
    let options = ["--set=flush.max_age=500ms"];
    let mut member = Member::start(&lake, &options);
    member.wait_until("written", |member| {
        member.metric("notspot_ingest_records_written_total") == 20.0
    });
    member.signal("-STOP");
    // The broker answers the fetch that is under way before there is anything new.
    thread::sleep(Duration::from_millis(1_500));
    produce(&topics[0], &first(60));
    fleet()
        .plain
        .delete_records(&topics[0], 0, 50)
        .expect("deleted");
    member.signal("-CONT");
    assert_eq!(member.ended(), 1, "{}", member.log());
    let told = member.log();
    let place = format!("{}/0: offsets 20 to 50 are gone", topics[0]);
    assert!(told.contains(&place) && told.contains("50..80"), "{told}");
    lake.ingest(&["--allow-gap"]).done();
    assert_eq!(lake.stored().len(), 20 + 30);
}

#[test]
fn a_wrong_password_is_told_as_one_and_at_once() {
    let fleet = fleet();
    let kafka = format!(
        "brokers = \"{}\"\nsecurity = \"sasl_tls\"\nsasl_mechanism = \"SCRAM-SHA-512\"\n\
         sasl_username = \"{}\"\ntls_ca_file = {:?}",
        fleet.secure.bootstrap, fleet.secure.username, fleet.secure.ca_pem_path
    );
    let lake = Lake::new(&kafka, EventKind::ALL.map(EventKind::topic), "avro");
    let mut command = lake.command(&[]);
    command.env("NOTSPOT_INGEST__KAFKA__SASL_PASSWORD", "hunter2secret");
    let started = Instant::now();
    let ran = crate::support::finish(&mut command);
    assert_eq!(ran.code, 3, "{ran:?}");
    let last = ran.stderr.lines().last().unwrap_or_default();
    assert!(
        last.contains("refuses to let us in") && last.contains("uthentication failed"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains("hunter2secret"), "{ran:?}");
    assert!(
        started.elapsed() < Duration::from_secs(9),
        "{:?}",
        started.elapsed()
    );
}

/// Peak of the resident memory of a process, bytes; `None` once it is gone.
fn peak_bytes(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}

/// Runs a program to its end, and returns the peak of its memory, bytes.
fn peak_of(command: &mut Command) -> u64 {
    let child = command.stdout(Stdio::null()).spawn();
    let mut child = child.expect("the program starts");
    let mut peak = 0;
    while child.try_wait().expect("our child").is_none() {
        peak = peak.max(peak_bytes(child.id()).unwrap_or_default());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(child.wait().expect("our child").success());
    peak
}

/// Sends heartbeats of `side` times `side` places, each in a partition cell of its own, over 64 partitions.
fn fill(messages: usize, side: usize) -> [String; 3] {
    let topics = EventKind::ALL.map(|kind| unique_name(kind.topic()));
    for (topic, partitions) in topics.iter().zip([64, 1, 1]) {
        let created = fleet().plain.create_topic(topic, partitions);
        created.expect("a topic");
    }
    let time = fleet().events[0][0]["event_time"].clone();
    let message = |n: usize| {
        let (row, column) = (n % side, n / side % side);
        let (lat, lon) = (row as f64 * 3.4 - 50.0, column as f64 * 4.7 - 75.0);
        let mut event = String::new();
        write!(
            event,
            "{{\"event_id\":\"00000000-0000-4000-8000-{n:012x}\",\"terminal_id\":\"T{:06}\",\
             \"event_time\":{time},\"interval_s\":300,\"attempts\":4,\"approvals\":3,\"no_answer\":1,\
             \"lat\":{lat},\"lon\":{lon},\"datum\":\"WGS84\",\"rat\":\"lte\",\"serving_plmn\":\"310-410\",\
             \"model\":\"M{}\",\"app_version\":\"1.2.{}\"}}",
            n % 50_000,
            n % 7,
            n % 3
        )
        .expect("text grows");
        let partition = i32::try_from(n % 64).expect("below 64");
        Message::new("T", event).to_partition(partition)
    };
    for start in (0..messages).step_by(50_000) {
        let batch: Vec<Message> = (start..messages.min(start + 50_000)).map(message).collect();
        produce(&topics[0], &batch);
    }
    topics
}

#[test]
fn a_backlog_over_64_partitions_and_a_thousand_cells_fits_the_budget() {
    let count = 300_000;
    let topics = fill(count, 32);
    let lake = Lake::plain(names(&topics), "json");
    let peak = peak_of(&mut lake.command(&[]));
    let rows = lake.ask("select count(*) as n from lake.heartbeats");
    assert_eq!(rows[0]["n"], count);
    let cells = lake.ask("select count(distinct partition_cell) as n from lake.heartbeats");
    assert!(cells[0]["n"].as_u64() > Some(900), "{cells:?}");
    assert!(peak <= 512 << 20, "peak of {} MiB", peak >> 20);
}

#[test]
fn a_partition_larger_than_the_memory_of_maintain_is_merged_within_it() {
    let count = 250_000;
    let topics = fill(count, 1);
    let lake = Lake::plain(names(&topics), "json");
    lake.ingest(&["--set=flush.max_size=4MiB"]).done();
    let days = std::fs::read_dir(lake.path().join("heartbeats")).expect("a table");
    let day = days.map(|day| day.expect("a folder").path());
    let mut day = day.filter(|path| path.to_string_lossy().contains("event_date="));
    let cells = std::fs::read_dir(day.next().expect("one day")).expect("a folder");
    let cell = cells.last().expect("one cell").expect("a folder").path();
    let files = || std::fs::read_dir(&cell).expect("a folder").count();
    let before = files();
    assert!(before > 8, "{before} files");
    let path = lake.path().to_string_lossy().into_owned();
    let peak = peak_of(&mut notspot(&["maintain", &path, "--memory", "128MiB"]));
    // What was replaced stays for a week.
    assert_eq!(files(), before + 1);
    lake.audit().done();
    let rows = lake.ask("select count(*) as n from lake.heartbeats");
    assert_eq!(rows[0]["n"], count);
    // The program itself takes about 50 MiB.
    assert!(peak <= (128 + 64) << 20, "peak of {} MiB", peak >> 20);
}

/// Kills an ingester again and again at random moments while messages flow.
fn kill_rounds(rounds: u64) {
    let topics = topics();
    let lake = Lake::plain(names(&topics), "json");
    let options = [
        "--set=until_end=false",
        "--set=flush.max_age=300ms",
        "--set=kafka.properties.session.timeout.ms=6000",
    ];
    for round in 0..rounds {
        let mut child = lake
            .command(&options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        // The session of the one before lasts six seconds: most moments lie behind that.
        let moment = 500 + (round * 7_919) % 8_000;
        let end = Instant::now() + Duration::from_millis(moment);
        while Instant::now() < end {
            produce(&topics[0], &messages(40));
            thread::sleep(Duration::from_millis(40));
        }
        child.kill().expect("our child");
        child.wait().expect("our child");
    }
    assert_once(&lake, names(&topics));
}

#[test]
#[ignore = "ten minutes: .ci/nightly"]
fn a_hundred_kills_at_random_moments_lose_and_double_nothing() {
    kill_rounds(100);
}
