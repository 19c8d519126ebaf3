//! What can be seen of a running ingester: counts, Prometheus metrics and health on loopback.

mod described;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use schemas::EventKind;

use crate::error::IngestError;

/// Counts of a running ingester, shared with whoever watches it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages taken from Kafka.
    pub consumed: AtomicU64,
    /// Rows committed to the fact tables.
    pub rows: AtomicU64,
    /// Messages committed to the quarantine.
    pub quarantined: AtomicU64,
    /// Messages without a payload, counted and not stored.
    pub tombstones: AtomicU64,
    /// Commits to the fact tables.
    pub commits: AtomicU64,
    /// Whether the group has given this ingester its share, be it none.
    pub joined: AtomicBool,
    /// Milliseconds since the epoch at the last turn of the loop.
    pub last_turn_ms: AtomicI64,
    /// What is said of topics of which every message is refused.
    refusing: Mutex<BTreeMap<EventKind, String>>,
}

impl Progress {
    /// Says of a topic that all its messages are refused, or that they are no longer.
    pub(crate) fn set_refusing(&self, kind: EventKind, said: Option<String>) {
        let mut refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        match said {
            Some(said) => refusing.insert(kind, said),
            None => refusing.remove(&kind),
        };
    }

    /// Returns what is said of topics of which every message is refused.
    pub fn refusing(&self) -> Option<String> {
        let refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Vec<&str> = refusing.values().map(String::as_str).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// Returns the messages whose fate is committed: rows, quarantine and tombstones.
    pub fn settled(&self) -> u64 {
        self.rows.load(Ordering::Acquire)
            + self.quarantined.load(Ordering::Acquire)
            + self.tombstones.load(Ordering::Acquire)
    }
}

/// Counts the messages of one topic; looked up once, for it happens often.
#[derive(Debug)]
pub(crate) struct Consumed {
    records: metrics::Counter,
    bytes: metrics::Counter,
}

impl Consumed {
    pub(crate) fn of(topic: &str) -> Self {
        let topic = topic.to_owned();
        Self {
            records: metrics::counter!("notspot_ingest_records_consumed_total", "topic" => topic.clone()),
            bytes: metrics::counter!("notspot_ingest_bytes_consumed_total", "topic" => topic),
        }
    }

    pub(crate) fn count(&self, bytes: u64) {
        self.records.increment(1);
        self.bytes.increment(bytes);
    }
}

/// A loop that has not turned for this long is dead: Kafka has given its partitions to others.
const DEAD_AFTER: Duration = Duration::from_secs(310);

/// Buckets of durations, s.
const SECONDS: [f64; 10] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
/// Buckets of sizes of files, bytes.
const SIZES: [f64; 8] = [1e4, 3e4, 1e5, 3e5, 1e6, 1e7, 1e8, 1e9];
/// Buckets of attempts.
const ATTEMPTS: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0];

/// Serves `/metrics`, `/livez` and `/readyz` until the returned task is aborted.
///
/// `ready_within` is the longest turn of the loop of an ingester that keeps up.
pub(crate) async fn serve(
    address: SocketAddr,
    progress: Arc<Progress>,
    clock: crate::Clock,
    ready_within: Duration,
) -> Result<tokio::task::JoinHandle<()>, IngestError> {
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .map_err(|source| IngestError::Listen { address, source })?;
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_bytes".into()), &SIZES)
        })
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Suffix("_attempts".into()), &ATTEMPTS)
        })
        .expect("there are buckets")
        .build_recorder();
    let handle: PrometheusHandle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed, /metrics stays empty");
    }
    described::describe();
    metrics::gauge!("notspot_ingest_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let health = move |within, needs| {
        let (progress, clock) = (progress.clone(), clock.clone());
        get(move || {
            std::future::ready(health(&progress, clock().timestamp_millis(), within, needs))
        })
    };
    let router = Router::new()
        .route("/metrics", get(move || std::future::ready(handle.render())))
        .route("/livez", health(DEAD_AFTER, Needs::Turning))
        .route("/readyz", health(ready_within, Needs::Share));
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "health endpoint stopped");
        }
    }))
}

/// What health is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// The loop turns.
    Turning,
    /// It has its share of the partitions besides, and can use what comes.
    Share,
}

/// Judges by progress: a process that runs and does nothing is not healthy.
fn health(
    progress: &Progress,
    now_ms: i64,
    within: Duration,
    needs: Needs,
) -> (StatusCode, String) {
    let idle_ms = now_ms - progress.last_turn_ms.load(Ordering::Relaxed);
    let turns = u128::try_from(idle_ms).is_ok_and(|idle| idle < within.as_millis()) || idle_ms < 0;
    let has_share = needs == Needs::Turning || progress.joined.load(Ordering::Relaxed);
    let refusing = || progress.refusing().filter(|_| needs == Needs::Share);
    let fault = match (turns, has_share) {
        (false, _) => Some(format!("nothing was done for {} s", idle_ms / 1_000)),
        (true, false) => Some("the group has given it no share yet".into()),
        (true, true) => refusing(),
    };
    match fault {
        None => (StatusCode::OK, String::new()),
        Some(fault) => (StatusCode::SERVICE_UNAVAILABLE, fault + "\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_progress() {
        let progress = Progress::default();
        progress.last_turn_ms.store(1_000, Ordering::Relaxed);
        let judge = |now_ms, needs| health(&progress, now_ms, Duration::from_secs(10), needs).0;
        assert_eq!(judge(10_999, Needs::Turning), StatusCode::OK);
        assert_eq!(
            judge(11_000, Needs::Turning),
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(judge(1_000, Needs::Share), StatusCode::SERVICE_UNAVAILABLE);
        progress.joined.store(true, Ordering::Relaxed);
        assert_eq!(judge(1_000, Needs::Share), StatusCode::OK);
        progress.set_refusing(EventKind::Signal, Some("none can be read".into()));
        assert_eq!(judge(1_000, Needs::Share), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(judge(1_000, Needs::Turning), StatusCode::OK);
        progress.set_refusing(EventKind::Signal, None);
        assert_eq!(judge(1_000, Needs::Share), StatusCode::OK);
    }
}
