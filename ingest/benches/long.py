"""What an ingester takes over a long run: its memory and the cost of a commit, tenth by tenth.

Usage: long.py NOTSPOT [--rate 5000] [--seconds 1800] [--max-age 1s]

NOTSPOT is the program, release build. A test broker (deploy/broker/start) and one `notspot ingest` are
started, and readings of a simulated fleet are sent at a steady rate, as by freshness.py. The ingester commits
much more often than it would otherwise, so that the table has as many files in the end as a fleet makes in a
day: nothing is merged meanwhile. Memory is what the ingester holds at the end of each tenth (VmRSS); CPU is its
processor time in the tenth, by the commits with rows.
"""

import argparse
import contextlib
import os
import pathlib
import tempfile
import threading
import time

from freshness import ingester, log, readings, rows, send, wait_for
from lake import broker

PARTS = 10


def resident_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(pid, began, seconds, seen):
    """Adds the time, memory and processor time at the end of each tenth."""
    for part in range(PARTS + 1):
        time.sleep(max(0, began + seconds * part / PARTS - time.time()))
        seen.append((time.time(), resident_mib(pid), cpu_s(pid)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notspot")
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--max-age", default="1s")
    options = parser.parse_args()
    program = os.path.abspath(options.notspot)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        kept = readings(program, f"{folder}/readings")
        brokers = running.enter_context(broker(folder))
        lake = f"{folder}/lake"
        settings = [f"--set=flush.max_age={options.max_age}"]
        child, _ = running.enter_context(ingester(program, brokers, lake, settings))
        seen = []
        watching = threading.Thread(
            target=watch, args=(child.pid, time.time(), options.seconds, seen), daemon=True
        )
        watching.start()
        sent, _ = send(brokers, kept, options.rate, options.seconds)
        watching.join()
        wait_for("the last rows", lambda: rows(lake) >= sent, 120)
        commits = [(committed, count, len(paths)) for committed, count, paths in log(lake) if paths]
        print(f"{'minutes':>8}{'rows':>13}{'commits':>9}{'files in all':>14}{'CPU ms/commit':>15}{'MiB':>7}")
        for (began, _, cpu_before), (ended, mib, cpu_after) in zip(seen, seen[1:]):
            within = [(count, files) for at, count, files in commits if began <= at < ended]
            files = sum(files for at, _, files in commits if at < ended)
            cost_ms = (cpu_after - cpu_before) * 1000 / max(1, len(within))
            print(f"{(ended - seen[0][0]) / 60:8.1f}{sum(count for count, _ in within):13,}{len(within):9,}", end="")
            print(f"{files:14,}{cost_ms:15.0f}{mib:7.0f}")


if __name__ == "__main__":
    main()
