-- title: what is wrong with the data itself
-- question: How many rows are there, and how many of them are copies, late, without a position or corrected?
-- grain: one row per table and check
-- note: Copies are sent by terminals, so they are dropped in the views and kept in the tables.
-- note: 'counters without decline' and 'declines without counter' compare, per terminal and day, the heartbeats' no_answer and offline_approved
--   counters with the out-of-range failures among the declines; a day's end falls between two heartbeats, so a small disagreement is no fault.
-- param from date: first UTC day looked at, for quarantine by its ingest day; all when not given
-- param to date: last UTC day looked at; all when not given
-- param late_s int = 300: seconds between event and sending past which an event is late
-- column table_name [none]: the table
-- column check_name [none]: what was counted; for quarantine the reason
-- column affected [count]: rows, terminals' days or failures it holds for
-- column of [count]: out of so many; null when there is no such number
-- column share [share]: affected / of
with raw as (
    select
        'heartbeats' as table_name, event_time, sent_time, kafka_time, cell_r9, sentinels_nulled,
        out_of_range_nulled
    from lake.heartbeats
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    union all
    select
        'signal_readings', event_time, sent_time, kafka_time, cell_r9, sentinels_nulled, out_of_range_nulled
    from lake.signal_readings
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    union all
    select 'declines', event_time, sent_time, kafka_time, cell_r9, sentinels_nulled, out_of_range_nulled
    from lake.declines
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
),

counts as (
    select
        table_name,
        count(*) as rows,
        count(*) filter (where sentinels_nulled > 0) as with_sentinels,
        count(*) filter (where out_of_range_nulled > 0) as with_out_of_range,
        count(*) filter (where cell_r9 is null) as without_position,
        count(*) filter (where sent_time is null) as without_sent_time,
        count(*) filter (
            where date_part('epoch', sent_time) - date_part('epoch', event_time) > $late_s
        ) as late,
        count(*) filter (where event_time > kafka_time + interval '60 seconds') as from_the_future
    from raw
    group by table_name
),

events as (
    select 'heartbeats' as table_name, count(*) as events
    from heartbeats
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    union all
    select 'signal_readings', count(*)
    from signal_readings
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    union all
    select 'declines', count(*)
    from declines
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
),

unanswered as (
    select terminal_id, event_date, sum(counted) as counted, sum(declined) as declined
    from (
        select terminal_id, event_date, coalesce(no_answer, 0) + coalesce(offline_approved, 0) as counted, 0 as declined
        from heartbeats
        where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
        union all
        select terminal_id, event_date, 0, 1
        from declines
        where is_out_of_range
            and ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    )
    group by terminal_id, event_date
),

checks as (
    select 0 as place, table_name, 'rows' as check_name, rows as affected, cast(null as bigint) as of from counts
    union all
    select 1, counts.table_name, 'copies', rows - events, rows
    from counts
    inner join events on counts.table_name = events.table_name
    union all
    select 2, table_name, 'late', late, rows from counts
    union all
    select 3, table_name, 'event time after kafka time', from_the_future, rows from counts
    union all
    select 4, table_name, 'without sent time', without_sent_time, rows from counts
    union all
    select 5, table_name, 'without position', without_position, rows from counts
    union all
    select 6, table_name, 'with nulled sentinels', with_sentinels, rows from counts
    union all
    select 7, table_name, 'with nulled out-of-range values', with_out_of_range, rows from counts
    union all
    select 8, 'declines', 'declines without counter', sum(greatest(declined - counted, 0)), sum(declined)
    from unanswered
    having count(*) > 0
    union all
    select 9, 'heartbeats', 'counters without decline', sum(greatest(counted - declined, 0)), sum(counted)
    from unanswered
    having count(*) > 0
    union all
    select 10, 'quarantine', reason, count(*), sum(count(*)) over ()
    from quarantine
    where ($from is null or ingest_date >= $from) and ($to is null or ingest_date <= $to)
    group by reason
)

select table_name, check_name, affected, of, cast(affected as double) / nullif(of, 0) as share
from checks
order by
    case table_name when 'heartbeats' then 0 when 'signal_readings' then 1 when 'declines' then 2 else 3 end,
    place,
    check_name
