//! Edges between neighbours: `h3_cells_to_directed_edge`, `h3_origin_to_directed_edges` and
//! `h3_edge_length`.

use std::iter::zip;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err};
use h3o::{CellIndex, DirectedEdgeIndex};

use super::cells::{Form, cell_column, cell_list_column, cells, indexes};
use super::{Arg, FunctionDoc, Returns, SqlFunction};

pub(super) fn between() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_cells_to_directed_edge",
        usage: "h3_cells_to_directed_edge(cell, cell)",
        doc: "edge from a cell to its neighbour; null when they are none",
    };
    SqlFunction::new(doc, [vec![Arg::Cell; 2]], Returns::Cell, |args| {
        let pairs = zip(cells(&args[0]), cells(&args[1]));
        let edges = pairs.map(|(from, to)| from?.edge(to?));
        Ok(cell_column(Form::of(&args[0]), edges))
    })
}

pub(super) fn from_origin() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_origin_to_directed_edges",
        usage: "h3_origin_to_directed_edges(cell)",
        doc: "list of the edges from a cell to each of its neighbours",
    };
    SqlFunction::new(doc, [vec![Arg::Cell]], Returns::Cells, |args| {
        let edges = cells(&args[0]).map(|cell| Ok(cell.map(sorted_edges)));
        cell_list_column(Form::of(&args[0]), edges)
    })
}

pub(super) fn length() -> SqlFunction {
    let doc = FunctionDoc {
        name: "h3_edge_length",
        usage: "h3_edge_length(edge, unit)",
        doc: "length of an edge in 'km', 'm' or 'rads'",
    };
    let takes = [vec![Arg::Cell, Arg::Text]];
    SqlFunction::new(doc, takes, Returns::Is(DataType::Float64), |args| {
        let rows = zip(indexes(&args[0]), args[1].as_string::<i32>());
        let lengths = rows.map(|row| match row {
            (Some(edge), Some(unit)) => length_of(edge, unit).map(Some),
            _ => Ok(None),
        });
        let lengths: ArrayRef = Arc::new(lengths.collect::<Result<Float64Array>>()?);
        Ok(lengths)
    })
}

fn sorted_edges(cell: CellIndex) -> Vec<DirectedEdgeIndex> {
    let mut edges: Vec<DirectedEdgeIndex> = cell.edges().collect();
    edges.sort_unstable();
    edges
}

fn length_of(edge: DirectedEdgeIndex, unit: &str) -> Result<f64> {
    match unit {
        "km" => Ok(edge.length_km()),
        "m" => Ok(edge.length_m()),
        "rads" => Ok(edge.length_rads()),
        _ => Err(exec_datafusion_err!(
            "h3_edge_length knows no unit {unit:?}, only 'km', 'm' and 'rads'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cells::test_columns::texts;
    use super::*;

    #[test]
    fn an_edge_leads_to_a_neighbour_and_has_a_length() {
        let cell = texts([Some("85283473fffffff"), Some("85283473fffffff")]);
        let other = texts([Some("85283447fffffff"), Some("8528308ffffffff")]);
        let edges = between().call(&[cell, other]).expect("no error");
        assert_eq!(&edges, &texts([Some("165283473fffffff"), None]));
        let edge: DirectedEdgeIndex = "165283473fffffff".parse().expect("an edge");
        let km = length_of(edge, "km").expect("a unit");
        assert!((km - 10.302_930).abs() < 0.01, "{km}");
        assert!(length_of(edge, "mile").is_err());
    }
}
