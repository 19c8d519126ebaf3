//! Columns of the tables that `notspot analyze` writes.
//!
//! Every one carries the method's version and how far the data reached. Shares are never stored
//! without the counts they are made of.

use arrow::datatypes::{DataType, Field, Fields};

use super::{number, text, timestamp};

fn count(name: &str) -> Field {
    number(name, DataType::Int64, false)
}

fn measure(name: &str) -> Field {
    number(name, DataType::Float64, true)
}

fn flag(name: &str) -> Field {
    number(name, DataType::Boolean, false)
}

/// The columns behind a row of a table by day: what it was made from, and the day.
fn by_day(mut fields: Vec<Field>) -> Fields {
    fields.extend([
        number("method_version", DataType::Int32, false),
        count("source_rows"),
        number("event_date", DataType::Date32, false),
    ]);
    fields.into()
}

/// The columns behind a row of a table by window: its days, and how far the data reached.
fn by_window(mut fields: Vec<Field>) -> Fields {
    fields.extend([
        number("method_version", DataType::Int32, false),
        number("window_from", DataType::Date32, false),
        timestamp("data_until", true),
        number("window_to", DataType::Date32, false),
    ]);
    fields.into()
}

/// One row per terminal, day, carrier, RAT and firmware, at the place the terminal stood.
pub(super) fn terminal_days() -> Fields {
    by_day(vec![
        text("terminal_id", false),
        text("merchant_id", true),
        text("acquirer_id", true),
        text("host_id", true),
        text("model", true),
        text("firmware", true),
        text("app_version", true),
        text("carrier_plmn", true),
        text("rat", true),
        number("cell_r9", DataType::Int64, true),
        flag("has_moved"),
        count("attempts"),
        count("attempts_night"),
        count("attempts_morning"),
        count("attempts_afternoon"),
        count("attempts_evening"),
        count("no_answer_counted"),
        count("out_of_range_failures"),
        count("sales_failed"),
        count("outage_failures"),
        count("fixed_access_failures"),
        count("radio_failures"),
        count("radio_failures_night"),
        count("radio_failures_morning"),
        count("radio_failures_afternoon"),
        count("radio_failures_evening"),
        count("signal_failures"),
        count("refused"),
        count("no_route_refusals"),
        count("geofence_refusals"),
        count("configuration_refusals"),
        count("readings"),
        count("weak_readings"),
        count("readings_above_m80_dbm"),
        count("readings_m90_to_m80_dbm"),
        count("readings_m100_to_m90_dbm"),
        count("readings_m110_to_m100_dbm"),
        count("readings_m120_to_m110_dbm"),
        count("readings_below_m120_dbm"),
        count("heartbeats_seen"),
        count("heartbeats_expected"),
        count("silent_seconds"),
        count("late_events"),
    ])
}

/// One row per terminal, day, place, model with firmware and radio cell: how strong it was heard.
///
/// Strength is that of GSM's RSSI, UMTS's RSCP and the others' RSRP, in tenths of a dB above -100 dBm:
/// whole numbers, so that sums do not depend on their order. `strength_tenths` is their sum,
/// `strength_squares` the sum of their squares, in hundredths of dB². A mean in dB is
/// `-100 + strength_tenths / 10 / readings`, dBm.
pub(super) fn radio_cell_days() -> Fields {
    by_day(vec![
        text("terminal_id", false),
        text("model", true),
        text("firmware", true),
        number("cell_r9", DataType::Int64, true),
        text("serving_plmn", false),
        text("rat", false),
        number("tac", DataType::Int32, true),
        number("radio_cell_id", DataType::Int64, false),
        count("readings"),
        count("strength_tenths"),
        count("strength_squares"),
    ])
}

/// One row per five minutes, acquirer, host, carrier and partition cell with a failure or an attempt.
pub(super) fn failure_slots() -> Fields {
    by_day(vec![
        timestamp("slot_time", false),
        text("acquirer_id", true),
        text("host_id", true),
        text("carrier_plmn", true),
        text("app_version", true),
        text("partition_cell", true),
        count("attempts_counted"),
        count("active_terminals"),
        count("failures"),
        count("failing_terminals"),
    ])
}

