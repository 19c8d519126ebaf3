-- One row a heartbeat: a resend repeats event_id, place and time, and the copy that came first is kept.
-- carrier_plmn: the network in use, else the SIM's own (no network serves a terminal out of range).
select
    *,
    h3_cell_to_parent(cell_r9, 8) as cell_r8,
    coalesce(serving_plmn, sim_plmn) as carrier_plmn
from once.heartbeats
