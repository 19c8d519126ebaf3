//! Zones of a few terminals: found when they are there, and not invented.

use super::super::bad::may_meet;
use super::super::layer::Ground;
use super::super::leave_out::{Parts, Tested};
use super::super::{inside::Inside, judge, layer};
use super::fleet::Pocket;
use super::*;
use crate::rng::Stream;
use crate::special::beta_quantile;

/// A small fleet: a few hundred terminals in a town.
fn small(seed: u64, terminals: usize, days: u32) -> Plan {
    Plan {
        terminals,
        days,
        streets: 15,
        ..Plan::null(seed)
    }
}

/// A place away from all shops of the town, and its neighbours.
fn place() -> Vec<CellIndex> {
    let mut cells: Vec<CellIndex> = cell_at(-60.0, 90.0).grid_disk(1);
    cells.sort_unstable();
    cells
}

fn pocket(cells: &[CellIndex], terminals: usize) -> Pocket<'_> {
    Pocket {
        cells,
        terminals,
        carrier: 0,
        rate: 0.30,
        sd: 0.6,
    }
}

fn refusals(report: &ZonesReport) -> Vec<(Refusal, &str)> {
    let refused = report.refused.iter();
    refused
        .map(|refused| (refused.reason, refused.missing.as_str()))
        .collect()
}

/// Lower end of the exact 95 % interval of a share.
pub(super) fn lower_bound(hits: u64, of: u64) -> f64 {
    match hits {
        0 => 0.0,
        _ => beta_quantile(0.025, hits as f64, (of - hits + 1) as f64),
    }
}

#[test]
fn small_fleets_without_zones_show_no_more_than_promised() {
    let settings = [
        (100, 7, 0.6, 0.3),
        (300, 14, 0.6, 0.3),
        (300, 14, 0.9, 0.5),
        (600, 28, 0.9, 0.0),
    ];
    for (terminals, days, terminal_sd, cell_sd) in settings {
        let shows_any = |seed: &u64| {
            let plan = Plan {
                terminal_sd,
                cell_sd,
                ..small(*seed, terminals, days)
            };
            !found(&make(&plan)).zones.is_empty()
        };
        let any = (5000..5200).filter(shows_any).count() as u64;
        println!("null {terminals} {days} {terminal_sd} {cell_sd}: {any} of 200");
        let least = lower_bound(any, 200);
        let setting = (terminals, days, terminal_sd, cell_sd);
        assert!(
            least <= ZoneOptions::default().q,
            "{any} of 200 with {setting:?}"
        );
    }
}

#[test]
fn planted_pockets_of_three_to_eight_terminals_are_found_and_little_else() {
    let cells = place();
    let (mut zones, mut wrong) = (0_u64, 0_u64);
    let mut hits = Vec::new();
    for terminals in 3..=8 {
        let mut hit = 0;
        for seed in 0..40 {
            let mut fleet = make(&small(seed, 400, 21));
            pocket(&cells[..2], terminals).plant(&mut fleet, 50, seed);
            let report = found(&fleet);
            let here = |zone: &&Zone| zone.cells.iter().any(|cell| cells.contains(cell));
            zones += report.zones.len() as u64;
            wrong += report.zones.iter().filter(|zone| !here(zone)).count() as u64;
            hit += u32::from(report.zones.iter().any(|zone| here(&zone)));
        }
        hits.push((terminals, hit));
    }
    println!("found of 40 {hits:?}; {wrong} of {zones} wrong");
    assert!(lower_bound(wrong, zones) <= ZoneOptions::default().q);
    for (terminals, hit) in hits {
        let least = if terminals == 3 { 20 } else { 30 };
        assert!(hit >= least, "{hit} of 40 with {terminals}");
    }
}

