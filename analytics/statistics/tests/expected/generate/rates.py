"""Empirical Bayes rates: Marshall by esda and by the formula with a floor, beta-binomial by scipy."""

import h3
import numpy as np
from esda.smoothing import Empirical_Bayes
from scipy import optimize, special, stats

from generate.common import agree, work_folder, write
from generate.gi_star import neighbours

COLUMNS = ["method", "rings", "id", "rate", "eb_rate", "weight", "variance", "gamma_low", "gamma_high", "beta_low",
           "beta_high"]


def spread(rng):
    """Cells whose rates differ, with cells of no attempts, of no failures, of one attempt."""
    centre = h3.latlng_to_cell(-7.2575, 112.7521, 8)
    cells = sorted(h3.grid_disk(centre, 3)) + [sorted(h3.grid_ring(centre, 8))[0]]
    rows = []
    for index, cell in enumerate(cells):
        attempts = [0, 1, 7][index % 3] if index % 11 == 0 else int(rng.integers(5, 900))
        rows.append((cell, attempts, int(rng.binomial(attempts, rng.beta(2.0, 25.0)))))
    return [rows[i] for i in rng.permutation(len(rows))]


def alike(rng):
    """The same rate everywhere, less spread than binomial: Marshall's A and rho are floored at 0."""
    rows = []
    for index in range(20):
        attempts = int(rng.integers(50, 400))
        rows.append((f"t{index:02d}", attempts, round(attempts * 0.1)))
    return rows


def marshall_terms(x, n):
    """Mean, floored between-variance A and its value before the floor (Marshall 1991)."""
    mean = x.sum() / n.sum()
    raw = np.sum(n * (x / n - mean) ** 2) / n.sum() - mean / (n.sum() / len(n))
    return mean, max(0.0, raw), raw


def shrunk(x, n, mean, between):
    weight = between / (between + mean / n) if between > 0 else 0.0
    return mean + weight * (x / n - mean), weight, between * (1 - weight)


def limits(eb, variance):
    """Quantiles 2.5 % and 97.5 % of the gamma and of the beta with this mean and variance."""
    if variance <= 0:
        return [eb] * 4
    gamma = stats.gamma(eb**2 / variance, scale=variance / eb).ppf([0.025, 0.975])
    size = eb * (1 - eb) / variance - 1
    beta = stats.beta(eb * size, (1 - eb) * size).ppf([0.025, 0.975]) if size > 0 else [np.nan, np.nan]
    return [*map(float, gamma), *map(float, beta)]


def marshall_global(rows):
    used = [row for row in rows if row[1] > 0]
    n, x = (np.array([row[k] for row in used], dtype=float) for k in (1, 2))
    mean, between, raw = marshall_terms(x, n)
    if raw > 0:
        agree("esda", Empirical_Bayes(x, n).r.ravel(), [shrunk(a, b, mean, between)[0] for a, b in zip(x, n)], 1e-12)
    for name, attempts, failures in sorted(rows):
        if attempts == 0:
            yield ["marshall", None, name, None, mean, 0, *[None] * 5]
            continue
        eb, weight, variance = shrunk(failures, attempts, mean, between)
        yield ["marshall", None, name, failures / attempts, eb, weight, variance, *limits(eb, variance)]


def marshall_local(rows, rings):
    counts = {cell: (attempts, failures) for cell, attempts, failures in rows if attempts > 0}
    near = neighbours(sorted(counts), rings)
    for cell in sorted(counts):
        around = [cell, *near[cell]]
        n, x = (np.array([counts[other][k] for other in around], dtype=float) for k in (0, 1))
        mean, between, _ = marshall_terms(x, n)
        eb, weight, variance = shrunk(x[0], n[0], mean, between)
        if mean > 0:
            yield ["marshall-local", rings, cell, x[0] / n[0], eb, weight, variance, *limits(eb, variance)]
        else:
            yield ["marshall-local", rings, cell, 0, 0, 0, 0, *[None] * 4]


