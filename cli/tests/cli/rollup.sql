with events as (
    -- Counts the day {day} by query, and tells where terminal_days says otherwise: an independent way to the same numbers.
    select
        terminal_id, firmware, cell_r9, position_source, lat, lon, event_time, sent_time,
        coalesce(attempts, 0) as attempts, coalesce(no_answer, 0) + coalesce(offline_approved, 0) as no_answer,
        1 as beats, 0 as failures, 0 as refused, 0 as readings, 0 as weak
    from heartbeats
    where event_date = date '{day}'
    union all
    select
        terminal_id, firmware, cell_r9, position_source, lat, lon, event_time, sent_time, 0, 0, 0, 0, 0,
        case when is_weak is null then 0 else 1 end, case when is_weak then 1 else 0 end
    from signal_readings
    where event_date = date '{day}'
    union all
    select
        terminal_id, firmware, cell_r9, position_source, lat, lon, event_time, sent_time, 0, 0, 0,
        case when is_out_of_range then 1 else 0 end,
        case when outcome = 'declined' and not is_out_of_range then 1 else 0 end, 0, 0
    from declines
    where event_date = date '{day}'
),

placed as (
    select
        events.*,
        is_elsewhere(position_source, events.lat, events.lon, homes.lat, homes.lon, allowed_radius_m) as has_moved,
        homes.cell_r9 as home_r9
    from events
    left join lake.terminals as homes on events.terminal_id = homes.terminal_id
),

expected as (
    select
        terminal_id, coalesce(firmware, '') as firmware,
        coalesce(case when has_moved then cell_r9 else coalesce(home_r9, cell_r9) end, 0) as place, has_moved,
        sum(attempts) as attempts, sum(no_answer) as no_answer, sum(beats) as beats, sum(failures) as failures,
        sum(refused) as refused, sum(readings) as readings, sum(weak) as weak,
        count(*) filter (where date_part('epoch', sent_time) - date_part('epoch', event_time) > 300) as late
    from placed
    group by 1, 2, 3, 4
),

found as (
    select
        terminal_id, coalesce(firmware, '') as firmware, coalesce(cell_r9, 0) as place, has_moved, attempts,
        no_answer_counted as no_answer, heartbeats_seen as beats, out_of_range_failures as failures, refused,
        readings, weak_readings as weak, late_events as late
    from lake.terminal_days
    where event_date = date '{day}'
)

select
    count(*) as rows,
    count(*) filter (
        where (expected.attempts is distinct from found.attempts)
            or (expected.no_answer is distinct from found.no_answer)
            or (expected.beats is distinct from found.beats)
            or (expected.failures is distinct from found.failures)
            or (expected.refused is distinct from found.refused)
            or (expected.readings is distinct from found.readings)
            or (expected.weak is distinct from found.weak)
            or (expected.late is distinct from found.late)
    ) as differing
from expected
full join found
    on expected.terminal_id = found.terminal_id and expected.firmware = found.firmware
    and expected.place = found.place and expected.has_moved = found.has_moved
