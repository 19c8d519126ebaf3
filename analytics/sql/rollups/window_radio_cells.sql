-- grain: one row per terminal, model with firmware, and place on a radio cell, of the days {from} to {to}
-- A place is a shop in a cell of resolution 9: next door, other walls take as much as a bad antenna does.
-- Only places where a terminal stays count for it, those with a tenth of its readings of the window: where one passes,
-- the mean is of the stretch of road it took, of readings that follow one another, and tells nothing of its antenna. So
-- a terminal has ten places at most, however far it goes; one that only drives is not testable.
-- Only places on radio cells that two terminals hear, at least: the others have nobody to be compared with.
with places as (
    select terminal_id, cell_r9, sum(readings) as readings
    from lake.radio_cell_days
    where event_date between date '{from}' and date '{to}' and cell_r9 is not null
    group by 1, 2
),

stays as (
    select terminal_id as stays_id, cell_r9 as stays_r9
    from places
    inner join (select terminal_id as whole_id, sum(readings) as whole from places group by 1) on terminal_id = whole_id
    where readings * 10 >= whole
),

heard as (
    select
        radio_cell_days.terminal_id,
        coalesce(radio_cell_days.model, '?') || ' ' || coalesce(radio_cell_days.firmware, '?') as device,
        serving_plmn,
        rat,
        coalesce(tac, -1) as tac,
        radio_cell_id,
        radio_cell_days.cell_r9,
        coalesce(terminals.merchant_id, '') as merchant_id,
        sum(readings) as readings,
        sum(strength_tenths) as strength_tenths,
        sum(strength_squares) as strength_squares
    from lake.radio_cell_days as radio_cell_days
    inner join stays on radio_cell_days.terminal_id = stays_id and radio_cell_days.cell_r9 = stays_r9
    left join lake.terminals as terminals on radio_cell_days.terminal_id = terminals.terminal_id
    where event_date between date '{from}' and date '{to}' and radio_cell_days.cell_r9 is not null
    group by 1, 2, 3, 4, 5, 6, 7, 8
),

shared as (
    select
        serving_plmn as shared_plmn,
        rat as shared_rat,
        tac as shared_tac,
        radio_cell_id as shared_id,
        cell_r9 as shared_r9,
        merchant_id as shared_merchant
    from heard
    group by 1, 2, 3, 4, 5, 6
    having min(terminal_id) < max(terminal_id)
)

select
    terminal_id,
    device,
    serving_plmn || '/' || rat || '/' || cast(tac as text) || '/' || cast(radio_cell_id as text)
    || '/' || cast(cell_r9 as text) || '/' || merchant_id as radio_place,
    readings,
    strength_tenths,
    strength_squares
from heard
inner join shared
    on serving_plmn = shared_plmn and rat = shared_rat and tac = shared_tac
    and radio_cell_id = shared_id and cell_r9 = shared_r9 and merchant_id = shared_merchant
