-- grain: one row per row of terminal_days of the day {day} that says where a terminal stood
-- What failed in an outage or over a fixed line is no attempt of the radio's.
select
    cell_r9, carrier_plmn, terminal_id, merchant_id, coalesce(model, '?') as model, firmware, coalesce(rat, '?') as rat,
    attempts, outage_failures, radio_failures, readings, weak_readings,
    readings_m90_to_m80_dbm + 2 * readings_m100_to_m90_dbm + 3 * readings_m110_to_m100_dbm
        + 4 * readings_m120_to_m110_dbm + 5 * readings_below_m120_dbm as strength_steps,
    attempts_night, attempts_morning, attempts_afternoon, attempts_evening,
    radio_failures_night, radio_failures_morning, radio_failures_afternoon, radio_failures_evening
from lake.terminal_days
where event_date = date '{day}'
    and carrier_plmn is not null and cell_r9 is not null and not has_moved
