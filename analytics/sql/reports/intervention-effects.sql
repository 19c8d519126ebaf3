-- title: what interventions changed
-- question: What was done, did it help, how sure is that, and how many failures did it avoid?
-- grain: one row per intervention of the newest analysed window
-- note: Run notspot analyze first; notspot intervention add writes down what was done.
-- note: The estimate is the change of the failure rate of the terminals concerned, from before to after, less that of
--   terminals of the same carrier that failed as much before and that nothing was done to. The day of the work counts for nothing.
-- column rank [none]: by failures avoided
-- column intervention_id [none]: the intervention
-- column kind [none]: what was done
-- column target_kind [none]: terminal, merchant, zone or cell
-- column target_ids [none]: what it was done to
-- column started_at [UTC]: when
-- column verdict [none]: better or worse when the interval excludes no effect, and regression to the mean does not explain it;
--   else unclear; none when nothing can be compared
-- column treated_terminals [count]: terminals with attempts before and after
-- column attempts_before [count]: their attempts before
-- column failures_before [count]: out-of-range failures among them
-- column attempts_after [count]: their attempts after
-- column failures_after [count]: out-of-range failures among them
-- column control_terminals [count]: terminals they are compared with
-- column estimate [share]: change of the failure rate beyond that of the comparison
-- column low [share]: lower end of the 95 % interval, clustered by terminal
-- column high [share]: upper end
-- column p [probability]: of such a change without effect
-- column placebo_p [probability]: of a difference in trend before; small means that the comparison does not hold
-- column failures_avoided [count]: estimate times attempts after, where the verdict is better or worse
-- column warnings [none]: what speaks against it
select
    row_number() over (order by failures_avoided desc nulls last, started_at, intervention_id) as rank,
    intervention_id,
    kind,
    target_kind,
    target_ids,
    started_at,
    case
        when estimate is null then 'none'
        when failures_avoided > 0 then 'better'
        when failures_avoided < 0 then 'worse'
        else 'unclear'
    end as verdict,
    treated_terminals,
    treated_attempts_before as attempts_before,
    treated_failures_before as failures_before,
    treated_attempts_after as attempts_after,
    treated_failures_after as failures_after,
    control_terminals,
    estimate,
    low,
    high,
    p,
    placebo_p,
    failures_avoided,
    warnings
from intervention_effects
order by rank
