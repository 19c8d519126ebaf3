//! Terminals without an answer, by slots of five minutes: what the search for outages looks at.

use std::sync::Arc;

use object_store::ObjectStore;
use schemas::Table;
use schemas::causes::rules;
use statistics::outages::FailingTerminals;

use super::events::{Coders, Events};
use super::facts::Part;
use super::fold::cell_r4;
use super::names::{Name, Names};
use super::registered::{LastTerminal, Registry};
use super::terminal::SLOT_S;
use crate::analyze::AnalyzeError;
use crate::analyze::interned::Interned;

const COLUMNS: [&str; 7] = [
    "host_id",
    "app_version",
    "last_signal_plmn",
    "sim_plmn",
    "outcome",
    "response_code",
    "cell_r9",
];
const SLOT_US: i64 = SLOT_S as i64 * 1_000_000;

/// What says that no answer came, in the same words as the view of declines.
#[derive(Debug)]
pub(super) struct OutOfRange {
    no_answer: Name,
    offline_codes: [Name; 2],
}

impl OutOfRange {
    pub(super) fn of(names: &Names) -> Self {
        Self {
            no_answer: names.number(rules::NO_ANSWER),
            offline_codes: rules::OFFLINE_CODES.map(|code| names.number(code)),
        }
    }

    pub(super) fn is(&self, outcome: Name, code: Name) -> bool {
        outcome == self.no_answer || self.offline_codes.contains(&code)
    }
}

/// Failing terminals, slot by slot, under numbers of their own.
#[derive(Debug, Default)]
pub(in crate::analyze) struct Failing {
    ids: Interned,
    pub(in crate::analyze) rows: Vec<FailingTerminals>,
}

impl Failing {
    /// Takes up the failures of a partition.
    pub(super) async fn take(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        part: &Part,
        names: &Names,
        registry: &Registry,
    ) -> Result<(), AnalyzeError> {
        let out_of_range = OutOfRange::of(names);
        let mut coders = Coders::default();
        let mut last = LastTerminal::default();
        part.read(store, Table::Declines, &COLUMNS, |batch| {
            let events = Events::of(batch, Table::Declines, &mut coders, names);
            let outcome = coders.code(batch, "outcome", names);
            let code = coders.code(batch, "response_code", names);
            for row in 0..batch.num_rows() {
                if !out_of_range.is(outcome.at(row), code.at(row)) {
                    continue;
                }
                let name = events.terminals.value(row);
                let (terminal, home) = last.find(name, &mut self.ids, registry);
                let known = |name: Name| (name != 0).then_some(name);
                self.add(FailingTerminals {
                    slot: events.time_us.value(row).div_euclid(SLOT_US),
                    terminal,
                    host: known(events.host.at(row)),
                    plmn: known(events.carrier(row)),
                    // Outages are of places, and few terminals know better where they are.
                    cell_r4: home.or_else(|| cell_r4(events.cell_r9.at(row)?)),
                    app_version: known(events.app.at(row)),
                    failures: 1,
                });
            }
            Ok(())
        })
        .await
    }

    fn add(&mut self, row: FailingTerminals) {
        match self.rows.last_mut() {
            Some(last)
                if *last
                    == (FailingTerminals {
                        failures: last.failures,
                        ..row
                    }) =>
            {
                last.failures = last.failures.saturating_add(row.failures);
            }
            _ => self.rows.push(row),
        }
    }

    /// Takes up what another task or another day counted.
    pub(in crate::analyze) fn merge(&mut self, other: Self) {
        if self.rows.is_empty() {
            *self = other;
            return;
        }
        let numbers = 0..u32::try_from(other.ids.len()).expect("a terminal is a number");
        let numbers: Vec<u32> = numbers
            .map(|at| self.ids.number(other.ids.text(at)))
            .collect();
        let rows = other.rows.into_iter().map(|row| FailingTerminals {
            terminal: numbers[row.terminal as usize],
            ..row
        });
        self.rows.extend(rows);
    }
}
