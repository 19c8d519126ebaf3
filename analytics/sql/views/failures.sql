-- One row a failure, a decline or an attempt without an answer, with its cause and the rule that gave it.
-- Rules are tried in the order of proof: outages, the line in use, the terminal, the model, the place,
-- the signal; for host answers the code, and what the code means in its region. Zones, terminals and
-- models are those of the newest analysed window; before the first analysis only codes and signal tell.
-- A terminal stands where it is registered, unless its own receiver puts it elsewhere.
with newest as (
    select max(window_to) as window_to from lake.cells
),

bad_terminals as (
    select terminal_id as bad_terminal_id
    from lake.terminal_flags
    where flagged and window_to = (select window_to from newest)
),

-- With odds of failing above twice the others', most of a model's failures are its own, in weak places too.
bad_models as (
    select model as bad_model, firmware as bad_firmware
    from lake.device_models
    where flagged and odds_ratio >= 2 and window_to = (select window_to from newest)
),

zone_cells as (
    select cell_r8 as zone_cell_r8, carrier_plmn as zone_plmn, zone_id, zone_kind
    from lake.cells
    where zone_id is not null and window_to = (select window_to from newest)
),

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

ruled as (
    select
        placed.*,
        outage_id,
        zone_id,
        case
            when is_out_of_range and outage_kind is not null then outage_kind || '_outage'
            when is_out_of_range and fixed_terminal_id is not null then 'fixed_line'
            when is_out_of_range and bad_terminal_id is not null then 'bad_terminal'
            when is_out_of_range and bad_model is not null then 'bad_model'
            when is_out_of_range and zone_kind is not null then zone_kind
            when is_out_of_range and phase_failed in ('register', 'bearer') then 'no_registration'
            when is_out_of_range and last_signal_age_s <= 120
                and is_weak_signal(last_signal_rat, cast(last_signal_dbm as double)) then 'weak_signal'
            when is_out_of_range and last_signal_dbm is not null then 'transient_link'
            when is_out_of_range then 'no_evidence'
            when response_code in ('31', '92') and closed_region_code is not null then 'region_not_open'
            else 'response_code'
        end as cause_rule
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
                    ) on bad_terminal_id = terminal_id
                ) on bad_model = model and (firmware is not distinct from bad_firmware)
            ) on zone_cell_r8 = h3_cell_to_parent(place_r9, 8) and zone_plmn = carrier_plmn
        ) on shops.merchant_id = placed.merchant_id
    ) on closed_acquirer_id = placed.acquirer_id and closed_region_code = shops.region_code
)

select
    *,
    case
        when cause_rule in ('host_outage', 'carrier_outage', 'region_outage', 'release_outage', 'fixed_line')
            then 'technical_fault'
        when cause_rule in ('bad_terminal', 'bad_model') then 'device'
        when cause_rule in ('weak_zone', 'not_spot') then 'geography'
        when cause_rule in ('no_registration', 'weak_signal', 'transient_link') then 'signal'
        when cause_rule = 'region_not_open' then 'provider_limit'
        when cause_rule = 'response_code' then coalesce(cause_class(code_profile, response_code), 'unknown')
        else 'unknown'
    end as cause_class,
    case
        when cause_rule = 'host_outage' then 'acquirer_host'
        when cause_rule = 'release_outage' then 'upgrade'
        when cause_rule = 'region_not_open' then 'region_not_open'
        when cause_rule = 'response_code' then cause_sub(code_profile, response_code)
        else cause_rule
    end as sub_cause
from ruled
