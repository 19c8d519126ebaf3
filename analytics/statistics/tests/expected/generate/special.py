"""Special functions from mpmath at 40 digits, at the exact doubles written in the file."""

import mpmath as mp
from scipy import special as sp
from scipy import stats

from generate.common import write

mp.mp.dps = 40
EPSILON = mp.mpf(2) ** -53


def normal_upper(z):
    return mp.erfc(z / mp.sqrt(2)) / 2


def chi2_upper(x, df):
    return mp.gammainc(df / 2, x / 2, mp.inf, regularized=True)


def ln_beta(a, b):
    # At a, b near 1e12 thirteen digits cancel; work with enough to spare.
    with mp.workdps(80):
        return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def beta_series(x, a, b):
    """The regularised incomplete beta by its series of positive terms, for x below the mean."""
    term = total = mp.mpf(1)
    n = 0
    while term > total * mp.mpf(10) ** -38:
        term *= x * (a + b + n) / (a + 1 + n)
        total += term
        n += 1
    return total * mp.exp(a * mp.log(x) + b * mp.log1p(-x) - ln_beta(a, b)) / a


def incomplete(x, y, a, b):
    """I_x(a, b) with y = 1 - x; mpmath's own betainc stalls on the big shapes."""
    if a + b < 1000:
        return mp.betainc(a, b, 0, x, regularized=True)
    return beta_series(x, a, b) if x < a / (a + b) else 1 - beta_series(y, b, a)


def beta_cdf(x, a, b):
    return incomplete(x, 1 - x, a, b)


def beta_upper(x, a, b):
    # By symmetry, since 1 - cdf would lose the tail.
    return incomplete(1 - x, x, b, a)


def beta_quantile(p, a, b):
    start = mp.mpf(float(stats.beta.ppf(float(p), float(a), float(b))))
    x = start
    for _ in range(8):
        density = mp.exp((a - 1) * mp.log(x) + (b - 1) * mp.log1p(-x) - ln_beta(a, b))
        step = (beta_cdf(x, a, b) - p) / density
        x -= step
        if abs(step) < abs(x) * mp.mpf(10) ** -30:
            return x
    raise ArithmeticError((p, a, b))


def t_lower_tail(t, df):
    if t == 0:
        return mp.mpf(1) / 2
    total = df + t * t
    return incomplete(df / total, t * t / total, df / 2, mp.mpf(1) / 2) / 2


def t_cdf(t, df):
    tail = t_lower_tail(t, df)
    return tail if t < 0 else 1 - tail


def t_quantile(p, df):
    t = mp.mpf(float(stats.t.ppf(float(p), float(df))))
    for _ in range(60):
        density = mp.exp(-ln_beta(df / 2, mp.mpf(1) / 2)) / mp.sqrt(df)
        density *= (1 + t * t / df) ** (-(df + 1) / 2)
        step = (t_cdf(t, df) - p) / density
        t -= step
        if abs(step) <= max(abs(t), mp.mpf(10) ** -20) * mp.mpf(10) ** -30:
            return t
    raise ArithmeticError((p, df))


def normal_quantile(p):
    z = mp.mpf(float(stats.norm.ppf(float(p))))
    for _ in range(60):
        step = (mp.ncdf(z) - p) / mp.npdf(z)
        z -= step
        if abs(step) <= max(abs(z), mp.mpf(10) ** -20) * mp.mpf(10) ** -30:
            return z
    raise ArithmeticError(p)


FUNCTIONS = {
    "normal_upper": normal_upper,
    "normal_two_sided": lambda z: 2 * normal_upper(abs(z)),
    "normal_quantile": normal_quantile,
    "chi2_upper_1df": lambda x: mp.erfc(mp.sqrt(x / 2)),
    "chi2_upper": chi2_upper,
    "ln_gamma": mp.loggamma,
    "ln_beta": ln_beta,
    "ln_choose": lambda n, k: -mp.log(n + 1) - ln_beta(k + 1, n - k + 1),
    "beta_cdf": beta_cdf,
    "beta_upper": beta_upper,
    "beta_quantile": beta_quantile,
    "t_cdf": t_cdf,
    "t_two_sided": lambda t, df: 2 * t_lower_tail(t, df),
    "t_quantile": t_quantile,
}

