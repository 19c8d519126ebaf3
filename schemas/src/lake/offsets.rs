//! Names of positions in a table's log, and of the offsets that have no event.

/// Names the position of one Kafka partition in a table's Delta log (`txn.appId`).
///
/// `epoch` is raised by an operator when a topic was recreated or is to be read again.
pub fn app_id(group: &str, epoch: u32, cluster: &str, topic: &str, partition: i32) -> String {
    format!("{group}/{epoch}/{cluster}/{topic}/{partition}")
}

/// Names, beside a position, the time (ms since the epoch) of the message before it.
pub fn last_time_app_id(app_id: &str) -> String {
    format!("{app_id}/last-message-time-ms")
}

/// Names, beside a position, the first offset that was ever read.
pub fn first_offset_app_id(app_id: &str) -> String {
    format!("{app_id}/first-offset")
}

/// Reads topic and partition from the name of a position; `None` for what is kept beside one, and
/// for the names of other programs.
pub fn place_of(app_id: &str) -> Option<(&str, i32)> {
    let mut parts = app_id.rsplitn(5, '/');
    let partition = parts.next()?.parse().ok()?;
    let (topic, _cluster) = (parts.next()?, parts.next()?);
    let _epoch: u32 = parts.next()?.parse().ok()?;
    let _group = parts.next()?;
    Some((topic, partition))
}

/// Returns the text of the `kafka_topic_partition` column.
pub fn topic_partition(topic: &str, partition: i32) -> String {
    format!("{topic}/{partition}")
}

/// Why an offset has no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WithoutEvent {
    /// A message without a payload.
    Tombstone,
    /// No message: a control record of a transaction, aborted, or compacted away.
    Hole,
    /// Gone from Kafka before it was read.
    NotKept,
}

impl WithoutEvent {
    /// Returns the name, as the `kind` column has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::Hole => "hole",
            Self::NotKept => "not_kept",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_position_tells_topic_and_partition_and_what_is_beside_it_does_not() {
        let name = app_id("team/a", 3, "cluster-1", "terminal.heartbeat", 12);
        assert_eq!(place_of(&name), Some(("terminal.heartbeat", 12)));
        for other in [
            last_time_app_id(&name),
            first_offset_app_id(&name),
            "analyze/2026-11-24".to_owned(),
            "spark-1/2".to_owned(),
        ] {
            assert_eq!(place_of(&other), None, "{other}");
        }
    }
}
