-- Who explains failures of the window that ends on {window}, each with the part of what fails there that it explains.
bad_terminals as (
    select
        terminal_id as bad_terminal_id,
        explained_share as terminal_explains,
        -- What a device failed that stood there before is no fault of this one.
        coalesce(device_since, date '1970-01-01') as bad_since
    from lake.terminal_flags
    where flagged and window_to = {window}
),

bad_models as (
    select model as bad_model, firmware as bad_firmware, explained_share as model_explains
    from lake.device_models
    where flagged and window_to = {window}
),

zone_cells as (
    select
        cell_r8 as zone_cell_r8,
        carrier_plmn as zone_plmn,
        zone_id,
        zone_kind,
        explained_share as place_explains,
        zone_rate as place_rate
    from lake.cells
    where zone_id is not null and window_to = {window}
)
