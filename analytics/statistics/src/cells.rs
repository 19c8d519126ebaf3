//! Sets of H3 cells of one resolution, with a fast answer to "which of my neighbours are here".

use h3o::CellIndex;

/// Digits of the finest resolutions that one block of the set covers: 7² cells in 64 bits.
const BLOCK_BITS: u32 = 6;
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A set of cells that knows the position of each in sorted order.
///
/// Cells are grouped by their grandparent: a block is one bit a cell, and the rank of the bit gives
/// the position. Neighbours mostly share a block or two, which therefore stay in the cache.
#[derive(Debug)]
pub(crate) struct CellSet {
    blocks: Vec<Block>,
    shift: u32,
    unused_bits: u32,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    key: u64,
    members: u64,
    start: u32,
}

/// No cell has this key: the highest bit of an H3 index is 0.
const EMPTY: Block = Block {
    key: u64::MAX,
    members: 0,
    start: 0,
};

impl CellSet {
    /// Builds the set of cells that are sorted, distinct, of one resolution and fewer than 2^32.
    pub(crate) fn new(sorted: &[CellIndex]) -> Self {
        let resolution = sorted
            .first()
            .map_or(0, |cell| u32::from(u8::from(cell.resolution())));
        let unused_bits = 3 * (15 - resolution);
        let slots = (2 * count_blocks(sorted, unused_bits) + 1)
            .next_power_of_two()
            .max(2);
        let mut set = Self {
            blocks: vec![EMPTY; slots],
            shift: 64 - slots.trailing_zeros(),
            unused_bits,
        };
        for (position, cell) in sorted.iter().enumerate() {
            let (key, bit) = set.address(*cell);
            let slot = set.slot(key);
            let block = &mut set.blocks[slot];
            if block.key != key {
                let start = u32::try_from(position).expect("fewer than 2^32 cells");
                *block = Block {
                    key,
                    members: 0,
                    start,
                };
            }
            block.members |= bit;
        }
        set
    }

    /// Finds the position of a cell of the set's resolution.
    pub(crate) fn position(&self, cell: CellIndex) -> Option<u32> {
        let (key, bit) = self.address(cell);
        let block = self.blocks[self.slot(key)];
        // An empty slot has no members.
        (block.members & bit != 0).then(|| block.start + (block.members & (bit - 1)).count_ones())
    }

    /// Fills `found` with the positions of the members within `rings` of `cell`, itself included,
    /// in an order that depends on the cell alone.
    pub(crate) fn within(&self, cell: CellIndex, rings: u32, found: &mut Vec<u32>) {
        found.clear();
        for neighbour in cell.grid_disk_fast(rings) {
            let Some(neighbour) = neighbour else {
                // A pentagon is near: the fast walk does not work, the slow one does.
                found.clear();
                found.extend(
                    cell.grid_disk_safe(rings)
                        .filter_map(|near| self.position(near)),
                );
                return;
            };
            found.extend(self.position(neighbour));
        }
    }

    fn address(&self, cell: CellIndex) -> (u64, u64) {
        let used = u64::from(cell) >> self.unused_bits;
        (used >> BLOCK_BITS, 1 << (used & ((1 << BLOCK_BITS) - 1)))
    }

    /// The slot of a key, or the empty one where it would go.
    fn slot(&self, key: u64) -> usize {
        let mask = self.blocks.len() - 1;
        let mut slot = (key.wrapping_mul(STEP) >> self.shift) as usize;
        while self.blocks[slot].key != key && self.blocks[slot].members != 0 {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

fn count_blocks(sorted: &[CellIndex], unused_bits: u32) -> usize {
    let key = |cell: &CellIndex| u64::from(*cell) >> (unused_bits + BLOCK_BITS);
    sorted.chunk_by(|a, b| key(a) == key(b)).count()
}

#[cfg(test)]
mod tests {
    use h3o::{LatLng, Resolution};

    use super::*;

    fn sorted(cells: impl IntoIterator<Item = CellIndex>) -> Vec<CellIndex> {
        let mut cells: Vec<_> = cells.into_iter().collect();
        cells.sort_unstable();
        cells
    }

    #[test]
    fn every_member_is_found_at_its_place_and_no_other() {
        let centre = LatLng::new(48.2, 16.4)
            .expect("a place")
            .to_cell(Resolution::Eight);
        let all = sorted(centre.grid_disk::<Vec<_>>(12));
        let kept: Vec<_> = all.iter().copied().step_by(3).collect();
        let set = CellSet::new(&kept);
        for cell in all {
            let place = kept.binary_search(&cell).ok().map(|place| place as u32);
            assert_eq!(set.position(cell), place);
        }
    }

    #[test]
    fn a_pentagon_has_five_neighbours() {
        let pentagon = CellIndex::base_cells()
            .find(|cell| cell.is_pentagon())
            .expect("one");
        let all = sorted(CellIndex::base_cells());
        let set = CellSet::new(&all);
        let mut found = Vec::new();
        set.within(pentagon, 1, &mut found);
        assert_eq!(found.len(), 6);
    }
}
