//! Kafka: the only place that knows the client, its callbacks and its offsets.

mod arena;
mod aside;
mod client;
pub(crate) mod consumer;
pub(crate) mod engine;
mod flush_topic;
mod heed;
mod positions;
mod quarantine;
mod rebalance;
mod window;
mod without_event;
