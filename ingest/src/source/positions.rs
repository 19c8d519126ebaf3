//! Where a partition is read from: the lake's position held against what Kafka still has.

/// Where a partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// At this offset.
    At(i64),
    /// At `to`: offsets from `from` on are gone, and that is to be recorded.
    AfterGap {
        /// The lake's position.
        from: i64,
        /// First offset Kafka has.
        to: i64,
    },
}

/// Why a partition cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Offsets from the position on are gone.
    Gone,
    /// The position is behind the end: it belongs to another topic of the name.
    Recreated,
}

/// Whether offsets that are gone may be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gaps {
    Refused,
    Recorded,
}

/// Decides from the lake's position and Kafka's first offset and end.
pub(crate) fn start(
    stored: Option<i64>,
    low: i64,
    high: i64,
    gaps: Gaps,
) -> Result<Start, Unreadable> {
    // A partition never read begins at its first offset: it may have been added while we ran.
    let position = stored.unwrap_or(low);
    if position > high {
        return Err(Unreadable::Recreated);
    }
    match (position < low, gaps) {
        (false, _) => Ok(Start::At(position)),
        (true, Gaps::Refused) => Err(Unreadable::Gone),
        (true, Gaps::Recorded) => Ok(Start::AfterGap {
            from: position,
            to: low,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_without_a_position_begins_at_its_first_offset() {
        assert_eq!(start(None, 5, 9, Gaps::Refused), Ok(Start::At(5)));
        assert_eq!(start(None, 0, 0, Gaps::Refused), Ok(Start::At(0)));
    }

    #[test]
    fn both_ends_are_readable() {
        assert_eq!(start(Some(5), 5, 9, Gaps::Refused), Ok(Start::At(5)));
        assert_eq!(start(Some(9), 5, 9, Gaps::Refused), Ok(Start::At(9)));
    }

    #[test]
    fn what_is_gone_stops_unless_gaps_are_recorded() {
        assert_eq!(start(Some(4), 5, 9, Gaps::Refused), Err(Unreadable::Gone));
        assert_eq!(
            start(Some(4), 5, 9, Gaps::Recorded),
            Ok(Start::AfterGap { from: 4, to: 5 })
        );
    }

    #[test]
    fn a_position_behind_the_end_is_of_another_topic_whatever_is_allowed() {
        for gaps in [Gaps::Refused, Gaps::Recorded] {
            assert_eq!(start(Some(10), 5, 9, gaps), Err(Unreadable::Recreated));
        }
    }
}
