"""Arrays and images: `.npy`, `.npz`, and the digits that scikit-learn ships."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.data.base import Array, ArrayExamples, DataSet, parse_split, split_by_content
from chainrule.domain import Domain
from chainrule.errors import InputError

__all__ = ["ArrayEncoding", "open_array", "open_digits"]

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class ArrayEncoding:
    """Examples that are arrays of integers already; an image where the domain is ordinal and has rows and columns."""

    domain: Domain
    kind: ClassVar[str] = "array"

    @property
    def is_image(self) -> bool:
        """Whether an example is a picture: rows and columns, and perhaps channels."""
        return len(self.domain.shape) in (2, 3)

    def encode(self, source: str) -> ArrayExamples:
        arrays = {"test": _digits()[0][1350:]} if source == "digits" else _read(Path(source))
        x = arrays["test"] if "test" in arrays else arrays[""]
        return ArrayExamples(self._flat(x, source))

    def _flat(self, x: Array, what: str) -> Array:
        if x.ndim < 2 or prod(x.shape[1:]) != self.domain.length:
            raise InputError(
                f"{what}: the array has the shape {x.shape}, expected examples of {self.domain.length} elements "
                f"(N, {', '.join(map(str, self.domain.shape))}); reshape it"
            )
        x = _as_integers(x, what).reshape(len(x), -1)
        self.domain.check(x, what)
        return x

    def decode(self, x: Array) -> Array:
        """Elements back in their layout, as integers of the smallest sufficient type, (n, *shape)."""
        return x.reshape(len(x), *self.domain.shape).astype(np.min_scalar_type((self.domain.num_symbols or 2) - 1))

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "domain": self.domain.to_json()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> ArrayEncoding:
        """The encoding that `to_json` wrote."""
        return cls(Domain.from_json(fields["domain"]))


def _digits() -> tuple[Array, Array]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.data.astype(np.uint8), digits.target.astype(np.int64)


def open_digits() -> DataSet:
    """Handwritten digits, 8x8 pixels of 17 grey levels (UCI, in scikit-learn); rows [:1000], [1000:1350], [1350:].

    >>> data = open_digits()
    >>> len(data.train), len(data.valid), len(data.test)
    (1000, 350, 447)
    """
    x, _ = _digits()
    encoding = ArrayEncoding(Domain(shape=(8, 8), num_symbols=17, ordinal=True))
    train, valid, test = (ArrayExamples(x[rows]) for rows in (slice(1000), slice(1000, 1350), slice(1350, None)))
    note = "1797 images of 8x8 pixels, 17 grey levels; split 1000/350/447 in the order of the literature"
    return DataSet("digits", encoding, train, valid, test, note)


def open_array(source: str, *, shape: tuple[int, ...] | None = None, split: str = "80/10/10") -> DataSet:
    """Integers from a `.npy` file (N, ...), or a `.npz` file with one array or with `train`, `valid` and `test`.

    shape: the layout of an example, where it differs from the file's. split: shares for a single array, whose rows are
    divided by a hash of their content. The number of symbols is one more than the largest value in the file; arrays
    with rows and columns are images, whose symbols are levels.

    Raises InputError for missing, empty or damaged files, reals, negative values, and shapes that do not fit.
    """
    arrays = _read(Path(source))
    layout = shape if shape is not None else next(iter(arrays.values())).shape[1:]
    if not layout:
        raise InputError(f"{source}: the array has one axis, expected (examples, elements); reshape it")
    arrays = {name: _as_integers(x, f"{source} {name}".strip()) for name, x in arrays.items()}
    low, high = min(int(x.min()) for x in arrays.values()), max(int(x.max()) for x in arrays.values())
    if low < 0:
        raise InputError(f"{source}: symbols start at 0, got {low}; shift the values")
    ordinal = len(layout) > 1
    num_symbols = max(2, high + 1)
    if ordinal and high > 16:
        num_symbols = max(num_symbols, 256)
    if num_symbols > 2**20:
        raise InputError(f"{source}: values run up to {high}, too many symbols for a table of them; re-encode the data")
    encoding = ArrayEncoding(Domain(shape=tuple(layout), num_symbols=num_symbols, ordinal=ordinal and num_symbols > 2))
    flat = {name: encoding._flat(x, f"{source} {name}".strip()) for name, x in arrays.items()}
    if "train" in flat:
        parts = [flat[name] for name in SPLITS]
        how = "split as given"
    else:
        (whole,) = flat.values()
        parts = [whole[rows] for rows in split_by_content(whole, parse_split(split))]
        how = f"split {split} by content"
    kind = "images" if ordinal else "rows"
    sizes = "/".join(str(len(part)) for part in parts)
    side = "x".join(map(str, layout))
    note = f"{sum(map(len, parts))} {kind} of {side} elements, {num_symbols} symbols; {how}: {sizes}"
    options = {"shape": None if shape is None else list(shape), "split": split}
    train, valid, test = (ArrayExamples(part) for part in parts)
    return DataSet(source, encoding, train, valid, test, note, options)


def _read(path: Path) -> dict[str, Array]:
    """The arrays of a file: `train`, `valid` and `test` where it has them, else its only array under ""."""
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            arrays = dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else {"": loaded}
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: not a readable .npy or .npz file ({error}); write it again with numpy.save"
        ) from None
    if set(SPLITS) <= set(arrays):
        arrays = {name: arrays[name] for name in SPLITS}
    elif len(arrays) == 1:
        arrays = {"": next(iter(arrays.values()))}
    else:
        raise InputError(
            f"{path}: holds the arrays {', '.join(sorted(arrays)) or 'none'}; "
            "expected train, valid and test, or a single one"
        )
    for name, x in arrays.items():
        if x.size == 0:
            raise InputError(
                f"{path} {name}: the array is empty, of shape {x.shape}; give it examples".replace(" :", ":")
            )
    return arrays


def _as_integers(x: Array, what: str) -> Array:
    """Booleans and integers as they are, reals that are whole numbers as integers."""
    if x.dtype == np.bool_:
        return x.astype(np.uint8)
    if np.issubdtype(x.dtype, np.integer):
        return x
    if not np.issubdtype(x.dtype, np.floating):
        raise InputError(f"{what}: the array has dtype {x.dtype}, expected integers; encode the values as numbers")
    if not np.isfinite(x).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise InputError(f"{what}: {x[first]} at {first}; remove or fill in what is not a number")
    if (x != np.floor(x)).any():
        first = tuple(int(i) for i in np.argwhere(x != np.floor(x))[0])
        raise InputError(f"{what}: {x[first]} at {first} is no integer; quantise the data to levels 0, 1, ..., V-1")
    return x.astype(np.int64)
