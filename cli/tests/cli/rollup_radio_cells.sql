with readings as (
    -- Adds up the strengths of day {day} by query, and tells where radio_cell_days says otherwise.
    select
        terminal_id, firmware, cell_r9, position_source, lat, lon, serving_plmn, rat, tac, radio_cell_id,
        case rat when 'gsm' then rssi_dbm when 'umts' then rscp_dbm else rsrp_dbm end as strength_dbm
    from signal_readings
    where event_date = date '{day}'
),

placed as (
    select
        readings.*,
        is_elsewhere(position_source, readings.lat, readings.lon, homes.lat, homes.lon, allowed_radius_m) as has_moved,
        homes.cell_r9 as home_r9,
        cast(round((cast(strength_dbm as double) + 100) * 10) as bigint) as tenths
    from readings
    left join lake.terminals as homes on readings.terminal_id = homes.terminal_id
    where strength_dbm is not null and serving_plmn is not null and rat is not null and radio_cell_id > 0
),

expected as (
    select
        terminal_id, coalesce(firmware, '') as firmware,
        coalesce(case when has_moved then cell_r9 else coalesce(home_r9, cell_r9) end, 0) as place,
        serving_plmn, rat, coalesce(tac, -1) as tac, radio_cell_id,
        count(*) as readings, sum(tenths) as tenths, sum(tenths * tenths) as squares
    from placed
    group by 1, 2, 3, 4, 5, 6, 7
),

-- A terminal that moved and came to stand at its own cell has two lines there.
found as (
    select
        terminal_id, coalesce(firmware, '') as firmware, coalesce(cell_r9, 0) as place,
        serving_plmn, rat, coalesce(tac, -1) as tac, radio_cell_id,
        sum(readings) as readings, sum(strength_tenths) as tenths, sum(strength_squares) as squares
    from lake.radio_cell_days
    where event_date = date '{day}'
    group by 1, 2, 3, 4, 5, 6, 7
)

select
    count(*) as rows,
    count(*) filter (
        where (expected.readings is distinct from found.readings)
            or (expected.tenths is distinct from found.tenths)
            or (expected.squares is distinct from found.squares)
    ) as differing
from expected
full join found
    on expected.terminal_id = found.terminal_id and expected.firmware = found.firmware
    and expected.place = found.place and expected.serving_plmn = found.serving_plmn
    and expected.rat = found.rat and expected.tac = found.tac
    and expected.radio_cell_id = found.radio_cell_id
