//! Terminals that were there, by the hour: what the search for outages measures failures by.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use foldhash::fast::FixedState;
use object_store::ObjectStore;
use schemas::Table;
use schemas::lake::cell_to_i64;

use super::events::{Coders, Events, Numbers};
use super::facts::Part;
use super::fold::cell_r4;
use super::hours::midnight_us;
use super::names::{Name, Names};
use super::output::{Origin, Texts, moments};
use super::registered::{LastTerminal, Registry};
use crate::analyze::AnalyzeError;
use crate::analyze::interned::Interned;

const COLUMNS: [&str; 6] = [
    "host_id",
    "app_version",
    "serving_plmn",
    "sim_plmn",
    "attempts",
    "cell_r9",
];
const HOUR_US: i64 = 3_600_000_000;

/// By whom terminals went, and where they stand: 0 where a side is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Whom {
    host: Name,
    plmn: Name,
    app: Name,
    cell_r4: i64,
}

/// An hour of the day.
#[derive(Debug, Clone, Copy)]
struct Hour {
    terminals: i64,
    attempts: i64,
    first_us: i64,
    last_us: i64,
}

/// Where one terminal was counted: a bit an hour.
type Counted = Vec<(Whom, u32)>;

/// What one task counted.
#[derive(Debug, Default)]
pub(super) struct Activity {
    ids: Interned,
    /// Of each terminal, in the order of `ids`.
    terminals: Vec<Counted>,
    hours: HashMap<Whom, [Option<Hour>; 24], FixedState>,
}

impl Activity {
    /// Takes up the heartbeats of a partition.
    pub(super) async fn take(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        part: &Part,
        names: &Names,
        registry: &Registry,
        midnight_us: i64,
    ) -> Result<(), AnalyzeError> {
        let mut coders = Coders::default();
        let mut last = LastTerminal::default();
        part.read(store, Table::Heartbeats, &COLUMNS, |batch| {
            let events = Events::of(batch, Table::Heartbeats, &mut coders, names);
            let attempts = Numbers::<Int32Type>::of(batch, "attempts");
            for row in 0..batch.num_rows() {
                let time_us = events.time_us.value(row);
                let name = events.terminals.value(row);
                let (number, home) = last.find(name, &mut self.ids, registry);
                let place = home.or_else(|| cell_r4(events.cell_r9.at(row)?));
                let whom = Whom {
                    host: events.host.at(row),
                    plmn: events.carrier(row),
                    app: events.app.at(row),
                    cell_r4: place.map_or(0, cell_to_i64),
                };
                let hour = ((time_us - midnight_us) / HOUR_US).clamp(0, 23);
                let hour = usize::try_from(hour).expect("clamped to a day");
                let is_first = self.is_first(number, whom, 1 << hour);
                self.hours.entry(whom).or_default()[hour]
                    .get_or_insert(Hour {
                        terminals: 0,
                        attempts: 0,
                        first_us: time_us,
                        last_us: time_us,
                    })
                    .add(&Hour {
                        terminals: is_first.into(),
                        attempts: attempts.count(row).into(),
                        first_us: time_us,
                        last_us: time_us,
                    });
            }
            Ok(())
        })
        .await
    }

    fn is_first(&mut self, terminal: u32, whom: Whom, hour: u32) -> bool {
        let Some(counted) = self.terminals.get_mut(terminal as usize) else {
            self.terminals.push(vec![(whom, hour)]);
            return true;
        };
        match counted.iter_mut().find(|(known, _)| *known == whom) {
            Some((_, hours)) => {
                let is_first = *hours & hour == 0;
                *hours |= hour;
                is_first
            }
            None => {
                counted.push((whom, hour));
                true
            }
        }
    }

    /// Takes up what another task counted; a terminal both heard of in an hour counts once.
    pub(super) fn merge(&mut self, other: Self) {
        for (whom, hours) in other.hours {
            let known = self.hours.entry(whom).or_default();
            for (known, more) in known.iter_mut().zip(hours) {
                match (known.as_mut(), more) {
                    (Some(known), Some(more)) => known.add(&more),
                    (None, more) => *known = more,
                    (_, None) => {}
                }
            }
        }
        for (number, counted) in (0..).zip(other.terminals) {
            let terminal = self.ids.number(other.ids.text(number));
            for (whom, hours) in counted {
                for hour in (0..24).filter(|hour| hours >> hour & 1 == 1) {
                    if !self.is_first(terminal, whom, 1 << hour)
                        && let Some(known) = self.hours.get_mut(&whom)
                        && let Some(known) = &mut known[hour]
                    {
                        known.terminals -= 1;
                    }
                }
            }
        }
    }

    /// Returns the rows of `activity_hours`.
    pub(super) fn rows(self, names: &Names, origin: Origin) -> Result<RecordBatch, ArrowError> {
        let texts = Texts(names.texts());
        let midnight_us = midnight_us(origin.day);
        let mut rows: BTreeMap<(i64, Whom), Hour> = BTreeMap::new();
        for (whom, hours) in self.hours {
            for (number, hour) in (0..).zip(hours) {
                if let Some(hour) = hour {
                    rows.insert((midnight_us + number * HOUR_US, whom), hour);
                }
            }
        }
        let schema = Table::ActivityHours.schema();
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            let name = field.name().as_str();
            if let Some(column) = origin.column(name, rows.len()) {
                return column;
            }
            let whom = |pick: fn(&Whom) -> Name| texts.column(rows.keys().map(|(_, of)| pick(of)));
            let count = |pick: fn(&Hour) -> i64| -> ArrayRef {
                Arc::new(Int64Array::from_iter_values(rows.values().map(pick)))
            };
            match name {
                "hour_time" => moments(rows.keys().map(|(hour_us, _)| *hour_us)),
                "host_id" => whom(|whom| whom.host),
                "carrier_plmn" => whom(|whom| whom.plmn),
                "app_version" => whom(|whom| whom.app),
                "cell_r4" => {
                    let cells = rows.keys().map(|(_, whom)| whom.cell_r4);
                    Arc::new(
                        cells
                            .map(|cell| (cell != 0).then_some(cell))
                            .collect::<Int64Array>(),
                    )
                }
                "terminals" => count(|hour| hour.terminals),
                "attempts" => count(|hour| hour.attempts),
                "first_time" => moments(rows.values().map(|hour| hour.first_us)),
                "last_time" => moments(rows.values().map(|hour| hour.last_us)),
                _ => panic!("nothing fills {name}"),
            }
        });
        RecordBatch::try_new(schema.clone(), columns.collect())
    }
}

impl Hour {
    fn add(&mut self, more: &Self) {
        self.terminals += more.terminals;
        self.attempts += more.attempts;
        self.first_us = self.first_us.min(more.first_us);
        self.last_us = self.last_us.max(more.last_us);
    }
}
