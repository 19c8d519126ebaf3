use h3o::LatLng;
use proptest::prelude::*;

use super::*;
use crate::rng::Stream;

fn disk(lat: f64, lon: f64, rings: u32) -> Vec<CellIndex> {
    let centre = LatLng::new(lat, lon)
        .expect("a place")
        .to_cell(Resolution::Seven);
    centre.grid_disk(rings)
}

fn valued(cells: &[CellIndex], value: impl Fn(usize) -> f64) -> Vec<CellValue> {
    let row = |(i, cell): (usize, &CellIndex)| CellValue {
        cell: *cell,
        value: Some(value(i)),
    };
    cells.iter().enumerate().map(row).collect()
}

/// The formula with a double loop, for cells that the library itself calls neighbours.
fn by_definition(rows: &[CellValue], rings: u32, cell: CellIndex) -> f64 {
    let values: Vec<f64> = rows.iter().filter_map(|row| row.value).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let sd = (values.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n).sqrt();
    let near: Vec<CellIndex> = cell.grid_disk_safe(rings).collect();
    let near: Vec<f64> = rows
        .iter()
        .filter(|row| near.contains(&row.cell))
        .filter_map(|row| row.value)
        .collect();
    let w = near.len() as f64;
    (near.iter().sum::<f64>() - w * mean) / (sd * ((n * w - w * w) / (n - 1.0)).sqrt())
}

#[test]
fn z_is_the_formula_also_around_a_pentagon() {
    let pentagon = CellIndex::base_cells()
        .find(|cell| cell.is_pentagon())
        .expect("one");
    let pentagon = pentagon.center_child(Resolution::Four).expect("finer");
    for cells in [disk(40.0, -180.0, 6), pentagon.grid_disk::<Vec<_>>(5)] {
        let rows = valued(&cells, |i| ((i * 37) % 11) as f64 / 11.0);
        for rings in [0, 1, 3] {
            let results = from_values(&rows, &Options { rings, alpha: 0.05 }).expect("valid");
            assert_eq!(results.len(), rows.len());
            for row in results {
                let want = by_definition(&rows, rings, row.cell);
                assert!((row.z.expect("defined") - want).abs() < 1e-11);
            }
        }
    }
}

#[test]
fn a_block_of_failures_is_hot_and_the_rest_is_not_undefined() {
    let cells = disk(48.0, 11.0, 15);
    let rows = valued(&cells, |i| {
        if i < 19 {
            0.5
        } else {
            0.01 + (i % 3) as f64 * 0.01
        }
    });
    let results = from_values(&rows, &Options::default()).expect("valid");
    let centre = results
        .iter()
        .find(|row| row.cell == cells[0])
        .expect("there");
    assert_eq!((centre.class, centre.neighbours), (Class::Hot, 6));
    assert!(results.iter().all(|row| row.class != Class::Undefined));
}

#[test]
fn what_does_not_exist_is_undefined() {
    let cells = disk(48.0, 11.0, 1);
    let undefined = |rows: &[CellValue], rings| {
        let rows = from_values(rows, &Options { rings, alpha: 0.05 }).expect("valid");
        rows.iter()
            .all(|row| row.z.is_none() && row.q.is_none() && row.class == Class::Undefined)
    };
    assert!(undefined(&valued(&cells, |_| 0.1), 1), "no spread");
    assert!(
        undefined(&valued(&cells, |i| i as f64), 2),
        "everyone is a neighbour"
    );
    assert!(undefined(&valued(&cells[..1], |i| i as f64), 1), "one cell");
    assert_eq!(from_values(&[], &Options::default()), Ok(vec![]));
}

#[test]
fn impossible_input_is_named() {
    let cells = disk(48.0, 11.0, 1);
    let options = Options::default();
    let twice = [valued(&cells, |_| 0.0), valued(&cells[..1], |_| 0.0)].concat();
    assert_eq!(
        from_values(&twice, &options),
        Err(GiStarError::DuplicateCell { cell: cells[0] })
    );
    let nan = from_values(&valued(&cells, |_| f64::NAN), &options);
    assert!(matches!(nan, Err(GiStarError::NotFinite { .. })));
    let parent = cells[0].parent(Resolution::Three).expect("coarser");
    let mixed = from_values(&valued(&[cells[0], parent], |_| 1.0), &options);
    assert!(matches!(mixed, Err(GiStarError::MixedResolutions { .. })));
    let counts = CellCounts {
        cell: cells[0],
        attempts: 1,
        failures: 2,
    };
    let error = from_counts(&[counts], &options)
        .expect_err("impossible")
        .to_string();
    assert!(error.contains("2 failures in 1 attempts"), "{error}");
}

#[test]
fn without_signal_five_percent_are_below_five_percent() {
    let cells = disk(10.0, 10.0, 40);
    let mut below = 0;
    let mut all = 0;
    for replicate in 0..20 {
        let mut stream = Stream::new(1, replicate);
        let rows = cells.iter().map(|cell| {
            let (attempts, failures) = (200, stream.binomial(200, 0.1));
            CellCounts {
                cell: *cell,
                attempts,
                failures,
            }
        });
        let results = from_counts(&rows.collect::<Vec<_>>(), &Options::default()).expect("valid");
        below += results
            .iter()
            .filter(|row| row.p.is_some_and(|p| p <= 0.05))
            .count();
        all += results.len();
    }
    let share = below as f64 / all as f64;
    // Neighbouring p-values hang together: about 1/7 of the cells are independent.
    let error = (0.05 * 0.95 / (all as f64 / 7.0)).sqrt();
    assert!((share - 0.05).abs() < 4.0 * error, "{share}");
}

proptest! {
    #[test]
    fn order_split_rows_and_empty_cells_change_nothing(
        counts in proptest::collection::vec((0_u64..50, 0.0..1.0), 37),
        turn in 0_usize..37,
    ) {
        let cells = disk(-33.0, 151.0, 3);
        let mut rows: Vec<CellCounts> = cells.iter().zip(&counts).map(|(cell, (attempts, share))| {
            CellCounts { cell: *cell, attempts: *attempts, failures: (*attempts as f64 * share) as u64 }
        }).collect();
        let options = Options::default();
        let before = from_counts(&rows, &options).expect("valid");
        rows.rotate_left(turn);
        let extra = disk(-33.0, 151.0, 4)[40];
        prop_assert!(!cells.contains(&extra));
        rows.push(CellCounts { cell: extra, attempts: 0, failures: 0 });
        if let Some(row) = rows.iter_mut().find(|row| row.failures > 0) {
            row.attempts -= 1;
            row.failures -= 1;
            let cell = row.cell;
            rows.push(CellCounts { cell, attempts: 1, failures: 1 });
        }
        let mut after = from_counts(&rows, &options).expect("valid");
        after.retain(|row| row.cell != extra);
        prop_assert_eq!(before, after);
    }
}
