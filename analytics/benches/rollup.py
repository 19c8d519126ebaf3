"""The roll-up of a day by notspot analyze, DuckDB and chDB, in one run over the same files.

Usage: rollup.py NOTSPOT LAKE DAY [THREADS]

NOTSPOT is the program, release build; LAKE a lake as the ingester left it (no file replaced, or the
other two would read rows that are gone); DAY a UTC day. Needs the packages duckdb and chdb.
The derived tables of the lake are deleted first. Every engine drops the copies of events, finds where
each terminal stood, counts by terminal, firmware and place, and writes Parquet. What notspot does
beyond that (slots, failed sales, silence, histogram, outages, statistics) is in its times too.
Wall times are of a busy machine as they come: the ratios are what counts.
"""

import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

DERIVED = (
    "terminal_days radio_cell_days failure_slots activity_hours outages cells weak_zones failure_zones "
    "zone_candidates device_models terminal_flags intervention_effects actions"
).split()

EVENTS = """
    select terminal_id, firmware, cell_r9, position_source, lat, lon, event_time, sent_time,
        coalesce(attempts, 0) as attempts, coalesce(no_answer, 0) + coalesce(offline_approved, 0) as no_answer,
        1 as beats, 0 as failures, 0 as refused, 0 as readings, 0 as weak
    from {heartbeats}
    union all
    select terminal_id, firmware, cell_r9, position_source, lat, lon, event_time, sent_time, 0, 0, 0, 0, 0,
        case when strength is null and rsrq_db is null and sinr_db is null then 0 else 1 end,
        case when strength < case rat when 'gsm' then {gsm} when 'umts' then {umts} else {lte} end
            or (rat not in ('gsm', 'umts') and (rsrq_db < {rsrq} or sinr_db < {sinr})) then 1 else 0 end
    from (
        select *, case rat when 'gsm' then rssi_dbm when 'umts' then rscp_dbm else rsrp_dbm end as strength
        from {signal_readings}
    ) as signals
    union all
    select terminal_id, firmware, cell_r9, position_source, lat, lon, event_time, sent_time, 0, 0, 0,
        case when outcome = 'no_answer' or coalesce(response_code, '') in ('Y3', 'Z3') then 1 else 0 end,
        case when outcome = 'declined' and coalesce(response_code, '') not in ('Y3', 'Z3') then 1 else 0 end, 0, 0
    from {declines}
"""

QUERY = """
with events as ({events}),
placed as (
    select events.*, homes.home_r9,
        coalesce(position_source in ('gnss', 'wifi') and {metres} > coalesce(homes.radius_m, 1000.0), false) as has_moved
    from events
    left join (
        select terminal_id as home_id, cell_r9 as home_r9, lat as home_lat, lon as home_lon,
            allowed_radius_m as radius_m
        from {terminals}
    ) as homes on events.terminal_id = homes.home_id
)
select terminal_id, firmware, case when has_moved then cell_r9 else coalesce(home_r9, cell_r9) end as place, has_moved,
    sum(attempts) as attempts, sum(no_answer) as no_answer, sum(beats) as beats, sum(failures) as failures,
    sum(refused) as refused, sum(readings) as readings, sum(weak) as weak,
    sum(case when {late} > 300 then 1 else 0 end) as late
from placed
group by terminal_id, firmware, place, has_moved
"""


def thresholds(repository):
    """The limits of weak signal, as the product has them."""
    text = (repository / "schemas/src/radio.rs").read_text()
    number = lambda pattern: float(re.search(pattern, text, re.S).group(1))
    weak = re.search(r"fn weak_threshold_dbm.*?\n}", text, re.S).group(0)
    of = lambda rat: float(re.search(rat + r"[^=]*=> (-?[\d.]+)", weak).group(1))
    return {
        "gsm": of("Gsm"),
        "umts": of("Umts"),
        "lte": of("Lte"),
        "rsrq": number(r"WEAK_RSRQ_DB: f32 = (-?[\d.]+)"),
        "sinr": number(r"WEAK_SINR_DB: f32 = (-?[\d.]+)"),
    }


