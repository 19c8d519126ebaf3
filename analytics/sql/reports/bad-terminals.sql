-- title: terminals that fail, or hear little, where their peers do not
-- question: Which terminals are bad themselves, how sure is that, and what would replacing them save?
-- grain: one row per terminal flagged
-- note: Run notspot analyze first. Peers stand in the same cell with the same carrier and as good a signal, or hear the same radio cell; where the place is weak nobody is judged by failures.
-- param top int: how many terminals at most; all when not given
-- column rank [none]: by probability, then failures avoidable
-- column terminal_id [none]: the terminal
-- column merchant_id [none]: its merchant
-- column model [none]: device model
-- column firmware [none]: its firmware
-- column carrier_plmn [none]: the carrier it uses most
-- column attempts [count]: sale attempts of the window
-- column failures [count]: out-of-range failures among them
-- column judged_attempts [count]: attempts without its worst day, where it has four days
-- column judged_failures [count]: failures among those
-- column expected_rate [share]: what its peers fail, their worst days left out too
-- column odds_ratio [ratio]: its odds of failing to theirs, shrunk
-- column probability [probability]: that the odds ratio is above 2
-- column q [probability]: false discovery rate at which its failures flag it
-- column signal_residual_db [dB]: what it hears above its peers on the same radio cells
-- column signal_q [probability]: false discovery rate at which its antenna is flagged
-- column reason [none]: failures, antenna, or both
-- column failures_avoidable [count]: the part of its failures that it explains, 1 - 1 / odds_ratio of them
-- column action [none]: what to do
-- column device_since [none]: first day of the device, when another one stood there before in the window: counts are since
-- column window_from [none]: first day of the analysed window
-- column window_to [none]: its last day
with ranked as (
    select
        *,
        row_number() over (
            order by flagged desc, probability desc nulls last, signal_residual_db nulls last, failures_avoidable desc nulls last, terminal_id
        ) as rank
    from terminal_flags
    where flagged or signal_flagged
)

select
    rank, terminal_id, merchant_id, model, firmware, carrier_plmn, attempts, failures,
    judged_attempts, judged_failures, expected_rate,
    odds_ratio, probability, q, signal_residual_db, signal_q, reason, failures_avoidable, action,
    device_since, window_from, window_to
from ranked
where $top is null or rank <= $top
order by rank
