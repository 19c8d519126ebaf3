-- title: terminals that went quiet
-- question: Which terminals are silent, which lose heartbeats, and which report late?
-- grain: one row per terminal that is silent or lost something; registered terminals never heard included
-- note: Out of range, a terminal cannot report: silence is evidence of a place as well as of a device.
-- note: Heartbeats are expected at the terminal's own interval, from its first to the end of the window. The end is
--   the last day of the window, or the newest event of the lake: no clock is read.
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
-- column heartbeats_seen [count]: heartbeats in the window
-- column heartbeats_expected [count]: heartbeats its interval asks for
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
        boot_id, seq, interval_s
    from heartbeats
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    union all
    select 'signal', terminal_id, merchant_id, model, firmware, cell_r9, event_time, sent_time, boot_id, seq, null
    from signal_readings
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
    union all
    select 'decline', terminal_id, merchant_id, model, firmware, cell_r9, event_time, sent_time, boot_id, seq, null
    from declines
    where ($from is null or event_date >= $from) and ($to is null or event_date <= $to)
),

window_end as (
    select coalesce(
        cast($to + interval '1 day' as timestamp), cast(max(event_time) as timestamp)
    ) as end_time
    from events
),

beats as (
    select
        terminal_id,
        cast(event_time as timestamp) as event_time,
        interval_s,
        lead(cast(event_time as timestamp)) over (partition by terminal_id order by event_time) as next_time
    from events
    where kind = 'heartbeat'
),

-- Between two heartbeats as many were due as whole intervals fit, within half an interval.
gaps as (
    select
        terminal_id,
        next_time is null as is_last,
        (date_part('epoch', coalesce(next_time, end_time)) - date_part('epoch', event_time)) as gap_s,
        interval_s
    from beats
    cross join window_end
),

heartbeats_per_terminal as (
    select
        terminal_id,
        count(*) as seen,
        count(*) + sum(
            case
                when is_last then cast(floor(gap_s / interval_s) as bigint)
                else greatest(cast(round(gap_s / interval_s) as bigint) - 1, 0)
            end
        ) as expected,
        max(gap_s) / 3600.0 as longest_gap_h
    from gaps
    group by terminal_id
),

lost_per_terminal as (
    select terminal_id, sum(lost) as events_lost
    from (
        select terminal_id, max(seq) - min(seq) + 1 - count(distinct seq) as lost
        from events
        where seq is not null
        group by terminal_id, boot_id
    )
    group by terminal_id
),

terminals_heard as (
    select
        terminal_id,
        last_value(merchant_id order by event_time) as merchant_id,
        last_value(model order by event_time) as model,
        last_value(firmware order by event_time) as firmware,
        last_value(cell_r9 order by event_time) as cell_r9,
        count(*) filter (
            where date_part('epoch', sent_time) - date_part('epoch', event_time) > $late_s
        ) as late_events,
        max(date_part('epoch', sent_time) - date_part('epoch', event_time)) / 60.0 as longest_delay_min,
        max(event_time) as last_seen
    from events
    group by terminal_id
),

all_terminals as (
    select
        coalesce(heard.terminal_id, registered.terminal_id) as terminal_id,
        coalesce(registered.merchant_id, heard.merchant_id) as merchant_id,
        coalesce(heard.model, registered.model) as model,
        coalesce(heard.firmware, registered.firmware) as firmware,
        coalesce(heard.cell_r9, registered.cell_r9) as cell_r9,
        coalesce(late_events, 0) as late_events,
        longest_delay_min,
        last_seen,
        (date_part('epoch', end_time) - date_part('epoch', last_seen)) / 3600.0 as silent_h
    from terminals_heard as heard
    full outer join terminals as registered on heard.terminal_id = registered.terminal_id
    cross join window_end
),

ranked as (
    select
        all_terminals.*,
        coalesce(seen, 0) as seen,
        coalesce(expected, seen, 0) as expected,
        longest_gap_h,
        coalesce(events_lost, 0) as events_lost,
        row_number() over (
            order by
                last_seen is null desc,
                wilson_low(coalesce(expected, seen) - seen, coalesce(expected, seen)) desc nulls last,
                silent_h desc,
                all_terminals.terminal_id
        ) as rank
    from all_terminals
    left join heartbeats_per_terminal as beats_of on all_terminals.terminal_id = beats_of.terminal_id
    left join lost_per_terminal as lost on all_terminals.terminal_id = lost.terminal_id
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
