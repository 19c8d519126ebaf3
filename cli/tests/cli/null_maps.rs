//! Maps of fleets with nothing planted: how many runs show a zone nevertheless.

use crate::truths::Fleet;

#[test]
fn a_map_with_nothing_planted_shows_no_zone() {
    assert_eq!(runs_with_a_zone(5001..=5002), 0);
}

#[test]
#[ignore = "forty fleets; .ci/nightly runs it"]
fn one_map_in_twenty_with_nothing_planted_shows_a_zone_at_most() {
    let shown = runs_with_a_zone(6001..=6040);
    assert!(shown <= 2, "{shown} of 40 runs show a zone");
}

fn runs_with_a_zone(seeds: impl Iterator<Item = u32>) -> usize {
    let has_zone = |seed: &u32| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let small = ["--terminals", "1000", "--days", "5"];
        let fleet = Fleet::of(folder, "null", &seed.to_string(), &small);
        let zones = fleet.number(
            "select (select count(*) from weak_zones) + (select count(*) from failure_zones) as n",
        );
        assert!(fleet.number("select count(*) as n from cells") > 100.0);
        zones > 0.0
    };
    seeds.filter(has_zone).count()
}
