-- title: where terminals fall out of range
-- question: In which cells do attempts get no answer, how sure is that, and is the signal weak there?
-- grain: one row per cell_r8; the row without a cell gathers events without a position
-- note: An out-of-range failure is an attempt no host answered (outcome no_answer, EMV Y3 or Z3). Any
--   answer, even a refusal, proves that the link worked.
-- note: Outage windows are not taken out yet: a host's or carrier's bad hour counts as failures here.
-- note: A failure is itself an attempt: where heartbeats were lost, attempts are at least the failures.
-- note: Rows are ranked by the lower end of the interval, so 1 of 1 never comes first.
-- param from date: first UTC day looked at; all when not given
-- param to date: last UTC day looked at; all when not given
-- param plmn plmn: only events on this carrier
-- param rat rat: only events on this RAT: gsm, umts, lte (or 4g), nr (or 5g), nbiot or ltem
-- param model text: only terminals of this device model
-- param cell cell: only inside this cell, of any resolution up to 9
-- param min_attempts int = 20: cells with fewer attempts are left out
-- param top int: only so many rows; all when not given
-- column rank [none]: place by rate_low, then by attempts
-- column cell_r8 [H3 cell]: the cell
-- column lat [degree]: latitude of its centre
-- column lon [degree]: longitude of its centre
-- column terminals [count]: terminals that sent anything from there
-- column attempts [count]: sale attempts, by the heartbeats' counters
-- column out_of_range_failures [count]: attempts without an answer from the host
-- column rate [share]: out_of_range_failures / attempts
-- column rate_low [share]: lower end of its 95 % Wilson interval
-- column rate_high [share]: upper end of its 95 % Wilson interval
-- column readings [count]: signal readings that can be judged
-- column weak_readings [count]: those too faint or too drowned for their RAT
-- column weak_share [share]: weak_readings / readings
-- column rsrp_p50_dbm [dBm]: median RSRP of lte, nr, nbiot and ltem readings
with events as (
    select
        cell_r8,
        terminal_id,
        attempts,
        0 as failures,
        cast(null as double) as rsrp_dbm,
        cast(null as boolean) as is_weak
    from heartbeats
    where ($from is null or event_date >= $from)
        and ($to is null or event_date <= $to)
        and ($plmn is null or carrier_plmn = $plmn)
        and ($rat is null or rat = $rat)
        and ($model is null or model = $model)
        and ($cell is null or h3_cell_to_parent(cell_r9, h3_get_resolution($cell)) = $cell)
    union all
    select cell_r8, terminal_id, 0, case when is_out_of_range then 1 else 0 end, null, null
    from declines
    where ($from is null or event_date >= $from)
        and ($to is null or event_date <= $to)
        and ($plmn is null or carrier_plmn = $plmn)
        and ($rat is null or last_signal_rat = $rat)
        and ($model is null or model = $model)
        and ($cell is null or h3_cell_to_parent(cell_r9, h3_get_resolution($cell)) = $cell)
    union all
    select cell_r8, terminal_id, 0, 0, rsrp_dbm, is_weak
    from signal_readings
    where ($from is null or event_date >= $from)
        and ($to is null or event_date <= $to)
        and ($plmn is null or carrier_plmn = $plmn)
        and ($rat is null or rat = $rat)
        and ($model is null or model = $model)
        and ($cell is null or h3_cell_to_parent(cell_r9, h3_get_resolution($cell)) = $cell)
),

cells as (
    select
        cell_r8,
        count(distinct terminal_id) as terminals,
        greatest(coalesce(sum(attempts), 0), sum(failures)) as attempts,
        sum(failures) as failures,
        count(is_weak) as readings,
        count(*) filter (where is_weak) as weak_readings
    from events
    group by cell_r8
),

-- Readings have few values: counted, they give the percentile exactly, the same on every run.
strengths as (
    select cell_r8 as heard_in, rsrp_dbm, count(*) as readings
    from events
    where rsrp_dbm is not null
    group by cell_r8, rsrp_dbm
),

medians as (
    select
        heard_in,
        (min(rsrp_dbm) + min(rsrp_dbm) filter (where 2 * up_to > of_readings)) / 2.0 as rsrp_p50_dbm
    from (
        select
            *,
            sum(readings) over (partition by heard_in order by rsrp_dbm) as up_to,
            sum(readings) over (partition by heard_in) as of_readings
        from strengths
    )
    where 2 * up_to >= of_readings
    group by heard_in
),

ranked as (
    select
        *,
        row_number() over (
            order by wilson_low(failures, attempts) desc nulls last, attempts desc, cell_r8
        ) as rank
    from cells
    where attempts >= $min_attempts
)

select
    rank,
    h3_h3_to_string(cell_r8) as cell_r8,
    h3_cell_to_lat(cell_r8) as lat,
    h3_cell_to_lng(cell_r8) as lon,
    terminals,
    attempts,
    failures as out_of_range_failures,
    cast(failures as double) / nullif(attempts, 0) as rate,
    wilson_low(failures, attempts) as rate_low,
    wilson_high(failures, attempts) as rate_high,
    readings,
    weak_readings,
    cast(weak_readings as double) / nullif(readings, 0) as weak_share,
    rsrp_p50_dbm
from ranked
left join medians on heard_in is not distinct from cell_r8
where $top is null or rank <= $top
order by rank
