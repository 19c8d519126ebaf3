//! The three kinds of event: owns their topics, contracts and wire schemas.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use arrow::datatypes::SchemaRef;

use crate::contract::Contract;
use crate::lake::Table;

/// One of the events terminals stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    /// A terminal's periodic sign of life.
    Heartbeat,
    /// A radio measurement.
    Signal,
    /// A sale attempt that did not go through.
    Decline,
}

impl EventKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Heartbeat, Self::Signal, Self::Decline];

    /// Returns the Kafka topic of this kind.
    pub const fn topic(self) -> &'static str {
        match self {
            Self::Heartbeat => "terminal.heartbeat",
            Self::Signal => "terminal.signal",
            Self::Decline => "terminal.decline",
        }
    }

    /// Returns the schema-registry subject of this kind (topic name strategy).
    pub fn subject(self) -> String {
        format!("{}-value", self.topic())
    }

    /// Returns the id Avro messages carry when no registry hands ids out.
    ///
    /// Fixed for good: messages with these ids lie in topics.
    pub const fn embedded_schema_id(self) -> u32 {
        match self {
            Self::Heartbeat => 1,
            Self::Signal => 2,
            Self::Decline => 3,
        }
    }

    /// Returns the lake table that holds events of this kind.
    pub const fn table(self) -> Table {
        match self {
            Self::Heartbeat => Table::Heartbeats,
            Self::Signal => Table::SignalReadings,
            Self::Decline => Table::Declines,
        }
    }

    /// Returns the embedded contract of this kind.
    pub fn contract(self) -> &'static Contract {
        static CONTRACTS: LazyLock<[Contract; 3]> = LazyLock::new(|| {
            [
                Contract::embedded(include_str!("../contracts/heartbeat.avsc")),
                Contract::embedded(include_str!("../contracts/signal.avsc")),
                Contract::embedded(include_str!("../contracts/decline.avsc")),
            ]
        });
        &CONTRACTS[self as usize]
    }

    /// Returns the Arrow schema of a decoded batch of this kind.
    pub fn wire_schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; 3]> =
            LazyLock::new(|| EventKind::ALL.map(|kind| kind.contract().wire_schema()));
        SCHEMAS[self as usize].clone()
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heartbeat => "heartbeat",
            Self::Signal => "signal",
            Self::Decline => "decline",
        })
    }
}

/// A name that is none of the event kinds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown event kind {0:?}: expected heartbeat, signal or decline")]
pub struct UnknownEventKind(String);

impl FromStr for EventKind {
    type Err = UnknownEventKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_string() == name || kind.topic() == name)
            .ok_or_else(|| UnknownEventKind(name.to_owned()))
    }
}
