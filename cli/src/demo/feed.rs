//! Runs fleet and ingester side by side until everything sent is in the lake.
//!
//! The embedded broker forgets old messages, so the fleet only runs ahead of the lake by so much.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use arrow::record_batch::RecordBatch;
use ingest::{IngestConfig, Shutdown, Summary};
use schemas::EventKind;
use simulator::publish::{EventSink, KafkaSink, KafkaSinkConfig, PublishError, PublishSummary};
use simulator::{AnswerKey, Scenario, SimOptions};

use super::broker::DemoBroker;
use crate::ingest::wall_clock;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, grouped};
use crate::simulate;

/// Messages the fleet may be ahead of the lake: a fraction of what the embedded broker keeps.
const LEAD_MESSAGES: u64 = 250_000;
/// Time without a commit after which the ingester counts as stuck.
const PATIENCE: Duration = Duration::from_secs(90);
const TICK: Duration = Duration::from_millis(150);

/// What came of a feed.
#[derive(Debug)]
pub(super) struct Fed {
    pub(super) answer_key: AnswerKey,
    pub(super) published: PublishSummary,
    pub(super) ingested: Summary,
}

/// What fleet, ingester and watcher tell each other.
#[derive(Debug, Clone, Default)]
struct Shared {
    sent: Arc<AtomicU64>,
    counts: Arc<ingest::Progress>,
    ingest_ended: Arc<AtomicBool>,
}

impl Shared {
    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    fn lead(&self) -> u64 {
        self.sent().saturating_sub(self.counts.settled())
    }
}

/// Simulates the scenario into the broker while the ingester brings it into the lake.
pub(super) fn run(
    scenario: &Scenario,
    sink: &KafkaSinkConfig,
    config: IngestConfig,
    broker: &DemoBroker,
    interrupt: &Interrupt,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<Fed> {
    let shared = Shared::default();
    let shutdown = Shutdown::default();
    let ingester = {
        let (shared, shutdown) = (shared.clone(), shutdown.clone());
        runtime.spawn(async move {
            let result = ingest::run(config, shutdown, shared.counts, wall_clock()).await;
            shared.ingest_ended.store(true, Ordering::Release);
            result
        })
    };
    let produced = std::thread::scope(|scope| {
        let fleet = scope.spawn(|| produce(scenario, sink, &shared, interrupt));
        let watched = watch(&shared, broker, interrupt, || fleet.is_finished());
        let produced = fleet.join().expect("the fleet does not panic");
        watched.and(Ok(produced))
    });
    shutdown.request();
    let ingested = runtime.block_on(ingester).context("the ingester died")?;
    // The ingester's own error says more than that the fleet could not go on.
    let ingested = ingested.context("the ingester stopped")?;
    let (answer_key, published) = produced??;
    Ok(Fed {
        answer_key,
        published,
        ingested,
    })
}

fn produce(
    scenario: &Scenario,
    sink: &KafkaSinkConfig,
    shared: &Shared,
    interrupt: &Interrupt,
) -> anyhow::Result<(AnswerKey, PublishSummary)> {
    let mut sink = PacedSink {
        inner: KafkaSink::connect(sink)?,
        shared: shared.clone(),
        interrupt: interrupt.clone(),
    };
    let progress = Progress::begin("simulate");
    let result = simulator::simulate_with(scenario, &mut sink, SimOptions::default(), &mut |at| {
        simulate::show(&progress, at);
    });
    progress.end();
    Ok(result?)
}

/// Publishes, but never far ahead of the lake.
struct PacedSink {
    inner: KafkaSink,
    shared: Shared,
    interrupt: Interrupt,
}

impl PacedSink {
    fn wait_for_the_lake(&self) -> Result<(), PublishError> {
        let mut settled = self.shared.counts.settled();
        let mut since = Instant::now();
        while self.shared.lead() > LEAD_MESSAGES {
            self.check()?;
            std::thread::sleep(Duration::from_millis(10));
            let now_settled = self.shared.counts.settled();
            if now_settled > settled {
                (settled, since) = (now_settled, Instant::now());
            } else if since.elapsed() > PATIENCE {
                return Err(PublishError::Stopped(format!(
                    "nothing came into the lake for {} s",
                    PATIENCE.as_secs()
                )));
            }
        }
        self.check()
    }

    fn check(&self) -> Result<(), PublishError> {
        if self.interrupt.is_raised() {
            return Err(PublishError::Stopped("by a signal".into()));
        }
        if self.shared.ingest_ended.load(Ordering::Acquire) {
            return Err(PublishError::Stopped(
                "the ingester ended before the fleet did".into(),
            ));
        }
        Ok(())
    }
}

impl EventSink for PacedSink {
    fn send(&mut self, kind: EventKind, batch: &RecordBatch) -> Result<(), PublishError> {
        self.wait_for_the_lake()?;
        self.inner.send(kind, batch)?;
        self.shared
            .sent
            .fetch_add(batch.num_rows() as u64, Ordering::AcqRel);
        Ok(())
    }

    fn finish(&mut self) -> Result<PublishSummary, PublishError> {
        self.inner.finish()
    }
}

/// Shows how far the ingester is, until everything sent is settled.
fn watch(
    shared: &Shared,
    broker: &DemoBroker,
    interrupt: &Interrupt,
    fleet_is_finished: impl Fn() -> bool,
) -> anyhow::Result<()> {
    let progress = Progress::begin_open("ingest");
    let mut last = (0, Instant::now());
    let mut looked = Instant::now();
    loop {
        let finished = fleet_is_finished();
        let (sent, settled) = (shared.sent(), shared.counts.settled());
        progress.say(format!(
            "{} of {} in the lake",
            grouped(settled),
            grouped(sent)
        ));
        if finished && settled >= sent
            || interrupt.is_raised()
            || shared.ingest_ended.load(Ordering::Acquire)
        {
            break;
        }
        if settled > last.0 {
            last = (settled, Instant::now());
        }
        if finished && last.1.elapsed() > PATIENCE {
            bail!(
                "{} of {sent} messages did not come into the lake within {} s",
                sent - settled,
                PATIENCE.as_secs()
            );
        }
        if looked.elapsed() > Duration::from_secs(2) {
            broker.check_nothing_is_lost()?;
            looked = Instant::now();
        }
        std::thread::sleep(TICK);
    }
    progress.end();
    broker.check_nothing_is_lost()
}
