"""Arrays of integers: `.npy`, `.npz`, binary tables, and the digits that scikit-learn ships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Array
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.conditions import Classes
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.data.examples.base import Examples
from chainrule.data.examples.division import Part, check_same_shape, three_parts
from chainrule.data.examples.splits import Split
from chainrule.data.examples.stored import Selected, is_stored, let_go
from chainrule.data.sources.array_files import array_parts, as_integers
from chainrule.data.sources.binary_tables import binary_parts, is_binary_table, read_binary
from chainrule.data.sources.digits import DIGITS, digits_parts, path_has_the_name
from chainrule.data.sources.first_reader import READER
from chainrule.data.sources.memory import refuse_above_memory
from chainrule.data.sources.objects import Source, as_source
from chainrule.domain import Domain
from chainrule.errors import InputError

__all__ = ["ArrayEncoding", "load_arrays", "load_binary_table", "load_digits"]

MOST_SYMBOLS = 2**20
CHUNK = 1 << 24  # elements of a mapped array that are checked at once


@dataclass(frozen=True)
class ArrayEncoding(Encoding):
    """Examples that are arrays of integers; images where the domain is ordinal and has rows and columns.

    layout: the layout of an example and its symbols.
    conditions: the classes where the label is given; None for p(x).
    """

    layout: Domain
    conditions: Classes | None = None
    kind: ClassVar[str] = "array"

    @property
    def domain(self) -> Domain:
        return self.layout

    @property
    def is_image(self) -> bool:
        shape = self.domain.shape
        return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))

    @property
    def file_endings(self) -> tuple[str, ...]:
        return (".png", ".npy") if self.is_image else (".npy",)

    def encode(self, source: Source) -> Examples:
        parts = self.encode_parts(source)
        return parts["test"] if "test" in parts else parts[""]

    def encode_parts(self, source: Source) -> dict[str, Examples]:
        source = as_source(source)
        parts: dict[str, Part]
        if isinstance(source, str) and Path(source).exists() and is_binary_table(Path(source)):
            parts = binary_parts(source) if Path(source).is_dir() else {"": (read_binary(Path(source)), None)}
        else:
            builtin = source == DIGITS and not path_has_the_name()
            parts = dict(digits_parts()) if builtin else array_parts(source)
        found = {name: self.examples(part, f"{source} {name}".strip()) for name, part in parts.items()}
        return {name: replace(examples, x=_smallest(examples.x, self.domain)) for name, examples in found.items()}

    def examples(self, part: Part, what: str) -> ArrayExamples:
        """Examples from arrays (N, ...) and labels; raises InputError for what does not fit the domain."""
        x, labels = part
        flat = x if isinstance(x, Selected) else self.flat(x, what)  # rows of what is flat and was checked
        return ArrayExamples(flat, None if self.conditions is None else self.conditions.encode(labels, what))

    def flat(self, x: Array, what: str) -> Array:
        """Arrays (N, ...) as elements (N, D); raises InputError for what does not fit the domain."""
        if x.ndim < 2 or prod(x.shape[1:]) != self.domain.length:
            raise InputError(
                f"{what}: the array has the shape {x.shape}, expected examples of {self.domain.length} elements "
                f"(N, {', '.join(map(str, self.domain.shape))}); reshape it"
            )
        x = as_integers(x, what).reshape(len(x), self.domain.length)
        step = max(1, CHUNK // self.domain.length) if is_stored(x) else max(1, len(x))
        for start in range(0, len(x), step):
            self.domain.check(x[start : start + step], f"{what} from row {start} on" if start else what)
            let_go(x)
        return x

    def decode(self, x: Array) -> Array:
        """Elements back in their layout, as integers of the smallest sufficient type, (n, *shape)."""
        return x.reshape(len(x), *self.domain.shape).astype(np.min_scalar_type((self.domain.num_symbols or 2) - 1))

    def to_json(self) -> dict[str, Any]:
        names = None if self.conditions is None else self.conditions.to_json()
        return {"kind": self.kind, "domain": self.domain.to_json(), "classes": names}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> ArrayEncoding:
        classes = Classes(tuple(fields["classes"])) if fields.get("classes") else None
        return cls(Domain.from_json(fields["domain"]), classes)


def load_digits(source: str = DIGITS, *, given: str | None = None, builtin: bool = True) -> DataSet:
    """Handwritten digits, 8x8 pixels of 17 grey levels (UCI, in scikit-learn); rows [:1000], [1000:1350], [1350:].

    source: "digits".
    given: "label", to model p(x | label).
    builtin: whether the set of that name is meant where a path has it, too; of no effect here.

    >>> data = load_digits()
    >>> len(data.train), len(data.valid), len(data.test)
    (1000, 350, 447)
    """
    domain = Domain(shape=(8, 8), num_symbols=17, ordinal=True)
    encoding = ArrayEncoding(domain, _classes(DIGITS, given, [np.arange(10)]))
    train, valid, test = (encoding.examples(part, DIGITS) for part in digits_parts().values())
    note = "1797 images of 8x8 pixels, 17 grey levels; split 1000/350/447 in the order of the literature"
    return DataSet(DIGITS, encoding, train, valid, test, note, {"given": given, "builtin": True})


def load_arrays(
    source: Source,
    *,
    shape: str | Sequence[int] | None = None,
    given: str | None = None,
    split: str | None = None,
    split_seed: int = 0,
    reader: int = READER,
) -> DataSet:
    """Integers from a `.npy` file or array (N, ...), or by split from a `.npz` file or a dictionary of arrays.

    The number of symbols is one more than the largest value; arrays with rows and columns are images, whose symbols
    are levels.

    source: a file, an array, or a dictionary of arrays by split.
    shape: the layout of an example, as sides or as text such as "28,28"; None for that of the array.
    given: "label", to model p(x | label).
    split: how a single array is divided, see `Split`; None for random:80/10/10, for images distinct:80/10/10.
    split_seed: key of a random split.
    reader: 2; 1 keeps the type of the array in digest and split, as the runs of the first versions need.

    Raises InputError for missing, empty or damaged files, reals, negative values, and shapes that do not fit.
    """
    arrays, source = array_parts(source), str(source)
    if reader not in (1, READER):
        raise InputError(f"--reader is 1 or {READER}, got {reader}")
    sides = _sides(shape)
    if sides is None:
        check_same_shape(arrays, source)
    layout = sides if sides is not None else next(iter(arrays.values()))[0].shape[1:]
    if not layout:
        raise InputError(f"{source}: the array has one axis, expected (examples, elements); reshape it")
    divided_by = Split.parse(split, "distinct" if len(layout) > 1 else "random", split_seed)
    options = {"shape": None if sides is None else list(sides), "given": given, "reader": reader}
    return _data_set(source, arrays, layout, divided_by, options)


def _sides(shape: Any) -> tuple[int, ...] | None:
    """The shape of an example, as sides or as text such as "28,28"."""
    if shape is None:
        return None
    sides = shape.replace("x", ",").split(",") if isinstance(shape, str) else shape
    try:
        return tuple(int(side) for side in sides)
    except (ValueError, TypeError):
        raise InputError(f"--shape is a list of sides such as 28,28, got {shape!r}") from None


def load_binary_table(source: str, *, split: str | None = None, split_seed: int = 0) -> DataSet:
    """A binary table, see `binary_parts`.

    source: the folder of the table, or one of its files.
    split: how a file that stands alone is divided, see `Split`; None for random:80/10/10.
    split_seed: key of a random split.
    """
    parts, divided_by = binary_parts(source), Split.parse(split, "random", split_seed)
    return _data_set(source, parts, next(iter(parts.values()))[0].shape[1:], divided_by, {"given": None})


def _data_set(
    source: str, arrays: dict[str, Part], layout: tuple[int, ...], split: Split, options: dict[str, Any]
) -> DataSet:
    """A data set of integers 0, 1, ..., V-1 from its parts."""
    arrays = {name: (as_integers(x, f"{source} {name}".strip()), y) for name, (x, y) in arrays.items()}
    domain = _domain(source, arrays, layout)
    for name, (x, y) in arrays.items():
        flat = ArrayEncoding(domain).flat(x, f"{source} {name}".strip())
        arrays[name] = (flat if is_stored(x) else x, y)
    if options.get("reader") == READER:
        arrays = {name: (_smallest(x, domain), y) for name, (x, y) in arrays.items()}
    division = three_parts(arrays, split)
    parts = division.parts
    encoding = ArrayEncoding(domain, _classes(source, options["given"], [y for _, y in parts]))
    train, valid, test = (encoding.examples(part, source) for part in parts)
    kind = "images" if len(layout) > 1 else "rows"
    sizes = "/".join(str(len(x)) for x, _ in parts)
    side = "x".join(map(str, layout))
    count = sum(len(x) for x, _ in parts)
    note = f"{count} {kind} of {side} elements, {domain.num_symbols} symbols; {division.how}: {sizes}"
    return DataSet(source, encoding, train, valid, test, note, options | split.options, division.unit)


def _smallest(x: Array, domain: Domain) -> Array:
    """Symbols in the smallest type for them, so that equal integers are equal bytes, whatever type they came in."""
    smallest = np.min_scalar_type((domain.num_symbols or 2) - 1)
    if is_stored(x) and x.dtype != smallest:
        refuse_above_memory(
            x.size * smallest.itemsize, "the array", f"holds {x.size:,} values", f"save it as {smallest}"
        )
    return x.astype(smallest, copy=False)


def _domain(source: str, arrays: dict[str, Part], layout: tuple[int, ...]) -> Domain:
    """The domain of integers in a layout: as many symbols as the values need, 256 for images of more than 17 levels."""
    low = min(int(x.min()) for x, _ in arrays.values())
    high = max(int(x.max()) for x, _ in arrays.values())
    if low < 0:
        raise InputError(f"{source}: symbols start at 0, got {low}; shift the values")
    ordinal = len(layout) > 1
    num_symbols = max(2, high + 1)
    if ordinal and high > 16:
        num_symbols = max(num_symbols, 256)
    if num_symbols > MOST_SYMBOLS:
        raise InputError(
            f"{source}: the largest value is {high}, which would be {num_symbols} symbols, at most {MOST_SYMBOLS}; "
            "number the values that occur, as numpy.unique(x, return_inverse=True) does"
        )
    return Domain(shape=layout, num_symbols=num_symbols, ordinal=ordinal and num_symbols > 2)


def _classes(source: str, given: str | None, labels: Sequence[Array | None]) -> Classes | None:
    """The classes of all labels, where the label is given."""
    if given is None:
        return None
    if given != "label":
        raise InputError(f"{source}: only the label can be given here, got {given!r}; use --given label")
    known = [part for part in labels if part is not None]
    if len(known) < len(labels):
        raise InputError(f"{source}: has no labels to condition on; save them beside the array as `labels`")
    return Classes.of(np.concatenate(known))
