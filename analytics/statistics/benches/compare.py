"""Times esda's Gi* and a vectorised NumPy scan on the inputs of the Rust benchmark.

    compare.py generate FOLDER                 # gi_star.csv (1 M cells), scan.csv (10,000 cells)
    compare.py gi-star FOLDER [--weights w|graph] [--cells N]
    compare.py scan FOLDER [--model bernoulli|poisson] [--runs 999] [--timed-runs 5]

Needs ../tests/expected/requirements.txt. The inputs are the same on every machine and are not
committed. A scan of --timed-runs replicates is timed and scaled to --runs: the setup of the windows
is counted once, the rest grows in proportion to the replicates.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

CENTRE = (40.4, -3.7, 9)


class Clock:
    """Prints the seconds of each named step."""

    def __init__(self):
        self.seconds = {}

    def step(self, name, work):
        begin = time.perf_counter()
        result = work()
        self.seconds[name] = time.perf_counter() - begin
        print(f"{name}: {self.seconds[name]:.3f} s", flush=True)
        return result


def disk(rings, most):
    import h3

    return sorted(h3.grid_disk(h3.latlng_to_cell(*CENTRE), rings))[:most]


def generate(folder):
    """100 attempts a cell, about five failures: the data do not matter for the time."""
    import h3

    folder.mkdir(parents=True, exist_ok=True)
    for name, rings, most, seed in (("gi_star.csv", 578, 1_000_000, 1), ("scan.csv", 58, 10_000, 2)):
        cells = disk(rings, most)
        table = pd.DataFrame({"cell": cells, "attempts": 100})
        table["failures"] = np.random.default_rng(seed).binomial(100, 0.05, size=len(cells))
        if name == "scan.csv":
            table["id"] = table["cell"]
            table["lat"], table["lon"] = zip(*(h3.cell_to_latlng(cell) for cell in cells))
        table.to_csv(folder / name, index=False)
        print(f"{folder / name}: {len(table)} cells")


def neighbour_pairs(cells):
    """Focal and neighbour indexes, the cell itself included (Gi* of one ring)."""
    import h3

    index = {cell: i for i, cell in enumerate(cells)}
    near = [[index[other] for other in h3.grid_disk(cell, 1) if other in index] for cell in cells]
    focal = np.repeat(np.arange(len(cells)), [len(others) for others in near])
    return focal, np.array([other for others in near for other in others]), near


def build_weights(kind, near):
    from libpysal.graph import Graph
    from libpysal.weights import W

    focal, neighbour, lists = near
    if kind == "graph":
        return Graph.from_arrays(focal, neighbour, np.ones(len(focal)))
    return W(dict(enumerate(lists)), id_order=list(range(len(lists))), silence_warnings=True)


def time_gi_star(folder, kind, most):
    from esda.getisord import G_Local
    from scipy import special
    from statsmodels.stats.multitest import multipletests

    clock = Clock()
    table = clock.step("read", lambda: pd.read_csv(folder / "gi_star.csv", nrows=most))
    near = clock.step("neighbours by h3", lambda: neighbour_pairs(table["cell"].tolist()))
    weights = clock.step(f"libpysal {kind}", lambda: build_weights(kind, near))
    rate = (table["failures"] / table["attempts"]).to_numpy()
    local = clock.step("G_Local", lambda: G_Local(rate, weights, transform="B", permutations=0, star=True))
    p = clock.step("two-sided p", lambda: special.erfc(np.abs(local.Zs) / np.sqrt(2)))
    q = clock.step("BH", lambda: multipletests(p, method="fdr_bh")[1])
    statistics = sum(clock.seconds[name] for name in ("G_Local", "two-sided p", "BH"))
    build = clock.seconds["neighbours by h3"] + clock.seconds[f"libpysal {kind}"]
    print(f"cells {len(table)}, hot or cold {int(np.sum(q <= 0.05))}, sum of z {local.Zs.sum():.9g}")
    print(f"TOTAL without weights {statistics:.3f} s, with weights {build + statistics:.3f} s")


class Scan:
    """Circles on cell centres. Prefixes of each centre's order up to half of the attempts."""

    BLOCK = 250

    def __init__(self, table, model):
        self.attempts = table["attempts"].to_numpy(dtype=np.int64)
        self.cases = table["failures"].to_numpy(dtype=np.int64)
        self.people, self.total = int(self.attempts.sum()), int(self.cases.sum())
        self.model = model
        x = np.arange(self.people + 1, dtype=float)
        self.xlogx = x * np.log(np.maximum(x, 1.0))
        self.prepare(table)

    def prepare(self, table):
        lat, lon = np.radians(table["lat"].to_numpy()), np.radians(table["lon"].to_numpy())
        unit = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        self.order = np.empty((len(lat), len(lat)), dtype=np.uint16)
        for begin in range(0, len(lat), self.BLOCK):
            block = slice(begin, begin + self.BLOCK)
            self.order[block] = np.argsort(-(unit[:, block].T @ unit), axis=1)
        # Every cell has the same attempts here, so one cut holds for all the centres.
        self.width = int(np.searchsorted(np.cumsum(np.sort(self.attempts)), self.people / 2, side="right"))
        self.order = self.order[:, : self.width]

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
        """The largest ratio of each replicate (rows of cases), one block of centres at a time."""
        best = np.zeros(len(replicates))
        for begin in range(0, len(self.order), self.BLOCK):
            order = self.order[begin : begin + self.BLOCK]
            n = np.cumsum(self.attempts[order], axis=1)
            constants = self.constants(n)
            for run, cases in enumerate(replicates):
                llr = self.ratios(np.cumsum(cases[order], axis=1), n, constants)
                best[run] = max(best[run], llr.max())
        return best

    def simulate(self, runs):
        rng = np.random.default_rng(3)
        if self.model == "poisson":
            return rng.multinomial(self.total, self.attempts / self.people, size=runs)
        return rng.multivariate_hypergeometric(self.attempts, self.total, size=runs, method="marginals")


def time_scan(folder, model, runs, timed_runs):
    clock = Clock()
    table = clock.step("read", lambda: pd.read_csv(folder / "scan.csv"))
    scan = clock.step("windows", lambda: Scan(table, model))
    observed = clock.step("observed", lambda: scan.maxima(scan.cases[None, :])[0])
    replicates = clock.step("simulate", lambda: scan.simulate(timed_runs))
    maxima = clock.step(f"{timed_runs} replicates", lambda: scan.maxima(replicates))
    per_run = (clock.seconds["simulate"] + clock.seconds[f"{timed_runs} replicates"]) / timed_runs
    total = clock.seconds["windows"] + clock.seconds["observed"] + per_run * runs
    p = (1 + np.sum(maxima >= observed - 1e-9)) / (1 + timed_runs)
    print(f"model {model}, centres {len(table)}, windows of each {scan.width}")
    print(f"largest llr {observed:.9f}, p {p:.3f} of {timed_runs} runs")
    print(f"TOTAL {total:.1f} s for {runs} runs ({per_run:.3f} s each, {timed_runs} timed)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["generate", "gi-star", "scan"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", choices=["w", "graph"], default="graph")
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--model", choices=["bernoulli", "poisson"], default="bernoulli")
    parser.add_argument("--runs", type=int, default=999)
    parser.add_argument("--timed-runs", type=int, default=5)
    options = parser.parse_args()
    if options.what == "generate":
        generate(options.folder)
    elif options.what == "gi-star":
        time_gi_star(options.folder, options.weights, options.cells)
    else:
        time_scan(options.folder, options.model, options.runs, options.timed_runs)


if __name__ == "__main__":
    main()
