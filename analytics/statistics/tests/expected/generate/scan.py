"""Kulldorff's scan in plain NumPy: every window, exact likelihood ratios, Monte Carlo p-values."""

import h3
import numpy as np
from scipy import special

from generate.common import FOLDER, read, write

COLUMNS = ["input", "windows", "model", "max_share", "min_cases", "rank", "members", "attempts", "failures",
           "expected", "relative_risk", "llr", "p", "runs"]
RUNS = 9999


def planar(rows):
    points = np.array([[row[1], row[2]] for row in rows], dtype=float)
    return np.sum((points[:, None, :] - points[None, :, :]) ** 2, axis=2)


def great_circle(rows):
    """Haversine of the angle: grows with the distance, which is all the order needs."""
    lat, lon = (np.radians([row[k] for row in rows]) for k in (1, 2))
    half_lat = np.sin((lat[:, None] - lat[None, :]) / 2) ** 2
    half_lon = np.sin((lon[:, None] - lon[None, :]) / 2) ** 2
    return half_lat + np.cos(lat)[:, None] * np.cos(lat)[None, :] * half_lon


def rings(rows):
    return np.array([[h3.grid_distance(row[0], other[0]) for other in rows] for row in rows], dtype=float)


class Windows:
    """All windows as prefixes of each centre's order; equal distances enter together."""

    def __init__(self, distance, attempts, max_share):
        self.order = np.argsort(distance, axis=1, kind="stable")
        ordered = np.take_along_axis(distance, self.order, axis=1)
        last_of_ties = np.ones_like(ordered, dtype=bool)
        last_of_ties[:, :-1] = ordered[:, 1:] > ordered[:, :-1]
        self.n = np.cumsum(attempts[self.order], axis=1)
        self.valid = last_of_ties & (self.n <= max_share * attempts.sum())

    def sums(self, values):
        return np.cumsum(values[..., self.order], axis=-1)


def poisson(c, e, total):
    llr = special.xlogy(c, c / e) + special.xlogy(total - c, (total - c) / (total - e))
    return np.where(c > e, llr, 0.0)


def bernoulli(c, n, total, people):
    rest, out = total - c, people - n
    llr = (special.xlogy(c, c / n) + special.xlogy(n - c, (n - c) / n) + special.xlogy(rest, rest / out)
           + special.xlogy(out - rest, (out - rest) / out) - special.xlogy(total, total / people)
           - special.xlogy(people - total, (people - total) / people))
    return np.where(c * out > rest * n, llr, 0.0)


def ratios(model, windows, cases, expected, attempts, min_cases):
    """Log likelihood ratio of every centre and prefix, -1 where there is no window."""
    c = windows.sums(cases)
    with np.errstate(divide="ignore", invalid="ignore"):
        if model == "poisson":
            llr = poisson(c, windows.sums(expected), cases.sum(axis=-1).flat[0])
        else:
            llr = bernoulli(c, windows.n, cases.sum(axis=-1).flat[0], attempts.sum())
    return np.where(windows.valid & (c >= min_cases), llr, -1.0)


def simulate(rng, model, expected, attempts, total, runs):
    if model == "poisson":
        return rng.multinomial(total, expected / expected.sum(), size=runs)
    return rng.multivariate_hypergeometric(attempts, total, size=runs, method="marginals")


def maxima(rng, model, windows, expected, attempts, total, min_cases, runs):
    found = []
    for begin in range(0, runs, 200):
        cases = simulate(rng, model, expected, attempts, total, min(200, runs - begin))
        llr = ratios(model, windows, cases, expected, attempts, min_cases)
        found.append(llr.reshape(len(cases), -1).max(axis=1))
    return np.concatenate(found)


def clusters(llr, windows):
    """SaTScan's default: each centre's best window, by ratio, without overlap."""
    best = llr.argmax(axis=1)
    members = [frozenset(windows.order[i, : k + 1].tolist()) for i, k in enumerate(best)]
    ranked = sorted(range(len(best)), key=lambda i: (-llr[i, best[i]], sorted(members[i])))
    taken, result = set(), []
    for i in ranked:
        if llr[i, best[i]] > 0 and not members[i] & taken:
            taken |= members[i]
            result.append((float(llr[i, best[i]]), sorted(members[i])))
    return result


def scan(name, rows, distance, kind, model, max_share, min_cases=2, expected=None, report=5, runs=RUNS):
    attempts, cases = (np.array([row[k] for row in rows], dtype=np.int64) for k in (-2, -1))
    total, people = int(cases.sum()), int(attempts.sum())
    expected = total * attempts / people if expected is None else expected * (total / expected.sum())
    windows = Windows(distance, attempts, max_share)
    llr = ratios(model, windows, cases, expected, attempts, min_cases)
    found = clusters(llr, windows)[:report]
    for (high, _), (low, _) in zip(found, found[1:]):
        assert high - low > 1e-6, (name, "two clusters tie", high, low)
    simulated = maxima(np.random.default_rng(71), model, windows, expected, attempts, total, min_cases, runs)
    for rank, (value, members) in enumerate(found, start=1):
        c, n, e = int(cases[members].sum()), int(attempts[members].sum()), float(expected[members].sum())
        risk = (c / e) / ((total - c) / (total - e)) if c < total else None
        p = (1 + int(np.sum(simulated >= value - 1e-9))) / (1 + runs)
        names = ";".join(sorted(rows[i][0] for i in members))
        yield [name, kind, model, max_share, min_cases, rank, names, n, c, e, risk, value, p, runs]


