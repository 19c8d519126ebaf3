use super::*;
use crate::rng::Stream;
use proptest::prelude::*;

/// A fleet whose truth is known: terminals of an area hear one to three of its radio cells.
struct Fleet {
    rows: Vec<(String, String, String, u64, f64, f64)>,
    deaf: Vec<usize>,
}

/// What is wrong in a fleet.
#[derive(Clone, Copy)]
struct Planted {
    /// Every so many terminals one hears 8 dB weaker.
    deaf_every: Option<usize>,
    /// What is added to the readings of the first of eight models, in dB.
    bias_db: f64,
    /// Spread between healthy terminals, in dB.
    spread_db: f64,
}

const HEALTHY: Planted = Planted {
    deaf_every: None,
    bias_db: 0.0,
    spread_db: 2.0,
};

fn normal(stream: &mut Stream) -> f64 {
    (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0
}

fn fleet(seed: u64, terminals: usize, planted: Planted) -> Fleet {
    let mut stream = Stream::new(seed, 0);
    let (per_area, cells_of_area) = (24, 5);
    let areas = terminals.div_ceil(per_area);
    let levels: Vec<f64> = (0..areas * cells_of_area)
        .map(|_| -95.0 + 7.0 * normal(&mut stream))
        .collect();
    let mut fleet = Fleet {
        rows: Vec::new(),
        deaf: Vec::new(),
    };
    for terminal in 0..terminals {
        let model = stream.below(8);
        let mut own = planted.spread_db * normal(&mut stream);
        if model == 0 {
            own += planted.bias_db;
        }
        if planted
            .deaf_every
            .is_some_and(|every| terminal % every == every / 2)
        {
            own -= 8.0;
            fleet.deaf.push(terminal);
        }
        let first = stream.below(cells_of_area as u64) as usize;
        for step in 0..=stream.below(3) as usize {
            let cell = terminal / per_area * cells_of_area + (first + step) % cells_of_area;
            let readings = 5 + stream.below(200);
            let place = 0.5 * planted.spread_db * normal(&mut stream);
            let noise = 4.0 * normal(&mut stream) / (readings as f64).sqrt();
            fleet.rows.push((
                format!("t{terminal:05}"),
                format!("m{model}"),
                format!("r{cell:04}"),
                readings,
                levels[cell] + own + place + noise,
                16.0 * (readings - 1) as f64,
            ));
        }
    }
    fleet
}

impl Fleet {
    fn judge(&self) -> SignalBias {
        signal_bias(&rows(&self.rows), &SignalOptions::default()).unwrap()
    }
}

type Named = (String, String, String, u64, f64, f64);

fn rows(named: &[Named]) -> Vec<SignalRow<'_>> {
    named
        .iter()
        .map(
            |(terminal, model, radio_cell, readings, mean_dbm, sum_squares)| SignalRow {
                terminal,
                model,
                radio_cell,
                readings: *readings,
                mean_dbm: *mean_dbm,
                sum_squares: *sum_squares,
            },
        )
        .collect()
}

fn row<'a>(terminal: &'a str, model: &'a str, radio_cell: &'a str, mean_dbm: f64) -> SignalRow<'a> {
    SignalRow {
        terminal,
        model,
        radio_cell,
        readings: 10,
        mean_dbm,
        sum_squares: 90.0,
    }
}

