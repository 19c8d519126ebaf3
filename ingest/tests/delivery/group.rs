//! Several ingesters in one group, and a broker that goes away: every offset once.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use schemas::Table;
use testkit::{Broker, Message};

use crate::{Case, PATIENCE, Running, heartbeat};

/// A linear congruential generator: the same moments for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        let (factor, step) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        self.0 = self.0.wrapping_mul(factor).wrapping_add(step);
        (self.0 >> 33) % bound
    }
}

const PARTITIONS: i32 = 6;

fn case() -> Case {
    let mut case = Case::new(PARTITIONS);
    case.config.flush.max_age = Duration::from_millis(700);
    case.set("session.timeout.ms", "6000");
    case
}

/// Messages from which a test of members that come and go says something.
const MANY: usize = 1_000;

/// Sends small batches for a time, and longer on a slow machine; returns where each message lies.
fn produce_for(case: &Case, time: Duration) -> Vec<(String, i64)> {
    let end = Instant::now() + time;
    produce_until(case, |produced| Instant::now() >= end && produced > MANY)
}

/// Sends small batches until told to stop, by how many there are; returns where each message lies.
fn produce_until(case: &Case, is_done: impl Fn(usize) -> bool) -> Vec<(String, i64)> {
    let mut places = Vec::new();
    for round in 0.. {
        if is_done(places.len()) {
            break;
        }
        let message = |n: i32| match n % 17 {
            16 => Message::new("T", "not json").to_partition(n % PARTITIONS),
            _ => heartbeat(&format!("T{n}"), round).to_partition(n % PARTITIONS),
        };
        places.extend(case.produce(&(0..60).map(message).collect::<Vec<_>>()));
        thread::sleep(Duration::from_millis(30));
    }
    places
}

/// Joins and leaves, seeded, until the time is over.
fn come_and_go(case: &Case, seed: u64, time: Duration) {
    let mut dice = Dice(seed);
    let end = Instant::now() + time;
    let mut stays = 0;
    // However long a stay takes: one that stays proves nothing.
    while Instant::now() < end || stays < 2 {
        let member = case.start();
        thread::sleep(Duration::from_millis(1_500 + dice.below(2_500)));
        member.stop().expect("a member that leaves is no failure");
        thread::sleep(Duration::from_millis(dice.below(800)));
        stays += 1;
    }
}

/// Holds the lake against what was produced: nothing missing, nothing twice.
pub(crate) fn assert_once(case: &Case, mut produced: Vec<(String, i64)>) {
    case.ingest().expect("read to the end");
    let mut found = case.offsets(Table::Heartbeats, "kafka_topic_partition");
    found.extend(case.offsets(Table::Quarantine, "kafka_partition"));
    found.sort();
    produced.sort();
    let differ = found
        .iter()
        .zip(&produced)
        .find(|(found, sent)| found != sent);
    assert_eq!(differ, None, "first place that differs: found, produced");
    assert_eq!(found.len(), produced.len());
    case.assert_sound();
}

fn churn(members: u64, time: Duration) {
    let case = case();
    let produced = thread::scope(|scope| {
        let (case, producer) = (&case, scope.spawn(|| produce_for(&case, time)));
        let members: Vec<_> = (0..members)
            .map(|seed| scope.spawn(move || come_and_go(case, seed, time)))
            .collect();
        for member in members {
            member.join().expect("members do not panic");
        }
        producer.join().expect("the producer does not panic")
    });
    assert_once(&case, produced);
}

#[test]
fn three_members_that_come_and_go_lose_and_double_nothing() {
    churn(3, Duration::from_secs(12));
}

#[test]
#[ignore = "ten minutes: .ci/nightly"]
fn long_churn_of_two_and_of_three_members_loses_and_doubles_nothing() {
    churn(2, Duration::from_secs(300));
    churn(3, Duration::from_secs(300));
}

#[test]
fn two_members_that_start_at_once_on_a_new_lake_share_the_work() {
    let case = case();
    let members = [case.start(), case.start()];
    // On a busy machine one may have read all there is before the other has its share.
    let deadline = Instant::now() + 3 * PATIENCE;
    let rows = |member: &Running| member.progress.rows.load(Ordering::Relaxed);
    let produced = produce_until(&case, |_| {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            members.each_ref().map(rows)
        );
        members.iter().all(|member| rows(member) > 0)
    });
    for member in members {
        member.stop().expect("no failure");
    }
    assert_once(&case, produced);
}

#[test]
fn partitions_added_while_it_runs_are_read_from_their_start() {
    let mut case = Case::new(4);
    case.config.flush.max_age = Duration::from_millis(500);
    case.set("topic.metadata.refresh.interval.ms", "500");
    let member = case.start();
    let to = |partitions: i32| -> Vec<Message> {
        (0..80)
            .map(|n| heartbeat(&format!("T{n}"), 1).to_partition(n % partitions))
            .collect()
    };
    let mut produced = case.produce(&to(4));
    member.has_consumed(80);
    testkit::shared_kafka()
        .add_partitions(&case.topic, 8)
        .expect("more partitions");
    produced.extend(case.produce(&to(8)));
    member.has_consumed(160);
    member.stop().expect("no failure");
    assert_once(&case, produced);
}

#[test]
fn a_broker_that_dies_and_comes_back_costs_nothing_however_long_it_was_away() {
    let mut broker = Broker::own_kafka().expect("a broker");
    let mut case = Case::on(&broker, 3);
    case.config.flush.max_age = Duration::from_millis(500);
    case.set("session.timeout.ms", "6000");
    let member = case.start();
    let batch = || -> Vec<Message> {
        (0..300)
            .map(|n| heartbeat(&format!("T{n}"), 1).to_partition(n % 3))
            .collect()
    };
    let mut produced = case.produce(&batch());
    member.has_consumed(300);
    // At once, and after the group has lost its member for want of a heartbeat.
    for (consumed, away) in [(600, Duration::ZERO), (900, Duration::from_secs(9))] {
        broker.kill9().expect("our own broker");
        thread::sleep(away);
        broker.restart().expect("our own broker");
        produced.extend(case.produce(&batch()));
        member.has_consumed(consumed);
    }
    member.stop().expect("a broker's restart is no failure");
    assert_once(&case, produced);
}
