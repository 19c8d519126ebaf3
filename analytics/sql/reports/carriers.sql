-- title: carriers and their radio technologies side by side
-- question: How do carriers compare in failures and signal, RAT by RAT?
-- grain: one row per carrier and RAT; null is unknown
-- note: The carrier is the network in use, else the SIM's own. A decline takes carrier and RAT from the
--   terminal's last signal reading, a heartbeat from its own fields, so the two can differ at the edges.
-- note: Where they differ so far that failures exceed attempts, the rate is null: those failures have no
--   denominator of their own.
-- note: RSRP is comparable within a carrier and RAT; networks that boost reference signals look better than they are.
-- note: Outage windows are not taken out yet.
-- param from date: first UTC day looked at; all when not given
-- param to date: last UTC day looked at; all when not given
-- param rat rat: only events on this RAT: gsm, umts, lte (or 4g), nr (or 5g), nbiot or ltem
-- param cell cell: only inside this cell, of any resolution up to 9
-- column carrier_plmn [none]: the network, MCC-MNC
-- column rat [none]: radio access technology
-- column cells [count]: cells of resolution 8 with any event
-- column terminals [count]: terminals that sent any event
-- column roaming_terminals [count]: those with a SIM of another network
-- column attempts [count]: sale attempts, by the heartbeats' counters
-- column out_of_range_failures [count]: attempts without an answer from the host
-- column rate [share]: out_of_range_failures / attempts
-- column rate_low [share]: lower end of its 95 % Wilson interval
-- column rate_high [share]: upper end of its 95 % Wilson interval
-- column readings [count]: signal readings that can be judged
-- column weak_readings [count]: those too faint or too drowned for their RAT
-- column weak_share [share]: weak_readings / readings
-- column strength_p10_dbm [dBm]: strength nine in ten readings exceed
-- column strength_p50_dbm [dBm]: median strength: RSSI (gsm), RSCP (umts), RSRP (the others)
with events as (
    select
        carrier_plmn,
        rat,
        cell_r8,
        terminal_id,
        sim_plmn,
        attempts,
        0 as failures,
        cast(null as float) as strength_dbm,
        cast(null as boolean) as is_weak
    from heartbeats
    where ($from is null or event_date >= $from)
        and ($to is null or event_date <= $to)
        and ($rat is null or rat = $rat)
        and ($cell is null or h3_cell_to_parent(cell_r9, h3_get_resolution($cell)) = $cell)
    union all
    select carrier_plmn, last_signal_rat, cell_r8, terminal_id, sim_plmn, 0, 1, null, null
    from declines
    where is_out_of_range
        and ($from is null or event_date >= $from)
        and ($to is null or event_date <= $to)
        and ($rat is null or last_signal_rat = $rat)
        and ($cell is null or h3_cell_to_parent(cell_r9, h3_get_resolution($cell)) = $cell)
    union all
    select carrier_plmn, rat, cell_r8, terminal_id, sim_plmn, 0, 0, strength_dbm, is_weak
    from signal_readings
    where ($from is null or event_date >= $from)
        and ($to is null or event_date <= $to)
        and ($rat is null or rat = $rat)
        and ($cell is null or h3_cell_to_parent(cell_r9, h3_get_resolution($cell)) = $cell)
),

carriers as (
    select
        carrier_plmn,
        rat,
        count(distinct cell_r8) as cells,
        count(distinct terminal_id) as terminals,
        count(distinct case when sim_plmn <> carrier_plmn then terminal_id end) as roaming_terminals,
        coalesce(sum(attempts), 0) as attempts,
        sum(failures) as failures,
        count(is_weak) as readings,
        count(*) filter (where is_weak) as weak_readings
    from events
    group by carrier_plmn, rat
),

-- Readings have few values: counted, they give percentiles exactly, the same on every run.
strengths as (
    select carrier_plmn as heard_plmn, rat as heard_rat, strength_dbm, count(*) as readings
    from events
    where strength_dbm is not null
    group by carrier_plmn, rat, strength_dbm
),

percentiles as (
    select
        heard_plmn,
        heard_rat,
        min(strength_dbm) filter (where 10 * up_to >= of_readings) as strength_p10_dbm,
        (
            min(strength_dbm) filter (where 2 * up_to >= of_readings)
            + min(strength_dbm) filter (where 2 * up_to > of_readings)
        ) / 2.0 as strength_p50_dbm
    from (
        select
            *,
            sum(readings) over (partition by heard_plmn, heard_rat order by strength_dbm) as up_to,
            sum(readings) over (partition by heard_plmn, heard_rat) as of_readings
        from strengths
    )
    group by heard_plmn, heard_rat
)

select
    carrier_plmn,
    rat,
    cells,
    terminals,
    roaming_terminals,
    attempts,
    failures as out_of_range_failures,
    case when failures <= attempts then cast(failures as double) / nullif(attempts, 0) end as rate,
    wilson_low(failures, attempts) as rate_low,
    wilson_high(failures, attempts) as rate_high,
    readings,
    weak_readings,
    cast(weak_readings as double) / nullif(readings, 0) as weak_share,
    strength_p10_dbm,
    strength_p50_dbm
from carriers
left join percentiles
    on (heard_plmn is not distinct from carrier_plmn)
    and (heard_rat is not distinct from rat)
order by wilson_low(failures, attempts) desc nulls last, attempts desc, carrier_plmn, rat
