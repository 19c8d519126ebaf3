//! The messages of one partition between two commits.

use std::time::Instant;

use schemas::lake::WithoutEvent;

use super::arena::{Arena, Place};

/// Offsets in a row that have no event, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) why: WithoutEvent,
}

impl Skipped {
    pub(crate) fn offsets(&self) -> u64 {
        (self.last - self.first).unsigned_abs() + 1
    }
}

/// One message: its place, and where its key and payload lie in the window's arena.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) offset: i64,
    /// Kafka's timestamp, ms since the epoch.
    pub(crate) time_ms: Option<i64>,
    key: Option<Place>,
    payload: Place,
}

/// A message as it comes from the client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived<'a> {
    pub(crate) offset: i64,
    pub(crate) time_ms: Option<i64>,
    pub(crate) key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub(crate) payload: Option<&'a [u8]>,
}

/// A message of an offset that the lake has already, with another time than the lake says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stranger {
    pub(crate) expected_ms: i64,
    pub(crate) found_ms: Option<i64>,
}

/// Messages from `start` to before `next`; holes between them are legal.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// The committed position: first offset this window covers.
    pub(crate) start: i64,
    /// Offset after the last one seen.
    pub(crate) next: i64,
    /// Offsets without a message to store.
    skipped: Vec<Skipped>,
    /// Time of the message before `next`, where there is one with a time.
    pub(crate) last_time_ms: Option<i64>,
    /// When the first message was buffered.
    pub(crate) since: Option<Instant>,
    /// Time of the message before `start` by the lake, until that message was seen again.
    unproved_ms: Option<i64>,
    /// Whether the client has brought a message since the window began.
    pub(crate) is_read: bool,
    messages: Vec<Message>,
    arena: Arena,
}

impl Window {
    /// Begins at a position; `before_ms` is the time of the message before it, which is read
    /// once more to prove that the topic is the same.
    pub(crate) fn at(position: i64, before_ms: Option<i64>) -> Self {
        Self {
            start: position,
            next: position,
            last_time_ms: before_ms,
            unproved_ms: before_ms,
            ..Self::default()
        }
    }

    /// Returns the offset to read from.
    pub(crate) fn read_from(&self) -> i64 {
        match self.unproved_ms {
            Some(_) => self.next - 1,
            None => self.next,
        }
    }

    /// Whether the message before the position is still to be seen.
    pub(crate) fn is_unproved(&self) -> bool {
        self.unproved_ms.is_some()
    }

    /// Takes a message unless the lake has it; tells whether it was new.
    ///
    /// # Errors
    /// When the message before the position is not the one the lake has.
    pub(crate) fn push(&mut self, arrived: Arrived<'_>) -> Result<bool, Stranger> {
        let unproved = self.unproved_ms.take();
        self.is_read = true;
        if arrived.offset < self.next {
            // Otherwise a fetch that outlived a re-assignment.
            if arrived.offset + 1 == self.next
                && let Some(expected_ms) = unproved
                && arrived.time_ms != Some(expected_ms)
            {
                return Err(Stranger {
                    expected_ms,
                    found_ms: arrived.time_ms,
                });
            }
            return Ok(false);
        }
        if arrived.offset > self.next {
            self.skip(self.next, arrived.offset - 1, WithoutEvent::Hole);
        }
        self.next = arrived.offset + 1;
        self.last_time_ms = arrived.time_ms;
        self.since.get_or_insert_with(Instant::now);
        let Some(payload) = arrived.payload else {
            self.skip(arrived.offset, arrived.offset, WithoutEvent::Tombstone);
            return Ok(true);
        };
        let key = arrived.key.map(|key| self.arena.store(key));
        let payload = self.arena.store(payload);
        self.messages.push(Message {
            offset: arrived.offset,
            time_ms: arrived.time_ms,
            key,
            payload,
        });
        Ok(true)
    }

