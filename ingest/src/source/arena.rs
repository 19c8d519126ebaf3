//! Bytes of many messages in few allocations, which never move and never take twice their size.

/// A partition with a few messages holds little: what is held decides when a flush is due.
const FIRST_BLOCK_BYTES: usize = 2 * 1024;
/// Blocks double up to here: small enough that the last ones of hundreds of partitions do not
/// count, large enough that hundreds of messages share one.
const BLOCK_BYTES: usize = 64 * 1024;

/// Where bytes lie in an arena.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    block: u32,
    start: u32,
    length: u32,
}

/// Bytes that are added one message at a time and forgotten together.
#[derive(Debug, Default)]
pub(super) struct Arena {
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

impl Arena {
    pub(super) fn store(&mut self, bytes: &[u8]) -> Place {
        let room = self
            .blocks
            .last()
            .map_or(0, |block| block.capacity() - block.len());
        if room < bytes.len() || self.blocks.is_empty() {
            let usual = self.bytes.clamp(FIRST_BLOCK_BYTES, BLOCK_BYTES);
            let block = Vec::with_capacity(bytes.len().max(usual));
            self.bytes += block.capacity();
            self.blocks.push(block);
        }
        let number = self.blocks.len() - 1;
        let block = &mut self.blocks[number];
        let start = block.len();
        block.extend_from_slice(bytes);
        let small = |n: usize| u32::try_from(n).expect("messages are far below 4 GiB");
        Place {
            block: small(number),
            start: small(start),
            length: small(bytes.len()),
        }
    }

    pub(super) fn get(&self, place: Place) -> &[u8] {
        let start = place.start as usize;
        &self.blocks[place.block as usize][start..start + place.length as usize]
    }

    /// Memory held, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were_whatever_their_size() {
        let mut arena = Arena::default();
        let sizes = [0, 10, BLOCK_BYTES - 5, 300, 3 * BLOCK_BYTES, 1, BLOCK_BYTES];
        let stored: Vec<(Vec<u8>, Place)> = (0_u8..)
            .zip(sizes)
            .map(|(fill, size)| vec![fill; size])
            .map(|bytes| (bytes.clone(), arena.store(&bytes)))
            .collect();
        for (bytes, place) in &stored {
            assert_eq!(arena.get(*place), bytes);
        }
        let used: usize = sizes.iter().sum();
        assert!(arena.bytes() >= used && arena.bytes() < used + sizes.len() * BLOCK_BYTES);
    }

    #[test]
    fn what_is_held_is_at_most_about_twice_what_is_stored() {
        let mut arena = Arena::default();
        for stored in 1..2_000 {
            arena.store(&[0; 100]);
            let bound = (stored * 100 * 2 + 4_096).min(stored * 110 + 2 * BLOCK_BYTES);
            assert!(arena.bytes() <= bound, "{} for {stored}", arena.bytes());
        }
    }
}
