//! How strong a terminal heard each radio cell: owns the sums, in few bytes.
//!
//! Strengths are whole tenths of a dB above -100 dBm, so that sums depend neither on the order of
//! the events nor on which task met them.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::names::Name;

/// A radio cell of one network; what is unknown is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RadioCell {
    pub(super) plmn: Name,
    pub(super) rat: Name,
    pub(super) tac: Option<i32>,
    pub(super) id: i64,
}

impl RadioCell {
    /// Tells whether two terminals with the same values hear the same radio cell.
    pub(super) const fn is_known(&self) -> bool {
        self.plmn != 0 && self.rat != 0 && self.id != 0
    }
}

/// The radio cells a task met, by number.
#[derive(Debug, Default)]
pub(super) struct RadioCells {
    numbers: HashMap<RadioCell, u32, FixedState>,
    pub(super) cells: Vec<RadioCell>,
    /// That of the reading before: readings of one terminal stand together.
    last: u32,
}

impl RadioCells {
    /// Returns the number of a radio cell.
    pub(super) fn number(&mut self, cell: RadioCell) -> u32 {
        if self.cells.get(self.last as usize) != Some(&cell) {
            let next = u32::try_from(self.cells.len()).expect("fewer radio cells than 2^32");
            self.last = *self.numbers.entry(cell).or_insert(next);
            if self.last == next {
                self.cells.push(cell);
            }
        }
        self.last
    }

    /// Takes up the radio cells of another task; returns their numbers here.
    pub(super) fn merge(&mut self, other: &Self) -> Vec<u32> {
        other.cells.iter().map(|cell| self.number(*cell)).collect()
    }
}

/// The readings a terminal took of one radio cell at one stand, in a day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    radio_cell: u32,
    row: u16,
    readings: u16,
    strength_tenths: i32,
    strength_squares: u32,
}

impl Heard {
    pub(super) fn of(row: usize, radio_cell: u32, dbm: f32) -> Self {
        let tenths = ((f64::from(dbm) + 100.0) * 10.0).round();
        // Radio ranges end far within: valid strengths are from -156 to 0 dBm.
        let strength_tenths = tenths.clamp(-2_000.0, 2_000.0) as i32;
        Self {
            radio_cell,
            row: u16::try_from(row).unwrap_or(u16::MAX),
            readings: 1,
            strength_tenths,
            strength_squares: strength_tenths.unsigned_abs().pow(2),
        }
    }

    pub(super) const fn is_of(&self, other: &Self) -> bool {
        self.radio_cell == other.radio_cell && self.row == other.row
    }

    /// Adds readings of the same radio cell, as long as the sums have room: for one every ten seconds
    /// at the strongest level there is.
    pub(super) const fn add(&mut self, more: &Self) {
        let readings = self.readings.checked_add(more.readings);
        let squares = self.strength_squares.checked_add(more.strength_squares);
        let tenths = self.strength_tenths.checked_add(more.strength_tenths);
        if let (Some(readings), Some(squares), Some(tenths)) = (readings, squares, tenths) {
            self.readings = readings;
            self.strength_squares = squares;
            self.strength_tenths = tenths;
        }
    }

    /// Returns the same of another row of the terminal.
    pub(super) fn at_row(self, row: usize) -> Self {
        Self {
            row: u16::try_from(row).unwrap_or(u16::MAX),
            ..self
        }
    }

    /// Takes the number its radio cell has in another task.
    pub(super) fn renumber(&mut self, numbers: &[u32]) {
        self.radio_cell = numbers[self.radio_cell as usize];
    }

    pub(super) const fn row(&self) -> usize {
        self.row as usize
    }

    pub(super) const fn radio_cell(&self) -> usize {
        self.radio_cell as usize
    }

    pub(super) fn readings(&self) -> i64 {
        self.readings.into()
    }

    pub(super) fn strength_tenths(&self) -> i64 {
        self.strength_tenths.into()
    }

    pub(super) fn strength_squares(&self) -> i64 {
        self.strength_squares.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(id: i64) -> RadioCell {
        RadioCell {
            plmn: 1,
            rat: 2,
            tac: None,
            id,
        }
    }

    #[test]
    fn readings_add_up_in_tenths_above_m100_dbm() {
        let mut heard = Heard::of(0, 3, -97.3);
        heard.add(&Heard::of(0, 3, -101.0));
        assert_eq!(heard.readings(), 2);
        assert_eq!(heard.strength_tenths(), 27 - 10);
        assert_eq!(heard.strength_squares(), 27 * 27 + 10 * 10);
    }

    #[test]
    fn sums_without_room_keep_what_they_have() {
        let one = Heard::of(0, 3, -40.0);
        let mut heard = one;
        for _ in 0..20_000 {
            heard.add(&one);
        }
        let squares = u64::try_from(heard.strength_squares()).expect("not negative");
        assert_eq!(squares, u64::from(heard.readings) * 360_000);
        assert!(heard.readings > 24 * 360);
    }

    #[test]
    fn two_tasks_number_radio_cells_alike_after_a_merge() {
        let (mut one, mut other) = (RadioCells::default(), RadioCells::default());
        one.number(cell(10));
        let twenty = one.number(cell(20));
        let mut heard = Heard::of(0, other.number(cell(20)), -90.0);
        other.number(cell(30));
        let numbers = one.merge(&other);
        heard.renumber(&numbers);
        assert_eq!(heard.radio_cell(), twenty as usize);
        assert_eq!(one.cells, [cell(10), cell(20), cell(30)]);
    }
}
