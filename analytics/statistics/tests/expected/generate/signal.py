"""Terminals and models on shared radio cells: dense matrices, and statsmodels GLS as a witness."""

import itertools
import math

import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from generate.common import agree, write

MODELS = ["P1-2.0", "P1-2.1", "P2-1.4", "P3-7"]
BIAS = {"P2-1.4": -4.0}


def fleet(rng):
    """Sets of linked radio cells, a lone terminal, a radio cell of one terminal, a repeated row."""
    rows = []
    for number in range(46):
        terminal, model = f"t{number:02d}", MODELS[int(rng.integers(len(MODELS)))]
        own = rng.normal(0, 2.5) + BIAS.get(model, 0.0) - (9.0 if number in (7, 30) else 0.0)
        area = number % 3
        for cell in sorted(rng.choice(5, size=1 + int(rng.integers(3)), replace=False)):
            readings = int(rng.integers(1, 60))
            level = -92 + 3 * area - 4 * cell + own + rng.normal(0, 1.5)
            values = level + rng.normal(0, 4.0, size=readings)
            rows.append([terminal, model, f"r{area}{cell}", readings, values.mean(), ((values - values.mean()) ** 2).sum()])
    third, fourth = (next(row for row in rows if row[0] == terminal) for terminal in ("t03", "t04"))
    rows += [["lone", "P3-7", "r90", 12, -101.5, 130.25], [*third[:2], "r91", 5, -88.0, 40.5],
             [*third[:3], 9, -95.25, 88.0], [*fourth[:2], "r92", 0, 0.0, 0.0]]
    return [[*row[:4], float(row[4]), float(row[5])] for row in (rows[i] for i in rng.permutation(len(rows)))]


def pooled(rows):
    """(terminal, cell) -> readings, mean, sum of squares."""
    groups = {}
    for terminal, _, cell, readings, mean, squares in rows:
        if readings > 0:
            groups.setdefault((terminal, cell), []).append((readings, mean, squares))
    result = {}
    for key, parts in sorted(groups.items()):
        n = sum(part[0] for part in parts)
        mean = sum(part[0] * part[1] for part in parts) / n
        result[key] = (n, mean, sum(part[2] + part[0] * (part[1] - mean) ** 2 for part in parts))
    return result


def variances(everything, shared, cells):
    """Of readings, of terminals, of places; by moments, pair by pair."""
    readings = sum(v[2] for v in everything.values()) / sum(v[0] - 1 for v in everything.values())
    deviation = {}
    for cell, hearers in cells.items():
        mean = sum(shared[(t, cell)][1] for t in hearers) / len(hearers)
        for t in hearers:
            deviation[(t, cell)] = shared[(t, cell)][1] - mean
    shares = {key: 1 - 1 / len(cells[key[1]]) for key in shared}
    between = sum(deviation[key] ** 2 - shares[key] * readings / shared[key][0] for key in shared) / sum(shares.values())
    products = expected = 0.0
    for terminal in sorted({key[0] for key in shared}):
        own = [key[1] for key in shared if key[0] == terminal]
        for one, other in itertools.combinations(own, 2):
            k, l, m = len(cells[one]), len(cells[other]), len(set(cells[one]) & set(cells[other]))
            products += deviation[(terminal, one)] * deviation[(terminal, other)] / (len(own) - 1)
            expected += (1 - 1 / k - 1 / l + m / (k * l)) / (len(own) - 1)
    terminals = min(max(products / expected, 0.0), between * 15 / 16)
    return readings, terminals, between - terminals


def components(shared):
    """Number of sets of terminals linked by shared radio cells."""
    sets = []
    for terminal, cell in shared:
        linked = [s for s in sets if ("t", terminal) in s or ("c", cell) in s]
        sets = [s for s in sets if s not in linked] + [set().union({("t", terminal), ("c", cell)}, *linked)]
    return len(sets)


