#!/usr/bin/env python3
"""Counts what a replay of every sample must give, without the replayer.

Reads the samples with nothing but `zstd` and string splitting and prints JSON; `expected_counts.json`
is its output, which a test compares with what the replayer says:

    python3 counts.py > expected_counts.json
"""

import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent


def lines(name):
    """Data rows of a sample, split into values, with the header's names in front."""
    text = subprocess.run(["zstd", "-dcq", HERE / name], check=True, capture_output=True).stdout
    return [line for line in text.decode().replace("\r", "").split("\n") if line]


def table(name, delimiter, width=None):
    header, *rows = [line.split(delimiter) for line in lines(name)]
    for row in rows:
        assert width is None or len(row) == width, (name, row)
        yield dict(zip(header, row))


def counts(rows, used, heartbeats, signals, declines, attempts, failures, **more):
    return {
        "rows_read": rows,
        "rows_used": used,
        "events": {"heartbeat": heartbeats, "signal": signals, "decline": declines},
        "attempts": attempts,
        "failures": failures,
        **more,
    }


def mycall():
    rows = list(table("mycall-sample.csv.zst", ",", 9))
    dropped = sum(row["call_drop_category"] == "Call Dropped" for row in rows)
    nowhere = [("-1.0", "-1.0"), ("0.0", "0.0"), ("0.0", "-180.0"), ("0.0", "-180.000005")]
    unplaced = [
        (float(row["latitude"]), float(row["longitude"])) in [(float(a), float(b)) for a, b in nowhere]
        for row in rows
    ]
    return counts(
        len(rows), len(rows), len(rows), 0, dropped, len(rows), dropped,
        with_position=len(rows) - sum(unplaced) + sum(
            row["call_drop_category"] == "Call Dropped" and not hidden
            for row, hidden in zip(rows, unplaced)
        ),
        networks=len({row["operator"] for row in rows} - {"Other"}),
        without_rat=sum(row["network_type"] == "Unknown" for row in rows) + sum(
            row["network_type"] == "Unknown" and row["call_drop_category"] == "Call Dropped"
            for row in rows
        ),
    )


def bandwidth():
    files = {name: list(table(f"{name}.csv.zst", ",")) for name in ["4G", "5G", "4G-2023", "5G-2023"]}
    rows = [row for file in files.values() for row in file]

    def reading(value, absent):
        parts = value.split(";")
        return any(part not in absent and not part.startswith("Added in API") for part in parts)

    none = {"", "2147483647"}
    rsrp = sum(reading(row["cell_rsrp"], none) for row in files["4G"])
    rsrp += sum(reading(row["cell_ssRsrp"], none | {"-44"}) for row in files["5G"] if row["os_version"] != "10")
    rsrp += sum(reading(row["cell_ssRsrp"], {"", "255"}) for row in files["5G"] if row["os_version"] == "10")
    # The 2023 files hold single numbers, whose sentinel goes through to the ingester.
    rsrp += sum(row["cell_rsrp"] != "" for row in files["4G-2023"])
    rsrp += sum(row["cell_ssRsrp"] != "" for row in files["5G-2023"])
    known = {("460", "0"), ("460", "1"), ("460", "11")}
    year = lambda name: {("460", "15")} if "2023" in name else {("460", "3")} if name == "4G" else set()
    strange = sum(
        (row["cell_mcc"], row["cell_mnc"]) not in known | year(name)
        and (row["cell_mcc"], row["cell_mnc"]) != ("", "")
        for name, file in files.items() for row in file
    )
    return counts(
        len(rows), len(rows), 0, len(rows), 0, 0, 0,
        with_rsrp=rsrp,
        models=len({row["brand"] + " " + row["model"] for row in rows}),
        unmapped_serving_plmn=strange,
    )


def dakar():
    heartbeats = signals = declines = attempts = rows_read = used = 0
    for network in ["Orange", "Yas", "expresso"]:
        for row in table(f"{network}_log.txt.zst", "\t"):
            rows_read += 1
            used += 1
            if row["NetworkTech"] in ("2G", "3G", "4G"):
                signals += 1
            else:
                heartbeats += 1
        for row in table(f"{network}_log_events.txt.zst", "\t", 16):
            rows_read += 1
            started = row["EventType"] == "CALL_START"
            failed = row["EventType"] in ("CALL_BLOCK", "CALL_DROP")
            attempts += started
            declines += failed
            heartbeats += started or failed
            used += started or failed
        for row in table(f"{network}_log_datatest.txt.zst", "\t", 22):
            rows_read += 1
            used += 1
            attempts += 1
            heartbeats += 1
            declines += row["PINGAVG"] == ""
    return counts(rows_read, used, heartbeats, signals, declines, attempts, declines)


def tehran():
    header, *rows = lines("cellular_data.csv.zst")
    names = header.split(";")
    none = "2147483647"
    signals = heartbeats = attempts = failures = used = 0
    for row in rows:
        values = dict(zip(names, row.split(";", len(names) - 1)))
        notes = values["test_notes"]
        measured = sum(values[column] != none for column in ["rsrp", "rscp", "rx_lev"])
        tests = [
            ("Ping Test:" in notes, "Ping failed" in notes),
            ("DNS Test:" in notes, "DNS error" in notes),
            (
                "Web Test:" in notes and "Web Test: Web error: Invalid URL" not in notes,
                "Web error" in notes,
            ),
        ]
        tried = sum(ran for ran, _ in tests)
        attempts += tried
        failures += sum(ran and bad for ran, bad in tests)
        heartbeats += tried > 0
        signals += measured
        used += tried > 0 or measured > 0
    return counts(len(rows), used, heartbeats, signals, failures, attempts, failures)


print(json.dumps(
    {
        "trai-mycall": mycall(),
        "cn-bandwidth": bandwidth(),
        "dakar-gnettrack": dakar(),
        "tehran-fieldtest": tehran(),
    },
    indent=2,
))
