-- Acquirers and regions that are not open: most of the acquirer's terminals there that failed at all got
-- codes 31 or 92, no route to the issuer, day after day.
select closed_acquirer_id, closed_region_code
from (
    select
        days.acquirer_id as closed_acquirer_id,
        merchants.region_code as closed_region_code,
        terminal_id,
        sum(no_route_refusals) as refused,
        count(distinct case when no_route_refusals > 0 then event_date end) as refused_days
    from lake.terminal_days as days
    inner join lake.merchants as merchants on days.merchant_id = merchants.merchant_id
    where refused + out_of_range_failures > 0 and {days}
    group by 1, 2, 3
)
group by 1, 2
having count(*) filter (where refused >= 5 and refused_days >= 3) * 2 > count(*)
