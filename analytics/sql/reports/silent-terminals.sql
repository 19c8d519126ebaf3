-- title: terminals that went quiet
-- question: Which terminals are silent, which lose heartbeats, and which report late?
-- grain: one row per terminal that is silent or lost something; registered terminals never heard included
-- note: Out of range, a terminal cannot report: silence is evidence of a place as well as of a device.
-- note: Heartbeats seen and expected are those of terminal_days: at the terminal's own interval, within its merchant's
--   opening hours where the registry has them, else with gaps of more than six hours taken as switched off. They are
--   null until notspot analyze has seen its days.
-- note: A day without any heartbeat has no row there; after the terminal's first day it lacks as many as are expected of
--   its other days. The last day counts so only once its data reaches 23 h.
-- note: The end of the window is its last day, or the newest event of the lake: no clock is read.
-- note: A gap in seq between the first and last event of a boot is an event lost; late ones do not count as lost.
-- note: Rows are ranked by the lower end of the interval of the missing share, never heard ones first.
-- param from date: first UTC day looked at; all when not given
-- param to date: last UTC day looked at; all when not given
-- param cell cell: only terminals last seen in this cell, of any resolution up to 9
-- param min_silent_h float = 24: hours of silence that make a terminal silent
-- param late_s int = 300: seconds between event and sending past which an event is late
-- param top int: only so many rows; all when not given
-- column terminal_id [none]: the terminal
-- column merchant_id [none]: its merchant, as registered, else as last reported
-- column model [none]: its device model, as last reported, else as registered
-- column firmware [none]: its firmware, as last reported, else as registered
-- column cell_r8 [H3 cell]: where it was last seen, else where it is registered
-- column heartbeats_seen [count]: heartbeats in the analysed days of the window
-- column heartbeats_expected [count]: heartbeats that should have come in them
-- column missing_share [share]: share of the expected that did not come
-- column missing_share_low [share]: lower end of its 95 % Wilson interval
-- column longest_gap_h [h]: longest time between two heartbeats, the end of the window included
-- column events_lost [count]: numbers missing in seq, over all kinds of event
-- column late_events [count]: events sent more than late_s after they happened
-- column longest_delay_min [min]: longest time from event to sending
-- column last_seen [UTC]: time of its last event; null when never heard
-- column silent_h [h]: from then to the end of the window
with events as (
    select
        'heartbeat' as kind, terminal_id, merchant_id, model, firmware, cell_r9, event_time, sent_time,
        boot_id, seq
    from heartbeats
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    union all
    select 'signal', terminal_id, merchant_id, model, firmware, cell_r9, event_time, sent_time, boot_id, seq
    from signal_readings
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    union all
    select 'decline', terminal_id, merchant_id, model, firmware, cell_r9, event_time, sent_time, boot_id, seq
    from declines
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
),

beats as (
    select
        *,
        date_part('epoch', lead(event_time) over (partition by terminal_id, kind order by event_time))
            - date_part('epoch', event_time) as gap_s
    from events
),

per_boot as (
    select
        terminal_id,
        last_value(merchant_id order by event_time) as merchant_id,
        last_value(model order by event_time) as model,
        last_value(firmware order by event_time) as firmware,
        last_value(cell_r9 order by event_time) as cell_r9,
        max(gap_s) filter (where kind = 'heartbeat') as longest_gap_s,
        max(event_time) filter (where kind = 'heartbeat') as last_beat,
        max(seq) - min(seq) + 1 - count(seq) as lost,
        count(*) filter (
            where date_part('epoch', sent_time) - date_part('epoch', event_time) > $late_s
        ) as late_events,
        max(date_part('epoch', sent_time) - date_part('epoch', event_time)) as longest_delay_s,
        max(event_time) as last_seen
    from beats
    group by terminal_id, boot_id
),

terminals_heard as (
    select
        *,
        date_part('epoch', coalesce(
            cast($to + interval '1 day' as timestamp), cast(max(last_seen) over () as timestamp)
        )) as end_s
    from (
        select
            terminal_id,
            last_value(merchant_id order by last_seen) as merchant_id,
            last_value(model order by last_seen) as model,
            last_value(firmware order by last_seen) as firmware,
            last_value(cell_r9 order by last_seen) as cell_r9,
            max(longest_gap_s) as longest_gap_s,
            max(last_beat) as last_beat,
            coalesce(sum(lost), 0) as events_lost,
            sum(late_events) as late_events,
            max(longest_delay_s) / 60.0 as longest_delay_min,
            max(last_seen) as last_seen
        from per_boot
        group by terminal_id
    )
),

terminal_days as (
    select
        terminal_id,
        event_date,
        sum(heartbeats_seen) as seen,
        sum(heartbeats_expected) as expected
    from lake.terminal_days
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    group by terminal_id, event_date
    having sum(heartbeats_seen) > 0
),

-- The days of which all data is there, and how many of them come later.
whole_days as (
    select event_date as whole_day, count(*) over () - row_number() over (order by event_date) as later
    from (select distinct event_date from terminal_days)
    cross join (
        select max(event_time) as data_until
        from heartbeats
        where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    )
    where cast(event_date as timestamp) + interval '23 hours' <= cast(data_until as timestamp)
),

due as (
    select
        terminal_id as due_id,
        sum(seen) as seen,
        sum(expected) + cast(round(
            avg(cast(expected as double)) * coalesce(max(later) + 1 - count(whole_day), 0)
        ) as bigint) as expected
    from terminal_days
    left join whole_days on event_date = whole_day
    group by terminal_id
),

all_terminals as (
    select
        coalesce(heard.terminal_id, registered.terminal_id) as terminal_id,
        coalesce(registered.merchant_id, heard.merchant_id) as merchant_id,
        coalesce(heard.model, registered.model) as model,
        coalesce(heard.firmware, registered.firmware) as firmware,
        coalesce(heard.cell_r9, registered.cell_r9) as cell_r9,
        seen,
        expected,
        greatest(longest_gap_s, end_s - date_part('epoch', last_beat)) / 3600.0 as longest_gap_h,
        coalesce(events_lost, 0) as events_lost,
        coalesce(late_events, 0) as late_events,
        longest_delay_min,
        last_seen,
        (end_s - date_part('epoch', last_seen)) / 3600.0 as silent_h
    from terminals_heard as heard
    full outer join terminals as registered on heard.terminal_id = registered.terminal_id
    left join due on heard.terminal_id = due_id
),

ranked as (
    select
        *,
        row_number() over (
            order by
                last_seen is null desc,
                wilson_low(expected - seen, expected) desc nulls last,
                silent_h desc,
                terminal_id
        ) as rank
    from all_terminals
    where ($cell is null or h3_cell_to_parent(cell_r9, h3_get_resolution($cell)) = $cell)
        and (
            last_seen is null
            or silent_h >= $min_silent_h
            or expected > seen
            or events_lost > 0
            or late_events > 0
        )
)

select
    terminal_id,
    merchant_id,
    model,
    firmware,
    h3_h3_to_string(h3_cell_to_parent(cell_r9, 8)) as cell_r8,
    seen as heartbeats_seen,
    expected as heartbeats_expected,
    cast(expected - seen as double) / nullif(expected, 0) as missing_share,
    wilson_low(expected - seen, expected) as missing_share_low,
    longest_gap_h,
    events_lost,
    late_events,
    longest_delay_min,
    last_seen,
    silent_h
from ranked
where $top is null or rank <= $top
order by rank
