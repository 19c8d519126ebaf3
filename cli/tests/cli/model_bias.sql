with listeners as (
    -- What the model {model} with firmware {firmware} truly hears above the others it shares radio cells with, in dB.
    select distinct
        days.terminal_id, days.serving_plmn, days.rat, days.tac, days.radio_cell_id, days.cell_r9, homes.merchant_id,
        days.model = '{model}' and days.firmware = '{firmware}' as is_own,
        case days.model {biases} else 0 end
        - case when days.model = '{bad_model}' and days.firmware = '{bad_firmware}' then {loss_db} else 0 end as bias_db
    from lake.radio_cell_days as days
    left join lake.terminals as homes on days.terminal_id = homes.terminal_id
    where days.cell_r9 is not null
),

places as (
    select
        cast(count(*) filter (where is_own) as double) as own,
        cast(count(*) filter (where not is_own) as double) as others,
        sum(bias_db) filter (where is_own) as own_db,
        sum(bias_db) filter (where not is_own) as others_db
    from listeners
    group by serving_plmn, rat, tac, radio_cell_id, cell_r9, merchant_id
)

select
    sum(own * others / (own + others) * (own_db / own - others_db / others))
    / sum(own * others / (own + others)) as n
from places
where own > 0 and others > 0
