-- grain: one row per terminal, day, place, carrier, RAT and firmware, {from} to {to} without the day {start}
select
    terminal_id,
    cast(event_date - date '1970-01-01' as bigint) as day,
    greatest(attempts - outage_failures, radio_failures) as attempts,
    radio_failures as failures
from lake.terminal_days
where event_date between date '{from}' and date '{to}' and event_date <> date '{start}'
