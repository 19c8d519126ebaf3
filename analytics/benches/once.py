"""What it costs to count each event once, beside DuckDB's DISTINCT ON over the same files.

Usage: once.py NOTSPOT [--before PROGRAM] [--terminals 2000] [--days 14]

A test broker (deploy/broker/start) is filled with a fleet's events, and `notspot ingest --until-end` brings them into
a lake; the same topics are read once more under another epoch, so that half of a second lake's rows are copies. Of
both lakes each question is asked by turns, five times, and the median wall time is printed:
- `notspot` as a new process, its start included, over the views (each event once);
- the same over the files' rows (lake.*), which drops nothing;
- PROGRAM, if given: an older notspot;
- DuckDB in this process, its start left out, over `distinct on (terminal_id, event_id, event_time)` of the same files
  ordered by topic, partition and offset, on as many threads as there are cores.
Answers must agree, or the program ends with 1. Ratios are those of one run.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "ingest/benches"))
from lake import broker, keep_history, measured

RUNS = 5
QUESTIONS = {
    "count of readings": ("signal_readings", "select count(*) from {}"),
    "readings by technology": (
        "signal_readings",
        "select rat, count(*), count(distinct terminal_id) from {} group by rat order by rat",
    ),
    "one day": ("signal_readings", "select count(*) from {} where event_date = date '{day}'"),
    "one terminal": (
        "signal_readings",
        "select count(*), count(distinct event_date) from {} where terminal_id = '{terminal}'",
    ),
    "attempts by model": ("heartbeats", "select model, sum(attempts) from {} group by model order by model"),
}


def duckdb_source(lake, table):
    """Returns SQL for each event once, as DuckDB has it."""
    from deltalake import DeltaTable

    files = ", ".join(f"'{file}'" for file in DeltaTable(f"{lake}/{table}").file_uris())
    rows = f"read_parquet([{files}], hive_partitioning = true)"
    position = "kafka_topic_partition, kafka_offset"
    return (
        f"(select distinct on (terminal_id, event_id, event_time) * from {rows} "
        f"order by terminal_id, event_id, event_time, {position})"
    )


def asked(program, lake, query):
    out, seconds, *_ = measured([program, "sql", "--lake", lake, "--format", "csv", "-c", query])
    _, *rows = out.strip().splitlines()
    return "\n".join(rows), seconds


def answers(lake, day, terminal, programs, connection):
    """Yields question, and the answer and median seconds of everybody."""
    for name, (table, query) in QUESTIONS.items():
        query = query.replace("{day}", day).replace("{terminal}", terminal)
        others = duckdb_source(lake, table)
        runs = {who: [] for who in [*programs, "notspot, copies too", "duckdb"]}
        said = {}
        for _ in range(RUNS):
            for who, program in programs.items():
                said[who], seconds = asked(program, lake, query.format(table))
                runs[who].append(seconds)
            _, seconds = asked(programs["notspot"], lake, query.format(f"lake.{table}"))
            runs["notspot, copies too"].append(seconds)
            began = time.monotonic()
            rows = connection.execute(query.format(others)).fetchall()
            runs["duckdb"].append(time.monotonic() - began)
            said["duckdb"] = "\n".join(",".join("" if value is None else str(value) for value in row) for row in rows)
        yield name, said, {who: statistics.median(seconds) for who, seconds in runs.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notspot")
    parser.add_argument("--before")
    parser.add_argument("--terminals", type=int, default=2000)
    parser.add_argument("--days", type=int, default=14)
    options = parser.parse_args()
    import duckdb

    programs = {"notspot": os.path.abspath(options.notspot)}
    if options.before:
        programs["before"] = os.path.abspath(options.before)
    connection = duckdb.connect()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        once, twice = f"{folder}/once", f"{folder}/twice"
        with broker(folder) as brokers:
            keep_history(brokers)
            fleet = [programs["notspot"], "simulate", "country", "--terminals", str(options.terminals)]
            measured([*fleet, "--days", str(options.days), "--brokers", brokers])
            for lake, epoch in ((once, 0), (twice, 0), (twice, 1)):
                ingest = [programs["notspot"], "ingest", "--brokers", brokers, "--lake", lake, "--until-end"]
                measured([*ingest, "--log", "error", "--set", "http.enabled=false", "--set", f"epoch={epoch}"])
        for lake in (once, twice):
            measured([programs["notspot"], "maintain", lake, "--log", "error"])
        day, _ = asked(programs["notspot"], once, "select cast(max(event_date) - interval '2 days' as date) from heartbeats")
        terminal, _ = asked(programs["notspot"], once, "select max(terminal_id) from signal_readings")
        for kind, lake in (("no copies", once), ("all twice", twice)):
            rows, _ = asked(programs["notspot"], lake, "select count(*) from lake.signal_readings")
            print(f"{kind}: {int(rows):,} rows of signal_readings")
            for name, said, seconds in answers(lake, day, terminal, programs, connection):
                times = "  ".join(f"{who} {took:.3f} s" for who, took in seconds.items())
                ratio = seconds["notspot"] / seconds["duckdb"]
                print(f"{kind:10}{name:24}{times}  notspot/duckdb {ratio:.2f}", flush=True)
                if said["notspot"] != said["duckdb"]:
                    print(f"DIFFER: notspot {said['notspot']!r}, duckdb {said['duckdb']!r}")
                    wrong += 1
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
