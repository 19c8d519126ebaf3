-- grain: one row per terminal, model with firmware, and place on a radio cell, of the days {from} to {to}
-- Only places on radio cells that two terminals hear, at least: the others have nobody to be compared with.
with heard as (
    select
        terminal_id,
        coalesce(model, '?') || ' ' || coalesce(firmware, '?') as device,
        serving_plmn,
        rat,
        coalesce(tac, -1) as tac,
        radio_cell_id,
        cell_r9,
        sum(readings) as readings,
        sum(strength_tenths) as strength_tenths,
        sum(strength_squares) as strength_squares
    from lake.radio_cell_days
    where event_date between date '{from}' and date '{to}' and cell_r9 is not null
    group by 1, 2, 3, 4, 5, 6, 7
),

shared as (
    select
        serving_plmn as shared_plmn,
        rat as shared_rat,
        tac as shared_tac,
        radio_cell_id as shared_id,
        cell_r9 as shared_r9
    from heard
    group by 1, 2, 3, 4, 5
    having min(terminal_id) < max(terminal_id)
)

select
    terminal_id,
    device,
    serving_plmn || '/' || rat || '/' || cast(tac as text) || '/' || cast(radio_cell_id as text)
    || '/' || cast(cell_r9 as text) as radio_place,
    readings,
    strength_tenths,
    strength_squares
from heard
inner join shared
    on serving_plmn = shared_plmn and rat = shared_rat and tac = shared_tac
    and radio_cell_id = shared_id and cell_r9 = shared_r9