def failures(rng, attempts, rate):
    return int(rng.binomial(attempts, rate))


def grid(rng):
    """Whole coordinates, so most distances tie; a strong patch, a weak one."""
    rows = []
    for x in range(10):
        for y in range(9):
            attempts = int(rng.integers(5, 120))
            rate = 0.22 if (x - 2) ** 2 + (y - 2) ** 2 <= 2 else (0.12 if x >= 8 and y >= 6 else 0.06)
            if rng.uniform() > 0.1:
                rows.append([f"g{x}{y}", x, y, attempts, failures(rng, attempts, rate)])
    return rows


def scattered(rng):
    """Points on both sides of longitude 180."""
    rows = []
    for index in range(90):
        lat, lon = round(rng.uniform(-18.5, -16.0), 5), round(rng.uniform(178.5, 181.5), 5)
        attempts = int(rng.integers(10, 300))
        rate = 0.12 if (lat + 17.2) ** 2 + (lon - 180.0) ** 2 < 0.16 else 0.05
        rows.append([f"p{index:02d}", lat, lon if lon <= 180 else round(lon - 360, 5), attempts,
                     failures(rng, attempts, rate)])
    return rows


def hexagons(rng):
    """Cells with holes; the disk of a centre holds the present cells only."""
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(14.5995, 120.9842, 8), 6))
    hot, rows = set(h3.grid_disk(cells[40], 1)), []
    for cell in cells:
        attempts = int(rng.integers(5, 250))
        if rng.uniform() > 0.15:
            rows.append([cell, attempts, failures(rng, attempts, 0.16 if cell in hot else 0.05)])
    return rows


def new_york():
    rows = read("scan_ny_input.csv")
    return [[row["id"], float(row["lat"]), float(row["lon"]), int(row["attempts"]), int(row["failures"])]
            for row in rows]


def check_published(rows):
    """The published windows, by members: our counts, risks and ratios must round to the printed."""
    attempts, cases = (np.array([row[k] for row in rows]) for k in (-2, -1))
    total, people = cases.sum(), attempts.sum()
    for printed in read("scan_published.csv"):
        members = [int(member) - 1 for member in printed["members"].split(";")]
        n, c = attempts[members].sum(), cases[members].sum()
        e = total * n / people
        assert (n, c) == (int(printed["attempts"]), int(printed["failures"])), printed
        llr = float(poisson(np.array(float(c)), e, total))
        assert f"{e:.2f}" == printed["expected"], (e, printed)
        assert f"{(c / e) / ((total - c) / (total - e)):.2f}" == printed["relative_risk"], printed
        assert f"{llr:.{printed['digits']}f}" == printed["llr"], (llr, printed)


def shuffled(rng, rows):
    return [rows[i] for i in rng.permutation(len(rows))]


def main():
    rng = np.random.default_rng(72)
    points, fiji, cells = grid(rng), scattered(rng), hexagons(rng)
    write("scan_grid_input.csv", ["id", "x", "y", "attempts", "failures"], shuffled(rng, points))
    write("scan_latlon_input.csv", ["id", "lat", "lon", "attempts", "failures"], shuffled(rng, fiji))
    write("scan_cells_input.csv", ["cell", "attempts", "failures"], shuffled(rng, cells))
    adjusted = np.array([row[3] * (0.04 + 0.01 * row[1]) for row in points])
    write("scan_grid_adjusted_input.csv", ["id", "x", "y", "attempts", "expected", "failures"],
          [[*row[:4], e, row[4]] for row, e in zip(points, adjusted.tolist())])
    expected = []
    for model in ("bernoulli", "poisson"):
        for share in (0.5, 0.1):
            expected += scan("grid", points, planar(points), "circles", model, share, report=3)
        expected += scan("latlon", fiji, great_circle(fiji), "circles", model, 0.5)
        expected += scan("cells", cells, rings(cells), "disks", model, 0.5)
    expected += scan("grid_adjusted", points, planar(points), "circles", "poisson", 0.5, expected=adjusted)
    expected += scan("grid", points, planar(points), "circles", "bernoulli", 0.5, min_cases=25, report=2)
    if (FOLDER / "scan_ny_input.csv").exists():
        ny = new_york()
        check_published(ny)
        expected += scan("ny", ny, great_circle(ny), "circles", "poisson", 0.5, report=4, runs=999)
    write("scan_expected.csv", COLUMNS, expected)
