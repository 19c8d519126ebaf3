-- grain: one row per terminal, merchant, carrier, cell of resolution 8 and device with failures that call for a remedy, of the days {from} to {to}
-- The rules and their shares are those of the view of failures; a terminal's day goes by the carrier it used most.
-- Failures nobody can do anything about call for nothing: a link lost for a moment, cards, cardholders.
with {culprits},

-- What a device failed over the air that stands there no more calls for nothing.
swapped as (
    select terminal_id as swapped_id, device_since
    from lake.terminal_flags
    where device_since is not null and window_to = {window}
),

failing as (
    select
        terminal_id,
        merchant_id,
        acquirer_id,
        carrier_plmn,
        h3_cell_to_parent(cell_r9, 8) as cell_r8,
        model,
        firmware,
        terminal_explains,
        sum(outage_failures) as in_outages,
        sum(fixed_access_failures) as of_lines,
        sum(case when event_date >= coalesce(device_since, event_date) then radio_failures else 0 end) as of_radio,
        sum(case when event_date >= coalesce(device_since, event_date) then signal_failures else 0 end) as of_signal,
        sum(no_route_refusals) as without_route,
        sum(geofence_refusals) as of_geofence,
        sum(configuration_refusals) as of_configuration
    from swapped
    right join (
        bad_terminals
        right join lake.terminal_days on bad_terminal_id = terminal_id and bad_since <= event_date
    ) on swapped_id = terminal_id
    where event_date between date '{from}' and date '{to}'
        and outage_failures + fixed_access_failures + radio_failures
        + no_route_refusals + geofence_refusals + configuration_refusals > 0
    group by 1, 2, 3, 4, 5, 6, 7, 8
),

closed_regions as ({closed_regions}),

shared as (
    select
        failing.*,
        of_radio * {terminal_share} as by_terminal,
        of_radio * {model_share} as by_model,
        of_radio * {place_share} as by_place,
        of_signal * {own_share} as by_signal,
        coalesce(zone_kind = 'failure_zone', false) as is_wiring,
        closed_region_code is not null as is_closed
    -- Outer to the right: what is looked up is held in memory, and terminals pass by.
    from closed_regions
    right join (
        lake.merchants as shops
        right join (
            zone_cells
            right join (
                bad_models
                right join failing on bad_model = model and firmware is not distinct from bad_firmware
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
        cast(in_outages as double) as outage,
        cast(of_lines as double) as line,
        by_terminal as terminal,
        by_model as model,
        case when is_wiring then 0.0 else by_place end as place,
        case when is_wiring then by_place else 0.0 end as wiring,
        by_signal as signal,
        case when is_closed then cast(without_route as double) else 0.0 end as region,
        cast(of_geofence as double) as geofence,
        cast(of_configuration as double) as configuration
    from shared
)

select *
from remedies
where outage + line + terminal + model + place + wiring + signal + region + geofence + configuration > 0
order by terminal_id, merchant_id, carrier_plmn, cell_r8, device
