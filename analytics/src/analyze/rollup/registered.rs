//! What the registry says of terminals, as far as a roll-up needs it.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use futures::TryStreamExt;
use h3o::CellIndex;
use schemas::position::LatLon;

use super::fold::cell_r4;
use super::hours::OpenHours;
use crate::analyze::interned::Interned;
use crate::analyze::{AnalyzeError, columns};
use crate::place::DEFAULT_RADIUS_M;
use crate::session::{LakeSession, SessionError};

const SQL: &str = "select terminals.terminal_id, terminals.merchant_id, terminals.cell_r9, \
    terminals.lat, terminals.lon, terminals.allowed_radius_m, \
    merchants.time_zone, merchants.opens_local, merchants.closes_local \
    from lake.terminals left join lake.merchants on terminals.merchant_id = merchants.merchant_id";

/// The terminal of the row before, its number and where it is registered: rows of one stand together.
#[derive(Debug, Default)]
pub(super) struct LastTerminal(Option<(u32, Option<CellIndex>)>);

impl LastTerminal {
    /// Returns a terminal's number among `ids`, and the cell of resolution 4 it is registered in.
    pub(super) fn find(
        &mut self,
        name: &str,
        ids: &mut Interned,
        registry: &Registry,
    ) -> (u32, Option<CellIndex>) {
        match self.0 {
            Some(last) if ids.text(last.0) == name => last,
            _ => *self.0.insert((ids.number(name), registry.home_r4(name))),
        }
    }
}

/// One registered terminal.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    merchant: Option<u32>,
    /// Cell of resolution 9 where it is registered to stand; 0 where that is not known.
    pub(super) home_r9: i64,
    pub(super) home: Option<LatLon>,
    pub(super) radius_m: f64,
    /// Number of its hours; 0 where they are not known.
    hours: u32,
}

/// Every registered terminal.
#[derive(Debug, Default)]
pub(in crate::analyze) struct Registry {
    ids: Interned,
    merchants: Interned,
    terminals: Vec<Registered>,
    /// Zone, opening and closing time, as the registry spells them.
    hours: Vec<[String; 3]>,
}

impl Registry {
    pub(in crate::analyze) async fn read(lake: &LakeSession) -> Result<Self, AnalyzeError> {
        let mut registry = Self::default();
        let mut numbers: HashMap<[String; 3], u32> = HashMap::new();
        let mut stream = lake.stream(SQL).await?;
        while let Some(batch) = stream.try_next().await.map_err(SessionError::from)? {
            let [terminals, merchants, zones, opens, closes] = [
                "terminal_id",
                "merchant_id",
                "time_zone",
                "opens_local",
                "closes_local",
            ]
            .map(|name| columns::texts(&batch, name));
            let (terminals, merchants) = (terminals?, merchants?);
            let (zones, opens, closes) = (zones?, opens?, closes?);
            let cells = columns::optional_integers(&batch, "cell_r9")?;
            let [lats, lons, radii] =
                ["lat", "lon", "allowed_radius_m"].map(|name| columns::numbers(&batch, name));
            let (lats, lons, radii) = (lats?, lons?, radii?);
            for row in 0..batch.num_rows() {
                let text = |column| columns::text(column, row).map(str::to_owned);
                let hours = match (text(&zones), text(&opens), text(&closes)) {
                    (Some(zone), Some(opens), Some(closes)) => {
                        let next = u32::try_from(numbers.len() + 1).expect("fewer hours than 2^32");
                        let spelled = [zone, opens, closes];
                        *numbers.entry(spelled.clone()).or_insert_with(|| {
                            registry.hours.push(spelled);
                            next
                        })
                    }
                    _ => 0,
                };
                let home = lats[row].zip(lons[row]);
                let registered = Registered {
                    merchant: columns::text(&merchants, row)
                        .map(|merchant| registry.merchants.number(merchant)),
                    home_r9: cells[row].unwrap_or(0),
                    home: home.and_then(|(lat, lon)| LatLon::new(lat, lon).ok()),
                    radius_m: radii[row].unwrap_or(DEFAULT_RADIUS_M),
                    hours,
                };
                match registry.ids.number(terminals.value(row)) as usize {
                    new if new == registry.terminals.len() => registry.terminals.push(registered),
                    known => registry.terminals[known] = registered,
                }
            }
        }
        Ok(registry)
    }

    /// Returns the number of a terminal that is registered.
    pub(super) fn number(&self, terminal: &str) -> Option<u32> {
        self.ids.find(terminal)
    }

    /// Returns the terminal of a number.
    pub(super) fn terminal(&self, number: Option<u32>) -> Option<&Registered> {
        Some(&self.terminals[number? as usize])
    }

    /// Returns the cell of resolution 4 in which a terminal is registered.
    fn home_r4(&self, terminal: &str) -> Option<CellIndex> {
        cell_r4(self.terminal(self.number(terminal))?.home_r9)
    }

    /// Returns the merchant of a registered terminal.
    pub(super) fn merchant(&self, terminal: &Registered) -> Option<&str> {
        Some(self.merchants.text(terminal.merchant?))
    }

    /// Returns when every merchant is open on a day.
    pub(super) fn on(&self, day: NaiveDate) -> HoursOfDay {
        let hours = self.hours.iter();
        HoursOfDay(
            hours
                .map(|[zone, opens, closes]| OpenHours::of(day, zone, opens, closes))
                .collect(),
        )
    }
}

/// Opening hours of one day, by their number.
#[derive(Debug, Clone)]
pub(super) struct HoursOfDay(Arc<[Option<OpenHours>]>);

impl HoursOfDay {
    pub(super) fn of(&self, registered: Option<&Registered>) -> Option<&OpenHours> {
        let number = registered?.hours.checked_sub(1)?;
        self.0[number as usize].as_ref()
    }
}
