"""How soon an event in Kafka can be seen in SQL, at a steady rate, by how often the ingester commits.

Usage: freshness.py NOTSPOT [--rate 20000] [--seconds 120]

NOTSPOT is the program, release build. For each setting a test broker (deploy/broker/start) and one
`notspot ingest` are started, and this program sends readings of a simulated fleet to terminal.signal,
again and again with new identities and the time of sending. Broker, ingester and sender share the cores.
A row's freshness is the time its version of the table was in place (the log entry's modification time) minus
its kafka_time, which the sending client sets. Commits are those with rows. CPU is the ingester's processor
time by the time of sending. Four times a run `notspot sql` counts the rows: the answer agrees if it lies
between the rows of the versions in place when it was asked and when it was given.
"""

import argparse
import contextlib
import datetime
import json
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from lake import broker, measured

SETTINGS = {"default (1m)": [], "10s": ["--set=flush.max_age=10s"], "5s": ["--set=flush.max_age=5s"]}
TOPIC = "terminal.signal"
READINGS = 50_000
CHECKS = (0.3, 0.5, 0.7, 0.9)
# What is kept of a message between its first eight digits of event_id and its two times; inside, the terminal.
KEPT = re.compile(
    rb'\{"event_id":"[0-9a-f]{8}(-.*?"terminal_id":"(.*?)".*?"event_time":")[^"]*(","sent_time":")[^"]*(".*)\n'
)


def readings(program, folder):
    """Returns simulated readings in pieces, between which an identity and times go."""
    fleet = ["simulate", "country", "--terminals", "5000", "--days", "1"]
    measured([program, *fleet, "--output", folder])
    with open(f"{folder}/{TOPIC}.ndjson", "rb") as lines:
        matches = filter(None, map(KEPT.fullmatch, lines))
        return [match.groups() for match, _ in zip(matches, range(READINGS))]


def wait_for(what, condition, seconds):
    """Waits until a condition holds."""
    deadline = time.time() + seconds
    while not condition():
        if time.time() > deadline:
            sys.exit(f"waited {seconds} s in vain for {what}")
        time.sleep(0.2)


def ingester_reads(brokers):
    """Tells whether the ingester has been given its partitions."""
    from confluent_kafka import ConsumerGroupState, KafkaException, admin

    client = admin.AdminClient({"bootstrap.servers": brokers, "log_level": 3})
    try:
        group = client.describe_consumer_groups(["notspot-ingest"])["notspot-ingest"].result()
    except KafkaException:  # the group's coordinator is not up yet
        return False
    return group.state == ConsumerGroupState.STABLE


