with wide as (
    -- Counts failures by remedy from the causes of each failure, and tells where the advice counts others: an
    -- independent way to the same numbers, but for terminals that changed the carrier within a day.
    {causes}
),

found as (
    select terminal_id, remedy, sum(failures) as failures
    from (
        select
            terminal_id,
            unnest([outage, line, terminal, model, place, wiring, signal, region, geofence, configuration]) as failures,
            unnest(
                ['outage', 'line', 'terminal', 'model', 'place', 'wiring', 'signal', 'region', 'geofence', 'configuration']
            ) as remedy
        from wide
    )
    where failures > 0
    group by terminal_id, remedy
),

ruled as (
    select
        terminal_id,
        share,
        case
            when cause_rule in ('host_outage', 'carrier_outage', 'region_outage', 'release_outage') then 'outage'
            when cause_rule = 'fixed_line' then 'line'
            -- What a device failed over the air that stands there no more calls for nothing.
            when is_out_of_range and event_date < device_since then null
            when cause_rule = 'bad_terminal' then 'terminal'
            when cause_rule = 'bad_model' then 'model'
            when cause_rule in ('weak_zone', 'not_spot') then 'place'
            when cause_rule in ('no_registration', 'weak_signal') then 'signal'
            when cause_rule = 'failure_zone' then 'wiring'
            when sub_cause = 'region_not_open' then 'region'
            when sub_cause = 'geofence' then 'geofence'
            when cause_class = 'merchant_config' then 'configuration'
        end as remedy
    from failure_causes
    left join (
        select terminal_id as swapped_id, device_since
        from terminal_flags
        where device_since is not null
    ) on swapped_id = terminal_id
    where event_date between date '{from}' and date '{to}'
),

expected as (
    select terminal_id, remedy, sum(share) as failures
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