/// One row per hour, host, carrier, application version and cell of resolution 4 with a heartbeat.
pub(super) fn activity_hours() -> Fields {
    by_day(vec![
        timestamp("hour_time", false),
        text("host_id", true),
        text("carrier_plmn", true),
        text("app_version", true),
        number("cell_r4", DataType::Int64, true),
        count("terminals"),
        count("attempts"),
        timestamp("first_time", false),
        timestamp("last_time", false),
    ])
}

/// One row per outage, by the day it began.
pub(super) fn outages() -> Fields {
    by_day(vec![
        text("outage_id", false),
        text("kind", false),
        text("host_id", true),
        text("carrier_plmn", true),
        text("app_version", true),
        text("cells_r4", true),
        timestamp("from_time", false),
        timestamp("to_time", false),
        count("failing_terminals"),
        count("active_terminals"),
        count("failures"),
        measure("expected_terminal_slots"),
        measure("log_likelihood_ratio"),
    ])
}

/// One row per cell of resolution 8 and carrier.
///
/// `explained_share` is the part of what fails there that its zone explains: 1 - 1 / `rate_ratio` of the
/// zone, and `zone_rate` what of ordinary devices fails in the zone; both null outside of zones.
///
/// `not_in_zone_because` says of a cell that looks bad why it is in no zone; it is null for cells in one
/// and for those that do not. Where a carrier works inside a not-spot, its row has no `zone_id`.
pub(super) fn cells() -> Fields {
    by_window(vec![
        number("cell_r8", DataType::Int64, false),
        text("carrier_plmn", false),
        text("zone_id", true),
        text("zone_kind", true),
        count("terminals"),
        count("merchants"),
        count("attempts"),
        count("failures"),
        measure("expected_failures"),
        measure("rate"),
        measure("eb_rate"),
        measure("eb_rate_low"),
        measure("eb_rate_high"),
        measure("gi_star_z"),
        measure("p"),
        measure("q"),
        text("class", false),
        measure("explained_share"),
        measure("zone_rate"),
        count("readings"),
        count("weak_readings"),
        text("not_in_zone_because", true),
    ])
}

/// The counts of joined cells, and how they were judged.
fn of_place() -> Vec<Field> {
    vec![
        text("carrier_plmn", true),
        text("carriers", false),
        text("cells_r8", false),
        number("center_cell_r8", DataType::Int64, true),
        count("cells"),
        count("cells_with_data"),
        count("terminals"),
        count("merchants"),
        count("attempts"),
        count("failures"),
        measure("expected_failures"),
        measure("rate"),
        measure("eb_rate"),
        measure("eb_rate_low"),
        measure("eb_rate_high"),
        measure("baseline_rate"),
        measure("rate_ratio"),
        measure("log_likelihood_ratio"),
        measure("p"),
        measure("q"),
        count("readings"),
        count("weak_readings"),
        count("days"),
        count("dayparts"),
        flag("survives_leave_one_out"),
        text("other_carriers", true),
    ]
}

/// One row per weak zone, not-spot or failure zone.
///
/// `cells` counts every cell, bridged ones without data too; `cells_with_data` those with attempts.
/// `working_carriers` are carriers of a not-spot that work in some of its cells; those counts are not
/// the zone's. `failures_avoidable` is the part of the failures in its cells that the place explains, those of
/// bad terminals and models left out.
pub(super) fn zones() -> Fields {
    let mut fields = vec![
        text("zone_id", false),
        text("kind", false),
        text("state", false),
    ];
    fields.extend(of_place());
    fields.extend([
        text("working_carriers", true),
        text("action", true),
        measure("failures_avoidable"),
        text("reason", true),
    ]);
    by_window(fields)
}

/// One row per place that looks like a zone and is not proven.
///
/// `reason` is the first rule that it breaks, `missing` every one in words. `kind` is what it would be.
pub(super) fn zone_candidates() -> Fields {
    let mut fields = vec![text("kind", false)];
    fields.extend(of_place());
    fields.extend([text("reason", false), text("missing", false)]);
    by_window(fields)
}

