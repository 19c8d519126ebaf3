-- grain: one row per terminal with attempts before and after the day {start}, {from} to {to}
-- The day itself is neither: what was done that day worked for a part of it.
-- What failed in an outage or over a fixed line is no attempt of the radio's.
select
    terminal_id,
    max(carrier_plmn) filter (where event_date < date '{start}') as carrier_plmn,
    count(distinct carrier_plmn) as carriers,
    max(h3_cell_to_parent(cell_r9, 8)) filter (where event_date < date '{start}') as cell_r8,
    bool_or(has_moved) as has_moved,
    coalesce(sum(attempts) filter (where event_date < date '{start}'), 0) as attempts_before,
    coalesce(sum(failures) filter (where event_date < date '{start}'), 0) as failures_before,
    coalesce(sum(attempts) filter (where event_date > date '{start}'), 0) as attempts_after,
    coalesce(sum(failures) filter (where event_date > date '{start}'), 0) as failures_after
from (
    select
        event_date,
        terminal_id,
        carrier_plmn,
        cell_r9,
        has_moved,
        greatest(attempts - outage_failures, radio_failures) as attempts,
        radio_failures as failures
    from lake.terminal_days
    where event_date between date '{from}' and date '{to}'
)
group by terminal_id
having sum(attempts) filter (where event_date < date '{start}') > 0
    and sum(attempts) filter (where event_date > date '{start}') > 0
order by terminal_id
