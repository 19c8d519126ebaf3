"""Upper tails of beta-binomials of up to 10^12 attempts, by another way than the crate's.

X >= k exactly where the k-th smallest of n uniform numbers, a Beta(k, n - k + 1) variable, lies below
the rate, a Beta(a, b) variable: P(X >= k) = E[P(rate > T)], one integral over T with mpmath's
incomplete beta. Without spread the binomial terms are added one by one.
"""

import mpmath as mp

from .common import write

CASES = [
    # attempts, mean rate, correlation, standard deviations above the mean
    *[
        (n, mu, rho, z)
        for n in (30_000, 10**6, 10**9, 10**12)
        for mu, rho in ((0.05, 0.01), (0.002, 0.0005), (0.3, 0.2), (0.6, 0.05))
        for z in (0, 4)
    ],
]


def beta_binomial(n, k, a, b):
    """P(X >= k)."""
    mean = mp.mpf(k) / (n + 1)
    sd = mp.sqrt(mean * (1 - mean) / n)
    norm = mp.loggamma(n + 1) - mp.loggamma(k) - mp.loggamma(n - k + 1)

    def inner(z):
        t = mean + z * sd
        if t <= 0 or t >= 1:
            return mp.mpf(0)
        density = mp.exp(norm + (k - 1) * mp.log(t) + (n - k) * mp.log1p(-t))
        return density * sd * mp.betainc(a, b, t, 1, regularized=True)

    return mp.quad(inner, list(range(-12, 13, 3)), maxdegree=4)


def binomial(n, k, mu):
    """P(X >= k) for k above the mean."""
    mu = mp.mpf(mu)
    term = mp.exp(
        mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1) + k * mp.log(mu) + (n - k) * mp.log1p(-mu)
    )
    total, odds = mp.mpf(0), mu / (1 - mu)
    while term > total * mp.mpf(10) ** -25:
        total += term
        term *= mp.mpf(n - k) / (k + 1) * odds
        k += 1
    return total


def main():
    mp.mp.dps = 24
    rows = []
    for n, mu, rho, z in CASES:
        sd = (n * mu * (1 - mu) * (1 + (n - 1) * rho)) ** 0.5
        k = int(n * mu + z * sd)
        if not 0 < k < n:
            continue
        size = 1 / mp.mpf(rho) - 1
        p = beta_binomial(n, k, mp.mpf(mu) * size, (1 - mp.mpf(mu)) * size)
        rows.append((n, k, mu, rho, mp.nstr(p, 17)))
    for n, mu, z in ((50_000, 0.01, 4), (10**6, 0.5, 1), (10**8, 0.001, 6), (10**10, 1e-6, 5)):
        k = int(n * mu + z * (n * mu * (1 - mu)) ** 0.5)
        rows.append((n, k, mu, 0, mp.nstr(binomial(n, k, mu), 17)))
    header = ["attempts", "failures", "rate", "rho", "upper_p"]
    write("betabinom_large_expected.csv", header, rows)
