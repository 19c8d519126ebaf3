-- grain: one row per application version with an event, of the days {from} to {to}
select
    app_version,
    cast(floor(date_part('epoch', min(event_time)) / 300) as bigint) as first_slot,
    cast(floor(date_part('epoch', max(event_time)) / 300) as bigint) as last_slot
from (
    select app_version, event_time from heartbeats where event_date between date '{from}' and date '{to}'
    union all
    select app_version, event_time from signal_readings where event_date between date '{from}' and date '{to}'
    union all
    select app_version, event_time from declines where event_date between date '{from}' and date '{to}'
)
where app_version is not null
group by app_version
