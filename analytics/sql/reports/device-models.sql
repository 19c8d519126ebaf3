-- title: device models and firmwares that fail more than their places explain
-- question: Which model and firmware has more out-of-range failures than other terminals have in the same cells?
-- grain: one row per model and firmware
-- note: Expected failures are what the model's attempts would have given at the rate of all terminals of each
--   cell (indirect standardisation by cell_r8), so a model merely deployed in weak places is not accused.
-- note: The model is part of its cells' rate, which draws ratio towards 1, most where it is alone. In a cell
--   with no other model it can neither be accused nor cleared.
-- note: ratio counts everything: outages, bad terminals and weak zones too. The analysis takes them out: flagged and
--   analysed_odds_ratio are its verdict (newest window, whatever days and cells are asked for), null before notspot analyze.
-- note: A failure is itself an attempt: where heartbeats were lost, attempts are at least the failures.
-- note: Rows are ranked by ratio_low, the lower end of the ratio's 95 % interval (Byar's approximation).
-- param from date: first UTC day looked at; all when not given
-- param to date: last UTC day looked at; all when not given
-- param plmn plmn: only events on this carrier
-- param cell cell: only inside this cell, of any resolution up to 9
-- param min_attempts int = 100: models with fewer attempts are left out
-- column rank [none]: place by ratio_low
-- column model [none]: device model; null when terminals do not say
-- column firmware [none]: firmware version; null when terminals do not say
-- column terminals [count]: terminals of it
-- column cells [count]: cells it was used in
-- column attempts [count]: sale attempts, by the heartbeats' counters
-- column out_of_range_failures [count]: attempts without an answer from the host
-- column rate [share]: out_of_range_failures / attempts
-- column rate_low [share]: lower end of its 95 % Wilson interval
-- column rate_high [share]: upper end of its 95 % Wilson interval
-- column expected_failures [count]: failures its attempts would have had at the rates of its cells
-- column ratio [none]: out_of_range_failures / expected_failures; null when none is expected
-- column ratio_low [none]: lower end of its 95 % interval
-- column ratio_high [none]: upper end of its 95 % interval
-- column flagged [none]: whether the analysis holds it for bad; null when it was not analysed
-- column analysed_odds_ratio [none]: its odds of failing to others' in the same cells, by the analysis
-- column analysed_odds_ratio_low [none]: lower end of its 95 % interval, with terminals as the units
-- column analysed_odds_ratio_high [none]: upper end
-- column q [probability]: false discovery rate at which it would be flagged
-- column failures_avoidable [count]: failures it explains in all its places, of the newest analysed window
-- column readings [count]: signal readings that can be judged
-- column weak_readings [count]: those too faint or too drowned for their RAT
-- column weak_share [share]: weak_readings / readings
-- column rsrp_p50_dbm [dBm]: median RSRP of lte, nr, nbiot and ltem readings
with events as (
    select cell_r8, model, firmware, terminal_id, attempts, 0 as failures
    from heartbeats
    where ($from is null or event_date >= $from)
        and ($to is null or event_date <= $to)
        and ($plmn is null or carrier_plmn = $plmn)
        and ($cell is null or h3_cell_to_parent(cell_r9, h3_get_resolution($cell)) = $cell)
    union all
    select cell_r8, model, firmware, terminal_id, 0 as attempts, 1 as failures
    from declines
    where is_out_of_range
        and ($from is null or event_date >= $from)
        and ($to is null or event_date <= $to)
        and ($plmn is null or carrier_plmn = $plmn)
        and ($cell is null or h3_cell_to_parent(cell_r9, h3_get_resolution($cell)) = $cell)
),

strata as (
    select
        cell_r8,
        model,
        firmware,
        greatest(coalesce(sum(attempts), 0), sum(failures)) as attempts,
        sum(failures) as failures
    from events
    group by cell_r8, model, firmware
),

with_cell_totals as (
    select
        *,
        sum(attempts) over (partition by cell_r8) as cell_attempts,
        sum(failures) over (partition by cell_r8) as cell_failures
    from strata
),

