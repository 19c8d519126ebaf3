-- grain: one row per cell of resolution 8, carrier, terminal, model with firmware and RAT, of the days {from} to {to}
-- An attempt whose heartbeat was lost is still one when it failed: attempts are at least the failures.
-- What failed in an outage or over a fixed line is no attempt of the radio's.
select
    h3_cell_to_parent(cell_r9, 8) as cell_r8,
    carrier_plmn,
    terminal_id,
    max(merchant_id) as merchant_id,
    coalesce(model, '?') as model,
    firmware,
    coalesce(rat, '?') as rat,
    greatest(sum(attempts) - sum(outage_failures), sum(radio_failures)) as attempts,
    sum(radio_failures) as failures,
    sum(readings) as readings,
    sum(weak_readings) as weak_readings,
    count(distinct event_date) filter (where attempts > 0) as days,
    greatest(sum(attempts_night), sum(radio_failures_night)) as attempts_0,
    greatest(sum(attempts_morning), sum(radio_failures_morning)) as attempts_1,
    greatest(sum(attempts_afternoon), sum(radio_failures_afternoon)) as attempts_2,
    greatest(sum(attempts_evening), sum(radio_failures_evening)) as attempts_3,
    sum(radio_failures_night) as failures_0,
    sum(radio_failures_morning) as failures_1,
    sum(radio_failures_afternoon) as failures_2,
    sum(radio_failures_evening) as failures_3
from lake.terminal_days
where event_date between date '{from}' and date '{to}'
    and carrier_plmn is not null and cell_r9 is not null and not has_moved
group by 1, 2, 3, 5, 6, 7
having sum(attempts) + sum(radio_failures) + sum(readings) > 0
order by 1, 2, 3, 5, 6, 7
