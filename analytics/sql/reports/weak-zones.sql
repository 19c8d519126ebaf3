-- title: weak zones, not-spots and failure zones of the newest analysed window
-- question: Where do sales fail because of the place, is it the carrier's signal, and what would help?
-- grain: one row per zone
-- note: Run notspot analyze first. Failures in outages, over fixed lines and of bad terminals are not counted.
-- note: A weak zone is one carrier's, with weak signal; a not-spot is weak on every carrier seen there; a failure zone has
--   good signal and is not the carrier's problem.
-- note: A zone stands without any one terminal and any one merchant. Places that are not proven are in zone_candidates,
--   with what is missing; cells.not_in_zone_because says it of each bad cell outside of every zone.
-- param plmn plmn: only zones of this carrier; not-spots are every carrier's
-- param top int: how many zones at most; all when not given
-- column rank [none]: by failures avoidable
-- column zone_id [none]: the same from one window to the next while it is the same zone
-- column kind [none]: weak_zone, not_spot or failure_zone
-- column state [none]: new, ongoing, worse, better or resolved, against the window before
-- column carriers [none]: the carriers it is a zone of
-- column lat [degrees]: middle of its central cell, WGS-84
-- column lon [degrees]: middle of its central cell, WGS-84
-- column cells [count]: cells of resolution 8, bridged ones without data too
-- column cells_with_data [count]: those with attempts
-- column terminals [count]: terminals in it
-- column attempts [count]: sale attempts in it
-- column failures [count]: out-of-range failures among them
-- column rate [share]: failures / attempts
-- column eb_rate_low [share]: lower end of the shrunken rate
-- column baseline_rate [share]: the carrier's ordinary rate
-- column weak_readings [count]: signal readings too weak or too drowned
-- column readings [count]: signal readings that can be judged
-- column q [probability]: false discovery rate at which it is a zone
-- column failures_avoidable [count]: the part of the failures that the place explains, bad terminals and models left out
-- column action [none]: what would help, by the counts of other carriers in the same cells, or of one that works in some
-- column window_from [none]: first day of the analysed window
-- column window_to [none]: its last day
with zones as (
    select * from weak_zones
    union all
    select * from failure_zones
),

ranked as (
    select *, row_number() over (order by failures_avoidable desc, zone_id) as rank
    from zones
    where $plmn is null or strpos(concat(';', carriers, ';'), concat(';', $plmn, ';')) > 0
)

select
    rank,
    zone_id,
    kind,
    state,
    carriers,
    h3_cell_to_lat(center_cell_r8) as lat,
    h3_cell_to_lng(center_cell_r8) as lon,
    cells,
    cells_with_data,
    terminals,
    attempts,
    failures,
    rate,
    eb_rate_low,
    baseline_rate,
    weak_readings,
    readings,
    q,
    failures_avoidable,
    action,
    window_from,
    window_to
from ranked
where $top is null or rank <= $top
order by rank
