//! Sets of offsets in little memory, and what they say of a partition. Pure.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::spans::{Place, Span};
use super::{Fault, FaultKind, PartitionAudit};

/// Offsets of one block.
const BLOCK: i64 = 1 << 16;
const WORDS: usize = (BLOCK / 64) as usize;
/// Ranges named of one partition and kind; the count is of all.
const NAMED: usize = 100;

/// A set of offsets: bits for blocks that are partly in it, nothing for those that are wholly.
#[derive(Debug, Default)]
pub(super) struct OffsetSet(BTreeMap<i64, Block>);

#[derive(Debug)]
enum Block {
    Full,
    Partly { bits: Box<[u64; WORDS]>, count: u32 },
}

impl Block {
    fn has(&self, at: i64) -> bool {
        match self {
            Self::Full => true,
            Self::Partly { bits, .. } => bits[word(at)] >> (at % 64) & 1 == 1,
        }
    }
}

fn word(at: i64) -> usize {
    usize::try_from(at / 64).expect("a place in a block")
}

impl OffsetSet {
    /// Adds an offset; `false` when it was there.
    pub fn insert(&mut self, offset: i64) -> bool {
        let at = offset.rem_euclid(BLOCK);
        let block = self
            .0
            .entry(offset.div_euclid(BLOCK))
            .or_insert(Block::Partly {
                bits: Box::new([0; WORDS]),
                count: 0,
            });
        if block.has(at) {
            return false;
        }
        if let Block::Partly { bits, count } = block {
            bits[word(at)] |= 1 << (at % 64);
            *count += 1;
            if i64::from(*count) == BLOCK {
                *block = Block::Full;
            }
        }
        true
    }

