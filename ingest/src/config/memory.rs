//! One budget over everything that grows: the client's queue, what is buffered, what a flush makes.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::IngestConfig;

/// How much memory the ingester may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryConfig {
    /// Bound of all parts together.
    pub limit: ByteSize,
}

/// The program itself and its threads.
const RESERVE: u64 = 96 << 20;
/// The client's queue may overshoot by an answer of a broker, and answers grow when decompressed.
const QUEUE_FACTOR: u64 = 2;
/// What a row needs while it is put in order, decoded and encoded, bytes.
const ROW: u64 = 1024;
/// A flush of fewer rows than this makes files too small to be of use.
const FEWEST_ROWS: u64 = 16 * 1024;

impl IngestConfig {
    /// Returns how many rows a flush may have: what is left when the other parts have theirs.
    pub(crate) fn rows_at_once(&self) -> usize {
        let left = self
            .memory
            .limit
            .as_u64()
            .saturating_sub(self.fixed_parts());
        usize::try_from(left / ROW).expect("usize has 64 bits")
    }

    fn fixed_parts(&self) -> u64 {
        let queue = self.kafka.queue_limit.as_u64().saturating_mul(QUEUE_FACTOR);
        RESERVE
            .saturating_add(queue)
            .saturating_add(self.flush.max_size.as_u64())
    }

    /// Returns the fault of a limit that its parts do not fit.
    pub(super) fn memory_fault(&self) -> Option<String> {
        let needed = self.fixed_parts().saturating_add(FEWEST_ROWS * ROW);
        (self.memory.limit.as_u64() < needed).then(|| {
            let show = |bytes| ByteSize(bytes).display().iec();
            format!(
                "memory.limit: {} is less than its parts: {} for the program, {QUEUE_FACTOR} x kafka.queue_limit of {}, \
                 flush.max_size of {} and {} to flush with make {}",
                show(self.memory.limit.as_u64()),
                show(RESERVE),
                show(self.kafka.queue_limit.as_u64()),
                show(self.flush.max_size.as_u64()),
                show(FEWEST_ROWS * ROW),
                show(needed),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_parts_fit_the_default_limit() {
        let config = IngestConfig::default();
        assert_eq!(config.memory_fault(), None);
        assert_eq!(config.memory.limit, ByteSize::mib(512));
        assert!(config.rows_at_once() > 100_000, "{}", config.rows_at_once());
    }

    #[test]
    fn parts_that_do_not_fit_are_refused_with_the_sum() {
        let mut config = IngestConfig::default();
        config.flush.max_size = ByteSize::mib(512);
        let fault = config.memory_fault().expect("does not fit");
        for part in [
            "memory.limit: 512.0 MiB",
            "flush.max_size of 512.0 MiB",
            "688.0 MiB",
        ] {
            assert!(fault.contains(part), "{part} in {fault}");
        }
        assert!(config.faults().contains(&fault));
    }
}
