"""What a lake costs to keep and to read, before `notspot maintain` and after.

Usage: lake.py NOTSPOT [--terminals 4800] [--days 30]

NOTSPOT is the program, release build. A test broker (deploy/broker/start) is filled with a fleet's events in
JSON, one `notspot ingest --until-end` brings them into a lake, and the lake is maintained once. Measured are:
- bytes of the files that the log names (maintain leaves those it replaced for a week, not counted), beside
  the mean payloads of two days of the same fleet, Avro with its five bytes of framing;
- maintain: wall time, its own processor time, peak memory, and the files it read, by what left the log;
- two queries: the median wall time of five runs of `notspot sql`, its start included;
- what of signal_readings can hold the readings of one place (the cell_r9 with the most) on one day: by
  partition, then by the minima and maxima of cell_r9 in the log, then by those of the row groups. Sizes are of
  row groups, without footers; page indexes, which narrow it further, are not counted.
"""

import argparse
import contextlib
import csv
import datetime
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

KINDS = {"heartbeats": "heartbeat", "signal_readings": "signal", "declines": "decline"}
RUNS = 5
# The mean of a column in dBm says nothing; it only makes the query read the column.
QUERIES = {
    "every reading": "select rat, count(*), avg(rsrp_dbm) from lake.signal_readings group by rat",
    "one place on one day": "select count(*), avg(rsrp_dbm) from lake.signal_readings "
    "where event_date = '{}' and partition_cell = '{}' and cell_r9 = {}",
}


@contextlib.contextmanager
def broker(folder):
    """Starts a test broker with its data in the folder, and stops it; gives HOST:PORT."""
    start = pathlib.Path(__file__).resolve().parents[2] / "deploy/broker/start"
    command = [start, "--partitions", "12", "--data", f"{folder}/broker", "--remove-data", "--stop-with-stdin"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        answer = child.stdout.readline()
        if not answer.startswith("bootstrap: "):
            sys.exit("the broker did not start")
        yield answer.split()[1]
    finally:
        child.stdin.close()
        child.wait()


def keep_history(brokers):
    """Lifts the retention of the topics: simulated events are older than a week, and Kafka would delete them."""
    from confluent_kafka import admin

    forever = admin.ConfigEntry("retention.ms", "-1", incremental_operation=admin.AlterConfigOpType.SET)
    client = admin.AdminClient({"bootstrap.servers": brokers})
    for kind in KINDS.values():
        topic = admin.ConfigResource("topic", f"terminal.{kind}", incremental_configs=[forever])
        client.incremental_alter_configs([topic])[topic].result()


def measured(command):
    """Runs a command; returns its output, seconds, processor seconds and peak MiB."""
    began = time.time()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"exit code {child.returncode}: {' '.join(command)}")
    return out, time.time() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def payload_bytes(fleet, folder):
    """Returns the mean bytes of a payload by table, as JSON and as Avro."""
    for encoding in ("json", "avro"):
        measured([*fleet, "--days", "2", "--encoding", encoding, "--output", f"{folder}/payloads"])
    means = {}
    for table, kind in KINDS.items():
        lines = pathlib.Path(folder, f"payloads/terminal.{kind}.ndjson")
        with lines.open("rb") as file:
            events = sum(1 for _ in file)
        messages = lines.with_suffix(".avro-messages")
        # An end behind each line, four bytes of length before each Avro message.
        means[table] = lines.stat().st_size / events - 1, messages.stat().st_size / events - 4
    return means


def busiest_place(sql):
    """Returns the day, partition and stored cell with the most readings."""
    place = sql(
        "select cast(event_date as varchar) as day, partition_cell, cell_r9 from lake.signal_readings "
        "where cell_r9 is not null group by event_date, partition_cell, cell_r9 "
        "order by count(*) desc, event_date, cell_r9 limit 1"
    )
    _, (day, partition, cell) = csv.reader(place[0].splitlines())
    return day, partition, int(cell)


def query_times(sql, place):
    """Returns the median seconds of each query."""
    queries = (query.format(*place) for query in QUERIES.values())
    return [statistics.median(sql(query)[1] for _ in range(RUNS)) for query in queries]


def files(lake, at):
    """Returns the files by table as the logs listed them at a time."""
    import pyarrow
    from deltalake import DeltaTable

    tables = {name: DeltaTable(f"{lake}/{name}") for name in KINDS}
    for table in tables.values():
        table.load_as_version(at)
    return {name: pyarrow.table(table.get_add_actions(flatten=True)).to_pylist() for name, table in tables.items()}


