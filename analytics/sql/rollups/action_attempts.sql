-- grain: one row per terminal, merchant, carrier and cell of resolution 8 with attempts, of the days {from} to {to}
select
    terminal_id,
    merchant_id,
    carrier_plmn,
    h3_cell_to_parent(cell_r9, 8) as cell_r8,
    greatest(sum(attempts), sum(out_of_range_failures)) as attempts
from lake.terminal_days
where event_date between date '{from}' and date '{to}'
group by 1, 2, 3, 4
having sum(attempts) + sum(out_of_range_failures) > 0
