-- grain: one row per five minutes, acquirer, host, carrier, application and partition cell of the day {day}
-- Attempts stand in the slot of the heartbeat that counted them; failures in their own.
with events as (
    select
        date_bin(interval '5 minutes', event_time) as slot_time, acquirer_id, host_id, carrier_plmn, app_version,
        partition_cell, terminal_id, coalesce(attempts, 0) as attempts, false as is_failure
    from heartbeats
    where event_date = date '{day}'
    union all
    select
        date_bin(interval '5 minutes', event_time), acquirer_id, host_id, carrier_plmn, app_version,
        partition_cell, terminal_id, 0, true
    from declines
    where event_date = date '{day}' and is_out_of_range
),

per_terminal as (
    select
        slot_time, acquirer_id, host_id, carrier_plmn, app_version, partition_cell, terminal_id,
        sum(attempts) as attempts,
        count(*) filter (where is_failure) as failures
    from events
    group by slot_time, acquirer_id, host_id, carrier_plmn, app_version, partition_cell, terminal_id
)

select
    slot_time,
    acquirer_id,
    host_id,
    carrier_plmn,
    app_version,
    partition_cell,
    sum(attempts) as attempts_counted,
    count(*) as active_terminals,
    sum(failures) as failures,
    count(*) filter (where failures > 0) as failing_terminals,
    {method_version} as method_version,
    {source_rows} as source_rows,
    date '{day}' as event_date
from per_terminal
group by slot_time, acquirer_id, host_id, carrier_plmn, app_version, partition_cell