fn judged(rows: &[SignalRow<'_>]) -> SignalBias {
    signal_bias(rows, &SignalOptions::default()).unwrap()
}

fn close(got: Option<f64>, expected: f64) -> bool {
    got.is_some_and(|got| (got - expected).abs() <= 1e-9 * expected.abs().max(1.0))
}

#[test]
fn one_radio_cell_gives_the_textbook_answers() {
    let means = [-90.0, -93.0, -91.0, -97.0, -99.0];
    let names = ["t1", "t2", "t3", "t4", "t5"];
    let models = ["A", "A", "A", "B", "B"];
    let rows: Vec<_> = (0..5)
        .map(|i| row(names[i], models[i], "r", means[i]))
        .collect();
    let bias = judged(&rows);
    // Sample variance of the means: 15; of it 10/10 is the noise of readings.
    assert!(close(Some(bias.terminals_sd_db), 14.0_f64.sqrt()));
    assert!(close(Some(bias.readings_sd_db), 10.0_f64.sqrt()));
    let last = &bias.terminals[4];
    assert!(close(
        last.residual_db,
        -99.0 + (90.0 + 93.0 + 91.0 + 97.0) / 4.0
    ));
    assert!(close(last.se_db, (15.0_f64 * (1.0 + 1.0 / 4.0)).sqrt()));
    // Welch: variances 7/3 of 3 and 2 of 2, and one degree of freedom.
    let welch = (7.0_f64 / 9.0 + 2.0 / 2.0).sqrt();
    let b = &bias.models[1];
    assert!(close(b.bias_db, -98.0 + 274.0 / 3.0));
    let margin = welch * crate::special::t_quantile(0.975, 1.0);
    assert!(close(
        b.high_db.zip(b.bias_db).map(|(high, bias)| high - bias),
        margin
    ));
    assert_eq!(b.terminals, 2);
}

#[test]
fn a_radio_cell_of_one_terminal_says_nothing() {
    let mut rows = vec![
        row("t1", "A", "r", -90.0),
        row("t2", "A", "r", -93.0),
        row("t3", "B", "r", -92.0),
        row("t4", "B", "r", -96.0),
    ];
    let before = judged(&rows);
    rows.push(row("t1", "A", "its own", -60.0));
    rows.push(row("alone", "C", "far", -120.0));
    let after = judged(&rows);
    let alone = &after.terminals[0];
    assert_eq!(
        (alone.testable, alone.residual_db, alone.p, alone.q),
        (false, None, None, None)
    );
    assert_eq!((alone.readings, alone.shared_radio_cells), (10, 0));
    assert_eq!(
        after.terminals[1].residual_db,
        before.terminals[0].residual_db
    );
    assert_eq!(after.terminals[1].shared_radio_cells, 1);
    let c = &after.models[2];
    assert_eq!(
        (c.testable, c.terminals, c.bias_db, c.p),
        (false, 0, None, None)
    );
}

#[test]
fn a_model_alone_on_its_radio_cells_or_of_one_terminal_is_not_testable() {
    let rows = [
        row("t1", "A", "r", -90.0),
        row("t2", "A", "r", -93.0),
        row("t3", "A", "r", -91.0),
        row("t4", "B", "r", -96.0),
        row("t5", "C", "s", -96.0),
        row("t6", "C", "s", -92.0),
    ];
    let bias = judged(&rows);
    assert!(bias.models.iter().all(|model| !model.testable));
    assert!(bias.terminals.iter().all(|terminal| terminal.testable));
}

#[test]
fn fleets_without_any_spread_or_any_reading_are_not_testable() {
    let still = |terminal, model| SignalRow {
        sum_squares: 0.0,
        ..row(terminal, model, "r", -90.0)
    };
    let bias = judged(&[
        still("t1", "A"),
        still("t2", "A"),
        still("t3", "B"),
        still("t4", "B"),
    ]);
    assert!(bias.terminals.iter().all(|terminal| !terminal.testable));
    assert!(bias.models.iter().all(|model| !model.testable));
    let silent = SignalRow {
        readings: 0,
        mean_dbm: f64::NAN,
        ..row("t1", "A", "r", 0.0)
    };
    let bias = judged(&[silent]);
    assert_eq!((bias.terminals.len(), bias.terminals[0].readings), (1, 0));
    assert_eq!(judged(&[]).terminals, []);
}

#[test]
fn bad_input_is_refused_by_name() {
    let refused =
        |rows: &[SignalRow<'_>]| signal_bias(rows, &SignalOptions::default()).unwrap_err();
    assert_eq!(
        refused(&[row("t1", "A", "r", f64::NAN)]).to_string(),
        "terminal t1 on radio cell r has mean NaN dBm and sum of squares 90"
    );
    assert_eq!(
        refused(&[row("t1", "B", "r", -90.0), row("t1", "A", "s", -90.0)]).to_string(),
        "terminal t1 has models A and B"
    );
    let options = SignalOptions { confidence: 1.0 };
    assert_eq!(
        signal_bias(&[], &options),
        Err(SignalError::Confidence(1.0))
    );
}

#[test]
fn spreads_are_those_that_were_planted() {
    let bias = fleet(
        11,
        4_800,
        Planted {
            spread_db: 5.0,
            ..HEALTHY
        },
    )
    .judge();
    assert!((bias.readings_sd_db - 4.0).abs() < 1e-9);
    assert!(
        (bias.terminals_sd_db - 5.0).abs() < 0.2,
        "{}",
        bias.terminals_sd_db
    );
    assert!(
        (bias.places_sd_db - 2.5).abs() < 0.2,
        "{}",
        bias.places_sd_db
    );
}

#[test]
fn healthy_fleets_give_no_more_small_p_values_than_chance() {
    let (mut terminals, mut low, mut models, mut biased, mut flagged) = (0, 0, 0, 0, 0);
    for seed in 0..40 {
        let bias = fleet(100 + seed, 240, HEALTHY).judge();
        terminals += bias.terminals.iter().filter(|row| row.testable).count();
        low += bias
            .terminals
            .iter()
            .filter(|row| row.p <= Some(0.05) && row.testable)
            .count();
        models += bias.models.iter().filter(|row| row.testable).count();
        biased += bias
            .models
            .iter()
            .filter(|row| row.p <= Some(0.05) && row.testable)
            .count();
        flagged += usize::from(
            bias.terminals
                .iter()
                .any(|row| row.testable && row.q <= Some(0.05)),
        );
    }
    let (low, biased) = (low as f64 / terminals as f64, biased as f64 / models as f64);
    // Five standard deviations of the counts of terminals, three of models and fleets.
    assert!(
        (low - 0.05).abs() < 5.0 * (0.05 * 0.95 / terminals as f64).sqrt(),
        "{low}"
    );
    assert!(
        biased < 0.05 + 3.0 * (0.05 * 0.95 / models as f64).sqrt(),
        "{biased}"
    );
    assert!(flagged <= 6, "{flagged} of 40 fleets");
}

#[test]
fn deaf_terminals_are_found_with_the_size_of_their_fault() {
    let planted = Planted {
        deaf_every: Some(40),
        spread_db: 1.5,
        ..HEALTHY
    };
    let fleet = fleet(7, 2_400, planted);
    let bias = fleet.judge();
    let flagged: Vec<usize> = (0..bias.terminals.len())
        .filter(|at| bias.terminals[*at].testable && bias.terminals[*at].q <= Some(0.05))
        .collect();
    let found = flagged.iter().filter(|at| fleet.deaf.contains(at)).count();
    assert!(
        found * 10 >= fleet.deaf.len() * 8,
        "{found} of {}",
        fleet.deaf.len()
    );
    assert!(
        (flagged.len() - found) * 10 <= flagged.len(),
        "{found} of {}",
        flagged.len()
    );
    let residuals = fleet
        .deaf
        .iter()
        .filter_map(|at| bias.terminals[*at].residual_db);
    let mean = residuals.sum::<f64>() / fleet.deaf.len() as f64;
    assert!((mean + 8.0).abs() < 0.6, "{mean}");
}

#[test]
fn a_biased_model_is_found_with_its_size_and_its_interval_holds_it() {
    let mut held = 0;
    for seed in 0..20 {
        let planted = Planted {
            bias_db: -4.0,
            spread_db: 4.0,
            ..HEALTHY
        };
        let bias = fleet(500 + seed, 1_200, planted).judge();
        let model = &bias.models[0];
        assert!(model.q < Some(0.01) && model.testable);
        assert!(
            model.bias_db.is_some_and(|bias| (bias + 4.0).abs() < 1.6),
            "{model:?}"
        );
        held += usize::from(model.low_db <= Some(-4.0) && model.high_db >= Some(-4.0));
    }
    assert!(held >= 17, "{held} of 20");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn neither_the_order_of_rows_nor_a_level_changes_anything(
        seed in any::<u64>(), terminals in 2_usize..60,
    ) {
        let mut named = fleet(seed, terminals, HEALTHY).rows;
        named.push(named[0].clone());
        let before = judged(&rows(&named));
        for position in 0..named.len() {
            let other = seed.wrapping_mul(position as u64 + 1) % named.len() as u64;
            named.swap(position, usize::try_from(other).unwrap());
        }
        prop_assert_eq!(&judged(&rows(&named)), &before);
        for row in &mut named {
            row.4 += 17.0;
        }
        for (now, then) in judged(&rows(&named)).terminals.iter().zip(&before.terminals) {
            let gap = now.residual_db.unwrap_or(0.0) - then.residual_db.unwrap_or(0.0);
            prop_assert!(gap.abs() < 1e-8);
            prop_assert!(now.z.is_none_or(f64::is_finite));
            prop_assert!(now.p.is_none_or(|p| (0.0..=1.0).contains(&p)));
        }
    }
}

/// Terminals that drive along a road of radio cells and hear each about as many of them.
fn drive(seed: u64, terminals: usize, cells: usize, heard: usize) -> Vec<Named> {
    let mut stream = Stream::new(seed, 0);
    let mut rows = Vec::new();
    for terminal in 0..terminals {
        let own = 2.0 * normal(&mut stream);
        for cell in (0..cells).filter(|cell| (cell + terminal * 7) % (cells / heard).max(1) == 0) {
            rows.push((
                format!("t{terminal:03}"),
                format!("m{}", terminal % 4),
                format!("c{cell:05}"),
                5 + stream.below(20),
                -95.0 + own + 3.0 * normal(&mut stream),
                90.0,
            ));
        }
    }
    rows
}

#[test]
fn a_few_terminals_that_hear_thousands_of_radio_cells_are_compared() {
    for (terminals, heard) in [(4, 3_000), (60, 1_000)] {
        let named = drive(5, terminals, 3_000, heard);
        let bias = judged(&rows(&named));
        assert_eq!(bias.terminals_beyond_bounds, 0);
        assert!(bias.terminals.iter().all(|terminal| terminal.testable));
        assert!(
            bias.terminals
                .iter()
                .all(|terminal| terminal.se_db.is_some_and(f64::is_finite))
        );
        assert!(
            (bias.terminals_sd_db - 2.0).abs() < 1.2,
            "{}",
            bias.terminals_sd_db
        );
    }
}

#[test]
fn the_residual_is_that_of_least_squares_solved_as_one_dense_system() {
    let named = drive(11, 9, 40, 20);
    let rows = rows(&named);
    let bias = judged(&rows);
    let [own, place, noise] =
        [bias.terminals_sd_db, bias.places_sd_db, bias.readings_sd_db].map(|sd| sd * sd);
    let cells: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.radio_cell).collect();
    let cells: Vec<&str> = cells.into_iter().collect();
    let shared = |cell: &str| rows.iter().filter(|row| row.radio_cell == cell).count() > 1;
    let kept: Vec<&SignalRow<'_>> = rows.iter().filter(|row| shared(row.radio_cell)).collect();
    for judged in &bias.terminals {
        // Unknowns: the shared radio cells, and the shift of this terminal.
        let cells: Vec<&str> = cells.iter().copied().filter(|cell| shared(cell)).collect();
        let unknowns = cells.len() + 1;
        let design = |row: &SignalRow<'_>, column: usize| match cells.get(column) {
            Some(cell) => f64::from(u8::from(*cell == row.radio_cell)),
            None => f64::from(u8::from(judged.terminal == row.terminal)),
        };
        let covariance = |one: usize, other: usize| {
            let same = kept[one].terminal == kept[other].terminal;
            let alone = place + noise / kept[one].readings as f64;
            f64::from(u8::from(same)) * own + if one == other { alone } else { 0.0 }
        };
        // V⁻¹ of every column and of the readings, then the normal equations.
        let n = kept.len();
        let mut v = vec![vec![0.0; n + unknowns + 1]; n];
        for (at, line) in v.iter_mut().enumerate() {
            for (other, entry) in line.iter_mut().enumerate().take(n) {
                *entry = covariance(at, other);
            }
            for column in 0..unknowns {
                line[n + column] = design(kept[at], column);
            }
            line[n + unknowns] = kept[at].mean_dbm + 95.0;
        }
        eliminate(&mut v);
        let mut normal = vec![vec![0.0; unknowns + 1]; unknowns];
        for (column, line) in normal.iter_mut().enumerate() {
            for (right, entry) in line.iter_mut().enumerate() {
                *entry = (0..n)
                    .map(|at| design(kept[at], column) * v[at][n + right])
                    .sum();
            }
        }
        eliminate(&mut normal);
        let expected = normal[unknowns - 1][unknowns];
        let got = judged.residual_db.expect("testable");
        assert!(
            (got - expected).abs() < 1e-7,
            "{}: {got} and {expected}",
            judged.terminal
        );
    }
}

