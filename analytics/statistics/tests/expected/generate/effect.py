"""Difference in differences by statsmodels: cluster-robust by unit, CR1, t(G-1)."""

import math

import numpy as np
import statsmodels.api as sm
from scipy import stats

from generate.common import agree, write

COLUMNS = ["input", "start", "contrast", "weighted", "units_treated", "units_comparison", "estimate", "se", "df",
           "low", "high", "p", "se_cr0", "p_normal"]


def simulate(rng, treated, comparison, periods, start, effect):
    """Counts of every unit and period; a unit's level and its periods' shocks are its own."""
    rows = []
    for index in range(treated + comparison):
        level = rng.normal(-2.0, 0.5)
        for period in range(1, periods + 1):
            attempts = int(rng.integers(40, 600))
            shift = effect if index < treated and period >= start else 0.0
            rate = 1 / (1 + math.exp(-(level + shift + 0.03 * period + rng.normal(0, 0.15))))
            rows.append([f"u{index:02d}", index < treated, period, attempts, int(rng.binomial(attempts, rate))])
    return [rows[i] for i in rng.permutation(len(rows))]


def collapse(rows, post_of):
    """Unit -> (treated, {post: (attempts, failures)}), kept only with attempts before and after."""
    units = {}
    for unit, treated, period, attempts, failures in rows:
        post = post_of(period)
        if post is not None:
            sides = units.setdefault(unit, (treated, {0: [0, 0], 1: [0, 0]}))[1]
            sides[post][0] += attempts
            sides[post][1] += failures
    return {u: v for u, v in sorted(units.items()) if v[1][0][0] > 0 and v[1][1][0] > 0}


def fit(units, weighted):
    y, x, weights, groups = [], [], [], []
    for group, (treated, sides) in enumerate(units.values()):
        for post, (attempts, failures) in sides.items():
            y.append(failures / attempts)
            x.append([1.0, float(treated), float(post), float(treated) * post])
            weights.append(float(attempts) if weighted else 1.0)
            groups.append(group)
    model = sm.WLS(np.array(y), np.array(x), weights=np.array(weights))
    options = {"groups": np.array(groups), "use_correction": True}
    robust = model.fit(cov_type="cluster", cov_kwds=options, use_t=True)
    plain = model.fit(cov_type="cluster", cov_kwds={**options, "use_correction": False}, use_t=True)
    return robust, plain


def estimate(rows, name, start, contrast, post_of, weighted):
    units = collapse(rows, post_of)
    robust, plain = fit(units, weighted)
    low, high = robust.conf_int()[3]
    value, se, df = float(robust.params[3]), float(robust.bse[3]), len(units) - 1
    agree("t interval", [value - stats.t.ppf(0.975, df) * se, 2 * stats.t.sf(abs(value / se), df)],
          [float(low), float(robust.pvalues[3])], 1e-12)
    treated = sum(treated for treated, _ in units.values())
    return [name, start, contrast, weighted, treated, len(units) - treated, value, se, df, float(low), float(high),
            float(robust.pvalues[3]), float(plain.bse[3]), float(2 * stats.norm.sf(abs(value / se)))]


def two_periods(rng):
    """`post` given; one unit without an after, one with no attempts before."""
    rows = [[unit, treated, period - 1, attempts, failures]
            for unit, treated, period, attempts, failures in simulate(rng, 9, 17, 2, 2, -0.6)]
    rows += [["half", True, 0, 90, 30], ["mute", False, 0, 0, 0], ["mute", False, 1, 80, 9]]
    return rows


def main():
    rng = np.random.default_rng(51)
    expected = []
    post = two_periods(rng)
    write("effect_post_input.csv", ["unit", "treated", "post", "attempts", "failures"],
          [[unit, treated, bool(period), n, x] for unit, treated, period, n, x in post])
    periods = simulate(rng, 7, 12, 6, 5, -0.5)
    write("effect_period_input.csv", ["unit", "treated", "period", "attempts", "failures"], periods)
    three = simulate(rng, 6, 10, 3, 3, 0.0)
    write("effect_three_input.csv", ["unit", "treated", "period", "attempts", "failures"], three)
    for weighted in (False, True):
        expected += [
            estimate(post, "post", None, "effect", lambda t: t, weighted),
            estimate(periods, "period", 5, "effect", lambda t: int(t >= 5), weighted),
            # Placebo starts inside the four periods before: in the middle, and at the last one.
            estimate(periods, "period", 5, "placebo_start_3", lambda t: None if t >= 5 else int(t >= 3), weighted),
            estimate(periods, "period", 5, "placebo_start_4", lambda t: None if t >= 5 else int(t >= 4), weighted),
            estimate(three, "three", 3, "effect", lambda t: int(t >= 3), weighted),
            estimate(three, "three", 3, "placebo_start_2", lambda t: None if t >= 3 else int(t >= 2), weighted),
        ]
    write("effect_expected.csv", COLUMNS, expected)
