"""Largest disagreement between the *_expected.csv of Python and the *_r.csv of R."""

from generate.common import read

# Expected file, R file, key columns; the other columns have the same names.
PAIRS = [
    ("fdr_expected.csv", "fdr_r.csv", ["id"]),
    ("models_expected.csv", "models_r.csv", ["model", "reference"]),
    ("effect_expected.csv", "effect_r.csv", ["input", "contrast", "weighted"]),
]
RATES = {"marshall": ("marshall", ""), "marshall_local_1": ("marshall-local", "1"),
         "marshall_local_2": ("marshall-local", "2"), "beta_binomial_ml": ("beta-binomial-ml", "")}


def difference(ours, theirs):
    if "" in (ours, theirs):
        assert ours == theirs, (ours, theirs)
        return 0.0
    a, b = float(ours), float(theirs)
    return abs(a - b) / max(abs(a), 1e-6)


def show(name, worst):
    print("  ", name, ", ".join(f"{column} {value:.1e}" for column, value in worst.items()))


def by_key(name, keys):
    return {tuple(row[key] for key in keys): row for row in read(name)}


def main():
    for expected, r, keys in PAIRS:
        python, worst = by_key(expected, keys), {}
        for key, row in by_key(r, keys).items():
            for column in set(row) - set(keys):
                worst[column] = max(worst.get(column, 0.0), difference(python[key][column], row[column]))
        show(r, worst)
    worst = {}
    rows = by_key("gi_star_r.csv", ["input", "rings", "cell"])
    for (name, rings, cell), row in rows.items():
        python = by_key(f"gi_star_{name}_expected.csv", ["rings", "cell"])[(rings, cell)]
        worst[name] = max(worst.get(name, 0.0), difference(python["z"], row["z"]))
    show("gi_star_r.csv", worst)
    python, worst = by_key("rates_spread_expected.csv", ["method", "rings", "id"]), {}
    for row in read("rates_r.csv"):
        for column, (method, rings) in RATES.items():
            value = python[(method, rings, row["cell"])]["eb_rate"]
            worst[column] = max(worst.get(column, 0.0), difference(value, row[column]))
    show("rates_r.csv", worst)
