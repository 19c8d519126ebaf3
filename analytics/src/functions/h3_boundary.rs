//! `h3_cell_to_boundary_wkt`: the outline of a cell.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use h3o::CellIndex;

use super::cells::cells;
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn function() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cell_to_boundary_wkt",
        usage: "h3_cell_to_boundary_wkt(cell)",
        doc: "outline as WKT polygon, longitude first, not cut at the antimeridian",
    };
    SqlFunction::new(doc, [vec![Arg::Cell]], Returns::Is(DataType::Utf8), kernel)
}

fn boundary_wkt(cell: CellIndex) -> String {
    let boundary = cell.boundary();
    let mut wkt = String::from("POLYGON ((");
    for (index, corner) in boundary.iter().chain(boundary.first()).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(wkt, "{comma}{:.7} {:.7}", corner.lng(), corner.lat())
            .expect("writing to a string succeeds");
    }
    wkt.push_str("))");
    wkt
}

fn kernel(args: &[ArrayRef]) -> Result<ArrayRef> {
    let outlines = cells(&args[0]).map(|cell| cell.map(boundary_wkt));
    Ok(Arc::new(outlines.collect::<StringArray>()))
}

#[cfg(test)]
mod tests {
    use super::super::cells::parse_cell;
    use super::super::cells::test_columns::SAN_FRANCISCO;
    use super::*;

    #[test]
    fn an_outline_is_a_closed_ring_with_longitude_first() {
        let wkt = boundary_wkt(parse_cell(SAN_FRANCISCO).expect("a cell"));
        let ring = wkt
            .strip_prefix("POLYGON ((")
            .and_then(|rest| rest.strip_suffix("))"))
            .expect("a polygon of one ring");
        let corners: Vec<&str> = ring.split(", ").collect();
        assert_eq!(corners.len(), 7);
        assert_eq!(corners.first(), corners.last());
        assert!(
            corners.iter().all(|corner| corner.starts_with("-122.4")),
            "{wkt}"
        );
    }
}