def moments(x, n):
    """Kleinman 1973: mean and rho."""
    mean, total = x.sum() / n.sum(), n.sum()
    spread_sum = np.sum(n * (x / n - mean) ** 2)
    scale = mean * (1 - mean)
    degrees = len(n) - 1
    return mean, max(0.0, (spread_sum - scale * degrees) / (scale * (total - np.sum(n**2) / total - degrees)))


def likelihood(x, n):
    """Maximum over (logit mean, ln(a + b)), polished until the gradient is below 1e-9."""
    def split(theta):
        mean, size = special.expit(theta[0]), np.exp(theta[1])
        return mean * size, (1 - mean) * size

    def minus(theta):
        a, b = split(theta)
        return -np.sum(special.betaln(x + a, n - x + b) - special.betaln(a, b))

    def gradient(theta):
        (a, b), mean, size = split(theta), special.expit(theta[0]), np.exp(theta[1])
        psi = special.digamma
        both = psi(n + a + b) - psi(a + b)
        da = np.sum(psi(x + a) - psi(a) - both)
        db = np.sum(psi(n - x + b) - psi(b) - both)
        return np.array([-size * mean * (1 - mean) * (da - db), -(a * da + b * db)])

    mean, rho = moments(x, n)
    start = [special.logit(mean), np.log(1 / rho - 1)]
    rough = optimize.minimize(minus, start, jac=gradient, method="BFGS", options={"gtol": 1e-6})
    best = optimize.root(gradient, rough.x, tol=1e-14)
    assert np.max(np.abs(gradient(best.x))) < 1e-8, gradient(best.x)
    return (*map(float, split(best.x)), float(-minus(best.x)))


def beta_binomial(rows, method, a, b):
    for name, attempts, failures in sorted(rows):
        rate = failures / attempts if attempts else None
        eb, weight = (failures + a) / (attempts + a + b), attempts / (attempts + a + b)
        posterior = stats.beta(failures + a, attempts - failures + b)
        low, high = map(float, posterior.ppf([0.025, 0.975]))
        yield [method, None, name, rate, eb, weight, float(posterior.var()), None, None, low, high]


def expect(rows, name, local):
    used = [row for row in rows if row[1] > 0]
    n, x = (np.array([row[k] for row in used], dtype=float) for k in (1, 2))
    mean, between, raw = marshall_terms(x, n)
    m, rho = moments(x, n)
    expected, parameters = list(marshall_global(rows)), [[name, "marshall_mean", mean], [name, "marshall_a", between],
                                                         [name, "marshall_a_before_floor", raw],
                                                         [name, "moments_mean", m], [name, "moments_rho", rho]]
    if rho > 0:
        size = 1 / rho - 1
        a, b, top = likelihood(x, n)
        expected += beta_binomial(rows, "beta-binomial-moments", m * size, (1 - m) * size)
        expected += beta_binomial(rows, "beta-binomial-ml", a, b)
        parameters += [[name, "moments_a", m * size], [name, "moments_b", (1 - m) * size], [name, "ml_a", a],
                       [name, "ml_b", b], [name, "ml_ln_likelihood", top]]
    if local:
        expected += [row for rings in (1, 2) for row in marshall_local(rows, rings)]
    write(f"rates_{name}_input.csv", ["cell" if local else "id", "attempts", "failures"], rows)
    write(f"rates_{name}_expected.csv", COLUMNS, expected)
    return parameters


def main():
    rng = np.random.default_rng(41)
    rows = spread(rng)
    parameters = expect(rows, "spread", local=True) + expect(alike(rng), "alike", local=False)
    write("rates_parameters_expected.csv", ["input", "parameter", "value"], parameters)
    cells = sorted(cell for cell, attempts, _ in rows if attempts > 0)
    pairs = [[rings, cell, other] for rings in (1, 2) for cell, near in neighbours(cells, rings).items()
             for other in near]
    write(work_folder() / "rates_spread_pairs.csv", ["rings", "cell", "other"], pairs)
