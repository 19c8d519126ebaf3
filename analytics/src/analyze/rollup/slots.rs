//! Slots of five minutes: attempts and failures by whom they went through.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use super::names::Name;
use super::terminal::SLOT_S;

/// By whom an event went, and the partition cell it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Context {
    pub(super) acquirer: Name,
    pub(super) host: Name,
    pub(super) plmn: Name,
    pub(super) app: Name,
    pub(super) cell: Name,
}

/// The counts of one slot and context.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SlotCounts {
    /// Attempts that heartbeats of the slot counted.
    pub(super) attempts: u64,
    /// Terminals heard of in the slot.
    pub(super) active_terminals: u32,
    pub(super) failures: u32,
    pub(super) failing_terminals: u32,
}

/// Every slot with an event.
#[derive(Debug, Default)]
pub(super) struct Slots {
    numbers: HashMap<Context, u32, FixedState>,
    contexts: Vec<Context>,
    counts: HashMap<(u32, u32), SlotCounts, FixedState>,
}

impl Slots {
    /// Returns the number of a context.
    pub(super) fn context(&mut self, context: Context) -> u32 {
        let next = u32::try_from(self.contexts.len()).expect("fewer contexts than 2^32");
        let contexts = &mut self.contexts;
        *self.numbers.entry(context).or_insert_with(|| {
            contexts.push(context);
            next
        })
    }

    /// Counts a heartbeat at a second of the day.
    pub(super) fn heartbeat(&mut self, at_s: u32, context: u32, attempts: u32, is_first: bool) {
        let counts = self.at(at_s, context);
        counts.attempts += u64::from(attempts);
        counts.active_terminals += u32::from(is_first);
    }

    /// Counts a failure: the terminal's first in the slot, and the first sign of it?
    pub(super) fn failure(&mut self, at_s: u32, context: u32, is_first: bool, is_unheard: bool) {
        let counts = self.at(at_s, context);
        counts.failures += 1;
        counts.failing_terminals += u32::from(is_first);
        counts.active_terminals += u32::from(is_unheard);
    }

    fn at(&mut self, at_s: u32, context: u32) -> &mut SlotCounts {
        self.counts.entry((at_s / SLOT_S, context)).or_default()
    }

    /// Takes up what another task counted.
    pub(super) fn merge(&mut self, other: Self) {
        for ((slot, context), more) in other.counts {
            let context = self.context(other.contexts[context as usize]);
            let counts = self.counts.entry((slot, context)).or_default();
            counts.attempts += more.attempts;
            counts.active_terminals += more.active_terminals;
            counts.failures += more.failures;
            counts.failing_terminals += more.failing_terminals;
        }
    }

    /// Returns the slots in order: number of the slot of the day, context, counts.
    pub(super) fn into_sorted(self) -> BTreeMap<(u32, Context), SlotCounts> {
        let contexts = self.contexts;
        let counts = self.counts.into_iter();
        counts
            .map(|((slot, context), counts)| ((slot, contexts[context as usize]), counts))
            .collect()
    }
}