def shifted(x, v, y, chosen):
    """Estimate, standard error, weights of a constant added to the chosen means; statsmodels agrees."""
    inverse = np.linalg.inv(v)
    p = inverse - inverse @ x @ np.linalg.inv(x.T @ inverse @ x) @ x.T @ inverse
    d = chosen.astype(float)
    precision = d @ p @ d
    design = np.column_stack([x, d])
    fit = sm.GLS(y, design, sigma=v).fit()
    agree("GLS", [d @ p @ y / precision, 1 / precision], [fit.params[-1], fit.normalized_cov_params[-1, -1]], 1e-9)
    return float(fit.params[-1]), 1 / math.sqrt(precision), p @ d / precision, design, y - design @ fit.params


def robust(v, design, weights, residual, terminal_of):
    """Square of each terminal's part of the estimate, scaled by what V expects of it."""
    left = v - design @ np.linalg.inv(design.T @ np.linalg.inv(v) @ design) @ design.T
    total = 0.0
    for terminal in sorted(set(terminal_of)):
        a = weights * (terminal_of == terminal)
        if a @ v @ a > 1e-15 * (weights @ v @ weights):
            total += (a @ residual) ** 2 * (a @ v @ a) / (a @ left @ a)
    return math.sqrt(total)


def main():
    rng = np.random.default_rng(77)
    rows = fleet(rng)
    write("signal_input.csv", ["terminal", "model", "radio_cell", "readings", "mean_dbm", "sum_squares"], rows)
    everything = pooled(rows)
    cells = {}
    for terminal, cell in everything:
        cells.setdefault(cell, []).append(terminal)
    cells = {cell: hearers for cell, hearers in cells.items() if len(hearers) > 1}
    shared = {key: value for key, value in everything.items() if key[1] in cells}
    readings, terminals, places = variances(everything, shared, cells)

    keys = list(shared)
    y = np.array([shared[key][1] for key in keys])
    terminal_of = np.array([key[0] for key in keys])
    x = np.array([[float(key[1] == cell) for cell in sorted(cells)] for key in keys])
    v = np.diag([places + readings / shared[key][0] for key in keys])
    v += terminals * (terminal_of[:, None] == terminal_of[None, :])
    model_of = {row[0]: row[1] for row in rows}
    model_of_mean = np.array([model_of[t] for t in terminal_of])

    write("signal_spread_expected.csv", ["part", "sd_db"],
          [[part, math.sqrt(value)] for part, value in (("readings", readings), ("terminals", terminals), ("places", places))])
    freedom = len(set(terminal_of)) - components(shared)
    judged = []
    for terminal in sorted(model_of):
        count = int(sum(terminal_of == terminal))
        db, se = shifted(x, v, y, terminal_of == terminal)[:2] if count else (None, None)
        judged.append([terminal, count, db, se, float(stats.t.cdf(db / se, freedom)) if count else None])
    write("signal_terminals_expected.csv", ["terminal", "shared_radio_cells", "residual_db", "se_db", "p", "q"], with_q(judged))
    judged = []
    for model in MODELS:
        mixed = [c for c, hearers in cells.items() if len({model_of[t] == model for t in hearers}) == 2]
        sides = [{t for (t, c) in shared if c in mixed and (model_of[t] == model) == own} for own in (True, False)]
        db, _, weights, design, residual = shifted(x, v, y, model_of_mean == model)
        se = robust(v, design, weights, residual, terminal_of)
        df = min(map(len, sides)) - 1
        half = stats.t.ppf(0.975, df) * se
        judged.append([model, len(sides[0]), db, db - half, db + half, float(2 * stats.t.sf(abs(db) / se, df))])
    write("signal_models_expected.csv", ["model", "terminals", "bias_db", "low_db", "high_db", "p", "q"], with_q(judged))


def with_q(rows):
    """The rows with the q-value of their last column, the undefined outside the family."""
    tested = [row[-1] for row in rows if row[-1] is not None]
    q = iter(multipletests(tested, method="fdr_bh")[1])
    return [[*row, None if row[-1] is None else float(next(q))] for row in rows]
