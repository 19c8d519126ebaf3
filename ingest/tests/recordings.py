"""Every full recording through Kafka, the ingester, the audit, `notspot analyze` and every report.

Usage: recordings.py NOTSPOT [--data FOLDER] [--only NAME] [--times K] [--once]

FOLDER holds the recordings, a folder each (default: $NOTSPOT_RECORDINGS, else ../shared/data beside the checkout);
what is not there is skipped, and said. Of each recording:
- what the replay sent is what the lake holds, and the audit finds every offset;
- counts are those of the recording's README, and so is the pattern it publishes, where there is one;
- analyze and the reports end within 15 s and a minute per 100,000 events, on 2 cores; K times as long (default 3)
  is a failure. A second analyze finds nothing to do.
Unless --once: sent twice (the same event ids) it gives the same `terminal_days`; and a copy with shuffled rows, every
tenth row doubled and a tenth of the values blanked goes through all of it too. The exit code is 1 when anything fails.
"""

import argparse
import csv
import io
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "ingest/benches"))
from lake import broker

ALLOWED_S, ALLOWED_S_PER_EVENT = 15, 60 / 100_000
TABLES = {"terminal.heartbeat": "heartbeats", "terminal.signal": "signal_readings", "terminal.decline": "declines"}

# Folder: mapping, delimiter of its files, and what its README says: attempts and failures.
RECORDINGS = {
    "us-drive-imc2023": ("us-drive", ",", (388_232, 6_094)),
    "de-dortmund-lte-2018": ("dortmund-lte", ",", (0, 0)),
    "in-trai-mycall": ("trai-mycall", ",", (194_807, 16_421)),
    "ie-cork-5g-2019": ("cork-5g", ",", (3_272, 64)),
    "sn-dakar-gnettrack": ("dakar-gnettrack", "\t", None),
    "ir-tehran-fieldtest": ("tehran-fieldtest", ";", None),
    "cn-bandwidth-sigcomm22": ("cn-bandwidth", ",", (0, 0)),
}
NOT_REPLAYED = {
    "us-drive-imc2023/callbacks.csv.zst": "the same readings as seconds.csv, before they were joined to the pings",
    "de-dortmund-lte-2018/neighbours.csv.zst": "readings of cells that did not serve: no event holds them",
    "de-dortmund-lte-2018/transfers.csv.zst": "transfers that failed were not recorded: a rate would be 0",
    "fr-mobile-sites-2018": "a list of sites: no time and no measurement",
    "il-cells-2023": "a list of radio cells: no time and no measurement",
}
# Of the pings of seconds whose LTE reading is younger than 30 s, by its RSRP: the share lost that the README gives.
US_DRIVE = """
with heard as (
    select terminal_id, event_time, count(*) as lost, min(last_signal_dbm) as dbm
    from declines where last_signal_age_s < 30 group by 1, 2
)
select
    sum(case when dbm <= -120 then lost end) as lost_weak, sum(case when dbm > -95 and dbm <= -80 then lost end) as lost_strong
from heard
"""


class Failures(list):
    def hold(self, holds, told):
        if not holds:
            self.append(told)
            print(f"    FAILED: {told}", flush=True)


def run(program, *arguments, limit_s=None, allowed=(0,)):
    """Runs the program; returns its output, its seconds, and what was wrong, if anything."""
    began = time.monotonic()
    try:
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return "", time.monotonic() - began, f"{' '.join(map(str, arguments[:2]))} did not end within {limit_s:.0f} s"
    wrong = None
    if done.returncode not in allowed:
        wrong = f"{' '.join(map(str, arguments[:2]))}: exit code {done.returncode}: {done.stderr[-500:]}"
    return done.stdout, time.monotonic() - began, wrong


def rows(program, lake, sql):
    told, _, wrong = run(program, "sql", "--lake", lake, "--format", "csv", "-c", sql)
    if wrong:
        sys.exit(wrong)
    return list(csv.reader(io.StringIO(told)))[1:]


