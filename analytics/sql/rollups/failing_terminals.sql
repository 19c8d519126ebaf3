-- grain: one row per five minutes and terminal with an out-of-range failure, of the days {from} to {to}
-- The place is the registered one: outages are of places, and few terminals know better where they are.
select
    cast(floor(date_part('epoch', event_time) / 300) as bigint) as slot,
    declines.terminal_id,
    max(declines.host_id) as host_id,
    max(declines.carrier_plmn) as carrier_plmn,
    max(h3_cell_to_parent(coalesce(terminals.cell_r9, declines.cell_r9), 4)) as cell_r4,
    max(declines.app_version) as app_version,
    count(*) as failures
from (
    select event_time, event_date, terminal_id, host_id, carrier_plmn, app_version, cell_r9
    from declines
    where event_date between date '{from}' and date '{to}' and is_out_of_range
) as declines
left join terminals on declines.terminal_id = terminals.terminal_id
group by 1, 2
