use proptest::prelude::*;

use super::*;
use crate::rng::Stream;

type Row = Location<u32, Position>;

/// A square grid with 100 attempts each and the failures of a function of the column and the row.
fn grid(side: u32, mut failures: impl FnMut(u32, u32) -> u64) -> Vec<Row> {
    let places = (0..side).flat_map(|x| (0..side).map(move |y| (x, y)));
    places
        .map(|(x, y)| Location {
            id: x * side + y,
            place: Position::Planar {
                x: f64::from(x),
                y: f64::from(y),
            },
            attempts: 100,
            failures: failures(x, y),
            expected: None,
        })
        .collect()
}

fn options(model: Model) -> Options {
    Options {
        model,
        runs: 99,
        seed: 4,
        secondary: 5,
        ..Options::default()
    }
}

/// The two likelihood ratios as they are printed in Kulldorff (1997).
fn printed_llr(model: Model, c: f64, n: f64, all: f64, total: f64) -> f64 {
    let term = |k: f64, share: f64| if k > 0.0 { k * share.ln() } else { 0.0 };
    if model == Model::Poisson {
        let e = all * n / total;
        return term(c, c / e) + term(all - c, (all - c) / (all - e));
    }
    let (rest, rest_c) = (total - n, all - c);
    term(c, c / n)
        + term(n - c, (n - c) / n)
        + term(rest_c, rest_c / rest)
        + term(rest - rest_c, (rest - rest_c) / rest)
        - term(all, all / total)
        - term(total - all, (total - all) / total)
}

/// The highest window by a loop over all pairs, sums and distances from scratch.
fn highest_by_definition(rows: &[Row], model: Model, min_cases: u64) -> f64 {
    let total: u64 = rows.iter().map(|row| row.attempts).sum();
    let all: u64 = rows.iter().map(|row| row.failures).sum();
    let distance = |a: &Row, b: &Row| match (a.place, b.place) {
        (Position::Planar { x, y }, Position::Planar { x: x2, y: y2 }) => {
            (x2 - x).powi(2) + (y2 - y).powi(2)
        }
        _ => unreachable!(),
    };
    let mut highest = 0.0_f64;
    for centre in rows {
        for edge in rows {
            let radius = distance(centre, edge);
            let inside = || rows.iter().filter(|row| distance(centre, row) <= radius);
            let n: u64 = inside().map(|row| row.attempts).sum();
            let c: u64 = inside().map(|row| row.failures).sum();
            if 2 * n <= total && c >= min_cases && c * total > all * n {
                let llr = printed_llr(model, c as f64, n as f64, all as f64, total as f64);
                highest = highest.max(llr);
            }
        }
    }
    highest
}

#[test]
fn the_planted_square_is_found_with_its_counts() {
    let rows = grid(12, |x, y| {
        if (3..6).contains(&x) && (4..7).contains(&y) {
            20
        } else {
            5
        }
    });
    for model in [Model::Bernoulli, Model::Poisson] {
        let clusters = circles(&rows, &options(model)).expect("valid");
        let first = &clusters[0];
        let square: Vec<u32> = (3..6)
            .flat_map(|x| (4..7).map(move |y| x * 12 + y))
            .collect();
        assert_eq!(
            (first.rank, &first.members, first.centre),
            (1, &square, 4 * 12 + 5)
        );
        assert_eq!(
            (first.attempts, first.failures, first.p),
            (900, 180, Some(0.01))
        );
        let all = 180.0 + 135.0 * 5.0;
        assert!((first.expected - all / 16.0).abs() < 1e-9);
        assert!((first.relative_risk.expect("defined") - 4.0).abs() < 1e-9);
        let llr = printed_llr(model, 180.0, 900.0, all, 14_400.0);
        assert!((first.llr - llr).abs() < 1e-8, "{} for {llr}", first.llr);
    }
}

#[test]
fn two_squares_are_two_clusters_without_overlap() {
    let rows = grid(14, |x, y| {
        if (x < 3 && y < 3) || (x > 10 && y > 10) {
            25
        } else {
            4
        }
    });
    let clusters = circles(&rows, &options(Model::Bernoulli)).expect("valid");
    assert!(clusters.len() >= 2 && clusters[1].p == Some(0.01));
    let mut seen: Vec<u32> = clusters
        .iter()
        .flat_map(|cluster| cluster.members.clone())
        .collect();
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all);
    let only_one = Options {
        secondary: 0,
        ..options(Model::Bernoulli)
    };
    assert_eq!(circles(&rows, &only_one).expect("valid").len(), 1);
}

#[test]
fn disks_find_a_bad_disk_of_cells_also_round_a_pentagon() {
    let pentagon = CellIndex::base_cells()
        .find(|cell| cell.is_pentagon())
        .expect("one");
    let pentagon = pentagon.center_child(Resolution::Five).expect("finer");
    let plain = LatLng::new(47.0, 9.0)
        .expect("a place")
        .to_cell(Resolution::Seven);
    for centre in [pentagon, plain] {
        let mut bad: Vec<CellIndex> = centre.grid_disk(2);
        bad.sort_unstable();
        let row = |id: CellIndex| Location {
            id,
            place: (),
            attempts: 60,
            failures: if bad.contains(&id) { 15 } else { 3 },
            expected: None,
        };
        let rows: Vec<_> = centre.grid_disk::<Vec<_>>(8).into_iter().map(row).collect();
        let clusters = disks(&rows, &options(Model::Bernoulli)).expect("valid");
        assert_eq!(clusters[0].members, bad);
        assert_eq!(clusters[0].centre, centre);
    }
}

