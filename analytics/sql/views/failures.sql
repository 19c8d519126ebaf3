-- One row a failure, a decline or an attempt without an answer, with the largest of its causes and the rule that gave it.
-- Rules are tried in this order: outages, the line in use; then the terminal, the model and the place, each by the share
-- that it explains (columns *_share, see failure_causes for all of them), and the link of the moment for the rest;
-- for host answers the code, and what the code means in its region. Zones, terminals and models are those of the
-- newest analysed window; before the first analysis only codes and signal tell.
-- A terminal stands where it is registered, unless its own receiver puts it elsewhere.
with newest as (
    select max(window_to) as window_to from lake.cells
),

{culprits},

fixed_lines as (
    select distinct terminal_id as fixed_terminal_id, event_date as fixed_date
    from lake.terminal_days
    where fixed_access_failures > 0
),

registered as (
    select
        terminal_id as registered_id,
        cell_r9 as home_r9,
        lat as home_lat,
        lon as home_lon,
        allowed_radius_m
    from lake.terminals
),

placed as (
    select
        declines.*,
        case
            when is_elsewhere(position_source, lat, lon, home_lat, home_lon, allowed_radius_m) then cell_r9
            else coalesce(home_r9, cell_r9)
        end as place_r9
    from declines
    left join registered on terminal_id = registered_id
    where outcome in ('declined', 'no_answer', 'offline_approved')
),

in_outage as (
    select
        event_id as outage_event_id,
        min(outages.outage_id) as outage_id,
        min(outages.kind) as outage_kind
    from placed
    inner join lake.outages as outages
        on placed.event_time >= outages.from_time and placed.event_time < outages.to_time
    where placed.is_out_of_range
        and (outages.host_id is null or outages.host_id = placed.host_id)
        and (outages.carrier_plmn is null or outages.carrier_plmn = placed.carrier_plmn)
        and (outages.app_version is null or outages.app_version = placed.app_version)
        and (
            outages.cells_r4 is null
            or strpos(outages.cells_r4, h3_h3_to_string(h3_cell_to_parent(placed.place_r9, 4))) > 0
        )
    group by event_id
),

closed_regions as ({closed_regions}),

known as (
    select
        placed.*,
        outage_id,
        outage_kind,
        zone_id,
        zone_kind,
        fixed_terminal_id,
        closed_region_code,
        place_rate,
        case
            when outage_kind is null and fixed_terminal_id is null and is_out_of_range then terminal_explains
        end as terminal_explains,
        case
            when outage_kind is null and fixed_terminal_id is null and is_out_of_range then model_explains
        end as model_explains,
        case
            when outage_kind is null and fixed_terminal_id is null and is_out_of_range then place_explains
        end as place_explains
    -- Outer to the right: what is looked up is held in memory, and failures pass by.
    from closed_regions
    right join (
        lake.merchants as shops
        right join (
            zone_cells
            right join (
                bad_models
                right join (
                    bad_terminals
                    right join (
                        fixed_lines
                        right join (
                            in_outage
                            right join placed on outage_event_id = event_id
                        ) on fixed_terminal_id = terminal_id and fixed_date = event_date
                    ) on bad_terminal_id = terminal_id and bad_since <= event_date
                ) on bad_model = model and (firmware is not distinct from bad_firmware)
            ) on zone_cell_r8 = h3_cell_to_parent(place_r9, 8) and zone_plmn = carrier_plmn
        ) on shops.merchant_id = placed.merchant_id
    ) on closed_acquirer_id = placed.acquirer_id and closed_region_code = shops.region_code
),

shared as (
    select
        known.* exclude (
            terminal_explains, model_explains, place_explains, place_rate, closed_region_code, fixed_terminal_id
        ),
        {terminal_share} as terminal_share,
        {model_share} as model_share,
        {place_share} as place_share,
        {own_share} as own_share,
        case
            when is_out_of_range and outage_kind is not null then outage_kind || '_outage'
            when is_out_of_range and fixed_terminal_id is not null then 'fixed_line'
            when is_out_of_range and phase_failed in ({unregistered_phases}) then 'no_registration'
            when is_out_of_range and last_signal_age_s <= {signal_holds_s}
                and is_weak_signal(last_signal_rat, cast(last_signal_dbm as double)) then 'weak_signal'
            when is_out_of_range and last_signal_dbm is not null then 'transient_link'
            when is_out_of_range then 'no_evidence'
            when response_code in ({no_route_codes}) and closed_region_code is not null then 'region_not_open'
            else 'response_code'
        end as own_rule
    from known
),

ruled as (
    select
        *,
        greatest(terminal_share, model_share, place_share, own_share) as cause_share,
        case
            when terminal_share >= greatest(model_share, place_share, own_share) then 'bad_terminal'
            when model_share >= greatest(place_share, own_share) then 'bad_model'
            when place_share >= own_share then zone_kind
            else own_rule
        end as cause_rule
    from shared
)

select
    * exclude (outage_kind, zone_kind),
    zone_kind as place_rule,
    coalesce(rule_class(cause_rule), cause_class(code_profile, response_code), 'unknown') as cause_class,
    coalesce(rule_sub(cause_rule), cause_sub(code_profile, response_code)) as sub_cause
from ruled
