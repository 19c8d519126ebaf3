with wide as (
    -- Counts failures by remedy from the view of failures, and tells where the advice counts others: an
    -- independent way to the same numbers, but for terminals that changed the carrier within a day.
    {causes}
),

found as (
    select terminal_id, remedy, sum(failures) as failures
    from (
        select terminal_id, 'outage' as remedy, outage as failures from wide
        union all
        select terminal_id, 'line' as remedy, line as failures from wide
        union all
        select terminal_id, 'terminal' as remedy, terminal as failures from wide
        union all
        select terminal_id, 'model' as remedy, model as failures from wide
        union all
        select terminal_id, 'signal' as remedy, signal as failures from wide
        union all
        select terminal_id, 'wiring' as remedy, wiring as failures from wide
        union all
        select terminal_id, 'region' as remedy, region as failures from wide
        union all
        select terminal_id, 'geofence' as remedy, geofence as failures from wide
        union all
        select terminal_id, 'configuration' as remedy, configuration as failures from wide
    )
    where failures > 0
    group by terminal_id, remedy
),

ruled as (
    select
        terminal_id,
        case
            when cause_rule in ('host_outage', 'carrier_outage', 'region_outage', 'release_outage') then 'outage'
            when cause_rule = 'fixed_line' then 'line'
            when cause_rule = 'bad_terminal' then 'terminal'
            when cause_rule = 'bad_model' then 'model'
            when cause_rule in ('weak_zone', 'not_spot', 'no_registration', 'weak_signal') then 'signal'
            when cause_rule = 'failure_zone' then 'wiring'
            when sub_cause = 'region_not_open' then 'region'
            when sub_cause = 'geofence' then 'geofence'
            when cause_class = 'merchant_config' then 'configuration'
        end as remedy
    from failures
    where event_date between date '{from}' and date '{to}'
),

expected as (
    select terminal_id, remedy, count(*) as failures
    from ruled
    where remedy is not null
    group by terminal_id, remedy
)

select
    coalesce(expected.remedy, found.remedy) as remedy,
    sum(coalesce(expected.failures, 0)) as expected,
    sum(coalesce(found.failures, 0)) as found,
    sum(abs(coalesce(expected.failures, 0) - coalesce(found.failures, 0))) as differing
from expected
full join found on expected.terminal_id = found.terminal_id and expected.remedy = found.remedy
group by 1
order by 1
