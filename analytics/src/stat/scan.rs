//! `scan`: clusters of failures.

use std::fmt::Display;
use std::path::Path;

use h3o::CellIndex;
use statistics::scan::{Cluster, Location, Position, ScanError, circles, disks};
pub use statistics::scan::{Model, Options};

use super::StatError;
use super::input::Table;
use super::output::{Column, Filling, Results, column};

/// What a row of results says.
pub const COLUMNS: &[Column] = &[
    column("rank", "1 for the highest likelihood ratio"),
    column(
        "members",
        "ids or cells inside, sorted, joined by ';' (a list in JSON and Parquet)",
    ),
    column("attempts", "attempts inside"),
    column("failures", "failures inside"),
    column(
        "expected",
        "failures expected inside if there were no cluster",
    ),
    column(
        "relative_risk",
        "failures / expected inside, over the same outside; empty without failures outside",
    ),
    column("llr", "logarithm of the likelihood ratio (Kulldorff 1997)"),
    column(
        "p",
        "(1 + runs with a ratio as high anywhere) / (1 + runs); empty without runs",
    ),
];

/// Shape of the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// Circles round each location.
    Circles,
    /// Disks of rings of H3 cells.
    Disks,
}

/// Scans the locations of a file. Without `windows` these are circles where the file has
/// coordinates, else disks.
///
/// Circles take `lat` and `lon`, else `x` and `y`, else the centres of `cell`; locations are named
/// by `id`, else by `cell`. Disks take `cell`, which also is the name. The Poisson model takes
/// `expected` where the file has it.
///
/// # Errors
/// When the file, a value in it or an option is refused.
pub fn run(
    input: &Path,
    windows: Option<Windows>,
    options: &Options,
) -> Result<Results, StatError> {
    let columns = [
        "id", "cell", "lat", "lon", "x", "y", "attempts", "failures", "expected",
    ];
    let table = Table::read(input, &columns)?;
    let has_coordinates = columns[2..6].iter().any(|column| table.has(column));
    if !has_coordinates && !table.has("cell") {
        return Err(table.lacks("lat and lon, x and y, or cell"));
    }
    let windows = windows.unwrap_or(if has_coordinates {
        Windows::Circles
    } else {
        Windows::Disks
    });
    match windows {
        Windows::Circles => {
            let rows = locations(&table, names(&table)?, positions(&table)?, options)?;
            results(&table, circles(&rows, options))
        }
        Windows::Disks => {
            let cells = table.cells("cell")?;
            let places = vec![(); cells.len()];
            let rows = locations(&table, cells, places, options)?;
            results(&table, disks(&rows, options))
        }
    }
}

fn names(table: &Table) -> Result<Vec<String>, StatError> {
    if table.has("cell") && !table.has("id") {
        let cells = table.cells("cell")?;
        return Ok(cells.iter().map(CellIndex::to_string).collect());
    }
    let ids = table.ids("id")?;
    Ok(ids.into_iter().map(str::to_owned).collect())
}

fn positions(table: &Table) -> Result<Vec<Position>, StatError> {
    if table.has("lat") || table.has("lon") {
        let places = table.latitudes("lat")?.into_iter();
        let places = places.zip(table.coordinates("lon")?);
        return Ok(places
            .map(|(lat, lon)| Position::Geographic { lat, lon })
            .collect());
    }
    if table.has("x") || table.has("y") {
        let places = table.coordinates("x")?.into_iter();
        let places = places.zip(table.coordinates("y")?);
        return Ok(places.map(|(x, y)| Position::Planar { x, y }).collect());
    }
    let cells = table.cells("cell")?;
    Ok(cells.into_iter().map(Position::of_cell).collect())
}

fn locations<Id, P>(
    table: &Table,
    ids: Vec<Id>,
    places: Vec<P>,
    options: &Options,
) -> Result<Vec<Location<Id, P>>, StatError> {
    let counts = table.counts()?;
    let expected = match options.model {
        Model::Poisson if table.has("expected") => table.numbers("expected")?,
        _ => vec![None; counts.len()],
    };
    let rows = ids.into_iter().zip(places).zip(counts).zip(expected);
    let location =
        |(((id, place), counts), expected): (((Id, P), super::input::Counts), _)| Location {
            id,
            place,
            attempts: counts.attempts,
            failures: counts.failures,
            expected,
        };
    Ok(rows.map(location).collect())
}

fn results<Id: Display>(
    table: &Table,
    clusters: Result<Vec<Cluster<Id>>, ScanError>,
) -> Result<Results, StatError> {
    let rows = clusters.map_err(|error| table.refused(error))?;
    let results = Filling::default()
        .count("rank", rows.iter().map(|row| row.rank as u64))
        .list("members", rows.iter().map(|row| &row.members))
        .count("attempts", rows.iter().map(|row| row.attempts))
        .count("failures", rows.iter().map(|row| row.failures))
        .number("expected", rows.iter().map(|row| Some(row.expected)))
        .number("relative_risk", rows.iter().map(|row| row.relative_risk))
        .number("llr", rows.iter().map(|row| Some(row.llr)))
        .number("p", rows.iter().map(|row| row.p));
    Ok(results.finish(COLUMNS, Vec::new()))
}
