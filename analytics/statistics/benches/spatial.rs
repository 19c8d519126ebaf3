//! How long Gi* takes on a million cells, and the scan on ten thousand with 999 runs.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use h3o::{CellIndex, LatLng, Resolution};
use statistics::gi_star::{self, CellCounts};
use statistics::rng::Stream;
use statistics::scan::{self, Location, Model, Position};

/// Cells round one place, with 100 attempts each and about five failures.
fn counts(rings: u32, most: usize) -> Vec<CellCounts> {
    let centre = LatLng::new(40.4, -3.7)
        .expect("a place")
        .to_cell(Resolution::Nine);
    let mut stream = Stream::new(1, 0);
    let mut rows: Vec<CellCounts> = centre
        .grid_disk::<Vec<CellIndex>>(rings)
        .into_iter()
        .map(|cell| CellCounts {
            cell,
            attempts: 100,
            failures: stream.binomial(100, 0.05),
        })
        .collect();
    rows.truncate(most);
    rows
}

fn gi_star_of_a_million_cells(criterion: &mut Criterion) {
    let rows = counts(578, 1_000_000);
    assert_eq!(rows.len(), 1_000_000);
    let options = gi_star::Options::default();
    criterion.bench_function("gi_star/1M_cells_ring_1", |bencher| {
        bencher.iter(|| gi_star::from_counts(black_box(&rows), &options));
    });
}

fn scan_of_ten_thousand_cells(criterion: &mut Criterion) {
    let rows = counts(58, 10_000);
    assert_eq!(rows.len(), 10_000);
    let circles: Vec<_> = rows
        .iter()
        .map(|row| Location {
            id: row.cell,
            place: Position::of_cell(row.cell),
            attempts: row.attempts,
            failures: row.failures,
            expected: None,
        })
        .collect();
    let disks: Vec<_> = circles.iter().map(on_the_grid).collect();
    let mut group = criterion.benchmark_group("scan/10k_cells_999_runs");
    group.sample_size(10);
    for model in [Model::Bernoulli, Model::Poisson] {
        let options = scan::Options {
            model,
            ..scan::Options::default()
        };
        group.bench_function(format!("circles_{model:?}"), |bencher| {
            bencher.iter(|| scan::circles(black_box(&circles), &options));
        });
        group.bench_function(format!("disks_{model:?}"), |bencher| {
            bencher.iter(|| scan::disks(black_box(&disks), &options));
        });
    }
    group.finish();
}

fn on_the_grid(row: &Location<CellIndex, Position>) -> Location<CellIndex, ()> {
    Location {
        id: row.id,
        place: (),
        attempts: row.attempts,
        failures: row.failures,
        expected: row.expected,
    }
}

criterion_group!(
    benches,
    gi_star_of_a_million_cells,
    scan_of_ten_thousand_cells
);
criterion_main!(benches);