def notspot(program, lake, day):
    for table in DERIVED:
        shutil.rmtree(lake / table, ignore_errors=True)
    began = time.time()
    subprocess.run(
        [program, "analyze", "--lake", lake, "--from", day, "--to", day],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    whole = time.time() - began
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    last = lambda table: max(p.stat().st_mtime for p in (lake / table / "_delta_log").glob("*.json"))
    return whole, last("terminal_days") - last("outages"), peak_mib


def duck(lake, day, threads, limits, folder):
    import duckdb

    once = lambda table: (
        f"(select distinct on (event_id, terminal_id, event_time) * from "
        f"read_parquet('{lake}/{table}/event_date={day}/*/*.parquet', hive_partitioning = false)) as {table}"
    )
    metres = (
        "2 * 6371008.8 * asin(sqrt(pow(sin(radians(events.lat - home_lat) / 2), 2) + cos(radians(events.lat))"
        " * cos(radians(home_lat)) * pow(sin(radians(events.lon - home_lon) / 2), 2)))"
    )
    sql = spelled(once, limits, metres, f"read_parquet('{lake}/terminals/*.parquet')", "epoch(sent_time) - epoch(event_time)")
    connection = duckdb.connect()
    connection.execute(f"set threads = {threads}; set temp_directory = '{folder}'; set preserve_insertion_order = false")
    began = time.time()
    connection.execute(f"copy ({sql}) to '{folder}/duck.parquet' (format parquet, compression zstd)")
    took = time.time() - began
    sums = connection.execute(
        f"select count(*), sum(attempts), sum(failures), sum(weak) from '{folder}/duck.parquet'"
    ).fetchone()
    return took, sums


def ch(lake, day, threads, limits, folder):
    import chdb

    once = lambda table: (
        f"(select * from file('{lake}/{table}/event_date={day}/*/*.parquet', Parquet)"
        f" limit 1 by event_id, terminal_id, event_time) as {table}"
    )
    metres = "greatCircleDistance(events.lon, events.lat, home_lon, home_lat)"
    late = "dateDiff('millisecond', event_time, sent_time) / 1000"
    sql = spelled(once, limits, metres, f"file('{lake}/terminals/*.parquet', Parquet)", late)
    began = time.time()
    chdb.query(
        f"insert into function file('{folder}/ch.parquet', Parquet) {sql} "
        f"settings max_threads = {threads}, output_format_parquet_compression_method = 'zstd', join_use_nulls = 1"
    )
    took = time.time() - began
    sums = chdb.query(
        f"select count(*), sum(attempts), sum(failures), sum(weak) from file('{folder}/ch.parquet', Parquet)", "CSV"
    )
    return took, tuple(int(float(number)) for number in str(sums).strip().split(","))


def spelled(once, limits, metres, terminals, late):
    tables = {table: once(table) for table in ("heartbeats", "signal_readings", "declines")}
    return QUERY.format(events=EVENTS.format(**tables, **limits), metres=metres, terminals=terminals, late=late)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    program, lake, day = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), sys.argv[3]
    threads = int(sys.argv[4]) if len(sys.argv) == 5 else 2
    limits = thresholds(pathlib.Path(__file__).resolve().parents[2])
    whole, rollup, peak_mib = notspot(program, lake, day)
    print(f"notspot analyze: whole {whole:.1f} s, roll-up {rollup:.1f} s, peak {peak_mib:.0f} MiB", flush=True)
    answer = subprocess.run(
        [program, "sql", "--lake", lake, "--format", "csv", "-c",
         "select count(*), sum(attempts), sum(out_of_range_failures), sum(weak_readings) from lake.terminal_days"],
        check=True, capture_output=True, text=True,
    )
    expected = tuple(int(number) for number in answer.stdout.split()[-1].split(","))
    print("rows, attempts, failures, weak readings:", expected, flush=True)
    for name, engine in (("DuckDB", duck), ("chDB", ch)):
        with tempfile.TemporaryDirectory(dir=lake.parent) as folder:
            try:
                took, sums = engine(lake, day, threads, limits, folder)
            except Exception as error:
                print(f"{name}: failed: {str(error)[:300]}", flush=True)
                continue
        same = "same sums" if tuple(map(int, sums)) == expected else f"OTHER SUMS {sums}"
        print(
            f"{name}: {took:.1f} s; roll-up {rollup / took:.2f} x, whole analysis {whole / took:.2f} x of it; {same}",
            flush=True,
        )


main()
