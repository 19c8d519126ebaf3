"""Getis-Ord Gi* by esda on H3 cells: holes, islands, a pentagon, the antimeridian."""

import warnings

import h3
import numpy as np
from esda.getisord import G_Local
from libpysal.weights import W
from scipy import special
from statsmodels.stats.multitest import multipletests

from generate.common import work_folder, write

ALPHA = 0.05
RINGS = (1, 2)
COLUMNS = ["rings", "cell", "neighbours", "value", "z", "p", "q", "class"]


def city(rng):
    """A town at r8 with holes, an island, two hot patches and cells without attempts."""
    centre = h3.latlng_to_cell(-6.2088, 106.8456, 8)
    disk = sorted(h3.grid_disk(centre, 6))
    holes = set(rng.choice(disk, size=20, replace=False))
    cells = [cell for cell in disk if cell not in holes]
    far = sorted(h3.grid_ring(centre, 11))
    cells += [far[3], far[40], far[41]]
    hot = set(h3.grid_disk(disk[30], 1)) | set(h3.grid_disk(disk[90], 1))
    rows = []
    for cell in cells:
        attempts = 0 if rng.uniform() < 0.04 else int(rng.integers(1, 400))
        failures = int(rng.binomial(attempts, 0.30 if cell in hot else 0.04))
        rows.append((cell, attempts, failures))
    return shuffled(rng, rows)


def pentagon(rng):
    """All cells within four rings of a pentagon at r5, two of them absent."""
    centre = sorted(h3.get_pentagons(5))[4]
    cells = sorted(h3.grid_disk(centre, 4))
    near = sorted(h3.grid_ring(centre, 1))
    absent = {near[2], cells[17]}
    hot = set(h3.grid_disk(centre, 1))
    cold = set(h3.grid_disk(sorted(h3.grid_ring(centre, 3))[5], 1)) - hot
    level = {cell: 3.0 if cell in hot else (-0.5 if cell in cold else 1.0) for cell in cells}
    rows = [(cell, float(rng.normal(level[cell], 0.4))) for cell in cells if cell not in absent]
    return shuffled(rng, rows)


def antimeridian(rng):
    """Taveuni in Fiji at r7, on both sides of longitude 180."""
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(-16.8, 180.0, 7), 4))
    assert {h3.cell_to_latlng(cell)[1] > 0 for cell in cells} == {True, False}
    hot = set(h3.grid_disk(cells[30], 1))
    rows = [(cell, float(rng.beta(2, 20) + (0.2 if cell in hot else 0.0))) for cell in cells if rng.uniform() > 0.1]
    return shuffled(rng, rows)


def shuffled(rng, rows):
    return [rows[i] for i in rng.permutation(len(rows))]


def neighbours(cells, rings):
    present = set(cells)
    return {cell: sorted((set(h3.grid_disk(cell, rings)) & present) - {cell}) for cell in cells}


def gi_star(values, rings):
    """Rows of the expected file for one ring count; `values` maps cells to y, None when missing."""
    cells = sorted(cell for cell, value in values.items() if value is not None)
    near = neighbours(cells, rings)
    y = np.array([values[cell] for cell in cells])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = W({cell: [*near[cell], cell] for cell in cells}, id_order=cells, silence_warnings=True)
        local = G_Local(y, weights, transform="B", permutations=0, star=True)
    z = dict(zip(cells, local.Zs.tolist()))
    two_sided = special.erfc(np.abs(local.Zs) / np.sqrt(2))
    assert np.allclose(two_sided, 2 * local.p_norm, rtol=1e-9)
    q = dict(zip(cells, multipletests(two_sided, alpha=ALPHA, method="fdr_bh")[1].tolist()))
    p = dict(zip(cells, two_sided.tolist()))
    for cell in sorted(values):
        if cell not in z:
            yield [rings, cell, None, None, None, None, None, "undefined"]
            continue
        kind = "none" if q[cell] > ALPHA else ("hot" if z[cell] > 0 else "cold")
        yield [rings, cell, len(near[cell]), values[cell], z[cell], p[cell], q[cell], kind]


def expect(name, values):
    rows = [row for rings in RINGS for row in gi_star(values, rings)]
    write(f"gi_star_{name}_expected.csv", COLUMNS, rows)
    write_neighbours(name, sorted(cell for cell, value in values.items() if value is not None))


def write_neighbours(name, cells):
    """Neighbour pairs for make_expected.R, which has no H3; from grid_disk, not committed."""
    pairs = [[rings, cell, other] for rings in RINGS for cell, near in neighbours(cells, rings).items()
             for other in near]
    write(work_folder() / f"gi_star_{name}_pairs.csv", ["rings", "cell", "other"], pairs)


def main():
    rng = np.random.default_rng(21)
    counts = city(rng)
    write("gi_star_city_input.csv", ["cell", "attempts", "failures"], counts)
    expect("city", {cell: failures / attempts if attempts else None for cell, attempts, failures in counts})
    for name, rows in (("pentagon", pentagon(rng)), ("antimeridian", antimeridian(rng))):
        write(f"gi_star_{name}_input.csv", ["cell", "value"], rows)
        expect(name, dict(rows))
