-- One row a failure and cause, with its share of the failure: the shares of a failure sum to 1, so causes are counted
-- by sum(share). A failure has more than one where a bad terminal, a bad model or a zone explains a part of it.
-- Of exactly one row of a failure is_largest is true: its rule is the failure's in the view of failures.
with each as (
    select
        * exclude (
            cause_rule, cause_share, cause_class, sub_cause,
            own_rule, place_rule, terminal_share, model_share, place_share, own_share
        ),
        cause_rule as largest_rule,
        unnest([terminal_share, model_share, place_share, own_share]) as share,
        unnest(['bad_terminal', 'bad_model', place_rule, own_rule]) as cause_rule
    from failures
)

select
    * exclude (largest_rule),
    cause_rule = largest_rule as is_largest,
    coalesce(rule_class(cause_rule), cause_class(code_profile, response_code), 'unknown') as cause_class,
    coalesce(rule_sub(cause_rule), cause_sub(code_profile, response_code)) as sub_cause
from each
where share > 0
