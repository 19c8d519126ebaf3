-- One row a decline; copies are dropped as in heartbeats.
-- is_out_of_range: no answer came from the host, the link failed. EMV Y3 and Z3 (unable to go
-- online) say the same of an offline decision. Any other code is an answer: the link worked.
-- This is the one definition of the numerator of every out-of-range rate.
select
    *,
    h3_cell_to_parent(cell_r9, 8) as cell_r8,
    coalesce(last_signal_plmn, sim_plmn) as carrier_plmn,
    outcome = '{no_answer}' or coalesce(response_code in ({offline_codes}), false) as is_out_of_range
from once.declines