#[test]
fn circles_on_the_sphere_cross_the_antimeridian() {
    let row = |i: u32| Location {
        id: i,
        place: Position::Geographic {
            lat: 0.0,
            lon: 170.0 + f64::from(i) - 360.0 * f64::from(i / 10),
        },
        attempts: 100,
        failures: if (8..12).contains(&i) { 30 } else { 5 },
        expected: None,
    };
    let rows: Vec<_> = (0..20).map(row).collect();
    let clusters = circles(&rows, &options(Model::Bernoulli)).expect("valid");
    assert_eq!(clusters[0].failures, 120 + 5);
}

#[test]
fn expected_failures_explain_a_bad_corner_away() {
    let mut rows = grid(10, |x, y| if x < 3 && y < 3 { 15 } else { 5 });
    for row in &mut rows {
        row.expected = Some(if row.failures == 15 { 3.0 } else { 1.0 });
    }
    assert_eq!(circles(&rows, &options(Model::Poisson)), Ok(vec![]));
    assert!(
        !circles(&rows, &options(Model::Bernoulli))
            .expect("valid")
            .is_empty()
    );
    rows[5].expected = None;
    let error = circles(&rows, &options(Model::Poisson))
        .expect_err("incomplete")
        .to_string();
    assert!(error.contains("expected failures of 5"), "{error}");
}

#[test]
fn impossible_input_is_named_and_empty_input_has_no_cluster() {
    let rows = grid(3, |_, _| 1);
    let run = |rows: &[Row]| circles(rows, &options(Model::Bernoulli));
    assert_eq!(run(&[]), Ok(vec![]));
    assert_eq!(run(&grid(3, |_, _| 0)), Ok(vec![]));
    let mut moved = rows.clone();
    moved.push(Location {
        place: Position::Planar { x: 9.0, y: 9.0 },
        ..rows[2].clone()
    });
    assert_eq!(run(&moved), Err(ScanError::TwoPositions { id: "2".into() }));
    let mut mixed = rows.clone();
    mixed[1].place = Position::Geographic { lat: 0.0, lon: 0.0 };
    assert_eq!(
        run(&mixed),
        Err(ScanError::MixedPositions { id: "1".into() })
    );
    mixed[1].place = Position::Planar {
        x: f64::NAN,
        y: 0.0,
    };
    assert_eq!(run(&mixed), Err(ScanError::Position { id: "1".into() }));
    let bad = Location {
        failures: 101,
        ..rows[0].clone()
    };
    assert!(matches!(
        run(&[bad]),
        Err(ScanError::FailuresExceedAttempts { .. })
    ));
    let share = Options {
        max_share: 0.0,
        ..Options::default()
    };
    assert_eq!(circles(&rows, &share), Err(ScanError::MaxShare(0.0)));
}

#[test]
fn one_seed_gives_one_answer_on_any_number_of_threads() {
    let mut stream = Stream::new(3, 3);
    let rows = grid(9, |_, _| stream.binomial(100, 0.06));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads");
        pool.install(|| circles(&rows, &options(Model::Poisson)).expect("valid"))
    };
    assert_eq!(run(1), run(5));
    let other = Options {
        seed: 5,
        ..options(Model::Poisson)
    };
    let other = circles(&rows, &other).expect("valid");
    assert_eq!(run(1)[0].members, other[0].members);
}

#[test]
fn without_clusters_p_is_uniform() {
    let mut below = 0;
    for replicate in 0..200 {
        let mut stream = Stream::new(17, replicate);
        let rows = grid(7, |_, _| stream.binomial(100, 0.1));
        let options = Options {
            seed: replicate,
            runs: 99,
            ..Options::default()
        };
        let clusters = circles(&rows, &options).expect("valid");
        below += u32::from(
            clusters
                .first()
                .and_then(|first| first.p)
                .is_some_and(|p| p <= 0.1),
        );
    }
    // 20 expected; four standard deviations of the binomial are 17.
    assert!((3..=37).contains(&below), "{below}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_highest_window_is_the_one_of_the_definition(
        counts in proptest::collection::vec((1_u64..40, 0.0..1.0), 16),
        poisson in any::<bool>(),
    ) {
        let mut rows = grid(4, |_, _| 0);
        for (row, (attempts, share)) in rows.iter_mut().zip(&counts) {
            row.attempts = *attempts;
            row.failures = (*attempts as f64 * share) as u64;
        }
        let model = if poisson { Model::Poisson } else { Model::Bernoulli };
        let clusters = circles(&rows, &options(model)).expect("valid");
        let found = clusters.first().map_or(0.0, |first| first.llr);
        let want = highest_by_definition(&rows, model, 2);
        prop_assert!((found - want).abs() <= 1e-9 * (1.0 + want), "{} for {}", found, want);
    }

    #[test]
    fn order_split_rows_and_empty_rows_change_nothing(turn in 0_usize..36, seed in 0_u64..1000) {
        let mut stream = Stream::new(seed, 0);
        let mut rows = grid(6, |_, _| stream.binomial(100, 0.1));
        let before = circles(&rows, &options(Model::Poisson)).expect("valid");
        rows.rotate_left(turn);
        rows.push(Location { id: 900, attempts: 0, failures: 0, ..rows[0].clone() });
        let half = Location { attempts: 40, failures: 0, ..rows[7].clone() };
        rows[7].attempts -= 40;
        rows[7].attempts = rows[7].attempts.max(rows[7].failures);
        if rows[7].attempts == 60 {
            rows.push(half);
        }
        prop_assert_eq!(before, circles(&rows, &options(Model::Poisson)).expect("valid"));
    }
}
