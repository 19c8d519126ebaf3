//! Outages a day's failures may belong to.

use std::collections::HashSet;

use h3o::CellIndex;

use super::names::Name;
use super::slots::Context;

/// A known outage; a side it is not limited to is 0.
#[derive(Debug, Clone)]
pub(in crate::analyze) struct OutageWindow {
    /// First µs inside.
    pub(in crate::analyze) from_us: i64,
    /// First µs after.
    pub(in crate::analyze) to_us: i64,
    pub(in crate::analyze) host: Name,
    pub(in crate::analyze) plmn: Name,
    pub(in crate::analyze) app: Name,
    /// Cells of resolution 4; everywhere when empty.
    pub(in crate::analyze) cells_r4: HashSet<CellIndex>,
}

impl OutageWindow {
    /// Tells whether a failure belongs to it; the place is asked for only where it matters.
    pub(super) fn covers(
        &self,
        time_us: i64,
        of: &Context,
        cell_r4: impl FnOnce() -> Option<CellIndex>,
    ) -> bool {
        let concerns = |limit: Name, value: Name| limit == 0 || limit == value;
        (self.from_us..self.to_us).contains(&time_us)
            && concerns(self.host, of.host)
            && concerns(self.plmn, of.plmn)
            && concerns(self.app, of.app)
            && (self.cells_r4.is_empty()
                || cell_r4().is_some_and(|cell| self.cells_r4.contains(&cell)))
    }
}