Z = [-8.5, -3.0, -0.5, 0.0, 1e-10, 0.3, 1.0, 1.959963984540054, 3.29, 6.0, 8.3, 12.0, 20.0, 30.0, 37.0]
P = [1e-300, 1e-100, 1e-30, 1e-12, 1e-5, 0.001, 0.025, 0.05, 0.3, 0.49999, 0.5, 0.7, 0.975, 0.999, 0.9999999]
SHAPES = [(0.5, 0.5), (1.0, 3.0), (2.5, 0.2), (3.7, 81.2), (12.0, 4000.0), (0.04, 1.3), (450.5, 9100.25),
          (1e5, 1e6), (123456.7, 120000.1)]
DF = [1.0, 2.0, 3.5, 7.0, 39.0, 400.0, 3000.0]


def arguments():
    for z in Z:
        yield "normal_upper", (z,)
        yield "normal_two_sided", (z,)
    for p in P:
        yield "normal_quantile", (p,)
    for x in [0.0, 1e-12, 0.01, 1.0, 3.841458820694124, 10.0, 50.0, 300.0, 1200.0]:
        yield "chi2_upper_1df", (x,)
    for df in [1.0, 2.0, 3.0, 7.0, 30.0, 301.0, 5000.0]:
        for factor in [0.01, 0.3, 0.95, 1.0, 1.1, 2.0, 6.0]:
            yield "chi2_upper", (df * factor, df)
    for x in [1e-10, 0.01, 0.5, 0.999, 1.0, 1.001, 1.5, 1.999, 2.0, 2.001, 3.0, 7.3, 9.99, 30.0, 171.5, 1e4,
              123456.789, 1e9, 1e15]:
        yield "ln_gamma", (x,)
    for a, b in SHAPES + [(1e-8, 1e5), (3.0, 1e9), (0.5, 1e12), (1e9, 1e9), (1e12, 7.0), (1e7, 3e11), (10.0, 10.0),
                          (9.5, 40.0)]:
        yield "ln_beta", (a, b)
    for n, k in [(0, 0), (5, 0), (5, 5), (10, 3), (52, 5), (1000, 500), (100000, 3), (100000, 99998), (10**6, 12345),
                 (10**9, 2), (10**9, 5 * 10**8), (10**12, 40)]:
        yield "ln_choose", (float(n), float(k))
    for a, b in SHAPES:
        mean = a / (a + b)
        for factor in [0.001, 0.3, 0.9, 1.0, 1.1, 1.5]:
            x = mean * factor
            if x < 1 and sp.betainc(a, b, x) > 1e-290 and sp.betaincc(a, b, x) > 1e-290:
                yield "beta_cdf", (x, a, b)
                yield "beta_upper", (x, a, b)
        for p in [1e-10, 0.001, 0.025, 0.05, 0.5, 0.95, 0.975, 0.999]:
            if stats.beta.ppf(p, a, b) > 1e-290 and stats.beta.sf(1 - 1e-9, a, b) < 1 - p:
                yield "beta_quantile", (p, a, b)
    for df in DF:
        for t in [-40.0, -4.2, -1.0, -0.01, 0.0, 0.7, 2.0, 3.3, 12.0]:
            yield "t_cdf", (t, df)
            yield "t_two_sided", (t, df)
        for p in [1e-9, 0.005, 0.025, 0.3, 0.5, 0.9, 0.975, 0.9995]:
            yield "t_quantile", (p, df)


def conditioning(function, args, value):
    """How much one rounding of each argument moves the result, relative to it."""
    total = mp.mpf(0)
    for i, arg in enumerate(args):
        if arg == 0 or value == 0:
            continue
        moved = list(args)
        moved[i] = arg * (1 + mp.mpf(10) ** -12)
        total += abs(function(*moved) - value) / mp.mpf(10) ** -12
    return total / abs(value) if value else mp.mpf(0)


def main():
    rows = []
    for name, args in arguments():
        exact = [mp.mpf(arg) for arg in args]
        value = FUNCTIONS[name](*exact)
        if 0 < abs(value) < mp.mpf("1e-300"):
            continue
        integers = name == "ln_choose"
        condition = mp.mpf(0) if integers else conditioning(FUNCTIONS[name], exact, value)
        tolerance = max(mp.mpf("1e-13"), 8 * EPSILON * condition)
        padded = list(args) + [None] * (3 - len(args))
        rows.append([name, *padded, float(value), float(mp.nstr(tolerance, 2))])
    write("special_expected.csv", ["function", "arg1", "arg2", "arg3", "expected", "rel_tol"], rows)