    /// Moves on to where the client is, which has passed nothing but control records and aborted
    /// messages since the last one it brought; tells whether it moved.
    pub(crate) fn pass(&mut self, to: i64, now: Instant) -> bool {
        if to <= self.next {
            return false;
        }
        self.skip(self.next, to - 1, WithoutEvent::Hole);
        self.next = to;
        self.since.get_or_insert(now);
        true
    }

    fn skip(&mut self, first: i64, last: i64, why: WithoutEvent) {
        match self.skipped.last_mut() {
            Some(before) if before.why == why && before.last + 1 == first => before.last = last,
            _ => self.skipped.push(Skipped { first, last, why }),
        }
    }

    /// Returns the offsets without a message to store, in runs.
    pub(crate) fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Counts the offsets that were skipped for a reason.
    pub(crate) fn count(&self, why: WithoutEvent) -> u64 {
        let runs = self.skipped.iter().filter(|run| run.why == why);
        runs.map(Skipped::offsets).sum()
    }

    /// Whether there is something to commit.
    pub(crate) fn moved(&self) -> bool {
        self.next > self.start
    }

    /// Memory held, bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let messages = self.messages.capacity() * size_of::<Message>();
        let skipped = self.skipped.capacity() * size_of::<Skipped>();
        (self.arena.bytes() + messages + skipped) as u64
    }

    pub(crate) fn rows(&self) -> usize {
        self.messages.len()
    }

    /// Returns every message with its key and payload.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&Message, Option<&[u8]>, &[u8])> {
        self.messages.iter().map(|message| {
            let key = message.key.map(|key| self.arena.get(key));
            (message, key, self.arena.get(message.payload))
        })
    }

    /// Forgets what was committed and gives its memory back.
    pub(crate) fn committed(&mut self) {
        *self = Self {
            start: self.next,
            next: self.next,
            last_time_ms: self.last_time_ms,
            is_read: self.is_read,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(offset: i64, time_ms: i64) -> Arrived<'static> {
        Arrived {
            offset,
            time_ms: Some(time_ms),
            key: Some(b"T"),
            payload: Some(b"{}"),
        }
    }

    #[test]
    fn every_offset_is_a_message_a_tombstone_or_a_hole() {
        let mut window = Window::at(10, None);
        let tombstone = Arrived {
            payload: None,
            ..arrived(13, 3)
        };
        for message in [arrived(10, 1), arrived(12, 2), tombstone] {
            assert_eq!(window.push(message), Ok(true));
        }
        let holes = window.count(WithoutEvent::Hole);
        let covered = window.rows() as u64 + holes + window.count(WithoutEvent::Tombstone);
        assert_eq!((window.start, window.next, covered, holes), (10, 14, 4, 1));
        let run = |offset, why| Skipped {
            first: offset,
            last: offset,
            why,
        };
        assert_eq!(
            window.skipped(),
            [
                run(11, WithoutEvent::Hole),
                run(13, WithoutEvent::Tombstone)
            ]
        );
        window.committed();
        assert_eq!((window.start, window.next, window.bytes()), (14, 14, 0));
        assert_eq!(window.last_time_ms, Some(3));
    }

    #[test]
    fn the_message_before_the_position_proves_that_the_topic_is_the_same() {
        let mut same = Window::at(10, Some(7));
        assert_eq!(same.read_from(), 9);
        assert_eq!(same.push(arrived(9, 7)), Ok(false));
        assert_eq!((same.read_from(), same.moved()), (10, false));
        let mut other = Window::at(10, Some(7));
        let stranger = Stranger {
            expected_ms: 7,
            found_ms: Some(8),
        };
        assert_eq!(other.push(arrived(9, 8)), Err(stranger));
        // Compacted away: nothing is proved and nothing is wrong.
        let mut compacted = Window::at(10, Some(7));
        assert_eq!(compacted.push(arrived(11, 9)), Ok(true));
    }
}
