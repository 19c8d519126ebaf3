"""Odds ratios with each terminal left out by turns: the whole of statsmodels' pooling every time."""

import math

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests

from generate.common import write
from generate.models import informative, tables

MODELS = ["A920", "D230", "P2", "S90", "X1"]


def counts(rng):
    """Terminals of several strata, of two models, one broken, and a model whose failures are one terminal's."""
    rows = []
    for number in range(70):
        terminal, model = f"t{number:02d}", MODELS[int(rng.integers(4))]
        own = rng.normal(-2.5, 0.8) + (0.7 if model == "P2" else 0.0) + (3.0 if number == 11 else 0.0)
        for stratum in rng.choice(9, size=1 + int(rng.integers(3)), replace=False):
            attempts = int(rng.integers(1, 90))
            rate = 1 / (1 + math.exp(-own - 0.2 * stratum))
            rows.append([f"s{stratum}", terminal, model, attempts, int(rng.binomial(attempts, rate))])
    rows += [["s1", "t05", "D230", 20, 4], ["s1", "t05", "A920", 15, 1], ["s2", "u1", "X1", 30, 12], ["s2", "u2", "X1", 25, 0],
             ["s3", "u3", "X1", 9, 0], ["lone", "u4", "P2", 40, 7], ["calm", "u5", "S90", 30, 0], ["calm", "u6", "P2", 20, 0],
             ["s4", "u7", "D230", 0, 0], rows[0]]
    return [rows[i] for i in rng.permutation(len(rows))]


def pooled(rows, model, reference):
    """Logarithm of the odds ratio; None where it is 0 or infinite."""
    paired, _ = tables([[row[0], *row[2:]] for row in rows], model, reference)
    used = [np.array(table, dtype=float).reshape(2, 2) for table in paired.values() if informative(table)]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(np.log(StratifiedTable(used).oddsratio_pooled)) if used else math.nan
    return value if math.isfinite(value) else None


def compare(rows, model, reference):
    paired, _ = tables([[row[0], *row[2:]] for row in rows], model, reference)
    strata = [stratum for stratum, table in paired.items() if informative(table)]
    there = [row for row in rows if row[0] in strata and row[3] > 0]
    own = {row[1] for row in there if row[2] == model}
    other = {row[1] for row in there if row[2] != model and reference in ("others", row[2])}
    ln_or = pooled(rows, model, reference)
    without = [pooled([row for row in rows if row[1] != terminal], model, reference) for terminal in sorted(own | other)]
    result = [model, reference, len(own), len(other), math.exp(ln_or)]
    if min(len(own), len(other)) < 2 or None in without:
        return [*result, None, None, None, None, None]
    se = math.sqrt((len(without) - 1) * np.var(without))
    df = min(len(own), len(other)) - 1
    half = stats.t.ppf(0.975, df) * se
    return [*result, se, math.exp(ln_or - half), math.exp(ln_or + half), float(2 * stats.t.sf(abs(ln_or) / se, df)), None]


def main():
    rows = counts(np.random.default_rng(32))
    write("models_terminals_input.csv", ["stratum", "terminal", "model", "attempts", "failures"], rows)
    expected = []
    for reference in ["others", "A920"]:
        family = [compare(rows, model, reference) for model in MODELS if model != reference]
        tested = [row for row in family if row[8] is not None]
        for row, q in zip(tested, multipletests([row[8] for row in tested], method="fdr_bh")[1]):
            row[9] = float(q)
        expected += family
    write("models_terminals_expected.csv", ["model", "reference", "terminals", "other_terminals", "or", "se_ln_or", "low", "high",
                                            "p", "q"], expected)
