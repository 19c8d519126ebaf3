"""Gi* and the scan against esda and a vectorised NumPy scan: one input, one run, ratios.

    run [--cells 1000000] [--runs 999] [--timed-runs 5] [--model bernoulli] [FOLDER]

The input is made in FOLDER (a new one by default), the same on every machine. Each side has it in
memory before its clock starts. Ours is the release build, once with one thread and once with all,
and the table uses the median of its calls. Each side's seconds of processor stand beside those on
the wall, since only they mean something on a busy machine. NumPy's scan is timed on a few runs and
extrapolated: building the windows and scanning the observed failures count once, the rest in
proportion.
"""

import argparse
import datetime
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h3
import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
CENTRE = (40.4, -3.7, 9)
SCAN_CELLS = 10_000


class Clock:
    """Seconds on the wall and of the processor, of each named step."""

    def __init__(self):
        self.seconds = {}

    def step(self, name, work):
        begin, used = time.perf_counter(), time.process_time()
        result = work()
        self.seconds[name] = np.array([time.perf_counter() - begin, time.process_time() - used])
        print(f"  {name}: {self.seconds[name][0]:.3f} s", file=sys.stderr, flush=True)
        return result

    def sum(self, *names):
        return sum(self.seconds[name] for name in names or self.seconds)


def disk(most):
    """The `most` cells of the smallest disk that holds them, by id."""
    rings = 0
    while 3 * rings * (rings + 1) + 1 < most:
        rings += 1
    return sorted(h3.grid_disk(h3.latlng_to_cell(*CENTRE), rings))[:most]


def table_of(cells, seed):
    """100 attempts a cell, about five failures: no cluster, so p is anywhere between 0 and 1."""
    failures = np.random.default_rng(seed).binomial(100, 0.05, size=len(cells))
    return pd.DataFrame({"cell": cells, "attempts": 100, "failures": failures})


def neighbours(cells):
    """Positions of each cell's neighbours of one ring, itself included."""
    index = {cell: i for i, cell in enumerate(cells)}
    return [[index[other] for other in h3.grid_disk(cell, 1) if other in index] for cell in cells]


def graph(near):
    from libpysal.graph import Graph

    focal = np.repeat(np.arange(len(near)), [len(others) for others in near])
    other = np.array([other for others in near for other in others])
    return Graph.from_arrays(focal, other, np.ones(len(focal)))


def esda_gi_star(table):
    from esda.getisord import G_Local
    from scipy import special
    from statsmodels.stats.multitest import multipletests

    clock = Clock()
    near = clock.step("neighbours by h3", lambda: neighbours(table["cell"].tolist()))
    weights = clock.step("weights by libpysal", lambda: graph(near))
    rate = (table["failures"] / table["attempts"]).to_numpy()
    local = clock.step("G_Local", lambda: G_Local(rate, weights, transform="B", permutations=0, star=True))
    p = clock.step("two-sided p", lambda: special.erfc(np.abs(local.Zs) / np.sqrt(2)))
    rejected = clock.step("q", lambda: multipletests(p, method="fdr_bh")[0])
    return clock, local.Zs, int(rejected.sum())


class Scan:
    """Circles on cell centres: prefixes of each centre's order up to half of the attempts."""

    BLOCK = 250

    def __init__(self, table, model):
        self.attempts = table["attempts"].to_numpy(dtype=np.int64)
        self.people, self.total = int(self.attempts.sum()), int(table["failures"].sum())
        self.model = model
        x = np.arange(self.people + 1, dtype=float)
        self.xlogx = x * np.log(np.maximum(x, 1.0))
        self.order_by_distance(np.radians(table["lat"].to_numpy()), np.radians(table["lon"].to_numpy()))

    def order_by_distance(self, lat, lon):
        unit = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        # Every cell has the same attempts here, so one cut holds for all the centres.
        width = int(np.searchsorted(np.cumsum(self.attempts), self.people / 2, side="right"))
        self.order = np.empty((len(lat), width), dtype=np.uint16)
        for begin in range(0, len(lat), self.BLOCK):
            block = unit[:, begin : begin + self.BLOCK]
            # Differences first: a product of unit vectors would round near cells to one distance.
            square = sum((block[axis][:, None] - unit[axis]) ** 2 for axis in range(3))
            self.order[begin : begin + self.BLOCK] = np.argsort(square, axis=1)[:, :width]

    def constants(self, n):
        """What a window's ratio owes to its attempts alone."""
        if self.model == "poisson":
            e = self.total * n / self.people
            return np.log(e), np.log(self.total - e)
        table = self.xlogx
        null = table[self.total] + table[self.people - self.total] - table[self.people]
        return (-table[n] - table[self.people - n] - null,)

    def ratios(self, c, n, constants):
        table, rest = self.xlogx, self.total - c
        if self.model == "poisson":
            llr = table[c] - c * constants[0] + table[rest] - rest * constants[1]
        else:
            llr = table[c] + table[n - c] + table[rest] + table[self.people - n - rest] + constants[0]
        return np.where((c * self.people > self.total * n) & (c >= 2), llr, 0.0)

    def maxima(self, replicates):
        """The highest ratio of each replicate (rows of failures), one block of centres at a time."""
        best = np.zeros(len(replicates))
        for begin in range(0, len(self.order), self.BLOCK):
            order = self.order[begin : begin + self.BLOCK]
            n = np.cumsum(self.attempts[order], axis=1)
            constants = self.constants(n)
            for run, failures in enumerate(replicates):
                llr = self.ratios(np.cumsum(failures[order], axis=1), n, constants)
                best[run] = max(best[run], llr.max())
        return best

    def simulate(self, runs):
        rng = np.random.default_rng(3)
        if self.model == "poisson":
            return rng.multinomial(self.total, self.attempts / self.people, size=runs)
        return rng.multivariate_hypergeometric(self.attempts, self.total, size=runs, method="marginals")