#[test]
fn two_terminals_are_a_candidate_that_says_so() {
    let cells = place();
    for seed in 0..10 {
        let mut fleet = make(&small(seed, 400, 21));
        let mut two = pocket(&cells[..1], 2);
        two.rate = 0.6;
        two.plant(&mut fleet, 50, seed);
        let report = found(&fleet);
        assert_eq!(report.zones, [], "seed {seed}");
        let missing = "too few terminals: 2 of 3";
        assert!(refusals(&report).contains(&(Refusal::FewTerminals, missing)));
        let said = report.cells.iter().find(|cell| cell.cell == cells[0]);
        let said = said.and_then(|cell| cell.not_in_zone.as_deref());
        assert_eq!(said, Some(format!("candidate: {missing}").as_str()));
    }
}

#[test]
fn one_bad_terminal_among_a_few_is_no_zone() {
    let cells = place();
    for seed in 0..30 {
        let mut fleet = make(&small(seed, 400, 21));
        let mut ordinary = pocket(&cells[..1], 3 + seed as usize % 6);
        ordinary.rate = 0.03;
        ordinary.plant(&mut fleet, 50, seed);
        fail_at(&mut fleet[50], 0.95, seed);
        let report = found(&fleet);
        assert_eq!(report.zones, [], "seed {seed}");
    }
}

#[test]
fn one_merchant_is_no_zone_with_or_without_others_beside_it() {
    let cells = place();
    for seed in 0..20 {
        let mut fleet = make(&small(seed, 400, 21));
        pocket(&cells[..1], 6).plant(&mut fleet, 50, seed);
        for made in &mut fleet[50..56] {
            made.merchant = "chain".to_owned();
        }
        let report = found(&fleet);
        assert_eq!(report.zones, [], "seed {seed}");
        let refusal = (Refusal::FewMerchants, "one merchant only");
        assert!(refusals(&report).contains(&refusal));

        let mut beside = pocket(&cells[..1], 3);
        beside.rate = 0.03;
        beside.plant(&mut fleet, 60, seed + 1);
        let report = found(&fleet);
        assert_eq!(report.zones, [], "seed {seed}");
        let mut here = report.refused.iter();
        let here = here.find(|refused| refused.zone.cells.contains(&cells[0]));
        let reason = here.map(|refused| refused.reason);
        let is_said = matches!(reason, Some(Refusal::OneMerchant | Refusal::LowRate));
        assert!(is_said, "seed {seed}: {reason:?}");
    }
}

/// Tail probabilities of ordinary places of three terminals, whole and without any one.
fn tails_of_three(plan: &Plan) -> Vec<(f64, f64)> {
    let fleet = make(plan);
    let options = ZoneOptions::default();
    let fleet = super::super::fleet::Fleet::of(rows(&fleet), &[]);
    let ground = Ground::of(&fleet, &options);
    let mut tails = Vec::new();
    for layer in &ground.carriers {
        for cell in layer.cells.iter().filter(|cell| cell.terminals == 3) {
            let inside = Inside::of(&ground, &fleet, layer, &[cell.cell]);
            let full = Tested::of(&inside.evidence(), 1.0).expect("attempts");
            let terminals = Parts::of(&inside, |seat| seat.terminal);
            let left = terminals.without_any(&inside, 1.0, |seat| seat.terminal);
            tails.push((full.p, left.expect("two are left").p));
        }
    }
    tails
}

#[test]
fn three_terminals_weigh_as_three() {
    for (terminal_sd, cell_sd) in [(0.6, 0.3), (0.9, 0.5)] {
        let tails: Vec<(f64, f64)> = (0..200)
            .flat_map(|seed| {
                tails_of_three(&Plan {
                    terminal_sd,
                    cell_sd,
                    ..Plan::null(9000 + seed)
                })
            })
            .collect();
        for level in [0.05, 0.01, 0.001, 0.0001, 0.00001] {
            let full = tails.iter().filter(|tail| tail.0 <= level).count() as u64;
            let left = tails.iter().filter(|tail| tail.1 <= level).count() as u64;
            let all = tails.len() as u64;
            println!("{terminal_sd} {cell_sd} at {level}: {full} {left} of {all}");
            assert!(
                lower_bound(left, all) <= level,
                "{left} of {all} at {level}"
            );
        }
    }
}