models as (
    select
        model,
        firmware,
        count(*) as cells,
        sum(attempts) as attempts,
        sum(failures) as failures,
        sum(cast(attempts as double) * cell_failures / nullif(cell_attempts, 0)) as expected
    from with_cell_totals
    group by model, firmware
),

terminals_per_model as (
    select model, firmware, count(distinct terminal_id) as terminals
    from events
    group by model, firmware
),

-- Readings have few values: counted, they give the percentile exactly, the same on every run.
strengths as (
    select
        model,
        firmware,
        rsrp_dbm,
        count(rsrp_dbm) as with_rsrp,
        count(is_weak) as readings,
        count(*) filter (where is_weak) as weak_readings
    from signal_readings
    where ($from is null or event_date >= $from)
        and ($to is null or event_date <= $to)
        and ($plmn is null or carrier_plmn = $plmn)
        and ($cell is null or h3_cell_to_parent(cell_r9, h3_get_resolution($cell)) = $cell)
    group by model, firmware, rsrp_dbm
),

readings_per_model as (
    select
        model,
        firmware,
        sum(readings) as readings,
        sum(weak_readings) as weak_readings,
        (
            min(rsrp_dbm) filter (where 2 * up_to >= of_readings)
            + min(rsrp_dbm) filter (where 2 * up_to > of_readings)
        ) / 2.0 as rsrp_p50_dbm
    from (
        select
            *,
            sum(with_rsrp) over (partition by model, firmware order by rsrp_dbm nulls first) as up_to,
            sum(with_rsrp) over (partition by model, firmware) as of_readings
        from strengths
    )
    group by model, firmware
),

-- Byar: O (1 - 1/(9 O) - z / (3 sqrt O))^3 / E below, with O + 1 for O above.
ratios as (
    select
        *,
        cast(failures as double) / nullif(expected, 0) as ratio,
        case
            when failures = 0 then 0.0
            else failures * power(
                greatest(1 - 1 / (9.0 * failures) - 1.96 / (3 * sqrt(cast(failures as double))), 0.0), 3
            )
        end / nullif(expected, 0) as ratio_low,
        (failures + 1) * power(
            1 - 1 / (9.0 * (failures + 1)) + 1.96 / (3 * sqrt(cast(failures + 1 as double))), 3
        ) / nullif(expected, 0) as ratio_high
    from models
    where attempts >= $min_attempts
)

select
    row_number() over (
        order by ratio_low desc nulls last, ratios.attempts desc, ratios.model, ratios.firmware
    ) as rank,
    ratios.model,
    ratios.firmware,
    fleet.terminals,
    ratios.cells,
    ratios.attempts,
    ratios.failures as out_of_range_failures,
    cast(ratios.failures as double) / nullif(ratios.attempts, 0) as rate,
    wilson_low(ratios.failures, ratios.attempts) as rate_low,
    wilson_high(ratios.failures, ratios.attempts) as rate_high,
    coalesce(expected, 0.0) as expected_failures,
    ratio,
    ratio_low,
    ratio_high,
    flagged,
    verdicts.odds_ratio as analysed_odds_ratio,
    verdicts.odds_ratio_low as analysed_odds_ratio_low,
    verdicts.odds_ratio_high as analysed_odds_ratio_high,
    verdicts.q,
    verdicts.failures_avoidable,
    coalesce(readings, 0) as readings,
    coalesce(signal.weak_readings, 0) as weak_readings,
    cast(signal.weak_readings as double) / nullif(readings, 0) as weak_share,
    rsrp_p50_dbm
from ratios
left join terminals_per_model as fleet
    on (ratios.model is not distinct from fleet.model)
    and (ratios.firmware is not distinct from fleet.firmware)
left join readings_per_model as signal
    on (ratios.model is not distinct from signal.model)
    and (ratios.firmware is not distinct from signal.firmware)
left join device_models as verdicts
    on coalesce(ratios.model, '?') = verdicts.model
    and (ratios.firmware is not distinct from verdicts.firmware)
order by rank
