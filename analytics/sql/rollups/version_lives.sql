-- grain: one row per application version with an event, of the days {from} to {to}
-- One terminal in fifty may have a wrong clock: what only they say of a version's first and last hour is not believed.
select
    app_version,
    cast(floor(approx_percentile_cont(0.02) within group (order by first_s) / 300) as bigint) as first_slot,
    cast(floor(approx_percentile_cont(0.98) within group (order by last_s) / 300) as bigint) as last_slot
from (
    select app_version, terminal_id, date_part('epoch', min(event_time)) as first_s, date_part('epoch', max(event_time)) as last_s
    from (
        select app_version, terminal_id, event_time from heartbeats where event_date between date '{from}' and date '{to}'
        union all
        select app_version, terminal_id, event_time from signal_readings where event_date between date '{from}' and date '{to}'
    )
    where app_version is not null
    group by app_version, terminal_id
)
group by app_version
