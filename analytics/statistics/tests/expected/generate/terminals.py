"""Beta-binomial tails by mpmath and scipy, a penalised logit by scipy, terminals with a truth."""

import math

import mpmath as mp
import numpy as np
from scipy import optimize, special, stats
from statsmodels.stats.multitest import multipletests

from generate.common import agree, read, write

TAILS = [(1, 0, 0.4, 9.0), (1, 1, 0.4, 9.0), (12, 3, 0.9, 30.0), (12, 12, 0.9, 30.0), (40, 2, 0.02, 5.0),
         (200, 25, 3.0, 60.0), (200, 0, 3.0, 60.0), (200, 199, 3.0, 60.0), (200, 120, 60.0, 40.0),
         (1000, 130, 12.5, 237.5), (1000, 400, 12.5, 237.5), (5000, 900, 40.0, 760.0), (5000, 2200, 40.0, 760.0),
         (5000, 100, 40.0, 760.0), (20000, 1300, 7.5, 142.5), (20000, 19000, 7.5, 142.5), (300, 31, 5e4, 1e6),
         (300, 31, 5e7, 1e9), (3000, 9, 0.01, 8.0)]
SIGMA2_STRATUM, SIGMA2_MODEL = 0.8, 0.3


def exact_tail(n, x, a, b):
    """P(X >= x) and P(X > x) + P(X = x) / 2, summed at 40 digits by the ratio of neighbours."""
    with mp.workdps(40):
        a, b = mp.mpf(a), mp.mpf(b)
        ln_beta = lambda u, v: mp.loggamma(u) + mp.loggamma(v) - mp.loggamma(u + v)
        term = mp.exp(ln_beta(a, b + n) - ln_beta(a, b))
        below, at, above = mp.mpf(0), mp.mpf(0), mp.mpf(0)
        for k in range(n + 1):
            if k < x:
                below += term
            elif k == x:
                at = term
            else:
                above += term
            if k < n:
                term *= mp.mpf(n - k) * (a + k) / (mp.mpf(k + 1) * (b + n - k - 1))
        assert abs(below + at + above - 1) < mp.mpf(10) ** -25
        return float(above + at), float(above + at / 2)


def tails():
    rows = []
    for n, x, a, b in TAILS:
        upper, mid = exact_tail(n, x, a, b)
        by_scipy = float(stats.betabinom.sf(x - 1, n, a, b))
        # scipy subtracts large ln-gammas: at a + b = 1e9 two digits are left, and the binomial is nearer.
        other = by_scipy if a + b < 1e7 else float(stats.binom.sf(x - 1, n, a / (a + b)))
        agree("betabinom", [upper], [other], 1e-7)
        rows.append([n, x, a, b, upper, mid, by_scipy])
    write("betabinom_expected.csv", ["attempts", "failures", "a", "b", "upper_p", "mid_p", "scipy_upper_p"], rows)


def penalised_logit(x, n, levels, variances):
    """Maximum of the binomial likelihood less sum(effect^2) / (2 variance); the base is free."""
    sizes = [int(max(level)) + 1 for level in levels]
    design = np.zeros((len(x), 1 + sum(sizes)))
    design[:, 0] = 1.0
    penalty, start = [0.0], 1
    for level, size, variance in zip(levels, sizes, variances):
        design[np.arange(len(x)), start + np.array(level)] = 1.0
        penalty += [1.0 / variance] * size
        start += size
    penalty = np.array(penalty)

    def minus(theta):
        eta = design @ theta
        return -np.sum(x * eta - n * np.logaddexp(0.0, eta)) + 0.5 * np.sum(penalty * theta**2)

    def gradient(theta):
        return -design.T @ (x - n * special.expit(design @ theta)) + penalty * theta

    def hessian(theta):
        mu = special.expit(design @ theta)
        return design.T @ (design * (n * mu * (1 - mu))[:, None]) + np.diag(penalty)

    start = np.zeros(design.shape[1])
    best = optimize.minimize(minus, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-9})
    theta = optimize.root(gradient, best.x, jac=hessian, tol=1e-14).x
    assert np.max(np.abs(gradient(theta))) < 1e-8
    return theta, np.sqrt(np.diag(np.linalg.inv(hessian(theta)))), special.expit(design @ theta)


def logit():
    rows = [row for row in read("models_input.csv") if row["attempts"] != "0"]
    rows.sort(key=lambda row: (row["stratum"], row["model"]))
    names = [sorted({row[factor] for row in rows}) for factor in ("stratum", "model")]
    levels = [[group.index(row[factor]) for row in rows] for group, factor in zip(names, ("stratum", "model"))]
    n, x = (np.array([float(row[column]) for row in rows]) for column in ("attempts", "failures"))
    theta, error, mu = penalised_logit(x, n, levels, (SIGMA2_STRATUM, SIGMA2_MODEL))
    labels = [("base", "")] + [("stratum", name) for name in names[0]] + [("model", name) for name in names[1]]
    effects = [[*label, float(value), float(se)] for label, value, se in zip(labels, theta, error)]
    write("logit_expected.csv", ["factor", "level", "effect", "se"], effects)
    fitted = [[row["stratum"], row["model"], float(value)] for row, value in zip(rows, mu)]
    write("logit_fitted_expected.csv", ["stratum", "model", "mu"], fitted)


def planted(rng):
    """Healthy terminals with a real spread between them, and a few bad ones at ten times the odds."""
    cells = {f"c{i:02d}": rng.normal(0, 0.7) for i in range(30)}
    models = {"A920": 0.0, "D230": 0.8, "P2": -0.3}
    size, rows, truth = 60.0, [], []
    for index in range(300):
        cell, model = str(rng.choice(list(cells))), str(rng.choice(list(models), p=[0.5, 0.2, 0.3]))
        peer = float(special.expit(-3.0 + cells[cell] + models[model]))
        attempts = 0 if index == 7 else int(rng.integers(3, 20) if index % 9 == 0 else rng.integers(60, 900))
        bad = index % 25 == 5
        mean = special.expit(special.logit(peer) + math.log(10.0)) if bad else peer
        failures = int(rng.binomial(attempts, rng.beta(mean * size, (1 - mean) * size)))
        name = f"t{index:03d}"
        rows.append([name, model, cell, attempts, failures])
        p = exact_tail(attempts, failures, peer * size, (1 - peer) * size)[0] if attempts else None
        truth.append([name, bad, float(f"{peer:.9g}"), p and float(f"{p:.9g}")])
    return rows, truth


def main():
    tails()
    logit()
    rows, truth = planted(np.random.default_rng(61))
    q = iter(multipletests([row[3] for row in truth if row[3] is not None], method="fdr_bh")[1].tolist())
    truth = [[*row, next(q) if row[3] is not None else None] for row in truth]
    truth = [[*row, row[4] is not None and row[4] <= 0.05] for row in truth]
    columns = ["terminal", "model", "cell", "attempts", "failures"]
    write("terminals_input.csv", columns, rows)
    write("terminals_truth.csv", ["terminal", "bad", "peer_rate", "oracle_p", "oracle_q", "oracle_flagged"], truth)
    found = sum(row[1] and row[5] for row in truth)
    print(f"  oracle flags {sum(row[5] for row in truth)}, {found} of {sum(row[1] for row in truth)} bad")
