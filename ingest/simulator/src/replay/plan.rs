//! A mapping applied to one file: its columns found, and each row made into events.

use std::cell::RefCell;
use std::collections::BTreeMap;

use schemas::EventKind;
use tabular::Table;

use super::attempts::{AttemptPlan, Counted};
use super::condition::Conditions;
use super::convert::{Cell, Fault, Found};
use super::device::{Position, PositionPlan, TerminalPlan};
use super::field::{FieldPlan, FieldSpec};
use super::files::{FILE_PLACE, Values};
use super::identity::FileIdentity;
use super::mapping::{Emit, Source};
use super::time::TimePlan;

/// Name of the column that holds what the `*` of the file pattern stood for.
pub(super) const FILE_COLUMN: &str = "@file";

/// The columns of a file, of which only those are read that a rule asks for.
pub(super) struct Columns<'t> {
    table: &'t Table,
    asked_for: RefCell<Vec<usize>>,
}

/// A column the mapping names and the file does not have, or has twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnknownColumn {
    #[error("no column {column:?}; the file has {}", known.join(", "))]
    Missing { column: String, known: Vec<String> },
    #[error("{0}")]
    Twice(String),
}

impl<'t> Columns<'t> {
    pub(super) const fn of(table: &'t Table) -> Self {
        Self {
            table,
            asked_for: RefCell::new(Vec::new()),
        }
    }

    /// Finds a column and returns its place in the rows that will be read.
    pub(super) fn find(&self, name: &str) -> Result<usize, UnknownColumn> {
        if name == FILE_COLUMN {
            return Ok(FILE_PLACE);
        }
        let found = self.table.find(name);
        let found = found.map_err(|twice| UnknownColumn::Twice(twice.to_string()))?;
        let at = found.ok_or_else(|| {
            let mut known = self.table.names();
            known.push(FILE_COLUMN.to_owned());
            let column = name.to_owned();
            UnknownColumn::Missing { column, known }
        })?;
        let mut asked_for = self.asked_for.borrow_mut();
        let place = asked_for.iter().position(|asked| *asked == at);
        Ok(FILE_PLACE
            + 1
            + place.unwrap_or_else(|| {
                asked_for.push(at);
                asked_for.len() - 1
            }))
    }

    /// Returns the columns that were found, in the order of their places.
    pub(super) fn asked_for(self) -> Vec<usize> {
        self.asked_for.into_inner()
    }
}

/// An event about to be sent, its values in the order of the contract.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    pub(super) time_ms: i64,
    pub(super) cells: Vec<Option<Cell>>,
    /// The counters a heartbeat carries.
    pub(super) counted: Counted,
}

impl Event {
    fn set(&mut self, field: &str, cell: Cell) {
        let fields = &self.kind.contract().fields;
        let at = fields.iter().position(|own| own.name == field);
        self.cells[at.expect("only fields of the contract are set")] = Some(cell);
    }

    fn set_text(&mut self, field: &str, text: &str) {
        self.set(field, Cell::Text(text.to_owned()));
    }
}

/// Mapped fields of one kind of event.
#[derive(Debug)]
pub(super) struct KindFields<'m>(Vec<(usize, FieldPlan<'m>)>);

impl<'m> KindFields<'m> {
    /// Keeps the fields that events of the kind have.
    pub(super) fn resolve(
        kind: EventKind,
        specs: &'m BTreeMap<String, FieldSpec>,
        columns: &Columns<'_>,
    ) -> Result<Self, UnknownColumn> {
        let mut plans = Vec::new();
        for (at, field) in kind.contract().fields.iter().enumerate() {
            if let Some(spec) = specs.get(&field.name) {
                plans.push((at, FieldPlan::resolve(spec, field, columns)?));
            }
        }
        Ok(Self(plans))
    }

    fn fill(&self, event: &mut Event, row: Values<'_>, nulls: &mut Nulls) -> Result<(), Fault> {
        for (at, plan) in &self.0 {
            let name = || event.kind.contract().fields[*at].name.clone();
            match plan.read(row)? {
                Found::Value(cell) => event.cells[*at] = Some(cell),
                Found::Null => {}
                Found::Unmapped => nulls.unmapped.push(name()),
                Found::Invalid => nulls.invalid.push(name()),
            }
        }
        Ok(())
    }
}

/// What a row gave.
#[derive(Debug, Default)]
pub(super) struct RowEvents {
    pub(super) events: Vec<Event>,
    pub(super) nulls: Nulls,
}

/// Fields that became null although the row has a value.
#[derive(Debug, Default)]
pub(super) struct Nulls {
    /// The value is not in a map.
    pub(super) unmapped: Vec<String>,
    /// The field holds no such value.
    pub(super) invalid: Vec<String>,
}

/// A source's rules with their columns found in one file.
#[derive(Debug)]
pub(super) struct FilePlan<'m> {
    identity: FileIdentity,
    time: TimePlan,
    terminal: TerminalPlan<'m>,
    position: Option<PositionPlan<'m>>,
    shared: [KindFields<'m>; 3],
    emits: Vec<EmitPlan<'m>>,
    attempts: Vec<AttemptPlan<'m>>,
}

#[derive(Debug)]
struct EmitPlan<'m> {
    kind: EventKind,
    when: Conditions<'m>,
    fields: KindFields<'m>,
}