    /// Adds all of a block; `false` when some of it was there, and nothing is added then.
    fn insert_block(&mut self, number: i64) -> bool {
        match self.0.entry(number) {
            Entry::Vacant(place) => {
                place.insert(Block::Full);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// Whether all of a block is in the set.
    fn has_block(&self, number: i64) -> bool {
        matches!(self.0.get(&number), Some(Block::Full))
    }

    fn first(&self) -> Option<i64> {
        let (number, block) = self.0.first_key_value()?;
        let at = (0..BLOCK).find(|at| block.has(*at))?;
        Some(number * BLOCK + at)
    }

    /// Returns an offset that all are before.
    fn end(&self) -> i64 {
        let last = self.0.last_key_value();
        last.map_or(i64::MIN, |(number, _)| (number + 1).saturating_mul(BLOCK))
    }

    /// Returns the ranges of `from..to` whose offsets are in the set, or are not.
    fn ranges(&self, from: i64, to: i64, wanted: bool) -> Vec<(i64, i64)> {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        let mut add = |first: i64, last: i64| match ranges.last_mut() {
            Some(before) if before.1 + 1 == first => before.1 = last,
            _ => ranges.push((first, last)),
        };
        let mut at = from;
        while at < to {
            let number = at.div_euclid(BLOCK);
            let end = ((number + 1) * BLOCK).min(to);
            match self.0.get(&number) {
                None if wanted => {}
                None => add(at, end - 1),
                Some(Block::Full) if wanted => add(at, end - 1),
                Some(Block::Full) => {}
                Some(block) => {
                    for offset in at..end {
                        if block.has(offset.rem_euclid(BLOCK)) == wanted {
                            add(offset, offset);
                        }
                    }
                }
            }
            at = end;
        }
        ranges
    }
}

/// Where an offset was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Row,
    Quarantined,
    WithoutEvent,
}

/// What was found of one partition. Layer *n* holds the offsets found more than *n* times: a topic
/// that was read in two epochs has most of its offsets twice.
#[derive(Debug)]
pub(super) struct Found {
    spans: Vec<Span>,
    layers: Vec<OffsetSet>,
    beyond: OffsetSet,
    rows: u64,
    quarantined: u64,
    without_event: u64,
}

/// The result of a partition.
pub(super) struct Counted {
    pub audit: PartitionAudit,
    pub faults: Vec<Fault>,
}

impl Found {
    pub fn of(spans: Vec<Span>) -> Self {
        Self {
            spans,
            layers: Vec::new(),
            beyond: OffsetSet::default(),
            rows: 0,
            quarantined: 0,
            without_event: 0,
        }
    }

    fn next(&self) -> i64 {
        self.spans.iter().map(|span| span.next).max().unwrap_or(0)
    }

    /// Takes an offset in. Behind the position only rows are wrong: the other tables are written
    /// first, and a flush may be under way.
    pub fn add(&mut self, kind: Kind, offset: i64) {
        if offset >= self.next() {
            if kind == Kind::Row {
                self.beyond.insert(offset);
            }
            return;
        }
        *self.counter(kind) += 1;
        // One layer more than it was read: what is found still more often is no more doubled for it.
        for layer in 0..=self.spans.len() {
            if self.layer(layer).insert(offset) {
                return;
            }
        }
    }

    fn counter(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Row => &mut self.rows,
            Kind::Quarantined => &mut self.quarantined,
            Kind::WithoutEvent => &mut self.without_event,
        }
    }

    fn layer(&mut self, layer: usize) -> &mut OffsetSet {
        if layer == self.layers.len() {
            self.layers.push(OffsetSet::default());
        }
        &mut self.layers[layer]
    }

    /// Takes a range of offsets in, both ends included: a gap can be of billions.
    pub fn add_range(&mut self, kind: Kind, (first, last): (i64, i64)) {
        let last = match kind {
            Kind::Row => last,
            Kind::Quarantined | Kind::WithoutEvent => last.min(self.next() - 1),
        };
        let mut at = first;
        while at <= last {
            let number = at.div_euclid(BLOCK);
            let end = ((number + 1) * BLOCK).min(last + 1);
            let is_whole = end - at == BLOCK && kind != Kind::Row;
            if !(is_whole && self.add_block(kind, number)) {
                for offset in at..end {
                    self.add(kind, offset);
                }
            }
            at = end;
        }
    }

    /// Takes the offsets of a block in; `false` when a layer holds only some of them.
    fn add_block(&mut self, kind: Kind, number: i64) -> bool {
        let layer = (0..=self.spans.len()).find(|at| !self.layer(*at).has_block(number));
        // Where every layer has it, it is no more doubled for being found again.
        let is_taken = layer.is_none_or(|at| self.layer(at).insert_block(number));
        if is_taken {
            *self.counter(kind) += BLOCK.unsigned_abs();
        }
        is_taken
    }

    /// Cuts the offsets where the number of spans that hold them changes.
    fn segments(&self) -> Vec<(i64, i64, usize)> {
        let seen = self.layers.first().and_then(OffsetSet::first);
        let ends = |span: &Span| {
            let first = span.first.or(seen).unwrap_or(span.next).min(span.next);
            (first, span.next)
        };
        let spans: Vec<(i64, i64)> = self.spans.iter().map(ends).collect();
        let mut cuts: Vec<i64> = spans
            .iter()
            .flat_map(|(first, next)| [*first, *next])
            .collect();
        // Offsets before anything was read are wrong wherever they are.
        cuts.extend(seen);
        cuts.sort_unstable();
        cuts.dedup();
        let times = |at: i64| {
            spans
                .iter()
                .filter(|(first, next)| (*first..*next).contains(&at))
                .count()
        };
        cuts.windows(2)
            .map(|cut| (cut[0], cut[1], times(cut[0])))
            .collect()
    }

    pub fn counted(&self, place: &Place) -> Counted {
        let empty = OffsetSet::default();
        let (mut missing, mut doubled) = (Vec::new(), Vec::new());
        let segments = self.segments();
        for (from, to, times) in &segments {
            for layer in 0..self.layers.len().max(*times) {
                let set = self.layers.get(layer).unwrap_or(&empty);
                match layer < *times {
                    true => missing.extend(set.ranges(*from, *to, false)),
                    false => doubled.extend(set.ranges(*from, *to, true)),
                }
            }
        }
        let beyond = self.beyond.ranges(self.next(), self.beyond.end(), true);
        let mut faults = Vec::new();
        for (kind, ranges) in [
            (FaultKind::Missing, &missing),
            (FaultKind::Doubled, &doubled),
            (FaultKind::Beyond, &beyond),
        ] {
            faults.extend(named(kind, place, ranges));
        }
        let read = segments.iter().find(|(_, _, times)| *times > 0);
        Counted {
            audit: PartitionAudit {
                table: place.table,
                topic: place.topic.clone(),
                partition: place.partition,
                first_offset: read.map_or(self.next(), |(from, _, _)| *from),
                next_offset: self.next(),
                rows: self.rows,
                quarantined: self.quarantined,
                without_event: self.without_event,
                missing: total(&missing),
                doubled: total(&doubled),
            },
            faults,
        }
    }
}

fn total(ranges: &[(i64, i64)]) -> u64 {
    ranges
        .iter()
        .map(|(first, last)| (last - first).unsigned_abs() + 1)
        .sum()
}

fn named(kind: FaultKind, place: &Place, ranges: &[(i64, i64)]) -> Vec<Fault> {
    let more = ranges.len().saturating_sub(NAMED);
    let mut faults: Vec<Fault> = ranges
        .iter()
        .take(NAMED)
        .map(|range| Fault {
            place: Some((place.topic.clone(), place.partition)),
            offsets: Some(*range),
            ..Fault::of(kind, place.table)
        })
        .collect();
    if more > 0
        && let Some(last) = faults.last_mut()
    {
        last.detail = format!("and {more} more ranges of this partition");
    }
    faults
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemas::Table;

    use super::*;

    fn place() -> Place {
        Place {
            table: Table::Heartbeats,
            topic: "t".into(),
            partition: 0,
        }
    }

    fn span(first: i64, next: i64) -> Span {
        Span {
            first: Some(first),
            next,
        }
    }

    fn ranges(found: &Found, kind: FaultKind) -> Vec<(i64, i64)> {
        let faults = found.counted(&place()).faults.into_iter();
        let of_kind = faults.filter(|fault| fault.kind == kind);
        of_kind.filter_map(|fault| fault.offsets).collect()
    }

    #[test]
    fn what_is_nowhere_twice_or_behind_the_position_is_named() {
        let mut found = Found::of(vec![span(100, 110)]);
        for offset in [101, 102, 102, 104, 109, 112] {
            found.add(Kind::Row, offset);
        }
        found.add_range(Kind::WithoutEvent, (105, 107));
        found.add(Kind::Quarantined, 108);
        found.add(Kind::Quarantined, 111);
        assert_eq!(ranges(&found, FaultKind::Missing), [(100, 100), (103, 103)]);
        assert_eq!(ranges(&found, FaultKind::Doubled), [(102, 102)]);
        assert_eq!(ranges(&found, FaultKind::Beyond), [(112, 112)]);
        let audit = found.counted(&place()).audit;
        assert_eq!((audit.first_offset, audit.next_offset), (100, 110));
        assert_eq!(
            (audit.rows, audit.quarantined, audit.without_event),
            (5, 1, 3)
        );
        assert_eq!((audit.missing, audit.doubled), (2, 1));
    }

    #[test]
    fn a_topic_read_in_two_epochs_has_its_offsets_twice() {
        let mut found = Found::of(vec![span(0, 10), span(4, 20)]);
        for offset in (0..10).chain(4..20) {
            found.add(Kind::Row, offset);
        }
        assert!(found.counted(&place()).faults.is_empty());
        found.add(Kind::Row, 2);
        found.add(Kind::Row, 5);
        assert_eq!(ranges(&found, FaultKind::Doubled), [(2, 2), (5, 5)]);
    }

    #[test]
    fn without_a_first_offset_it_begins_with_the_first_found() {
        let mut found = Found::of(vec![Span {
            first: None,
            next: 8,
        }]);
        for offset in [5, 7] {
            found.add(Kind::Row, offset);
        }
        assert_eq!(ranges(&found, FaultKind::Missing), [(6, 6)]);
    }

    proptest! {
        #[test]
        fn every_offset_is_counted_as_a_plain_count_would(
            times in prop::collection::vec(0_usize..4, 1..200),
            start in prop::sample::select(vec![0_i64, 65_400, 131_071, 1_000_000]),
        ) {
            let next = start + times.len() as i64;
            let mut found = Found::of(vec![span(start, next)]);
            for round in 0..4 {
                for (offset, times) in (start..).zip(&times) {
                    if round < *times {
                        found.add(Kind::Row, offset);
                    }
                }
            }
            let counted = found.counted(&place()).audit;
            prop_assert_eq!(counted.missing, times.iter().filter(|times| **times == 0).count() as u64);
            let excess = |times: &usize| times.saturating_sub(1).min(1) as u64;
            prop_assert_eq!(counted.doubled, times.iter().map(excess).sum::<u64>());
        }

        #[test]
        fn whole_blocks_are_as_good_as_their_offsets(
            spans in prop::sample::select(vec![vec![span(0, 300_000)], vec![span(0, 300_000), span(70_000, 200_000)]]),
            given in prop::collection::vec((0_i64..300_000, 1_i64..150_000), 1..5),
        ) {
            let (mut by_range, mut one_by_one) = (Found::of(spans.clone()), Found::of(spans));
            for (from, length) in given {
                let range = (from, from + length - 1);
                by_range.add_range(Kind::WithoutEvent, range);
                for offset in range.0..=range.1 {
                    one_by_one.add(Kind::WithoutEvent, offset);
                }
            }
            let (counted, wanted) = (by_range.counted(&place()), one_by_one.counted(&place()));
            prop_assert_eq!(counted.audit, wanted.audit);
            prop_assert_eq!(counted.faults, wanted.faults);
        }
    }

    #[test]
    fn a_gap_of_billions_is_taken_in_by_blocks() {
        const GAP: i64 = 20_000_000_000;
        let mut found = Found::of(vec![span(0, GAP + 2)]);
        found.add_range(Kind::WithoutEvent, (1, GAP));
        found.add(Kind::Row, 0);
        found.add(Kind::Row, 7_777_777_777);
        let audit = found.counted(&place()).audit;
        assert_eq!((audit.without_event, audit.rows), (GAP.unsigned_abs(), 2));
        assert_eq!(
            ranges(&found, FaultKind::Doubled),
            [(7_777_777_777, 7_777_777_777)]
        );
        assert_eq!(ranges(&found, FaultKind::Missing), [(GAP + 1, GAP + 1)]);
    }
}
