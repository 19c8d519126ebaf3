use super::*;
use crate::rng::Stream;
use crate::special::{ln_beta, ln_choose};
use proptest::prelude::*;

/// A fleet whose truth is known.
struct Fleet {
    rows: Vec<(String, String, String, u64, u64)>,
    bad: Vec<bool>,
    /// The rate that the terminal would have if healthy and average.
    peer_rates: Vec<f64>,
}

/// How healthy terminals differ from each other.
#[derive(Clone, Copy, Debug)]
enum Healthy {
    Beta(f64),
    Logit(f64),
}

fn normal(stream: &mut Stream) -> f64 {
    (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0
}

/// A beta variate of two gamma variates.
fn beta(stream: &mut Stream, a: f64, b: f64) -> f64 {
    let (one, other) = (gamma(stream, a), gamma(stream, b));
    one / (one + other)
}

/// A gamma variate (Marsaglia and Tsang 2000).
fn gamma(stream: &mut Stream, shape: f64) -> f64 {
    if shape < 1.0 {
        let power = stream.uniform().powf(shape.recip());
        return gamma(stream, shape + 1.0) * power;
    }
    let d = shape - 1.0 / 3.0;
    loop {
        let x = (-2.0 * (1.0 - stream.uniform()).ln()).sqrt()
            * (std::f64::consts::TAU * stream.uniform()).cos();
        let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
        let u = 1.0 - stream.uniform();
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

fn fleet(
    seed: u64,
    terminals: usize,
    terminals_per_cell: usize,
    bad_share: f64,
    healthy: Healthy,
) -> Fleet {
    let mut stream = Stream::new(seed, 0);
    let (cells, models) = (terminals / terminals_per_cell, 12);
    let cell: Vec<f64> = (0..cells).map(|_| 0.7 * normal(&mut stream)).collect();
    let model: Vec<f64> = (0..models).map(|_| 0.4 * normal(&mut stream)).collect();
    let mut fleet = Fleet {
        rows: Vec::new(),
        bad: Vec::new(),
        peer_rates: Vec::new(),
    };
    for terminal in 0..terminals {
        // Squared: some cells are crowded, some hold one terminal.
        let at = (stream.uniform().powi(2) * cells as f64) as usize;
        let which = (stream.uniform() * models as f64) as usize;
        let attempts = (30.0 * (stream.uniform() * 3.5).exp()) as u64;
        let logit = -3.3 + cell[at] + model[which];
        let bad = stream.uniform() < bad_share;
        let odds = if bad {
            (1.1 + 1.5 * stream.uniform()).exp()
        } else {
            1.0
        };
        let mean = crate::logit::expit(logit + odds.ln());
        let rate = match healthy {
            Healthy::Beta(rho) => {
                let size = 1.0 / rho - 1.0;
                beta(&mut stream, mean * size, (1.0 - mean) * size)
            }
            Healthy::Logit(sd) => crate::logit::expit(logit + odds.ln() + sd * normal(&mut stream)),
        };
        let failures = stream.binomial(attempts, rate);
        fleet.rows.push((
            format!("t{terminal:07}"),
            format!("m{which}"),
            format!("c{at}"),
            attempts,
            failures,
        ));
        fleet.bad.push(bad);
        fleet.peer_rates.push(crate::logit::expit(logit));
    }
    fleet
}

impl Fleet {
    fn counts(&self) -> Vec<TerminalCounts<'_>> {
        self.rows
            .iter()
            .map(
                |(terminal, model, cell, attempts, failures)| TerminalCounts {
                    terminal,
                    model,
                    cell,
                    signal: 0,
                    attempts: *attempts,
                    failures: *failures,
                },
            )
            .collect()
    }

    fn judge(&self) -> TerminalsReport {
        judge_terminals(&self.counts(), &TerminalsOptions::default()).unwrap()
    }

    /// Precision and recall of flags.
    fn score(&self, flagged: &[bool]) -> (f64, f64) {
        let both = flagged
            .iter()
            .zip(&self.bad)
            .filter(|(flag, bad)| **flag && **bad)
            .count();
        let share = |of: &[bool]| both as f64 / of.iter().filter(|one| **one).count().max(1) as f64;
        (share(flagged), share(&self.bad))
    }

    /// The flags of someone who knows the rate of every terminal's peers, and the spread.
    fn oracle(&self, rho: f64) -> Vec<bool> {
        let p: Vec<Option<f64>> = self
            .rows
            .iter()
            .zip(&self.peer_rates)
            .map(|(row, &rate)| {
                let tail = upper_tail(row.4, row.3, rate, rho);
                Some(tail.above + 0.5 * tail.at)
            })
            .collect();
        fdr::bh(&p)
            .into_iter()
            .map(|q| q.is_some_and(|q| q <= 0.05))
            .collect()
    }
}

fn flags(report: &TerminalsReport) -> Vec<bool> {
    report.rows.iter().map(|row| row.flagged).collect()
}

fn share_below(report: &TerminalsReport, limit: f64) -> f64 {
    let p: Vec<f64> = report.rows.iter().filter_map(|row| row.p).collect();
    p.iter().filter(|&&p| p <= limit).count() as f64 / p.len() as f64
}

fn equal_row(name: &str, cell: &'static str, failures: u64) -> (String, String, String, u64, u64) {
    (
        name.to_owned(),
        "m".to_owned(),
        cell.to_owned(),
        200,
        failures,
    )
}

/// Forty terminals alike, in two cells.
fn calm() -> Fleet {
    let rows = (0..40)
        .map(|at| {
            equal_row(
                &format!("t{at:02}"),
                ["c", "d"][at % 2],
                6 + (at as u64 * 7) % 9,
            )
        })
        .collect();
    Fleet {
        rows,
        bad: vec![false; 40],
        peer_rates: vec![0.05; 40],
    }
}

#[test]
fn a_terminal_is_not_among_its_own_peers() {
    let names: Vec<String> = (0..10).map(|number| format!("t{number}")).collect();
    let row = |(number, terminal)| TerminalCounts {
        terminal,
        model: "A",
        cell: "harbour",
        signal: 0,
        attempts: 100,
        failures: if number == 0 { 50 } else { 5 },
    };
    let rows: Vec<TerminalCounts<'_>> = names
        .iter()
        .map(String::as_str)
        .enumerate()
        .map(row)
        .collect();
    let report =
        judge_terminals(&rows, &TerminalsOptions::default()).expect("counts that are shares");
    let expected = report.rows[0].expected_rate.expect("it has attempts");
    // 5 of 100, a little more for what is not known of nine terminals; 9.5 of 100 with itself.
    assert!((0.045..0.07).contains(&expected), "{expected}");
}

#[test]
fn one_bad_among_ten_is_flagged_and_ten_alike_are_not() {
    let names: Vec<String> = (0..10).map(|number| format!("t{number}")).collect();
    let judge = |failures: [u64; 10]| {
        let rows: Vec<TerminalCounts<'_>> = names
            .iter()
            .zip(failures)
            .map(|(terminal, failures)| TerminalCounts {
                terminal,
                model: "A",
                cell: "harbour",
                signal: 0,
                attempts: 100,
                failures,
            })
            .collect();
        let report = judge_terminals(&rows, &TerminalsOptions::default());
        flags(&report.expect("counts that are shares"))
    };
    assert_eq!(judge([5; 10]), [false; 10]);
    let mut failures = [5; 10];
    failures[3] = 50;
    let mut flagged = [false; 10];
    flagged[3] = true;
    assert_eq!(judge(failures), flagged);
    // One that merely varies is not, and neither is one among ten that all vary.
    failures[3] = 11;
    assert_eq!(judge(failures), [false; 10]);
    assert_eq!(judge([1, 3, 14, 6, 2, 9, 0, 22, 5, 4]), [false; 10]);
}

#[test]
fn time_does_not_grow_with_the_counts() {
    let names: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    let started = std::time::Instant::now();
    for attempts in [1_000_000_000_u64, 1_000_000_000_000] {
        let rows: Vec<TerminalCounts<'_>> = names
            .iter()
            .zip(0..)
            .map(|(terminal, number)| TerminalCounts {
                terminal,
                model: "A",
                cell: "harbour",
                signal: 0,
                attempts,
                failures: attempts / if number == 7 { 4 } else { 50 + number % 5 },
            })
            .collect();
        let report = judge_terminals(&rows, &TerminalsOptions::default());
        let rows = report.expect("counts that are shares").rows;
        let bad = rows.iter().filter(|row| row.flagged);
        let bad: Vec<&str> = bad.map(|row| row.terminal.as_str()).collect();
        assert_eq!(bad, ["t7"]);
    }
    assert!(started.elapsed().as_secs() < 30);
}

#[test]
fn tail_is_the_sum_of_the_probabilities() {
    for (attempts, rate, rho) in [
        (40, 0.1, 0.02),
        (300, 0.03, 0.1),
        (25, 0.6, 0.4),
        (60, 0.5, 0.9),
    ] {
        let size = 1.0 / rho - 1.0;
        let (a, b) = (rate * size, (1.0 - rate) * size);
        let probability = |count: u64| {
            let (x, y) = (count as f64, (attempts - count) as f64);
            (ln_choose(attempts, count) + ln_beta(x + a, y + b) - ln_beta(a, b)).exp()
        };
        for failures in 0..=attempts {
            let tail = upper_tail(failures, attempts, rate, rho);
            let above: f64 = (failures + 1..=attempts).rev().map(probability).sum();
            assert!((tail.at / probability(failures) - 1.0).abs() < 1e-10);
            assert!(
                (tail.above - above).abs() <= 1e-10 * above,
                "{} {above}",
                tail.above
            );
        }
        let all = upper_tail(attempts, attempts, rate, rho).at;
        let product = tail::all_failing(attempts, rate, rho);
        assert!((product / all - 1.0).abs() < 1e-10 || (product < 1e-30 && all < 1e-30));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_integral_is_the_sum_of_the_terms(
        attempts in 3_000_u64..60_000,
        rate in prop_oneof![0.0005..0.02_f64, 0.02..0.9_f64],
        ln_rho in -16.0..-0.3_f64,
        is_binomial in prop::bool::weighted(0.1),
        sds in -2.0..9.0_f64,
    ) {
        let rho = if is_binomial { 0.0 } else { ln_rho.exp() };
        let mean = attempts as f64 * rate;
        let sd = f64::sqrt(mean * (1.0 - rate) * (1.0 + (attempts - 1) as f64 * rho));
        let failures = (mean + sds * sd).clamp(0.0, attempts as f64) as u64;
        let by_terms = tail::walked(failures, attempts, rate, rho);
        let by_integral = tail::integrated(failures, attempts, rate, rho);
        prop_assume!(by_terms.at > 1e-100);
        let what = format!("{failures} of {attempts}: {by_terms:?} {by_integral:?}");
        prop_assert!((by_integral.at / by_terms.at - 1.0).abs() < 1e-9, "{}", what);
        let above = (by_integral.above - by_terms.above).abs();
        prop_assert!(above <= 1e-9 * by_terms.above, "{}", what);
    }
}

#[test]
fn all_failing_of_many_attempts_is_bounded_work() {
    for (rate, rho) in [(0.5, 0.5), (0.01, 0.9), (0.9, 1e-7)] {
        let many = tail::all_failing(1_000_000_000_000, rate, rho);
        assert!((0.0..1.0).contains(&many), "{many}");
    }
    // One of a beta distribution with b = 1: Γ-functions cancel to a / (n + a).
    let (attempts, a): (u64, f64) = (10_000_000_000, 3.0);
    let all = tail::all_failing(attempts, a / (a + 1.0), 1.0 / (a + 2.0));
    assert!(
        (all * (attempts as f64 + a) / a - 1.0).abs() < 1e-10,
        "{all}"
    );
}

#[test]
fn a_spread_of_zero_is_binomial_and_large_counts_stay_exact() {
    let tail = upper_tail(3, 5, 0.5, 0.0);
    assert!((tail.at - 10.0 / 32.0).abs() < 1e-15 && (tail.above - 6.0 / 32.0).abs() < 1e-15);
    // A binomial of 10^6 attempts, one failure above its mean: half less half the middle term.
    let tail = upper_tail(500_000, 1_000_000, 0.5, 0.0);
    assert!((tail.above + tail.at / 2.0 - 0.5).abs() < 1e-10);
    let far = upper_tail(700, 1000, 0.01, 0.001);
    assert!(far.at > 0.0 && far.at < 1e-100);
}

#[test]
fn p_values_of_healthy_terminals_are_near_uniform_and_few_are_flagged() {
    let kinds = [
        Healthy::Beta(0.01),
        Healthy::Beta(0.03),
        Healthy::Logit(0.0),
        Healthy::Logit(0.5),
    ];
    for (seed, healthy) in (1..).zip(kinds) {
        let report = fleet(seed, 20_000, 8, 0.0, healthy).judge();
        for limit in [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9] {
            let share = share_below(&report, limit);
            // Small p-values are what a promise is about. The middle may lean to large ones: rates are
            // judged by a law with a longer upper tail than the beta's.
            let most = limit + 0.045_f64.min(0.3 * limit);
            let least = (limit - 0.1).max(0.7 * limit);
            assert!(
                (least..most).contains(&share),
                "{healthy:?}: {share} of p are below {limit}"
            );
        }
        let flagged = flags(&report).into_iter().filter(|flag| *flag).count();
        assert!(flagged <= 4, "{healthy:?}: {flagged} of 20000 flagged");
    }
}

#[test]
fn without_bad_terminals_one_run_in_twenty_flags_any() {
    let runs = (100..160)
        .filter(|&seed| {
            flags(&fleet(seed, 600, 8, 0.0, Healthy::Beta(0.01)).judge()).contains(&true)
        })
        .count();
    // 3 of 60 expected; 9 or more once in 400 times
    assert!(runs < 9, "{runs} of 60 null fleets have a flag");
}

#[test]
fn planted_bad_terminals_are_found_nearly_as_well_as_by_an_oracle() {
    let seeds = [11, 12, 13, 14, 15, 16];
    for share in [0.01, 0.03, 0.1] {
        let (mut precision, mut recall, mut oracle) = (0.0, 0.0, 0.0);
        for seed in seeds {
            let fleet = fleet(seed, 10_000, 40, share, Healthy::Beta(0.01));
            let scored = fleet.score(&flags(&fleet.judge()));
            precision += scored.0 / seeds.len() as f64;
            recall += scored.1 / seeds.len() as f64;
            oracle += fleet.score(&fleet.oracle(0.01)).1 / seeds.len() as f64;
        }
        assert!(precision >= 0.9, "share {share}: precision {precision}");
        // The oracle knows that the healthy are a beta; the test must keep its promise where they are not.
        assert!(
            recall >= oracle - 0.12,
            "share {share}: recall {recall}, oracle {oracle}"
        );
    }
}

#[test]
fn spread_and_share_of_bad_terminals_are_recovered() {
    let report = fleet(21, 20_000, 20, 0.03, Healthy::Beta(0.01)).judge();
    assert!(
        (report.overdispersion - 0.01).abs() < 0.0015,
        "{}",
        report.overdispersion
    );
    assert!(
        (report.bad_share - 0.03).abs() < 0.02,
        "{}",
        report.bad_share
    );
}

#[test]
fn probability_and_odds_ratio_tell_how_bad_a_terminal_is() {
    let mut fleet = calm();
    fleet.rows.push(equal_row("bad", "c", 90));
    fleet.rows.push(equal_row("good", "d", 0));
    let report = fleet.judge();
    let find = |name: &str| report.rows.iter().find(|row| row.terminal == name).unwrap();
    let (bad, good) = (find("bad"), find("good"));
    assert!(
        bad.flagged && bad.probability > Some(0.99) && bad.odds_ratio > Some(5.0),
        "{bad:?}"
    );
    assert!(!good.flagged && good.probability < Some(0.01) && good.odds_ratio <= Some(1.0));
    let expected = bad.expected_rate.unwrap();
    assert!(
        (expected - 0.05).abs() < 0.01,
        "the peers, not the bad one itself: {expected}"
    );
}

#[test]
fn a_terminal_alone_in_its_cell_is_hard_to_accuse() {
    let mut fleet = fleet(31, 2000, 20, 0.0, Healthy::Beta(0.01));
    fleet.rows.push((
        "alone".to_owned(),
        "m1".to_owned(),
        "alone".to_owned(),
        500,
        75,
    ));
    let crowd = fleet.rows[..2000]
        .iter()
        .find(|row| row.1 == "m1")
        .unwrap()
        .2
        .clone();
    fleet
        .rows
        .push(("one-of-many".to_owned(), "m1".to_owned(), crowd, 500, 200));
    let report = fleet.judge();
    assert!(
        report
            .rows
            .iter()
            .filter(|row| row.terminal == "alone")
            .all(|row| !row.flagged)
    );
    assert!(
        report
            .rows
            .iter()
            .filter(|row| row.terminal == "one-of-many")
            .all(|row| row.flagged)
    );
}

#[test]
fn a_terminal_that_moved_is_judged_by_its_sum_over_cells() {
    let mut fleet = calm();
    fleet.rows.push(equal_row("moved", "c", 30));
    fleet.rows.push(equal_row("moved", "d", 35));
    let report = fleet.judge();
    let moved = report
        .rows
        .iter()
        .find(|row| row.terminal == "moved")
        .unwrap();
    assert_eq!((moved.attempts, moved.failures), (400, 65));
    assert!(moved.flagged);
}

#[test]
fn terminals_without_attempts_or_hope_are_not_testable() {
    let mut fleet = calm();
    fleet
        .rows
        .push(("empty".to_owned(), "m".to_owned(), "c".to_owned(), 0, 0));
    fleet
        .rows
        .push(("single".to_owned(), "m".to_owned(), "c".to_owned(), 1, 1));
    let options = TerminalsOptions {
        alpha: 0.01,
        ..TerminalsOptions::default()
    };
    let report = judge_terminals(&fleet.counts(), &options).unwrap();
    let [empty, single] = &report.rows[..2] else {
        panic!("two rows before the t's")
    };
    assert_eq!(
        (empty.p, empty.q, empty.expected_rate, empty.testable),
        (None, None, None, false)
    );
    assert!(single.p.is_some() && single.q.is_none() && !single.testable);
}

#[test]
fn without_failures_nothing_is_defined_and_nobody_flagged() {
    let mut fleet = calm();
    fleet.rows.iter_mut().for_each(|row| row.4 = 0);
    let report = fleet.judge();
    assert!(
        report
            .rows
            .iter()
            .all(|row| row.p.is_none() && !row.flagged && !row.testable)
    );
    assert_eq!((report.overdispersion, report.bad_share), (0.0, 0.0));
    assert!(
        judge_terminals(&[], &TerminalsOptions::default())
            .unwrap()
            .rows
            .is_empty()
    );
}

#[test]
fn whole_tails_are_never_below_mid_tails() {
    let fleet = fleet(41, 1000, 10, 0.02, Healthy::Beta(0.01));
    let whole = TerminalsOptions {
        tail: Tail::Whole,
        ..TerminalsOptions::default()
    };
    let whole = judge_terminals(&fleet.counts(), &whole).unwrap();
    assert!(
        whole
            .rows
            .iter()
            .zip(&fleet.judge().rows)
            .all(|(whole, mid)| whole.p >= mid.p)
    );
}

#[test]
fn bad_input_is_refused_by_name() {
    let row = TerminalCounts {
        terminal: "t",
        model: "m",
        cell: "c",
        signal: 0,
        attempts: 1,
        failures: 2,
    };
    let error = judge_terminals(&[row], &TerminalsOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "terminal t in cell c has 2 failures in 1 attempts"
    );
    let alpha = TerminalsOptions {
        alpha: 0.0,
        ..TerminalsOptions::default()
    };
    assert_eq!(
        judge_terminals(&[], &alpha).unwrap_err(),
        TerminalsError::Alpha(0.0)
    );
}

#[test]
fn threads_change_nothing() {
    let fleet = fleet(51, 3000, 8, 0.02, Healthy::Beta(0.01));
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    assert_eq!(
        pool(1).install(|| fleet.judge()),
        pool(4).install(|| fleet.judge())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn order_and_empty_rows_change_nothing_and_numbers_are_finite(
        counts in prop::collection::vec((0u8..20, 0u8..3, 0u8..4, 0u64..60, 0u64..60), 1..60),
    ) {
        let rows: Vec<_> = counts
            .iter()
            .map(|&(t, m, c, n, x)| (format!("t{t}"), format!("m{m}"), format!("c{c}"), n, x.min(n)))
            .collect();
        let fleet = Fleet { rows, bad: Vec::new(), peer_rates: Vec::new() };
        let report = fleet.judge();
        let mut turned = Fleet { rows: fleet.rows.clone(), bad: Vec::new(), peer_rates: Vec::new() };
        turned.rows.reverse();
        turned.rows.push((fleet.rows[0].0.clone(), "new".to_owned(), "new".to_owned(), 0, 0));
        prop_assert_eq!(&turned.judge(), &report);
        for row in &report.rows {
            let numbers = [row.expected_rate, row.probability, row.p, row.q];
            prop_assert!(numbers.iter().flatten().all(|number| (0.0..=1.0).contains(number)));
            prop_assert!(row.odds_ratio.is_none_or(|ratio| ratio > 0.0 && ratio.is_finite()));
        }
    }
}