def replayed(text):
    """Reads the summary of a replay: events by topic, attempts, failures and the days it covers."""
    number = lambda pattern: int(re.search(pattern, text)[1].replace(",", ""))
    events = {topic: number(rf"([\d,]+) {re.escape(topic)}\n") for topic in TABLES}
    counts = re.search(r"([\d,]+) attempts, ([\d,]+) of them", text).groups()
    days = re.search(r"events from (\S{10})\S* to (\S{10})", text).groups()
    return events, tuple(int(count.replace(",", "")) for count in counts), days


def spoiled(source, target, delimiter, files):
    """Copies recorded files with their rows shuffled, some of them doubled, and values blanked."""
    chance = random.Random(17)
    target.mkdir()
    for file in files:
        text = subprocess.run(["zstd", "-dcqf", source / file], check=True, capture_output=True).stdout
        header, *lines = text.decode().split("\n")
        lines = [line for line in lines if line.strip()]
        lines += lines[::10]
        chance.shuffle(lines)
        with open(target / file.removesuffix(".zst"), "w") as out:
            out.write(header + "\n")
            for line in lines:
                values = line.split(delimiter)
                out.write(delimiter.join("" if chance.random() < 0.1 else value for value in values) + "\n")


def lake_of(program, brokers, lake, mapping, files, failures, *, times=1, refused=(0,)):
    """Sends a recording and ingests it; returns what was sent."""
    for _ in range(times):
        told, took, wrong = run(program, "replay", mapping, files, "--brokers", brokers, limit_s=600, allowed=refused)
        if wrong:
            failures.hold(False, wrong)
            return None
    # Times are those of the recording, years ago.
    settings = ["--set=validation.retention=9999d", "--set=http.enabled=false"]
    _, ingest_s, wrong = run(program, "ingest", "--brokers", brokers, "--lake", lake, "--until-end", *settings, limit_s=600)
    failures.hold(not wrong, wrong)
    _, audit_s, wrong = run(program, "audit", lake, limit_s=600)
    failures.hold(not wrong, wrong)
    events, counts, days = replayed(told)
    print(f"    {sum(events.values()):,} events: replay {took:.1f} s, ingest {ingest_s:.1f} s, audit {audit_s:.1f} s")
    quarantined = int(rows(program, lake, "select count(*) from quarantine")[0][0])
    failures.hold(refused != (0,) or quarantined == 0, f"{quarantined} messages in quarantine")
    return events, counts, days


def analyzed(program, lake, sent, failures, times):
    """Analyses a lake and asks every report; both within the bound."""
    events, _, (first, last) = sent
    count = sum(events.values())
    bound_s = ALLOWED_S + count * ALLOWED_S_PER_EVENT
    limit_s = times * bound_s
    window = ["--from", first, "--window", "366d"]
    told, analyze_s, wrong = run(program, "analyze", "--lake", lake, *window, limit_s=limit_s)
    failures.hold(not wrong, wrong)
    if wrong:
        return
    days = int(re.search(r"(\d+) days computed", told)[1])
    reports, _, _ = run(program, "report", "list")
    took = {}
    for name in [line.split()[0] for line in reports.splitlines()]:
        _, took[name], wrong = run(program, "report", name, "--lake", lake, "--format", "csv", limit_s=limit_s)
        failures.hold(not wrong, wrong)
    all_s = analyze_s + sum(took.values())
    slowest = max(took, key=took.get)
    print(f"    analyze {analyze_s:.1f} s ({days} days), {len(took)} reports {sum(took.values()):.1f} s (longest: {slowest} "
          f"{took[slowest]:.1f} s): {all_s / bound_s:.2f} of the {bound_s:.0f} s allowed", flush=True)
    failures.hold(all_s <= times * bound_s, f"{all_s:.0f} s is more than {times} times {bound_s:.0f} s")
    told, _, wrong = run(program, "analyze", "--lake", lake, *window, limit_s=limit_s)
    failures.hold(not wrong and "0 days computed" in told and "window unchanged" in told, wrong or f"again: {told}")


