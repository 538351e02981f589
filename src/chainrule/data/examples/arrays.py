"""Arrays and images: `.npy`, `.npz`, and the digits that scikit-learn ships."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from chainrule.data.examples.base import Array, ArrayExamples, DataSet, Source
from chainrule.data.examples.conditions import Classes, protocol_given
from chainrule.data.examples.splits import Part, check_same_shape, three_parts
from chainrule.data.sources.array_files import array_parts
from chainrule.data.sources.objects import path_or_held
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["ArrayEncoding", "integer_data_set", "open_array", "open_digits"]


@dataclass(frozen=True)
class ArrayEncoding:
    """Examples that are arrays of integers already; an image where the domain is ordinal and has rows and columns.

    conditions: the classes where the label is given.
    """

    domain: Domain
    conditions: Classes | None = None
    kind: ClassVar[str] = "array"

    @property
    def is_image(self) -> bool:
        """Whether an example is a picture: rows and columns, and perhaps the three channels of colours."""
        return len(self.domain.shape) == 2 or (len(self.domain.shape) == 3 and self.domain.shape[2] in (1, 3))

    @property
    def protocol(self) -> Protocol:
        """How the examples are scored: all elements, given the conditions."""
        return protocol_given(self.conditions)

    @property
    def picture_levels(self) -> int:
        """How many levels a picture of `decode` has."""
        return self.domain.num_symbols or 2

    def encode(self, source: Source) -> ArrayExamples:
        source = path_or_held(source)
        parts = {"test": _digits(slice(1350, None))} if source == "digits" else array_parts(source)
        return self.examples(parts["test"] if "test" in parts else parts[""], str(source))

    def examples(self, part: Part, what: str) -> ArrayExamples:
        """Arrays (N, ...) and labels as examples; refuses what does not fit the domain."""
        x, labels = part
        return ArrayExamples(
            self._flat(x, what), None if self.conditions is None else self.conditions.encode(labels, what)
        )

    def _flat(self, x: Array, what: str) -> Array:
        if x.ndim < 2 or prod(x.shape[1:]) != self.domain.length:
            raise InputError(
                f"{what}: the array has the shape {x.shape}, expected examples of {self.domain.length} elements "
                f"(N, {', '.join(map(str, self.domain.shape))}); reshape it"
            )
        x = _as_integers(x, what).reshape(len(x), self.domain.length)
        self.domain.check(x, what)
        return x

    def decode(self, x: Array) -> Array:
        """Elements back in their layout, as integers of the smallest sufficient type, (n, *shape)."""
        return x.reshape(len(x), *self.domain.shape).astype(np.min_scalar_type((self.domain.num_symbols or 2) - 1))

    def to_json(self) -> dict[str, Any]:
        names = None if self.conditions is None else self.conditions.to_json()
        return {"kind": self.kind, "domain": self.domain.to_json(), "classes": names}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> ArrayEncoding:
        """The encoding that `to_json` wrote."""
        classes = Classes(tuple(fields["classes"])) if fields.get("classes") else None
        return cls(Domain.from_json(fields["domain"]), classes)


def _digits(rows: slice) -> tuple[Array, Array]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.data[rows].astype(np.uint8), digits.target[rows].astype(np.int64)


def _classes(source: str, given: str | None, labels: Array | None) -> Classes | None:
    if given is None:
        return None
    if given != "label":
        raise InputError(f"{source}: what can be given here is the label, got {given!r}; use --given label")
    if labels is None:
        raise InputError(f"{source}: has no labels to be given; save them beside the array as `labels`")
    return Classes.of(labels)


def open_digits(source: str = "digits", *, given: str | None = None) -> DataSet:
    """Handwritten digits, 8x8 pixels of 17 grey levels (UCI, in scikit-learn); rows [:1000], [1000:1350], [1350:].

    >>> data = open_digits()
    >>> len(data.train), len(data.valid), len(data.test)
    (1000, 350, 447)
    """
    parts = [_digits(rows) for rows in (slice(1000), slice(1000, 1350), slice(1350, None))]
    domain = Domain(shape=(8, 8), num_symbols=17, ordinal=True)
    encoding = ArrayEncoding(domain, _classes("digits", given, np.arange(10)))
    train, valid, test = (encoding.examples(part, "digits") for part in parts)
    note = "1797 images of 8x8 pixels, 17 grey levels; split 1000/350/447 in the order of the literature"
    return DataSet("digits", encoding, train, valid, test, note, {"given": given})


def open_array(
    source: Source, *, shape: tuple[int, ...] | None = None, given: str | None = None, split: str = "80/10/10"
) -> DataSet:
    """Integers from a `.npy` file or array (N, ...), or by split from a `.npz` file or a dictionary of arrays.

    shape: the layout of an example, where it differs from the file's. given: "label", to model p(x | label). split: of
    a single array, see `divide`. The number of symbols is one more than the largest value in the file; arrays with rows
    and columns are images, whose symbols are levels.

    Raises InputError for missing, empty or damaged files, reals, negative values, and shapes that do not fit.
    """
    arrays, source = array_parts(source), str(source)
    if shape is None:
        check_same_shape(arrays, source)
    layout = tuple(shape if shape is not None else next(iter(arrays.values()))[0].shape[1:])
    if not layout:
        raise InputError(f"{source}: the array has one axis, expected (examples, elements); reshape it")
    return integer_data_set(source, arrays, layout, given, split, {"shape": None if shape is None else list(shape)})


def integer_data_set(
    source: str,
    arrays: dict[str, Part],
    layout: tuple[int, ...],
    given: str | None,
    split: str,
    options: dict[str, Any],
) -> DataSet:
    """A data set of integers 0, 1, ..., V-1 in a layout, from its parts."""
    arrays = {name: (_as_integers(x, f"{source} {name}".strip()), y) for name, (x, y) in arrays.items()}
    low = min(int(x.min()) for x, _ in arrays.values())
    high = max(int(x.max()) for x, _ in arrays.values())
    if low < 0:
        raise InputError(f"{source}: symbols start at 0, got {low}; shift the values")
    ordinal = len(layout) > 1
    num_symbols = max(2, high + 1)
    if ordinal and high > 16:
        num_symbols = max(num_symbols, 256)
    if num_symbols > 2**20:
        raise InputError(f"{source}: values run up to {high}, too many symbols for a table of them; re-encode the data")
    domain = Domain(shape=layout, num_symbols=num_symbols, ordinal=ordinal and num_symbols > 2)
    for name, (x, _) in arrays.items():
        ArrayEncoding(domain)._flat(x, f"{source} {name}".strip())
    parts, how = three_parts(arrays, split)
    labels = None if any(y is None for _, y in parts) else np.concatenate([y for _, y in parts if y is not None])
    encoding = ArrayEncoding(domain, _classes(source, given, labels))
    train, valid, test = (encoding.examples(part, source) for part in parts)
    kind = "images" if ordinal else "rows"
    sizes = "/".join(str(len(x)) for x, _ in parts)
    side = "x".join(map(str, layout))
    note = f"{sum(len(x) for x, _ in parts)} {kind} of {side} elements, {num_symbols} symbols; {how}: {sizes}"
    return DataSet(source, encoding, train, valid, test, note, options | {"given": given, "split": split})


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
