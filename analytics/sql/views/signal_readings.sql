-- One row a signal reading; copies are dropped as in heartbeats.
-- strength_dbm: the measure of strength its RAT has: RSSI (gsm), RSCP (umts), RSRP (the others).
-- is_weak: whether it is too faint or too drowned for its RAT; null when nothing that tells was measured.
select
    *,
    is_weak_signal(rat, strength_dbm, rsrq_db, sinr_db) as is_weak
from (
    select
        *,
        h3_cell_to_parent(cell_r9, 8) as cell_r8,
        coalesce(serving_plmn, sim_plmn) as carrier_plmn,
        case rat when 'gsm' then rssi_dbm when 'umts' then rscp_dbm else rsrp_dbm end as strength_dbm
    from once.signal_readings
)
