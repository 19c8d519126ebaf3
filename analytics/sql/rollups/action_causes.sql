-- grain: one row per terminal, merchant, carrier, cell of resolution 8, model with firmware and remedy that failures call for, of the days {from} to {to}
-- Failures nobody can do anything about call for none: a link lost for a moment, cards, cardholders.
select
    remedy,
    terminal_id,
    merchant_id,
    carrier_plmn,
    h3_cell_to_parent(place_r9, 8) as cell_r8,
    coalesce(model, '?') || ' ' || coalesce(firmware, '?') as device,
    count(*) as failures
from (
    select
        *,
        case
            when cause_rule in ('host_outage', 'carrier_outage', 'region_outage', 'release_outage') then 'outage'
            when cause_rule = 'fixed_line' then 'line'
            when cause_rule = 'bad_terminal' then 'terminal'
            when cause_rule = 'bad_model' then 'model'
            when cause_rule in ('weak_zone', 'not_spot', 'no_registration', 'weak_signal') then 'signal'
            when cause_rule = 'failure_zone' then 'wiring'
            when sub_cause = 'region_not_open' then 'region'
            when sub_cause = 'geofence' then 'geofence'
            when cause_class = 'merchant_config' then 'configuration'
        end as remedy
    from ({failures}) as ruled
    where event_date between date '{from}' and date '{to}'
)
where remedy is not null
group by 1, 2, 3, 4, 5, 6
order by 1, 2, 3, 4, 5, 6