def row_groups(lake, listed):
    """Yields the entry of its file, minimum and maximum of cell_r9, and bytes of every row group."""
    import pyarrow.parquet

    for file in listed:
        footer = pyarrow.parquet.read_metadata(f"{lake}/signal_readings/{file['path']}")
        column = footer.schema.names.index("cell_r9")
        for group in map(footer.row_group, range(footer.num_row_groups)):
            bounds = group.column(column).statistics
            size = sum(group.column(index).total_compressed_size for index in range(group.num_columns))
            yield file, bounds.min, bounds.max, size


def pruning(lake, listed, place):
    """Yields what is left after each step: its name, files, row groups and bytes."""
    day, partition, cell = place
    steps = {
        "in the table": lambda file, *_: True,
        "of the day": lambda file, *_: str(file["partition.event_date"]) == day,
        "of the partition": lambda file, *_: file["partition.partition_cell"] == partition,
        "by the log's bounds": lambda file, *_: file["min.cell_r9"] <= cell <= file["max.cell_r9"],
        "by row groups' bounds": lambda _, low, high, *__: low <= cell <= high,
    }
    left = list(row_groups(lake, listed))
    for name, may_hold in steps.items():
        left = [group for group in left if may_hold(*group)]
        yield name, len({file["path"] for file, *_ in left}), len(left), sum(size for *_, size in left)


def report(when, lake, listed, means, times, place):
    """Prints what a version of the lake holds, and what its readers take and touch."""
    sums = {}
    for table in KINDS:
        events = sum(file["num_records"] for file in listed[table])
        size = sum(file["size_bytes"] for file in listed[table])
        sums[table] = [len(listed[table]), events, size, *(events * mean for mean in means[table])]
    sums["all"] = map(sum, zip(*sums.values()))
    for table, (count, events, *sizes) in sums.items():
        in_lake, in_json, in_avro = (size / events for size in sizes)
        print(f"{when:8}{table:24}{count:8,} files{events:11,} events", end="")
        print(f"{in_lake:7.1f} bytes an event{in_json:7.1f} as JSON{in_avro:7.1f} as Avro")
    for query, took_s in zip(QUERIES, times):
        print(f"{when:8}{query:24}{took_s:8.3f} s")
    for step, count, groups, size in pruning(lake, listed["signal_readings"], place):
        print(f"{when:8}{step:24}{count:8,} files{groups:7,} row groups{size / 1024:11,.1f} KiB", flush=True)


def report_maintain(before, after, took_s, cpu_s, peak_mib):
    """Prints what maintain took, and what it read: the files that left the log."""
    stay = {file["path"] for listed in after.values() for file in listed}
    read = [file["size_bytes"] for listed in before.values() for file in listed if file["path"] not in stay]
    read_mib = sum(read) / 2**20
    print(f"maintain {took_s:.1f} s, {cpu_s:.1f} CPU s, peak {peak_mib:.0f} MiB;", end=" ")
    print(f"read {len(read):,} files, {read_mib:.1f} MiB, {read_mib / took_s:.1f} MiB/s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notspot")
    parser.add_argument("--terminals", type=int, default=4800)
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    program = os.path.abspath(options.notspot)
    fleet = [program, "simulate", "country", "--terminals", str(options.terminals)]
    with tempfile.TemporaryDirectory() as folder:
        lake = f"{folder}/lake"

        def sql(query):
            return measured([program, "sql", "--lake", lake, "--format", "csv", "-c", query])

        with broker(folder) as brokers:
            keep_history(brokers)
            measured([*fleet, "--days", str(options.days), "--brokers", brokers])
            ingest = [program, "ingest", "--brokers", brokers, "--lake", lake, "--until-end", "--log", "error"]
            measured([*ingest, "--set", "http.enabled=false"])
        means = payload_bytes(fleet, folder)
        place = busiest_place(sql)
        unmaintained = datetime.datetime.now(datetime.timezone.utc)
        times_before = query_times(sql, place)
        maintained = measured([program, "maintain", lake, "--log", "error"])
        times_after = query_times(sql, place)
        # Read last: what this process holds when it starts another counts as that one's peak.
        before, after = (files(lake, at) for at in (unmaintained, datetime.datetime.now(datetime.timezone.utc)))
        report("before", lake, before, means, times_before, place)
        report_maintain(before, after, *maintained[1:])
        report("after", lake, after, means, times_after, place)


if __name__ == "__main__":
    main()
