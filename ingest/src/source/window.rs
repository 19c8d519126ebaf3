//! The messages of one partition between two commits.

use crate::validate::Origin;

/// One message: its place and where its payload lies in the window's arena.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) origin: Origin,
    pub(crate) key: Option<String>,
    payload: std::ops::Range<usize>,
}

/// Messages from `start` to before `next`; holes between them are legal.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// The committed position: first offset this window covers.
    pub(crate) start: i64,
    /// Offset after the last one seen.
    pub(crate) next: i64,
    /// Messages without a payload, counted and not stored.
    pub(crate) tombstones: u64,
    messages: Vec<Message>,
    arena: Vec<u8>,
}

impl Window {
    pub(crate) fn at(position: i64) -> Self {
        Self {
            start: position,
            next: position,
            ..Self::default()
        }
    }

    pub(crate) fn push(&mut self, origin: Origin, key: Option<String>, payload: Option<&[u8]>) {
        self.next = origin.offset + 1;
        match payload {
            None => self.tombstones += 1,
            Some(payload) => {
                let from = self.arena.len();
                self.arena.extend_from_slice(payload);
                let payload = from..self.arena.len();
                self.messages.push(Message {
                    origin,
                    key,
                    payload,
                });
            }
        }
    }

    pub(crate) fn moved(&self) -> bool {
        self.next > self.start
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = (&Message, &[u8])> {
        self.messages
            .iter()
            .map(|message| (message, &self.arena[message.payload.clone()]))
    }

    /// Forgets what was committed; the arena keeps its memory for the next batch.
    pub(crate) fn committed(&mut self) {
        self.start = self.next;
        self.tombstones = 0;
        self.messages.clear();
        self.arena.clear();
    }
}
