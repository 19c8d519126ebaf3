"""Another program's OPTIMIZE beside `notspot maintain`: no row is in the table twice, or the audit says so.

Usage: optimize.py NOTSPOT

delta-rs takes files away that another compaction took away before (INGEST.md 3.2): both commits stand, and rows are
in the table twice. Of a lake with several files a partition three things are tried, each on a copy:
- delta-rs first, then `notspot maintain`: the rows stay single;
- `notspot maintain` first, then delta-rs from the version before: it refuses, or `notspot audit` finds the copies;
- delta-rs twice from one version: likewise. Whether it refuses is printed, for it decides what the others rest on.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import deltalake

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "benches"))
from lake import broker

TABLE = "heartbeats"


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stderr


def must(program, *arguments):
    code, told = run(program, *arguments)
    if code:
        sys.exit(f"{' '.join(map(str, arguments))}: exit code {code}: {told}")


def filled(program, folder):
    """Returns a lake whose partitions have several files."""
    lake = folder / "lake"
    with broker(folder) as brokers:
        must(program, "simulate", "country", "--terminals", 4800, "--days", 2, "--brokers", brokers)
        settings = ["--set=flush.max_size=1MiB", "--set=http.enabled=false"]
        must(program, "ingest", "--brokers", brokers, "--lake", lake, "--until-end", *settings)
    return lake


def table(lake):
    return deltalake.DeltaTable(lake / TABLE)


def optimize(stale):
    """Compacts from the version a table was opened at; tells whether that was refused."""
    try:
        if not stale.optimize.compact()["numFilesRemoved"]:
            sys.exit("delta-rs found nothing to compact: the test tests nothing")
        return False
    except deltalake.exceptions.CommitFailedError:
        return True


def check(program, lake, rows, was_refused, what):
    """Ends the program where rows were doubled and nobody says so."""
    found = table(lake).count()
    audit, told = run(program, "audit", lake)
    doubled = found != rows
    print(f"{what}: {'refused' if was_refused else 'committed'}, {found:,} of {rows:,} rows, audit exit code {audit}")
    if doubled != (audit == 1) or (was_refused and doubled):
        sys.exit(f"{what}: the audit says: {told}")
    return doubled


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        lake = filled(program, folder)
        rows = table(lake).count()

        def copy(name):
            return pathlib.Path(shutil.copytree(lake, folder / name))

        first = copy("foreign-first")
        optimize(table(first))
        must(program, "maintain", first, "--table", TABLE)
        if check(program, first, rows, False, "delta-rs, then maintain"):
            sys.exit("maintain doubled rows")

        second = copy("maintain-first")
        before = table(second)
        must(program, "maintain", second, "--table", TABLE)
        check(program, second, rows, optimize(before), "maintain, then delta-rs from before")

        third = copy("foreign-twice")
        one, other = table(third), table(third)
        optimize(one)
        check(program, third, rows, optimize(other), "delta-rs twice from one version")


main()
