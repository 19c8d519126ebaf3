-- grain: one row per terminal, merchant, carrier, cell of resolution 8 and device with failures that call for a remedy, of the days {from} to {to}
-- The rules and their order are those of the view of failures; a terminal's day goes by the carrier it used most.
-- Failures nobody can do anything about call for nothing: a link lost for a moment, cards, cardholders.
with failing as (
    select
        terminal_id,
        merchant_id,
        acquirer_id,
        carrier_plmn,
        h3_cell_to_parent(cell_r9, 8) as cell_r8,
        model,
        firmware,
        sum(outage_failures) as in_outages,
        sum(fixed_access_failures) as of_lines,
        sum(radio_failures) as of_radio,
        sum(signal_failures) as of_signal,
        sum(no_route_refusals) as without_route,
        sum(geofence_refusals) as of_geofence,
        sum(configuration_refusals) as of_configuration
    from lake.terminal_days
    where event_date between date '{from}' and date '{to}'
        and outage_failures + fixed_access_failures + radio_failures
        + no_route_refusals + geofence_refusals + configuration_refusals > 0
    group by 1, 2, 3, 4, 5, 6, 7
),

bad_terminals as (
    select terminal_id as bad_terminal_id
    from lake.terminal_flags
    where flagged and window_to = date '{to}'
),

bad_models as (
    select model as bad_model, firmware as bad_firmware
    from lake.device_models
    where flagged and odds_ratio >= 2 and window_to = date '{to}'
),

zone_cells as (
    select cell_r8 as zone_cell_r8, carrier_plmn as zone_plmn, zone_kind
    from lake.cells
    where zone_id is not null and window_to = date '{to}'
),

closed_regions as ({closed_regions}),

ruled as (
    select
        failing.*,
        case
            when bad_terminal_id is not null then 'terminal'
            when bad_model is not null then 'model'
            when zone_kind = 'failure_zone' then 'wiring'
            when zone_kind is not null then 'place'
        end as radio_rule,
        closed_region_code is not null as is_closed
    -- Outer to the right: what is looked up is held in memory, and terminals pass by.
    from closed_regions
    right join (
        lake.merchants as shops
        right join (
            zone_cells
            right join (
                bad_models
                right join (
                    bad_terminals
                    right join failing on bad_terminal_id = terminal_id
                ) on bad_model = model and firmware is not distinct from bad_firmware
            ) on zone_cell_r8 = cell_r8 and zone_plmn = carrier_plmn
        ) on shops.merchant_id = failing.merchant_id
    ) on closed_acquirer_id = failing.acquirer_id and closed_region_code = shops.region_code
),

remedies as (
    select
        terminal_id,
        merchant_id,
        carrier_plmn,
        cell_r8,
        coalesce(model, '?') || ' ' || coalesce(firmware, '?') as device,
        in_outages as outage,
        of_lines as line,
        case when radio_rule = 'terminal' then of_radio else 0 end as terminal,
        case when radio_rule = 'model' then of_radio else 0 end as model,
        case when radio_rule = 'place' then of_radio when radio_rule is null then of_signal else 0 end as signal,
        case when radio_rule = 'wiring' then of_radio else 0 end as wiring,
        case when is_closed then without_route else 0 end as region,
        of_geofence as geofence,
        of_configuration as configuration
    from ruled
)

select *
from remedies
where outage + line + terminal + model + signal + wiring + region + geofence + configuration > 0
order by terminal_id, merchant_id, carrier_plmn, cell_r8, device
