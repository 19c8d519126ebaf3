-- grain: one row per terminal, place, carrier, RAT and firmware of the day {day}
-- A terminal stands where it is registered, unless its own receiver puts it elsewhere: the position
-- of a radio cell is the mast's. Carrier and RAT are those the terminal used most that day, so that
-- attempts and failures, which know them from different messages, fall into one row.
-- Failures in outages and over fixed lines are counted apart: what is left is radio_failures.
-- Dayparts are of six hours UTC, from midnight. Gaps of more than six hours count as switched off.
with registered as (
    select terminal_id, merchant_id, cell_r9 as home_r9, coalesce(allowed_radius_m, 1000.0) as radius_m
    from terminals
),

events as (
    select
        'heartbeat' as kind, terminal_id, merchant_id, acquirer_id, host_id, model, firmware, app_version,
        serving_plmn as plmn, sim_plmn, rat, cell_r9, position_source, event_time, sent_time, access,
        coalesce(attempts, 0) as attempts, coalesce(no_answer, 0) + coalesce(offline_approved, 0) as no_answer,
        interval_s, false as is_out_of_range, false as is_outage, false as is_refused, cast(null as boolean) as is_weak
    from heartbeats
    where event_date = date '{day}'
    union all
    select
        'signal', terminal_id, merchant_id, acquirer_id, host_id, model, firmware, app_version,
        serving_plmn, sim_plmn, rat, cell_r9, position_source, event_time, sent_time, null,
        0, 0, null, false, false, false, is_weak
    from signal_readings
    where event_date = date '{day}'
    union all
    select
        'decline', terminal_id, merchant_id, acquirer_id, host_id, model, firmware, app_version,
        last_signal_plmn, sim_plmn, last_signal_rat, cell_r9, position_source, event_time, sent_time, null,
        0, 0, null, is_out_of_range, is_out_of_range and ({outage}), outcome = 'declined' and not is_out_of_range, null
    from declines
    left join (select terminal_id as registered_id, home_r9 from registered) on terminal_id = registered_id
    where event_date = date '{day}'
),

used as (
    select terminal_id, plmn, rat
    from (
        select
            terminal_id,
            plmn,
            rat,
            row_number() over (partition by terminal_id order by count(*) desc, plmn, rat) as nth
        from events
        where plmn is not null
        group by terminal_id, plmn, rat
    )
    where nth = 1
),

lines as (
    select terminal_id, bool_or(access in ('wifi', 'ethernet')) as is_fixed, max(sim_plmn) as sim_plmn
    from events
    group by terminal_id
),

beats as (
    select
        *,
        date_part('epoch', lead(event_time) over (partition by terminal_id, kind order by event_time))
            - date_part('epoch', event_time) as gap_s
    from events
),

placed as (
    select
        beats.*,
        coalesce(registered.merchant_id, beats.merchant_id) as merchant,
        case when not lines.is_fixed then coalesce(used.plmn, lines.sim_plmn) end as carrier_plmn,
        case when not lines.is_fixed then used.rat end as used_rat,
        lines.is_fixed,
        home_r9,
        position_source in ('gnss', 'wifi')
            and coalesce(h3_grid_distance(beats.cell_r9, home_r9), 1000) * 300.0 > radius_m as is_elsewhere,
        cast(floor(date_part('hour', event_time) / 6) as int) as daypart
    from beats
    join lines on beats.terminal_id = lines.terminal_id
    left join used on beats.terminal_id = used.terminal_id
    left join registered on beats.terminal_id = registered.terminal_id
),

radio as (
    select
        *,
        coalesce(is_elsewhere, false) as has_moved,
        case when coalesce(is_elsewhere, false) then cell_r9 else coalesce(home_r9, cell_r9) end as place_r9,
        is_out_of_range and not is_outage and not is_fixed as is_radio_failure
    from placed
)

select
    terminal_id,
    max(merchant) as merchant_id,
    max(acquirer_id) as acquirer_id,
    max(host_id) as host_id,
    max(model) as model,
    firmware,
    max(app_version) as app_version,
    carrier_plmn,
    used_rat as rat,
    place_r9 as cell_r9,
    has_moved,
    sum(attempts) as attempts,
    coalesce(sum(attempts) filter (where daypart = 0), 0) as attempts_night,
    coalesce(sum(attempts) filter (where daypart = 1), 0) as attempts_morning,
    coalesce(sum(attempts) filter (where daypart = 2), 0) as attempts_afternoon,
    coalesce(sum(attempts) filter (where daypart = 3), 0) as attempts_evening,
    sum(no_answer) as no_answer_counted,
    count(*) filter (where is_out_of_range) as out_of_range_failures,
    count(*) filter (where is_outage) as outage_failures,
    count(*) filter (where is_out_of_range and not is_outage and is_fixed) as fixed_access_failures,
    count(*) filter (where is_radio_failure) as radio_failures,
    count(*) filter (where is_radio_failure and daypart = 0) as radio_failures_night,
    count(*) filter (where is_radio_failure and daypart = 1) as radio_failures_morning,
    count(*) filter (where is_radio_failure and daypart = 2) as radio_failures_afternoon,
    count(*) filter (where is_radio_failure and daypart = 3) as radio_failures_evening,
    count(*) filter (where is_refused) as refused,
    count(is_weak) as readings,
    count(*) filter (where is_weak) as weak_readings,
    count(*) filter (where kind = 'heartbeat') as heartbeats_seen,
    count(*) filter (where kind = 'heartbeat') + coalesce(sum(greatest(cast(round(gap_s / interval_s) as bigint) - 1, 0))
        filter (where kind = 'heartbeat' and gap_s <= 21600), 0) as heartbeats_expected,
    count(*) filter (where date_part('epoch', sent_time) - date_part('epoch', event_time) > 300) as late_events,
    {method_version} as method_version,
    {source_rows} as source_rows,
    date '{day}' as event_date
from radio
group by terminal_id, firmware, carrier_plmn, used_rat, place_r9, has_moved