def numpy_scan(table, model, timed_runs):
    clock = Clock()
    scan = clock.step("windows", lambda: Scan(table, model))
    observed = clock.step("observed", lambda: scan.maxima(table["failures"].to_numpy()[None, :])[0])
    dealt = clock.step("simulate", lambda: scan.simulate(timed_runs))
    maxima = clock.step(f"{timed_runs} runs", lambda: scan.maxima(dealt))
    once = clock.sum("windows", "observed")
    each = clock.sum("simulate", f"{timed_runs} runs") / timed_runs
    return observed, dealt, maxima, once, each


def ours(folder, options):
    """Starts the Rust side on the folder; the build is not in its times."""
    command = ["cargo", "bench", "--quiet", "--locked", "-p", "notspot-statistics", "--bench", "spatial", "--"]
    arguments = [str(folder), str(options.runs), options.model]
    subprocess.run([*command, *arguments], cwd=HERE, check=True)
    return json.loads((folder / "ours.json").read_text())


def p_agrees(p, runs, highest, observed):
    """Whether NumPy's few runs give the p of ours within what chance allows."""
    other = (1 + int(np.sum(highest >= observed * (1 - 1e-9)))) / (1 + len(highest))
    spread = 5 * np.sqrt(p * (1 - p) * (1 / runs + 1 / len(highest))) + 1 / runs + 1 / len(highest)
    return other, abs(other - p) <= spread


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def print_table(title, result, threads, other):
    """Wall against wall; with one thread on both sides also processor against processor."""
    print(f"\n{title}\n")
    print(f"| {other[0]} | {threads} threads: wall s | 1 thread: wall s | processor s |\n|---|---|---|---|")
    every, one = result["all_threads_s"], result["one_thread_s"]
    print(f"| (ours) | {every['wall']:.3g} | {one['wall']:.3g} | {one['processor'] or math.nan:.3g} |")
    for name, (wall, processor) in other[1:]:
        cells = [(wall, every["wall"]), (wall, one["wall"]), (processor, one["processor"] or math.nan)]
        print(f"| {name} | " + " | ".join(f"{theirs:.4g}, ratio {theirs / ours:.0f}" for theirs, ours in cells) + " |")


def report_gi_star(result, threads, clock, z_difference, flagged):
    alone = ("G_Local alone, weights given", clock.sum("G_Local"))
    tests = ("G_Local, p and q, weights given", clock.sum("G_Local", "two-sided p", "q"))
    whole = ("neighbours, weights, G_Local, p and q", clock.sum())
    print_table("Gi*, ours from counts to classes, neighbours included", result, threads, ("esda", alone, tests, whole))
    print(f"\nlargest difference of z {z_difference:.1e}; cells at q <= 0.05: {result['flagged']} and {flagged}; "
          f"1 and {threads} threads equal: {result['equal']}")


def report_scan(result, threads, runs, numpy_result):
    observed, _, maxima, once, each = numpy_result
    full = (f"{runs} runs, extrapolated from {len(maxima)}", once + each * runs)
    print_table(f"Scan, {runs} runs", result, threads, ("NumPy", full))
    difference = np.max(np.abs(maxima - result["dealt_llr"]) / maxima)
    other_p, agrees = p_agrees(result["p"], runs, maxima, observed)
    print(f"\nhighest ratio {result['llr']:.9f} and {observed:.9f}; of {len(maxima)} equal deals the highest ratios "
          f"differ by {difference:.1e} at most (relative);\np {result['p']:.3f} of {runs} runs and {other_p:.3f} "
          f"of {len(maxima)}, within chance: {agrees}; 1 and {threads} threads equal: {result['equal']}")
    return abs(result["llr"] - observed) <= 1e-9 * observed and difference <= 1e-9 and agrees and result["equal"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=999)
    parser.add_argument("--timed-runs", type=int, default=5)
    parser.add_argument("--model", choices=["bernoulli", "poisson"], default="bernoulli")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="notspot-bench-"))
    folder.mkdir(parents=True, exist_ok=True)

    cells = table_of(disk(options.cells), 1)
    cells.to_csv(folder / "gi_star.csv", index=False)
    places = table_of(disk(SCAN_CELLS), 2)
    places["lat"], places["lon"] = zip(*(h3.cell_to_latlng(cell) for cell in places["cell"]))
    numpy_result = numpy_scan(places, options.model, options.timed_runs)
    for run, failures in enumerate(numpy_result[1]):
        places[f"dealt_{run}"] = failures
    places.to_csv(folder / "scan.csv", index=False)

    result = ours(folder, options)
    clock, z, flagged = esda_gi_star(cells)
    difference = float(np.max(np.abs(z - np.fromfile(folder / "z.f64", dtype="<f8"))))

    print(f"{datetime.date.today()}, {processor()}, {os.cpu_count()} processors, {platform.system()}, "
          f"Python {platform.python_version()}, NumPy {np.__version__}")
    print(f"{len(cells)} cells for Gi*, {len(places)} for the scan ({options.model}); input in {folder}")
    report_gi_star(result["gi_star"], result["threads"], clock, difference, flagged)
    same_scan = report_scan(result["scan"], result["threads"], options.runs, numpy_result)
    same_gi_star = difference <= 1e-9 and flagged == result["gi_star"]["flagged"] and result["gi_star"]["equal"]
    sys.exit(0 if same_scan and same_gi_star else "the results differ")


if __name__ == "__main__":
    main()