/// One row per device model and firmware.
///
/// Terminals, not attempts, are the units of the odds ratio's interval, of `p` and of `q`: a jackknife
/// over them; null with fewer than two terminals on a side. `signal_bias_db` is how much stronger
/// (weaker: negative) its terminals show the radio cells they share with other models at one place, in
/// dB, with a 95 % interval by terminals; `signal_testable` is false, and the numbers null, where
/// fewer than two terminals on a side share one. `explained_share` of a flagged model is 1 - 1 / `odds_ratio`,
/// and `failures_avoidable` that part of its failures, those left by bad terminals.
pub(super) fn device_models() -> Fields {
    by_window(vec![
        text("model", false),
        text("firmware", true),
        text("compared_with", false),
        count("terminals"),
        count("attempts"),
        count("failures"),
        count("informative_cells"),
        measure("crude_odds_ratio"),
        measure("odds_ratio"),
        measure("odds_ratio_low"),
        measure("odds_ratio_high"),
        measure("p"),
        measure("q"),
        measure("breslow_day_p"),
        measure("risk_difference"),
        measure("explained_share"),
        measure("failures_avoidable"),
        count("signal_terminals"),
        count("shared_radio_cells"),
        measure("signal_bias_db"),
        measure("signal_bias_low_db"),
        measure("signal_bias_high_db"),
        measure("signal_p"),
        measure("signal_q"),
        flag("signal_testable"),
        flag("flagged"),
        text("action", true),
    ])
}

/// One row per terminal that was held against its peers.
///
/// `flagged` and `testable` are of its failures, and `not_testable_because` says why nothing that fails
/// would be proof. `signal_residual_db` is how much stronger (weaker:
/// negative) it hears the radio cells it shares with others at its place, in dB, the bias of its model
/// taken off; `signal_flagged` is a loss of 6 dB or more at `signal_q` of 0.05 or less, and
/// `signal_testable` is false, and the numbers null, where nobody beside it hears its radio cells.
/// `device_since` is the first day of the device when another one stood there before in the window (another
/// model, or an intervention of the kind `replace`); counts and verdict are of the days since.
/// `reason` is `failures`, `antenna` or `failures and antenna`. `explained_share` of a flagged terminal is
/// 1 - 1 / `odds_ratio`, and `failures_avoidable` that part of its failures.
pub(super) fn terminal_flags() -> Fields {
    by_window(vec![
        text("terminal_id", false),
        text("merchant_id", true),
        text("model", true),
        text("firmware", true),
        text("carrier_plmn", true),
        number("cell_r8", DataType::Int64, true),
        number("device_since", DataType::Date32, true),
        count("attempts"),
        count("failures"),
        count("judged_attempts"),
        count("judged_failures"),
        measure("expected_rate"),
        measure("correlation"),
        measure("probability"),
        measure("odds_ratio"),
        measure("p"),
        measure("q"),
        flag("flagged"),
        flag("testable"),
        text("not_testable_because", true),
        count("signal_readings"),
        count("shared_radio_cells"),
        measure("signal_residual_db"),
        measure("signal_se_db"),
        measure("signal_p"),
        measure("signal_q"),
        flag("signal_flagged"),
        flag("signal_testable"),
        text("reason", true),
        text("action", true),
        measure("explained_share"),
        measure("failures_avoidable"),
    ])
}

/// One row per intervention, its terminals before and after, and those they are compared with.
pub(super) fn intervention_effects() -> Fields {
    by_window(vec![
        text("intervention_id", false),
        text("kind", false),
        text("target_kind", false),
        text("target_ids", false),
        timestamp("started_at", false),
        number("before_from", DataType::Date32, false),
        number("after_to", DataType::Date32, false),
        count("treated_terminals"),
        count("control_terminals"),
        count("treated_attempts_before"),
        count("treated_failures_before"),
        count("treated_attempts_after"),
        count("treated_failures_after"),
        count("control_attempts_before"),
        count("control_failures_before"),
        count("control_attempts_after"),
        count("control_failures_after"),
        measure("estimate"),
        measure("se"),
        measure("low"),
        measure("high"),
        measure("p"),
        measure("placebo_p"),
        measure("failures_avoided"),
        text("warnings", true),
    ])
}

/// One row per target and action, ranked within the target.
///
/// `saved_low` and `saved_high` are the 95 % interval of what another carrier should save, of how often it
/// fails in the same cells; null for other actions.
pub(super) fn actions() -> Fields {
    by_window(vec![
        text("target_kind", false),
        text("target_id", false),
        count("rank"),
        text("action", false),
        text("carrier_plmn", true),
        text("suggested_plmn", true),
        count("attempts"),
        count("failures"),
        measure("expected_failures_saved"),
        measure("saved_low"),
        measure("saved_high"),
        text("reason", false),
    ])
}
