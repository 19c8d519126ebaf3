"""Where files go and how numbers are written."""

import csv
import math
import os
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent


def work_folder():
    """Files that pass from Python to R and are not committed."""
    folder = Path(os.environ.get("NOTSPOT_EXPECTED_WORK", Path(tempfile.gettempdir()) / "notspot-expected"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cell_text(value):
    """One CSV field: empty when undefined, the shortest text that reads back to the same double."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if float(value).is_integer() and abs(value) < 2**53:
        return str(int(value))
    if not math.isfinite(value):
        return ""
    return repr(float(value))


def write(name, columns, rows):
    with open(FOLDER / name, "w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            assert len(row) == len(columns), (name, row)
            writer.writerow([cell_text(value) for value in row])


def read(name):
    with open(FOLDER / name, newline="") as source:
        return list(csv.DictReader(source))


def agree(name, ours, theirs, tolerance):
    """Stops the run when two tools that must agree do not."""
    assert len(ours) == len(theirs), name
    for a, b in zip(ours, theirs):
        assert abs(a - b) <= tolerance * max(1.0, abs(a)), (name, a, b)
