//! Is a flush due, and why: pure, the clock is an argument.

use std::time::Duration;

/// Why buffered messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The buffer holds the target number of bytes.
    Bytes,
    /// The oldest buffered message waited long enough.
    Age,
    /// A partition is taken away.
    Revoke,
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
            Self::Age => "age",
            Self::Revoke => "revoke",
            Self::Shutdown => "shutdown",
            Self::End => "end",
        }
    }
}

/// When buffered messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Payload bytes that make a flush due.
    pub max_bytes: u64,
    /// Age of the oldest buffered message that makes a flush due.
    pub max_age: Duration,
}

impl Limits {
    /// Tells whether a buffer of `bytes`, its oldest message `age` old, is due.
    pub fn due(&self, bytes: u64, age: Option<Duration>) -> Option<Trigger> {
        let age = age?;
        if bytes >= self.max_bytes {
            return Some(Trigger::Bytes);
        }
        (age >= self.max_age).then_some(Trigger::Age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_bytes: 100,
        max_age: Duration::from_secs(10),
    };

    #[test]
    fn an_empty_buffer_is_never_due() {
        assert_eq!(LIMITS.due(0, None), None);
    }

    #[test]
    fn size_and_age_each_make_a_flush_due() {
        assert_eq!(LIMITS.due(99, Some(Duration::from_secs(9))), None);
        assert_eq!(LIMITS.due(100, Some(Duration::ZERO)), Some(Trigger::Bytes));
        assert_eq!(
            LIMITS.due(1, Some(Duration::from_secs(10))),
            Some(Trigger::Age)
        );
    }
}