def sums(program, lake):
    return rows(program, lake, "select event_date, sum(attempts), sum(radio_failures), sum(readings), sum(heartbeats_seen) from "
                               "lake.terminal_days group by 1 order by 1")


def us_drive(program, lake, folder, failures):
    """Compares the losses by signal strength with those published."""
    pings = {"weak": 0, "strong": 0}
    text = subprocess.run(["zstd", "-dcq", folder / "seconds.csv.zst"], check=True, capture_output=True).stdout.decode()
    for row in csv.DictReader(io.StringIO(text)):
        # As the mapping rounds ages.
        if row["lte_rsrp"] and float(row["lte_age_s"] or "inf") < 29.5:
            rsrp = float(row["lte_rsrp"])
            pings["weak"] += int(row["ping_tx"]) * (rsrp <= -120)
            pings["strong"] += int(row["ping_tx"]) * (-95 < rsrp <= -80)
    weak, strong = (float(lost) for lost in rows(program, lake, US_DRIVE)[0])
    weak, strong = 100 * weak / pings["weak"], 100 * strong / pings["strong"]
    print(f"    pings lost: {weak:.1f} % at -120 dBm and below (published 12.7), {strong:.1f} % at -95 to -80 (published 0.7)")
    failures.hold(abs(weak - 12.7) < 0.2 and abs(strong - 0.7) < 0.1, "the losses are not those published")


def recording(program, data, name, times, once):
    mapping, delimiter, published = RECORDINGS[name]
    failures = Failures()
    print(f"{name}:", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        lake, source = folder / "lake", data / name
        with broker(folder) as brokers:
            sent = lake_of(program, brokers, lake, mapping, source, failures)
            if sent is None:
                return failures
            events, counts, _ = sent
            for topic, table in TABLES.items():
                found = int(rows(program, lake, f"select count(*) from {table}")[0][0])
                failures.hold(found == events[topic], f"{found} {table}, {events[topic]} sent")
            failures.hold(published in (None, counts), f"{counts} attempts and failures, {published} published")
            analyzed(program, lake, sent, failures, times)
            if name.startswith("us-drive"):
                us_drive(program, lake, source, failures)
            if once:
                return failures
            print("  sent twice:", flush=True)
            twice = folder / "twice"
            sent = lake_of(program, brokers, twice, mapping, source, failures)
            analyzed(program, twice, sent, failures, times)
            failures.hold(sums(program, twice) == sums(program, lake), "events sent twice are counted twice")
        shutil.rmtree(lake)
        print("  shuffled, doubled, blanked:", flush=True)
        files = [file.name for file in source.iterdir() if file.suffix in (".zst", ".txt", ".csv")]
        spoiled(source, folder / "spoiled", delimiter, files)
        (folder / "2").mkdir()
        with broker(folder / "2") as brokers:
            sent = lake_of(program, brokers, folder / "lake-2", mapping, folder / "spoiled", failures, refused=(0, 1))
            if sent is not None:
                analyzed(program, folder / "lake-2", sent, failures, times)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", metavar="NOTSPOT", type=lambda path: pathlib.Path(path).resolve())
    shared = ROOT.parent / "shared/data"
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(os.environ.get("NOTSPOT_RECORDINGS", shared)))
    parser.add_argument("--only", metavar="NAME", default="")
    parser.add_argument("--times", type=float, default=3)
    parser.add_argument("--once", action="store_true")
    args = parser.parse_args()
    failures = []
    for name in RECORDINGS:
        if not name.startswith(args.only):
            continue
        if not (args.data / name).is_dir():
            print(f"SKIPPED: {name}: there is no folder of it in {args.data}")
            continue
        failures += [f"{name}: {failure}" for failure in recording(args.program, args.data, name, args.times, args.once)]
    for what, why in NOT_REPLAYED.items():
        print(f"NOT REPLAYED: {what}: {why}")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


main()
