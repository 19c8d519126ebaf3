-- title: outages of hosts, carriers, regions and releases
-- question: What went down for a time, when exactly, and how many failures does it explain?
-- grain: one row per outage
-- note: Run notspot analyze first. Times are in steps of five minutes.
-- param from date: first UTC day looked at; all when not given
-- param to date: last UTC day looked at; all when not given
-- column outage_id [none]: kind, who, place and start
-- column kind [none]: host, carrier, region or release
-- column host_id [none]: the host, of a host outage
-- column carrier_plmn [none]: the carrier, of a carrier outage
-- column app_version [none]: the application's version, of a bad release
-- column from_time [UTC]: its start
-- column to_time [UTC]: its end
-- column failing_terminals [count]: terminals that failed in it
-- column active_terminals [count]: terminals that were active where it was
-- column failures [count]: out-of-range failures in it
select
    outage_id, kind, host_id, carrier_plmn, app_version, from_time, to_time,
    failing_terminals, active_terminals, failures
from outages
where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
order by from_time, outage_id
