"""The handwritten digits that scikit-learn ships."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from chainrule.batch import Array

__all__ = ["DIGITS", "digits_parts", "path_has_the_name"]

DIGITS = "digits"
ROWS = {"train": slice(1000), "valid": slice(1000, 1350), "test": slice(1350, None)}


def digits_parts() -> dict[str, tuple[Array, Array]]:
    """Images (N, 64) of 17 grey levels and labels by split: rows [:1000], [1000:1350], [1350:]."""
    x, labels = _from_file() or _from_sklearn()
    return {name: (x[rows], labels[rows]) for name, rows in ROWS.items()}


def _from_file() -> tuple[Array, Array] | None:
    """All images and labels from the file of scikit-learn, whose import takes as long as all else; None if it moved."""
    found = find_spec("sklearn")
    for folder in () if found is None else found.submodule_search_locations or ():
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            rows = np.loadtxt(path, np.int64, delimiter=",")
            return rows[:, :-1].astype(np.uint8), rows[:, -1].copy()
    return None


def _from_sklearn() -> tuple[Array, Array]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.data.astype(np.uint8), digits.target.astype(np.int64)


def path_has_the_name() -> bool:
    """Whether a path here is called like the digits and holds something: an empty directory holds no data."""
    path = Path(DIGITS)
    return path.is_file() or (path.is_dir() and any(not entry.name.startswith(".") for entry in path.iterdir()))
