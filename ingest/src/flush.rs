//! Is a flush due, and why: pure, the clock is an argument.

use std::time::{Duration, Instant};

/// Why buffered messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The buffer holds the target number of bytes.
    Bytes,
    /// Writing more rows at once would not fit the memory budget.
    Memory,
    /// The oldest buffered message waited long enough.
    Age,
    /// A partition is taken away.
    Revoke,
    /// Offsets are gone from Kafka: what was read before is saved first.
    Gap,
    /// The ingester stops.
    Shutdown,
    /// Everything there was to read has been read.
    End,
}

impl Trigger {
    /// Returns the label of the metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Memory => "memory",
            Self::Age => "age",
            Self::Revoke => "revoke",
            Self::Gap => "gap",
            Self::Shutdown => "shutdown",
            Self::End => "end",
        }
    }
}

/// What waits to be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buffered {
    /// Memory held, bytes.
    pub bytes: u64,
    /// Messages with a payload.
    pub rows: usize,
    /// When the oldest message was buffered; `None` when there is none, tombstones included.
    pub since: Option<Instant>,
}

/// When buffered messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Buffered bytes that make a flush due.
    pub max_bytes: u64,
    /// Buffered messages that make a flush due: more would not fit the memory budget.
    pub max_rows: usize,
    /// Age of the oldest buffered message that makes a flush due.
    pub max_age: Duration,
}

impl Limits {
    /// Tells whether what is buffered is due at `now`; asked before each message is fetched.
    pub fn due(&self, buffered: &Buffered, now: Instant) -> Option<Trigger> {
        let since = buffered.since?;
        if buffered.bytes >= self.max_bytes {
            return Some(Trigger::Bytes);
        }
        if buffered.rows >= self.max_rows {
            return Some(Trigger::Memory);
        }
        (now.duration_since(since) >= self.max_age).then_some(Trigger::Age)
    }

    /// Shortens the age by up to a tenth, so that ingesters of a group do not commit in step.
    pub fn spread(self, random: u8) -> Self {
        let shorter = self.max_age / 10 * u32::from(random) / u32::from(u8::MAX);
        Self {
            max_age: self.max_age - shorter,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_bytes: 100,
        max_rows: 10,
        max_age: Duration::from_secs(10),
    };

    fn due(bytes: u64, rows: usize, age: Option<u64>) -> Option<Trigger> {
        let start = Instant::now();
        let buffered = Buffered {
            bytes,
            rows,
            since: age.map(|_| start),
        };
        let now = start + Duration::from_secs(age.unwrap_or_default());
        LIMITS.due(&buffered, now)
    }

    #[test]
    fn an_empty_buffer_is_never_due() {
        assert_eq!(due(0, 0, None), None);
    }

    #[test]
    fn size_rows_and_age_each_make_a_flush_due() {
        assert_eq!(due(99, 9, Some(9)), None);
        assert_eq!(due(100, 9, Some(0)), Some(Trigger::Bytes));
        assert_eq!(due(99, 10, Some(0)), Some(Trigger::Memory));
        assert_eq!(due(1, 0, Some(10)), Some(Trigger::Age));
    }

    #[test]
    fn ages_are_spread_by_a_tenth_and_never_longer() {
        assert_eq!(LIMITS.spread(0).max_age, Duration::from_secs(10));
        assert_eq!(LIMITS.spread(255).max_age, Duration::from_secs(9));
    }
}
