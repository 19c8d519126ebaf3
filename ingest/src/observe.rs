//! What can be seen of a running ingester: counts, Prometheus metrics and health on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

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
    /// Whether partitions are assigned.
    pub assigned: AtomicBool,
    /// Milliseconds since the epoch at the last turn of the loop.
    pub last_turn_ms: AtomicI64,
}

impl Progress {
    /// Returns the messages whose fate is committed: rows, quarantine and tombstones.
    pub fn settled(&self) -> u64 {
        self.rows.load(Ordering::Acquire)
            + self.quarantined.load(Ordering::Acquire)
            + self.tombstones.load(Ordering::Acquire)
    }
}

/// A loop that has not turned for this long is dead.
const DEAD_AFTER_MS: i64 = 310_000;

/// Serves `/metrics`, `/livez` and `/readyz` until the returned task is aborted.
pub(crate) async fn serve(
    address: SocketAddr,
    progress: Arc<Progress>,
    clock: crate::Clock,
) -> Result<tokio::task::JoinHandle<()>, IngestError> {
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .map_err(|source| IngestError::Listen { address, source })?;
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle: PrometheusHandle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed, /metrics stays empty");
    }
    let live = progress.clone();
    let router = Router::new()
        .route("/metrics", get(move || std::future::ready(handle.render())))
        .route(
            "/livez",
            get(move || std::future::ready(livez(&live, &clock))),
        )
        .route(
            "/readyz",
            get(move || std::future::ready(readyz(&progress))),
        );
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "health endpoint stopped");
        }
    }))
}

fn livez(progress: &Progress, clock: &crate::Clock) -> StatusCode {
    let idle_ms = clock().timestamp_millis() - progress.last_turn_ms.load(Ordering::Relaxed);
    if idle_ms < DEAD_AFTER_MS {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn readyz(progress: &Progress) -> StatusCode {
    if progress.assigned.load(Ordering::Relaxed) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
