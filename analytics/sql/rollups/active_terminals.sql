-- grain: one row per hour, host, carrier, place and application with active terminals, of the days {from} to {to}
select
    cast(floor(date_part('epoch', event_time) / 3600) as bigint) as hour,
    beats.host_id,
    carrier_plmn,
    h3_cell_to_parent(coalesce(terminals.cell_r9, beats.cell_r9), 4) as cell_r4,
    app_version,
    count(distinct beats.terminal_id) as terminals,
    coalesce(sum(attempts), 0) as attempts
from (
    select event_time, terminal_id, host_id, carrier_plmn, app_version, cell_r9, attempts
    from heartbeats
    where event_date between date '{from}' and date '{to}'
) as beats
left join terminals on beats.terminal_id = terminals.terminal_id
group by 1, 2, 3, 4, 5
