//! What the analysis says of a planted truth: owns the statements that compare the two.

use simulator::answer_key::{Area, BranchPhase};
use simulator::{Planted, Truth};

use super::interventions::at_branch;
use super::question::in_cells;
use crate::predicate::{any_of, quoted};

/// Share of a planted place's attempts, or of planted failures, from which it counts as found.
const MOST: &str = "0.5";

/// Returns a statement that gives one row, `found` and `how`; `None` where nothing looks for it yet.
pub(super) fn sql(planted: &Planted) -> Option<String> {
    let time = format!(
        "event_time >= timestamp '{}' and event_time < timestamp '{}'",
        planted.from.format("%Y-%m-%dT%H:%M:%SZ"),
        planted.to.format("%Y-%m-%dT%H:%M:%SZ")
    );
    let refused = |who: String, codes: &[String], class: &str| {
        caused(
            &format!("{who} and {} and {time}", any_of("response_code", codes)),
            class,
        )
    };
    Some(match &planted.truth {
        Truth::WeakZone { plmn, area } => zone(area, &format!("carrier_plmn = {}", quoted(plmn))),
        Truth::NotSpot { area } => zone(area, "true"),
        Truth::BadTerminals { terminal_ids, .. } => terminals(terminal_ids),
        Truth::BadModel {
            model, firmware, ..
        } => format!(
            "select flagged as found, 'odds ratio ' || cast(round(odds_ratio, 2) as text) || ' (' || \
             cast(round(odds_ratio_low, 2) as text) || ' to ' || cast(round(odds_ratio_high, 2) as text) || ')' as how \
             from device_models where model = {} and firmware = {}",
            quoted(model),
            quoted(firmware)
        ),
        Truth::HostOutage { host_id, .. } => {
            outage(planted, &format!("host_id = {}", quoted(host_id)))
        }
        Truth::CarrierOutage { plmn, .. } => outage(
            planted,
            &format!(
                "kind in ('carrier', 'region') and coalesce(carrier_plmn = {}, true)",
                quoted(plmn)
            ),
        ),
        Truth::BadRelease { app_version, .. } => {
            outage(planted, &format!("app_version = {}", quoted(app_version)))
        }
        Truth::MovedTerminals {
            terminal_ids,
            codes,
        } => refused(any_of("terminal_id", terminal_ids), codes, "provider_limit"),
        Truth::RegionNotOpen {
            acquirer_id,
            region_code,
            codes,
            ..
        } => refused(
            format!(
                "acquirer_id = {} and merchant_id in (select merchant_id from merchants where region_code = {})",
                quoted(acquirer_id),
                quoted(region_code)
            ),
            codes,
            "provider_limit",
        ),
        Truth::MerchantConfig {
            merchant_ids,
            codes,
        } => refused(
            any_of("merchant_id", merchant_ids),
            codes,
            "merchant_config",
        ),
        Truth::CardLimit {
            merchant_ids,
            card_type,
            codes,
        } => refused(
            format!(
                "{} and card_type = {}",
                any_of("merchant_id", merchant_ids),
                quoted(card_type)
            ),
            codes,
            "card_or_legal",
        ),
        Truth::RemoteBranch {
            merchant_id,
            phases,
            ..
        } => return mended(merchant_id, phases),
    })
}

/// The first step at a branch is by far the largest; found is an interval that holds what was planted.
fn mended(merchant_id: &str, phases: &[BranchPhase]) -> Option<String> {
    let [before, after, ..] = phases else {
        return None;
    };
    let planted = after.tally.out_of_range_rate()? - before.tally.out_of_range_rate()?;
    let done = at_branch(merchant_id, phases);
    let first = done.first()?.id();
    Some(format!(
        "select coalesce(low <= {planted} and high >= {planted}, false) as found, \
         coalesce('failure rate ' || {} || ' points (' || {} || ' to ' || {} || ') by its carrier''s fix, planted {:.1}', \
         'no estimate') as how \
         from (select max(estimate) as estimate, max(low) as low, max(high) as high \
         from intervention_effects where intervention_id = {})",
        points("estimate"),
        points("low"),
        points("high"),
        100.0 * planted,
        quoted(&first)
    ))
}

fn points(column: &str) -> String {
    format!("cast(round(100.0 * {column}, 1) as text)")
}

fn zone(area: &Area, whose: &str) -> String {
    format!(
        "select coalesce(inside >= {MOST} * attempts, false) as found, \
         coalesce(zone, 'no zone') || ', ' || cast(cast(round(100.0 * inside / attempts) as int) as text) \
         || ' % of its attempts inside' as how \
         from (select max(zone_id) filter (where zone_kind <> 'failure_zone') as zone, sum(attempts) as attempts, \
         coalesce(sum(attempts) filter (where zone_kind <> 'failure_zone'), 0) as inside \
         from cells where {} and {whose})",
        in_cells(area)
    )
}

fn terminals(planted: &[String]) -> String {
    let right = any_of("terminal_id", planted);
    format!(
        "select found_right >= {MOST} * {} as found, cast(found_right as text) || ' of {} flagged, and ' \
         || cast(others as text) || ' others' as how \
         from (select count(*) filter (where {right}) as found_right, count(*) filter (where not {right}) as others \
         from terminal_flags where flagged or signal_flagged)",
        planted.len(),
        planted.len()
    )
}

fn outage(planted: &Planted, whose: &str) -> String {
    let time = |at: chrono::DateTime<chrono::Utc>| at.format("timestamp '%Y-%m-%dT%H:%M:%SZ'");
    format!(
        "select count(*) > 0 as found, coalesce(string_agg(kind || ' ' || \
         substr(cast(from_time as text), 6, 11) || ' to ' || substr(cast(to_time as text), 6, 11), ', '), 'no outage') as how \
         from outages where {whose} and from_time < {} and to_time > {}",
        time(planted.to),
        time(planted.from)
    )
}

fn caused(which: &str, class: &str) -> String {
    format!(
        "select coalesce(rightly >= {MOST} * failures, false) as found, \
         cast(rightly as text) || ' of ' || cast(failures as text) || ' put down to {class}' as how \
         from (select count(*) as failures, count(*) filter (where cause_class = '{class}') as rightly \
         from failures where {which})"
    )
}
