//! Which terminal a row speaks of, and where it was.

use h3o::{LatLng, Resolution};
use schemas::ids::check_id;
use tabular::Misread;

use super::convert::{Fault, fault};
use super::files::{FILE_PLACE, Values};
use super::identity::hashed_terminal;
use super::mapping::{IdForm, PositionSpec, TerminalSpec};
use super::plan::{Columns, UnknownColumn};

/// How terminals are named, with the columns found in a file.
#[derive(Debug)]
pub(super) struct TerminalPlan<'m> {
    mapping: &'m str,
    spec: &'m TerminalSpec,
    columns: Vec<usize>,
}

impl<'m> TerminalPlan<'m> {
    pub(super) fn resolve(
        mapping: &'m str,
        spec: &'m TerminalSpec,
        columns: &Columns<'_>,
    ) -> Result<Self, UnknownColumn> {
        let found = spec.columns.iter().map(|column| columns.find(column));
        Ok(Self {
            mapping,
            spec,
            columns: found.collect::<Result<_, _>>()?,
        })
    }

    /// Names the row's terminal.
    pub(super) fn id(
        &self,
        row: Values<'_>,
        position: Option<&Position<'_>>,
    ) -> Result<String, Fault> {
        let names = self.columns.iter().zip(&self.spec.columns);
        let parts = names.map(|(column, name)| self.part(row, *column, name));
        let mut parts = parts.collect::<Result<Vec<&str>, Fault>>()?;
        // A file is a device, also where its name says nothing more.
        let by_file = self.columns.contains(&FILE_PLACE);
        let named = parts.is_empty() || by_file || parts.iter().any(|part| !part.is_empty());
        let cell = position.and_then(|position| position.cell(self.spec.cell_resolution?));
        if !named && cell.is_none() {
            return Err(Fault {
                reason: "no value names the terminal",
                detail: format!("{} is empty", self.spec.columns.join(", ")),
            });
        }
        parts.extend(cell.as_deref());
        let id = match self.spec.id {
            IdForm::Hashed => hashed_terminal(self.mapping, &parts),
            IdForm::Plain => parts.join("-"),
        };
        let id = format!("{}-{id}", self.spec.prefix);
        match check_id(&id) {
            Ok(()) => Ok(id),
            Err(why) => Err(fault(
                Misread::from(why).reason(),
                &self.spec.columns.join("+"),
                &id,
            )),
        }
    }

    /// Reads one of the values that name the device; it may be missing beside others.
    fn part<'r>(&self, row: Values<'r>, column: usize, name: &str) -> Result<&'r str, Fault> {
        let cell = row.cell(column);
        match (cell.id(), self.spec.id) {
            (Ok(part), _) => Ok(part),
            (Err(Misread::Missing), _) => Ok(""),
            // Of a long name only the hash is kept.
            (Err(Misread::TooLong), IdForm::Hashed) => Ok(cell.plain()),
            (Err(why), _) => Err(fault(why.reason(), name, cell.text())),
        }
    }
}

/// How positions are read, with the columns found in a file.
#[derive(Debug)]
pub(super) struct PositionPlan<'m> {
    spec: &'m PositionSpec,
    lat: usize,
    lon: usize,
}

/// Where a row was measured, as declared.
#[derive(Debug)]
pub(super) struct Position<'m> {
    pub(super) lat: f64,
    pub(super) lon: f64,
    pub(super) spec: &'m PositionSpec,
}

impl<'m> PositionPlan<'m> {
    pub(super) fn resolve(
        spec: &'m PositionSpec,
        columns: &Columns<'_>,
    ) -> Result<Self, UnknownColumn> {
        Ok(Self {
            spec,
            lat: columns.find(&spec.lat)?,
            lon: columns.find(&spec.lon)?,
        })
    }

    /// Reads the position; `None` where the recording says it has none.
    pub(super) fn read(&self, row: Values<'_>) -> Result<Option<Position<'m>>, Fault> {
        let (lat, lon) = (row.get(self.lat), row.get(self.lon));
        if lat.is_empty() && lon.is_empty() {
            return Ok(None);
        }
        let lat = degrees(&self.spec.lat, lat)?;
        let lon = degrees(&self.spec.lon, lon)?;
        // Both sides come from the same decimal text, so equality is exact.
        if self.spec.missing_pairs.contains(&(lat, lon)) {
            return Ok(None);
        }
        match schemas::LatLon::new(lat, lon) {
            Ok(_) => Ok(Some(Position {
                lat,
                lon,
                spec: self.spec,
            })),
            Err(off) => Err(Fault {
                reason: IMPOSSIBLE,
                detail: off.to_string(),
            }),
        }
    }
}

const IMPOSSIBLE: &str = "position is impossible";

fn degrees(column: &str, text: &str) -> Result<f64, Fault> {
    text.parse().map_err(|_| fault(IMPOSSIBLE, column, text))
}

impl Position<'_> {
    fn cell(&self, resolution: u8) -> Option<String> {
        let place = LatLng::new(self.lat, self.lon).ok()?;
        Some(
            place
                .to_cell(Resolution::try_from(resolution).ok()?)
                .to_string(),
        )
    }
}
