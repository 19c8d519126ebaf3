-- title: failures by cause
-- question: Why did sales fail, by which rule do we say so, and how much is unknown?
-- grain: one row per cause class, sub-cause and rule
-- note: Run notspot analyze first; before it only codes and the last signal tell, and the unknown share is higher.
-- note: A decline by the cardholder's bank (class cardholder) proves that everything else worked.
-- param from date: first UTC day looked at; all when not given
-- param to date: last UTC day looked at; all when not given
-- param plmn plmn: only failures over this carrier
-- column cause_class [none]: signal, geography, device, provider_limit, merchant_config, technical_fault, card_or_legal, cardholder, unknown
-- column sub_cause [none]: the finer cause
-- column cause_rule [none]: the rule that gave it
-- column failures [count]: failures put down to it
-- column of_failures [count]: all failures
-- column share [share]: failures / of_failures
-- column out_of_range_failures [count]: those without an answer from the host
-- column terminals [count]: terminals concerned
with counted as (
    select
        cause_class,
        sub_cause,
        cause_rule,
        count(*) as failures,
        count(*) filter (where is_out_of_range) as out_of_range_failures,
        count(distinct terminal_id) as terminals
    from failures
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
        and ($plmn is null or carrier_plmn = $plmn)
    group by cause_class, sub_cause, cause_rule
)

select
    cause_class,
    sub_cause,
    cause_rule,
    failures,
    sum(failures) over () as of_failures,
    cast(failures as double) / sum(failures) over () as share,
    out_of_range_failures,
    terminals
from counted
order by failures desc, cause_class, sub_cause, cause_rule
