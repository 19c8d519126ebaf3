-- One row a heartbeat. A resend repeats event_id, place and time; the copy that came first is kept.
-- The window is cut by every column copies share, so that filters on them reach the files.
-- carrier_plmn: the network in use, else the SIM's own (no network serves a terminal out of range).
select
    * exclude (copy_no),
    h3_cell_to_parent(cell_r9, 8) as cell_r8,
    coalesce(serving_plmn, sim_plmn) as carrier_plmn
from (
    select
        *,
        row_number() over (
            partition by event_date, partition_cell, cell_r9, terminal_id, event_time, event_id
            order by ingest_time, kafka_topic_partition, kafka_offset
        ) as copy_no
    from lake.heartbeats
)
where copy_no = 1