#[test]
fn the_worst_sixteen_decide_for_all() {
    let mut large = 0;
    for seed in 0..20 {
        let (_, fleet) = planted(seed, vec![circle(ONE, -30.0, 0.12), circle(ONE, 70.0, 0.3)]);
        let options = ZoneOptions::default();
        let fleet = super::super::fleet::Fleet::of(rows(&fleet), &[]);
        let ground = Ground::of(&fleet, &options);
        let layer: &layer::Layer = &ground.carriers[0];
        for candidate in
            judge::Court::of(&fleet, &ground, layer, &options).candidates(&mut Vec::new())
        {
            let inside = Inside::of(&ground, &fleet, layer, &candidate.zone.cells);
            let terminals = inside.distinct(|seat| seat.terminal);
            large += usize::from(terminals.len() > 16);
            let parts = Parts::of(&inside, |seat| seat.terminal);
            let left = parts.without_any(&inside, 1.0, |seat| seat.terminal);
            let Some(left) = left else { continue };
            for out in terminals {
                let without = inside.evidence_of(|seat| seat.terminal != out);
                let tested = Tested::of(&without, 1.0).expect("others");
                let ratio = tested.estimate.ratio;
                assert!(ratio >= left.ratio, "{ratio} below {left:?}");
                assert!(tested.p <= left.p, "{} above {left:?}", tested.p);
            }
        }
    }
    assert!(large >= 5, "{large} places of more than 16 terminals");
}

#[test]
fn as_many_bad_terminals_may_meet_as_chance_allows() {
    // Without any place to choose from one is left out at least, and all at most.
    assert_eq!(may_meet(10, 0.0001, 1.0, 0.05), 1);
    assert_eq!(may_meet(3, 0.9, 1000.0, 0.05), 3);
    // Three of three in 100 places: 0.03^3 * 100 is 0.0027, two or more of them 0.26.
    assert_eq!(may_meet(3, 0.03, 100.0, 0.05), 2);
    for terminals in 1..40 {
        let counts: Vec<usize> = [0.001, 0.01, 0.05, 0.2]
            .map(|share| may_meet(terminals, share, 200.0, 0.05))
            .to_vec();
        assert!(counts.is_sorted(), "{terminals}: {counts:?}");
        assert!(counts[3] <= terminals);
    }
}

#[test]
fn broken_terminals_are_counted_where_they_stand_alone() {
    for (share, planted) in [(0.0, 0), (0.03, 0), (0.03, 20)] {
        let mut found_share = 0.0;
        for seed in 0..10 {
            let mut fleet = make(&small(seed, 600, 21));
            let mut stream = Stream::new(seed, 6);
            for made in fleet.iter_mut().filter(|_| stream.uniform() < share) {
                fail_at(made, 0.5, seed);
            }
            let cells = place();
            pocket(&cells, planted).plant(&mut fleet, 50, seed);
            found_share += found(&fleet).bad_share / 10.0;
        }
        // Some are taken for spread, which then is larger and says the same of a place.
        let range = 0.5 * share..share + 0.012;
        assert!(range.contains(&found_share), "{found_share} for {share}");
    }
}

#[test]
fn bad_terminals_that_meet_by_chance_make_few_zones() {
    for (share, rate) in [(0.01, 0.5), (0.03, 0.4), (0.06, 0.3)] {
        let (mut any, seeds) = (0_u64, 200);
        for seed in 0..seeds {
            let mut fleet = make(&small(seed, 400, 21));
            let mut stream = Stream::new(seed, 5);
            for made in &mut fleet {
                if stream.uniform() < share {
                    fail_at(made, rate, seed);
                }
            }
            any += u64::from(!found(&fleet).zones.is_empty());
        }
        println!("bad terminals, {share}: {any} of {seeds}");
        let least = lower_bound(any, seeds);
        assert!(least <= ZoneOptions::default().q, "{any} with {share}");
    }
}
