"""Mantel-Haenszel by statsmodels StratifiedTable; R adds mantelhaen.test and metafor."""

import math

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests

from generate.common import agree, write

MODELS = {"A920": 0.0, "D230": 0.1, "P2": 1.1, "S90": -0.2}
COLUMNS = ["model", "reference", "strata", "crude_or", "or", "low", "high", "chi2", "p", "q", "chi2_half", "p_half",
           "breslow_day", "breslow_day_p", "risk_ratio", "risk_ratio_low", "risk_ratio_high", "risk_difference",
           "risk_difference_se", "avoidable"]


def counts(rng):
    """Strata of every kind: busy, thin, one model only, no failures, only failures, one attempt."""
    rows = []
    for index in range(24):
        base = rng.normal(-2.6, 1.0)
        present = [model for model in MODELS if rng.uniform() < 0.75]
        for model in present:
            attempts = int(rng.integers(1, 8)) if index % 4 == 0 else int(rng.integers(20, 300))
            rate = 1 / (1 + math.exp(-(base + MODELS[model] + rng.normal(0, 0.15))))
            rows.append([f"s{index:02d}", model, attempts, int(rng.binomial(attempts, rate))])
    rows += [["lone", "P2", 40, 9], ["clean", "P2", 30, 0], ["clean", "A920", 50, 0], ["dead", "P2", 4, 4],
             ["dead", "D230", 3, 3], ["single", "S90", 1, 1], ["single", "A920", 0, 0], ["pair", "S90", 1, 1],
             ["pair", "A920", 1, 0]]
    return [rows[i] for i in rng.permutation(len(rows))]


def tables(rows, model, reference):
    """Stratum -> (a, b, c, d) where both sides have attempts, and the sums over all strata."""
    sides = {}
    for stratum, name, attempts, failures in rows:
        side = 0 if name == model else (1 if reference in (name, "others") else None)
        if side is not None:
            table = sides.setdefault(stratum, [0, 0, 0, 0])
            table[2 * side] += failures
            table[2 * side + 1] += attempts - failures
    crude = np.sum(list(sides.values()), axis=0)
    paired = {s: t for s, t in sides.items() if t[0] + t[1] > 0 and t[2] + t[3] > 0}
    return dict(sorted(paired.items())), crude


def informative(table):
    a, b, c, d = table
    return a + c > 0 and b + d > 0


def risk_ratio(paired):
    """Greenland and Robins 1985."""
    a, b, c, d = np.array(list(paired), dtype=float).T
    n1, n0, n, m1 = a + b, c + d, a + b + c + d, a + c
    top, bottom = np.sum(a * n0 / n), np.sum(c * n1 / n)
    variance = np.sum((n1 * n0 * m1 - a * c * n) / n**2) / (top * bottom)
    half = stats.norm.ppf(0.975) * math.sqrt(variance)
    return [top / bottom, top / bottom * math.exp(-half), top / bottom * math.exp(half)]


def risk_difference(paired):
    """Mantel-Haenszel difference with the variance of Sato 1989; metafor's rma.mh checks it in R."""
    a, b, c, d = np.array(list(paired), dtype=float).T
    n1, n0, n = a + b, c + d, a + b + c + d
    weight = np.sum(n1 * n0 / n)
    difference = np.sum((a * n0 - c * n1) / n) / weight
    p = np.sum((n1**2 * c - n0**2 * a + n1 * n0 * (n0 - n1) / 2) / n**2)
    q = np.sum((a * (n0 - c) + c * (n1 - a)) / (2 * n))
    return difference, math.sqrt((difference * p + q) / weight**2), np.sum(n1)


def upper(chi2, df):
    """The tail itself; statsmodels takes 1 - cdf, which loses small p-values."""
    return float(stats.chi2.sf(chi2, df))


def compare(rows, model, reference):
    paired, crude = tables(rows, model, reference)
    used = [table for table in paired.values() if informative(table)]
    pooled = StratifiedTable([np.array(table, dtype=float).reshape(2, 2) for table in used])
    low, high = pooled.oddsratio_pooled_confint()
    plain, half = pooled.test_null_odds(correction=False), pooled.test_null_odds(correction=True)
    equal = pooled.test_equal_odds(adjust=True)
    agree("RR", [pooled.riskratio_pooled], [risk_ratio(used)[0]], 1e-12)
    difference, error, attempts = risk_difference(paired.values())
    a, b, c, d = (int(value) for value in crude)
    return [model, reference, len(used), a * d / (b * c), float(pooled.oddsratio_pooled), float(low), float(high),
            float(plain.statistic), upper(plain.statistic, 1), None, float(half.statistic), upper(half.statistic, 1),
            float(equal.statistic), upper(equal.statistic, len(used) - 1), *risk_ratio(paired.values()), difference, error,
            max(difference, 0.0) * attempts]


def main():
    rng = np.random.default_rng(31)
    rows = counts(rng)
    write("models_input.csv", ["stratum", "model", "attempts", "failures"], rows)
    expected = []
    for reference in ["others", "A920", "D230"]:
        family = [compare(rows, model, reference) for model in sorted(MODELS) if model != reference]
        q = multipletests([row[8] for row in family], method="fdr_bh")[1]
        for row, value in zip(family, q):
            row[9] = float(value)
        expected += family
    write("models_expected.csv", COLUMNS, expected)
