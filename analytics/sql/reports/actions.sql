-- title: what would help each zone, terminal and merchant
-- question: What should be done first, where, why, and how many failures should it save?
-- grain: one row per zone, terminal or merchant and action
-- note: Run notspot analyze first. Targets overlap: a merchant's failures are those of its terminals, and of the zone it
--   stands in.
-- note: What cannot be counted beforehand is empty: customers paying by QR, outages that pass by themselves.
-- param target target: only zone, terminal or merchant
-- param plmn plmn: only what concerns this carrier
-- param top int: how many actions at most; all when not given
-- column rank [none]: by failures saved
-- column target_kind [none]: zone, terminal or merchant
-- column target_id [none]: which one
-- column choice [none]: rank of the action among the target's
-- column action [none]: change_sim, booster_or_antenna, move, replace, update_firmware, correct_configuration, open_region, offer_qr, wait or ask_carrier
-- column carrier_plmn [none]: the carrier concerned
-- column suggested_plmn [none]: the carrier measured better in the same cells
-- column attempts [count]: sale attempts of the window it rests on
-- column failures [count]: failures among them that it is for
-- column expected_failures_saved [count]: failures of the window it should have saved
-- column saved_low [count]: lower end of its 95 % interval, where it rests on another carrier's measured rate
-- column saved_high [count]: upper end
-- column reason [none]: the counts it rests on
-- column window_from [none]: first day of the analysed window
-- column window_to [none]: its last day
with ranked as (
    select
        *,
        row_number() over (
            order by expected_failures_saved desc nulls last, failures desc, target_kind, target_id, actions.rank
        ) as nth
    from actions
    where ($target is null or target_kind = $target)
        and ($plmn is null or carrier_plmn = $plmn)
)

select
    nth as rank,
    target_kind,
    target_id,
    ranked.rank as choice,
    action,
    carrier_plmn,
    suggested_plmn,
    attempts,
    failures,
    expected_failures_saved,
    saved_low,
    saved_high,
    reason,
    window_from,
    window_to
from ranked
where $top is null or nth <= $top
order by nth