impl<'m> FilePlan<'m> {
    pub(super) fn resolve(
        mapping: &'m str,
        source: &'m Source,
        file: &str,
        columns: &Columns<'_>,
    ) -> Result<Self, UnknownColumn> {
        let shared = |kind| KindFields::resolve(kind, &source.fields, columns);
        let emit = |emit: &'m Emit| {
            let kind = emit.kind.event();
            Ok(EmitPlan {
                kind,
                when: Conditions::resolve(&emit.when, columns)?,
                fields: KindFields::resolve(kind, &emit.fields, columns)?,
            })
        };
        let position = source.position.as_ref();
        let attempts = source
            .attempts
            .iter()
            .map(|rule| AttemptPlan::resolve(rule, columns));
        Ok(Self {
            identity: FileIdentity::new(mapping, file),
            time: source.time.resolve(columns)?,
            terminal: TerminalPlan::resolve(mapping, &source.terminal, columns)?,
            position: position
                .map(|spec| PositionPlan::resolve(spec, columns))
                .transpose()?,
            shared: [
                shared(EventKind::Heartbeat)?,
                shared(EventKind::Signal)?,
                shared(EventKind::Decline)?,
            ],
            emits: source.emit.iter().map(emit).collect::<Result<_, _>>()?,
            attempts: attempts.collect::<Result<_, _>>()?,
        })
    }

    /// Makes the events of a row, the `number`th of its file.
    pub(super) fn events(&self, number: u64, row: Values<'_>) -> Result<RowEvents, Fault> {
        let time_ms = self
            .time
            .read(row, number, self.identity.fraction(number))?;
        let position = self
            .position
            .as_ref()
            .map(|plan| plan.read(row))
            .transpose()?
            .flatten();
        let terminal = self.terminal.id(row, position.as_ref())?;
        let mut draft = Draft {
            plan: self,
            number,
            row,
            time_ms,
            position,
            terminal,
            made: RowEvents::default(),
        };
        draft.emits()?;
        draft.attempts()?;
        Ok(draft.made)
    }
}

/// The events of a row in the making.
struct Draft<'p, 'm> {
    plan: &'p FilePlan<'m>,
    number: u64,
    row: Values<'p>,
    time_ms: i64,
    position: Option<Position<'m>>,
    terminal: String,
    made: RowEvents,
}

impl Draft<'_, '_> {
    fn emits(&mut self) -> Result<(), Fault> {
        for emit in &self.plan.emits {
            if emit.when.hold(self.row) {
                let mut event = self.begin(emit.kind)?;
                emit.fields
                    .fill(&mut event, self.row, &mut self.made.nulls)?;
                self.made.events.push(event);
            }
        }
        Ok(())
    }

    /// One heartbeat carries the counters of the row; each failure is a decline.
    fn attempts(&mut self) -> Result<(), Fault> {
        let mut total: Option<Counted> = None;
        let mut failures = 0;
        for rule in &self.plan.attempts {
            let Some(counted) = rule.count(self.row)? else {
                continue;
            };
            match &mut total {
                Some(total) => total.add(counted),
                None => total = Some(counted),
            }
            for _ in 0..counted.failed {
                self.decline(rule, failures)?;
                failures += 1;
            }
        }
        if let Some(total) = total {
            self.counting_heartbeat(total)?;
        }
        Ok(())
    }

    fn decline(&mut self, rule: &AttemptPlan<'_>, nth: usize) -> Result<(), Fault> {
        let mut event = self.begin(EventKind::Decline)?;
        event.set_text("attempt_id", &self.plan.identity.attempt(self.number, nth));
        event.set_text("outcome", "no_answer");
        rule.decline
            .fill(&mut event, self.row, &mut self.made.nulls)?;
        self.made.events.push(event);
        Ok(())
    }

    fn counting_heartbeat(&mut self, counted: Counted) -> Result<(), Fault> {
        let mut event = self.begin(EventKind::Heartbeat)?;
        event.set("attempts", Cell::Integer(counted.attempts));
        event.set("no_answer", Cell::Integer(counted.failed));
        if let Some(approvals) = counted.approvals {
            event.set("approvals", Cell::Integer(approvals));
        }
        event.counted = counted;
        self.made.events.push(event);
        Ok(())
    }

    /// Begins an event with what all events of the row share.
    fn begin(&mut self, kind: EventKind) -> Result<Event, Fault> {
        let nth = self
            .made
            .events
            .iter()
            .filter(|event| event.kind == kind)
            .count();
        let cells = vec![None; kind.contract().fields.len()];
        let mut event = Event {
            kind,
            time_ms: self.time_ms,
            cells,
            counted: Counted::default(),
        };
        event.set_text(
            "event_id",
            &self.plan.identity.event(self.number, kind, nth),
        );
        event.set_text("terminal_id", &self.terminal);
        if let Some(position) = &self.position {
            event.set("lat", Cell::Number(position.lat));
            event.set("lon", Cell::Number(position.lon));
            event.set_text("datum", &position.spec.datum);
            event.set_text("position_source", &position.spec.position_source);
        }
        self.plan.shared[kind as usize].fill(&mut event, self.row, &mut self.made.nulls)?;
        Ok(event)
    }
}
