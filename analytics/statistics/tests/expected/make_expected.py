"""Writes the inputs and the Python-made expected outputs beside this file.

Usage: make_expected.py [PART...], by default every part. make_expected.R adds the *_r.csv files
from the same inputs, so it runs second. README.md lists the files.
"""

import importlib
import sys

PARTS = ["special", "fdr", "gi_star", "models", "models_terminals", "rates", "effect", "terminals", "terminals_large", "scan", "signal"]


def main(parts):
    for part in parts or PARTS:
        importlib.import_module(f"generate.{part}").main()
        print(f"made {part}")


if __name__ == "__main__":
    main(sys.argv[1:])
