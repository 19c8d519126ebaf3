-- grain: one row per application version with an event, of the days {from} to {to}
-- A version lives from the first to the last hour in which at least one in fifty of as many terminals as
-- ever in an hour reported it: a terminal with a wrong clock does not date a release.
with hours as (
    select
        app_version,
        sum(terminals) as terminals,
        min(first_time) as first_time,
        max(last_time) as last_time
    from lake.activity_hours
    where app_version is not null and event_date between date '{from}' and date '{to}'
    group by app_version, hour_time
)

select
    hours.app_version,
    cast(floor(date_part('epoch', min(first_time)) / 300) as bigint) as first_slot,
    cast(floor(date_part('epoch', max(last_time)) / 300) as bigint) as last_slot
from hours
join (select app_version, max(terminals) as most from hours group by app_version) as peaks
    on hours.app_version = peaks.app_version
where terminals * 50 >= most
group by hours.app_version
