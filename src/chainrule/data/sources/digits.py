"""The handwritten digits that scikit-learn ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule.batch import Array

__all__ = ["DIGITS", "digits_parts", "path_has_the_name"]

DIGITS = "digits"
ROWS = {"train": slice(1000), "valid": slice(1000, 1350), "test": slice(1350, None)}


def digits_parts() -> dict[str, tuple[Array, Array]]:
    """Images (N, 64) of 17 grey levels and labels by split: rows [:1000], [1000:1350], [1350:]."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, labels = digits.data.astype(np.uint8), digits.target.astype(np.int64)
    return {name: (x[rows], labels[rows]) for name, rows in ROWS.items()}


def path_has_the_name() -> bool:
    """Whether a path here is called like the digits and holds something: an empty directory holds no data."""
    path = Path(DIGITS)
    return path.is_file() or (path.is_dir() and any(not entry.name.startswith(".") for entry in path.iterdir()))