/// Gauss and Jordan: the columns behind the square ones become the solutions.
fn eliminate(lines: &mut [Vec<f64>]) {
    for pivot in 0..lines.len() {
        let best = (pivot..lines.len())
            .max_by(|one, other| {
                lines[*one][pivot]
                    .abs()
                    .total_cmp(&lines[*other][pivot].abs())
            })
            .expect("a line");
        lines.swap(pivot, best);
        let own = lines[pivot].clone();
        for (at, line) in lines.iter_mut().enumerate() {
            let times = if at == pivot {
                1.0 - 1.0 / own[pivot]
            } else {
                line[pivot] / own[pivot]
            };
            for (value, own) in line.iter_mut().zip(&own) {
                *value -= times * own;
            }
        }
    }
}

#[test]
fn what_would_cost_more_than_its_rows_pay_for_is_not_testable_and_counted() {
    // Each pair meets on one radio cell: a full matrix from two means a terminal and more.
    let mut named = Vec::new();
    for terminal in 0..20_000_u32 {
        for radio_cell in [
            format!("a{}", terminal % 400),
            format!("b{}", terminal / 50),
        ] {
            named.push((
                format!("t{terminal:05}"),
                "m".into(),
                radio_cell,
                5,
                -95.0 - f64::from(terminal % 7),
                90.0,
            ));
        }
    }
    let bias = judged(&rows(&named));
    assert_eq!(bias.terminals_beyond_bounds, 20_000);
    assert!(bias.terminals.iter().all(|terminal| !terminal.testable));
}