def send(brokers, kept, rate, seconds):
    """Sends at a steady rate; returns the number of messages and the seconds it took."""
    import confluent_kafka as kafka

    settings = {"compression.codec": "zstd", "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
    producer = kafka.Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", **settings})
    began = time.time()
    sent = 0
    while (elapsed := time.time() - began) < seconds:
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%FT%T.%f")[:23].encode() + b"Z"
        for number in range(sent, int(elapsed * rate)):
            head, terminal, middle, tail = kept[number % len(kept)]
            payload = b'{"event_id":"%08x%b%b%b%b%b' % (number, head, now, middle, now, tail)
            producer.produce(TOPIC, payload, terminal)
        sent = int(elapsed * rate)
        producer.poll(0)
        time.sleep(0.005)
    if producer.flush(60):
        sys.exit("not every message reached the broker")
    return sent, time.time() - began


def count_in_sql(program, lake, moments, counted):
    """Counts the rows by SQL at each of the moments; adds when it asked, when it knew, and the count."""
    query = "select count(*) from lake.signal_readings"
    for moment in moments:
        time.sleep(max(0, moment - time.time()))
        asked = time.time()
        answer = measured([program, "sql", "--lake", lake, "--format", "csv", "-c", query])[0]
        counted.append((asked, time.time(), int(answer.split()[1])))


def log(lake):
    """Yields of every version when it was in place, its rows and the paths of its files."""
    table = pathlib.Path(lake, "signal_readings")
    for entry in sorted(table.glob("_delta_log/*.json")):
        actions = [json.loads(line) for line in entry.read_text().splitlines()]
        added = [action["add"] for action in actions if "add" in action]
        count = sum(json.loads(add["stats"])["numRecords"] for add in added)
        yield entry.stat().st_mtime, count, [table / urllib.parse.unquote(add["path"]) for add in added]


def rows(lake, moment=math.inf):
    """Returns the rows in place at a moment."""
    return sum(count for committed, count, _ in log(lake) if committed <= moment)


@contextlib.contextmanager
def ingester(program, brokers, lake, settings):
    """Runs an ingester as long as it is needed; gives it, and a list that holds its resource usage in the end."""
    command = [program, "ingest", "--brokers", brokers, "--lake", lake, "--log", "error", "--set=http.enabled=false"]
    child = subprocess.Popen([*command, *settings], stdout=subprocess.DEVNULL)
    usage = []
    try:
        wait_for("the ingester", lambda: ingester_reads(brokers), 60)
        yield child, usage
    finally:
        child.send_signal(signal.SIGTERM)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        usage.append(used)


def run(program, settings, kept, folder, options):
    """Runs one setting; returns rows, seconds, the ingester's CPU seconds and peak MiB, and what SQL counted."""
    lake = f"{folder}/lake"
    counted = []
    with broker(folder) as brokers, ingester(program, brokers, lake, settings) as (_, usage):
        moments = [time.time() + share * options.seconds for share in CHECKS]
        counting = threading.Thread(target=count_in_sql, args=(program, lake, moments, counted), daemon=True)
        counting.start()
        sent, took_s = send(brokers, kept, options.rate, options.seconds)
        counting.join()
        wait_for("the last rows", lambda: rows(lake) >= sent, 120)
    if rows(lake) != sent:
        sys.exit(f"{sent} messages were sent, {rows(lake)} rows are in the lake")
    return sent, took_s, usage[0].ru_utime + usage[0].ru_stime, usage[0].ru_maxrss / 1024, counted


def freshness(lake):
    """Returns the commits with rows, and the 50th and 99th percentile and maximum of seconds until visible."""
    import pyarrow
    from pyarrow import compute, parquet

    waited = []
    commits = [(committed, paths) for committed, _, paths in log(lake) if paths]
    for committed, path in ((committed, path) for committed, paths in commits for path in paths):
        sent_us = parquet.ParquetFile(path).read(["kafka_time"])["kafka_time"].cast("int64").combine_chunks()
        waited.append(compute.subtract(committed, compute.divide(sent_us, 1e6)))
    return len(commits), *compute.quantile(pyarrow.chunked_array(waited), [0.5, 0.99, 1.0]).to_pylist()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notspot")
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args()
    program = os.path.abspath(options.notspot)
    with tempfile.TemporaryDirectory() as folder:
        kept = readings(program, f"{folder}/readings")
        runs = {name: run(program, SETTINGS[name], kept, f"{folder}/{name}", options) for name in SETTINGS}
        print(f"{'flush.max_age':14}{'rows':>11}{'rows/s':>9}{'commits':>9}{'p50 s':>8}{'p99 s':>8}", end="")
        print(f"{'max s':>8}{'CPU':>7}{'peak MiB':>10}{'SQL agrees':>12}")
        # Read last: what this process holds when it starts another counts as that one's peak.
        for name, (sent, took_s, cpu_s, peak_mib, counted) in runs.items():
            lake = f"{folder}/{name}/lake"
            commits, p50_s, p99_s, max_s = freshness(lake)
            agree = sum(rows(lake, asked) <= count <= rows(lake, known) for asked, known, count in counted)
            print(f"{name:14}{sent:11,}{sent / took_s:9,.0f}{commits:9,}{p50_s:8.1f}{p99_s:8.1f}", end="")
            print(f"{max_s:8.1f}{cpu_s / took_s:7.0%}{peak_mib:10.0f}{f'{agree} of {len(CHECKS)}':>12}")


if __name__ == "__main__":
    main()
