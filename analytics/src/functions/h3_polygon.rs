//! Cells and polygons: `h3_polygon_wkt_to_cells`, the same as text, and `h3_cells_to_multi_polygon_wkt`.

use std::iter::zip;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_datafusion_err};
use geo::MultiPolygon;
use h3o::geom::{SolventBuilder, TilerBuilder};
use h3o::{CellIndex, Resolution};

use super::cells::{
    Form, MAX_CELLS, cell_list_column, cell_lists, check_count, int64s, resolution,
};
use super::{Arg, FunctionDoc, Returns, SqlFunction, wkt};

const NUMBERS: &str = "h3_polygon_wkt_to_cells";
const TEXTS: &str = "h3_polygon_wkt_to_cells_string";
/// The tiler guesses from the box around a polygon, and so too much.
const GUESS: u64 = 50;

pub(super) fn to_cells() -> SqlFunction {
    let doc = FunctionDoc {
        name: NUMBERS,
        usage: "h3_polygon_wkt_to_cells(wkt, resolution)",
        doc: "list of the cells whose centre lies in a POLYGON or MULTIPOLYGON, longitude first",
    };
    filled(doc, DataType::Int64, |args| {
        kernel(Form::Number, NUMBERS, args)
    })
}

pub(super) fn to_texts() -> SqlFunction {
    let doc = FunctionDoc {
        name: TEXTS,
        usage: "h3_polygon_wkt_to_cells_string(wkt, resolution)",
        doc: "the same cells as hexadecimal text",
    };
    filled(doc, DataType::Utf8, |args| kernel(Form::Text, TEXTS, args))
}

pub(super) fn outline() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cells_to_multi_polygon_wkt",
        usage: "h3_cells_to_multi_polygon_wkt(cells)",
        doc: "outline of a set of cells as WKT, longitude first; repeats count once, null for cells of two resolutions",
    };
    let text = Returns::Is(DataType::Utf8);
    SqlFunction::new(doc, [vec![Arg::Cells]], text, |args| {
        let sets = cell_lists(&args[0]).into_iter();
        let outlines = sets.map(|cells| outline_of(cells?));
        Ok(Arc::new(outlines.collect::<StringArray>()))
    })
}

fn filled(
    doc: FunctionDoc,
    cell: DataType,
    kernel: fn(&[ArrayRef]) -> Result<ArrayRef>,
) -> SqlFunction {
    let list = DataType::List(Arc::new(Field::new_list_field(cell, true)));
    let takes = [vec![Arg::Text, Arg::Int]];
    SqlFunction::new(doc, takes, Returns::Is(list), kernel)
}

fn kernel(form: Form, name: &str, args: &[ArrayRef]) -> Result<ArrayRef> {
    let rows = zip(args[0].as_string::<i32>(), int64s(&args[1]));
    let lists =
        rows.map(
            |(text, resolution_no)| match (text, resolution_no.and_then(resolution)) {
                (Some(text), Some(resolution)) => fill(name, text, resolution).map(Some),
                _ => Ok(None),
            },
        );
    cell_list_column(form, lists)
}

fn fill(name: &str, text: &str, resolution: Resolution) -> Result<Vec<CellIndex>> {
    let polygons = wkt::read(text)
        .map_err(|fault| exec_datafusion_err!("{name} cannot read {text:.40}: {fault}"))?;
    let mut tiler = TilerBuilder::new(resolution).build();
    for polygon in polygons {
        let added = tiler.add(polygon);
        added.map_err(|fault| exec_datafusion_err!("{name} cannot fill {text:.40}: {fault}"))?;
    }
    let guess = tiler.coverage_size_hint() as u64;
    check_count(name, if guess > GUESS * MAX_CELLS { guess } else { 0 })?;
    let cells: Vec<CellIndex> = tiler.into_coverage().collect();
    check_count(name, cells.len() as u64)?;
    Ok(cells)
}

fn outline_of(mut cells: Vec<CellIndex>) -> Option<String> {
    cells.sort_unstable();
    cells.dedup();
    if cells.is_empty() {
        return Some(wkt::write(&MultiPolygon::new(Vec::new())));
    }
    let outline = SolventBuilder::new().build().dissolve(cells).ok()?;
    Some(wkt::write(&outline))
}

#[cfg(test)]
mod tests {
    use super::super::cells::parse_cell;
    use super::super::cells::test_columns::SAN_FRANCISCO;
    use super::*;

    /// A few streets around the cell of the examples.
    const SQUARE: &str =
        "POLYGON ((-122.43 37.77, -122.40 37.77, -122.40 37.79, -122.43 37.79, -122.43 37.77))";

    #[test]
    fn a_polygon_holds_the_cells_whose_centres_it_holds() {
        let cells = fill(NUMBERS, SQUARE, Resolution::Nine).expect("readable");
        assert!(cells.contains(&parse_cell(SAN_FRANCISCO).expect("a cell")));
        for cell in &cells {
            let centre = h3o::LatLng::from(*cell);
            assert!((37.77..=37.79).contains(&centre.lat()), "{cell}");
            assert!((-122.43..=-122.40).contains(&centre.lng()), "{cell}");
        }
    }

    #[test]
    fn a_hole_holds_none_of_its_cells() {
        let hole = SQUARE.replace(
            "))",
            "), (-122.42 37.775, -122.41 37.775, -122.41 37.785, -122.42 37.785, -122.42 37.775))",
        );
        let all = fill(NUMBERS, SQUARE, Resolution::Ten).expect("readable");
        let around = fill(NUMBERS, &hole, Resolution::Ten).expect("readable");
        assert!(around.len() < all.len());
        assert!(around.iter().all(|cell| all.contains(cell)));
    }

    #[test]
    fn what_cannot_be_read_or_is_too_much_is_an_error() {
        for (text, resolution) in [
            ("POLYGON ((1 2", Resolution::Five),
            (
                "POLYGON ((0 0, 90 0, 90 80, 0 80, 0 0))",
                Resolution::Fifteen,
            ),
        ] {
            assert!(fill(NUMBERS, text, resolution).is_err(), "{text}");
        }
        let none = fill(NUMBERS, "POLYGON EMPTY", Resolution::Five);
        assert_eq!(none.expect("readable"), []);
    }

    #[test]
    fn the_outline_of_a_ring_has_a_hole_and_that_of_cells_apart_two_parts() {
        let cell = parse_cell(SAN_FRANCISCO).expect("a cell");
        let disk: Vec<CellIndex> = cell.grid_disk(1);
        let ring: Vec<CellIndex> = disk
            .iter()
            .copied()
            .filter(|other| *other != cell)
            .collect();
        let of = |cells: Vec<CellIndex>| {
            let text = outline_of(cells).expect("one resolution");
            wkt::read(&text).expect("its own text")
        };
        assert_eq!(of(disk).0[0].interiors().len(), 0);
        assert_eq!(of(ring).0[0].interiors().len(), 1);
        let far = parse_cell("89283470803ffff").expect("a cell");
        assert_eq!(of(vec![cell, far, cell]).0.len(), 2);
        assert_eq!(
            outline_of(Vec::new()).as_deref(),
            Some("MULTIPOLYGON EMPTY")
        );
        let parent = cell.parent(Resolution::Eight).expect("coarser");
        assert_eq!(outline_of(vec![cell, parent]), None);
    }
}
