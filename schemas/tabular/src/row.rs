//! A row as read: the cells that were asked for, in one buffer that the next row takes over.

use std::fmt::Write as _;

use schemas::ids::trimmed;

use crate::{Cell, RowFault, Spelling};

/// One row, made once and filled again by each read.
#[derive(Debug, Clone, Default)]
pub struct Row {
    number: u64,
    text: String,
    spans: Vec<Span>,
    fault: Option<RowFault>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: usize,
    end: usize,
    spelling: Spelling,
}

impl Row {
    /// Returns the line on which the row begins, as an editor shows it, or in Parquet its number; from 1.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Returns why the row cannot be used; its cells are then empty.
    pub const fn fault(&self) -> Option<&RowFault> {
        self.fault.as_ref()
    }

    /// Returns a cell, in the order in which columns were asked for; an empty one beyond them.
    pub fn cell(&self, at: usize) -> Cell<'_> {
        match self.spans.get(at) {
            Some(span) => Cell::new(&self.text[span.start..span.end], span.spelling),
            None => Cell::EMPTY,
        }
    }

    /// Makes the row empty, for cells to be put in.
    pub(crate) fn begin(&mut self, number: u64, cells: usize) {
        self.number = number;
        self.text.clear();
        self.spans.clear();
        self.spans.resize(cells, Span::default());
        self.fault = None;
    }

    /// Puts a value in its place, without what is invisible at its ends.
    pub(crate) fn put(&mut self, at: usize, value: &str, spelling: Spelling) {
        let shown = trimmed(value);
        if shown.len() < value.len() && value.contains('\0') {
            self.refuse(RowFault::Nul);
        }
        let start = self.text.len();
        self.text.push_str(shown);
        self.spans[at] = Span {
            start,
            end: self.text.len(),
            spelling,
        };
    }

    /// Puts a number as it is shown.
    pub(crate) fn put_shown(
        &mut self,
        at: usize,
        value: impl std::fmt::Display,
        spelling: Spelling,
    ) {
        let start = self.text.len();
        // A text grows as it needs to.
        let _ = write!(self.text, "{value}");
        self.spans[at] = Span {
            start,
            end: self.text.len(),
            spelling,
        };
    }

    pub(crate) fn refuse(&mut self, fault: RowFault) {
        self.fault.get_or_insert(fault);
    }

    /// Checks what is in the row when all of it is; a refused row has no cells.
    pub(crate) fn end(&mut self) {
        if self.fault.is_none() && memchr::memchr(0, self.text.as_bytes()).is_some() {
            self.fault = Some(RowFault::Nul);
        }
        if self.fault.is_some() {
            self.text.clear();
            self.spans.fill(Span::default());
        }
    }
}
