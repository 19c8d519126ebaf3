"""Benjamini-Hochberg and Benjamini-Yekutieli q-values by statsmodels."""

import numpy as np
from statsmodels.stats.multitest import multipletests

from generate.common import write

ALPHA = 0.05


def p_values():
    rng = np.random.default_rng(11)
    p = list(rng.uniform(size=50)) + list(rng.beta(0.2, 8.0, size=25))
    # Ties, the ends, a p above its own line that a later one rescues, and undefined ones.
    p += [0.01, 0.01, 0.01, 0.0, 1.0, 1e-300, 0.013, 0.0131, None, None, None, 0.5, 0.5]
    order = rng.permutation(len(p))
    return [p[i] if p[i] is None else float(p[i]) for i in order]


def main():
    p = p_values()
    ids = [f"c{i:03d}" for i in range(len(p))]
    defined = [i for i, value in enumerate(p) if value is not None]
    columns = {}
    for method, name in (("bh", "fdr_bh"), ("by", "fdr_by")):
        rejected, q, _, _ = multipletests([p[i] for i in defined], alpha=ALPHA, method=name)
        columns[method] = {i: (float(a), bool(b)) for i, a, b in zip(defined, q, rejected)}
    rows = []
    for i, value in enumerate(p):
        bh = columns["bh"].get(i, (None, None))
        by = columns["by"].get(i, (None, None))
        rows.append([ids[i], value, *bh, *by])
    write("fdr_input.csv", ["id", "p"], [[i, value] for i, value in zip(ids, p)])
    write("fdr_expected.csv", ["id", "p", "bh_q", "bh_rejected", "by_q", "by_rejected"], rows)
