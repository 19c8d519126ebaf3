-- title: failures by cause
-- question: Why did sales fail, by which rule do we say so, and how much is unknown?
-- grain: one row per cause class, sub-cause and rule
-- note: Run notspot analyze first; before it only codes and the last signal tell, and the unknown share is higher.
-- note: A decline by the cardholder's bank (class cardholder) proves that everything else worked.
-- note: Rules in their order: host_outage, carrier_outage, region_outage, release_outage, fixed_line; then bad_terminal,
--   bad_model and the place (weak_zone, not_spot, failure_zone), each taking of what is left the part it explains, its
--   excess over what would fail anyway; the rest goes to the link of the moment: no_registration, weak_signal,
--   transient_link, no_evidence. A host's answer goes to region_not_open or response_code. So a failure may count in
--   parts to several rules, and the parts sum to 1.
-- note: Verdicts on terminals, models and places are those of the newest analysed window, whatever days are asked for.
-- param from date: first UTC day looked at; the first of the newest analysed window when not given, else of all days
-- param to date: last UTC day looked at; the last of that window when not given, else of all days
-- param plmn plmn: only failures over this carrier
-- column cause_class [none]: signal, geography, device, provider_limit, merchant_config, technical_fault, card_or_legal, cardholder, unknown
-- column sub_cause [none]: the finer cause
-- column cause_rule [none]: the rule that gave it
-- column failures [count]: failures put down to it, shares of failures added up
-- column of_failures [count]: all failures
-- column share [share]: failures / of_failures
-- column out_of_range_failures [count]: those without an answer from the host
-- column mainly [count]: failures of which it is the largest cause
-- column terminals [count]: terminals with a share in it
-- column from_day [none]: first day counted; null for all
-- column to_day [none]: last day counted; null for all
with newest as (
    select max(window_from) as window_from, max(window_to) as window_to
    from cells
),

counted as (
    select
        cause_class,
        sub_cause,
        cause_rule,
        sum(share) as failures,
        sum(share) filter (where is_out_of_range) as out_of_range_failures,
        count(*) filter (where is_largest) as mainly,
        count(distinct terminal_id) as terminals
    from failure_causes
    where event_date >= coalesce($from, (select window_from from newest), event_date)
        and event_date <= coalesce($to, (select window_to from newest), event_date)
        and ($plmn is null or carrier_plmn = $plmn)
    group by cause_class, sub_cause, cause_rule
)

select
    cause_class,
    sub_cause,
    cause_rule,
    round(failures, 6) as failures,
    sum(mainly) over () as of_failures,
    round(failures / sum(mainly) over (), 9) as share,
    round(coalesce(out_of_range_failures, 0.0), 6) as out_of_range_failures,
    mainly,
    terminals,
    coalesce($from, (select window_from from newest)) as from_day,
    coalesce($to, (select window_to from newest)) as to_day
from counted
order by round(failures, 6) desc, cause_class, sub_cause, cause_rule
