//! Gi* against esda and spdep: holes, islands, a pentagon, the antimeridian.

use h3o::CellIndex;
use statistics::gi_star::{CellCounts, CellValue, GiStarRow, Options, from_counts, from_values};

use crate::csv::{Row, assert_close, rows};

fn cell(row: &Row) -> CellIndex {
    row.text("cell").parse().unwrap()
}

fn results(name: &str, rings: u32) -> Vec<GiStarRow> {
    let input = rows(&format!("gi_star_{name}_input.csv"));
    let options = Options { rings, alpha: 0.05 };
    if name == "city" {
        let counts = |row: &Row| CellCounts {
            cell: cell(row),
            attempts: row.count("attempts"),
            failures: row.count("failures"),
        };
        return from_counts(&input.iter().map(counts).collect::<Vec<_>>(), &options).unwrap();
    }
    let values = |row: &Row| CellValue {
        cell: cell(row),
        value: row.value("value"),
    };
    from_values(&input.iter().map(values).collect::<Vec<_>>(), &options).unwrap()
}

fn of_cell(results: &[GiStarRow], cell: CellIndex) -> &GiStarRow {
    results.iter().find(|row| row.cell == cell).unwrap()
}

#[test]
fn every_column_agrees_with_esda() {
    for name in ["city", "pentagon", "antimeridian"] {
        let expected = rows(&format!("gi_star_{name}_expected.csv"));
        for rings in [1, 2] {
            let results = results(name, rings);
            let mut compared = 0;
            for row in expected
                .iter()
                .filter(|row| row.count("rings") == u64::from(rings))
            {
                let got = of_cell(&results, cell(row));
                let what = format!("{name} {}", got.cell);
                if got.value.is_some() {
                    assert_eq!(got.neighbours as u64, row.count("neighbours"), "{what}");
                }
                assert_close(&what, got.value, row.value("value"), 1e-12);
                assert_close(&what, got.z, row.value("z"), 1e-9);
                assert_close(&what, got.p, row.value("p"), 1e-9);
                assert_close(&what, got.q, row.value("q"), 1e-9);
                assert_eq!(got.class.as_str(), row.text("class"), "{what}");
                compared += 1;
            }
            assert_eq!(compared, results.len());
        }
    }
}

#[test]
fn z_agrees_with_spdep() {
    for row in rows("gi_star_r.csv") {
        let results = results(row.text("input"), row.count("rings") as u32);
        let got = of_cell(&results, cell(&row));
        assert_close(row.text("cell"), got.z, row.value("z"), 1e-8);
    }
}
