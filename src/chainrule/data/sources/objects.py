"""Python objects as sources: arrays, lists, frames, torch and Hugging Face data sets, in the forms that files have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.data.alphabets.utf8 import as_bytes
from chainrule.data.sources.picture_files import Pictures
from chainrule.data.sources.record_tables import masked_table, records_table
from chainrule.errors import InputError, unknown_name

__all__ = ["OBJECT_NAMES", "ObjectSource", "Source", "as_source", "from_object"]

SPLITS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
LABELS = ("label", "labels")
MOST_SYMBOLS = 1 << 16  # integers from here on in lists are names, where few of them occur

Source = Any  # a path as text, an `ObjectSource`, or a Python object that becomes one
Form = tuple[str, Any, Array | None]  # a form, the examples, their labels


@dataclass(frozen=True)
class ObjectSource:
    """The examples of a Python object, in one of the forms that files have.

    form: "arrays" of integers (N, ...), "sequences" (lists of symbols, of steps or of sets), "texts" (bytes) or a
        "table" (a frame).
    parts: the examples by split, "" for a single part.
    labels: the labels of arrays by split.
    name: how messages call the object.

    >>> source = from_object([[1, 2, 3], [4]])
    >>> source.form, source.parts, str(source)
    ('sequences', {'': [[1, 2, 3], [4]]}, 'the list')
    """

    form: str
    parts: dict[str, Any]
    labels: dict[str, Array | None] = field(default_factory=dict)
    name: str = "the object"

    def __str__(self) -> str:
        return self.name

    def of_form(self, form: str) -> ObjectSource:
        """Itself, if it has this form; raises InputError for another one."""
        if self.form != form:
            raise InputError(f"{self}: holds {self.form}, expected {form}; give the kind of data that was fitted")
        return self

    def lists(self) -> dict[str, list[Any]]:
        """Sequences by split; examples of an array, which are all of one length, are sequences too."""
        if self.form == "arrays":
            return {split: x.tolist() for split, x in self.parts.items()}
        return self.of_form("sequences").parts


def from_object(source: Any, field: str | None = None) -> ObjectSource:
    """The examples of a Python object.

    source: an array or tensor (N, ...), of any type and byte order; a masked or structured array, whose rows are those
        of a table; a list of records; a pair of one and its labels (N,); a list of arrays or lists, stacked where all
        have one shape, else sequences; a list of strings; a torch data set of arrays, pictures, pairs with a label or
        dictionaries; a Hugging Face data set; a pandas, polars or Arrow table; or a dictionary of any of these by
        split.
    field: the column to read; None where there is only one.

    Raises InputError for anything else, for an empty object, and for splits of different forms.
    """
    if isinstance(source, ObjectSource):
        return source
    found = {split: _form(part, field) for split, part in _by_split(source).items()}
    parts = {split: x for split, (_, x, _) in found.items()}
    forms = sorted({form for form, _, _ in found.values()})
    if forms == ["arrays", "sequences"]:  # lists that happen to have one length in one of the splits
        forms, parts = ["sequences"], {split: x if isinstance(x, list) else x.tolist() for split, x in parts.items()}
    if len(forms) > 1:
        raise InputError(f"the splits hold {' and '.join(forms)}; give all of them in one form")
    name = "list" if isinstance(source, list) else _NAMES[forms[0]]
    labels = {split: part for split, (_, _, part) in found.items()}
    return ObjectSource(forms[0], parts, labels, f"the {name}")


def as_source(source: Any, field: str | None = None) -> str | ObjectSource:
    """A path as text, anything else as an `ObjectSource`; both name themselves in messages."""
    return fspath(source) if isinstance(source, str | PathLike) else from_object(source, field)


_NAMES = {"arrays": "array", "table": "frame", "texts": "data set", "sequences": "data set"}
OBJECT_NAMES = frozenset(f"the {name}" for name in ("object", "list", *_NAMES.values()))


def _by_split(source: Any) -> dict[str, Any]:
    if not isinstance(source, Mapping):
        return {"": source}
    for name in source:
        if name not in SPLITS:
            raise unknown_name("split", str(name), SPLITS)
    parts = {SPLITS[name]: part for name, part in source.items()}
    if not {"train", "test"} <= set(parts):
        raise InputError(f"the dictionary has {', '.join(parts) or 'nothing'}; expected train, test and perhaps valid")
    return parts


def _form(part: Any, field: str | None) -> Form:
    if hasattr(part, "column_names") and hasattr(part, "with_format"):  # Hugging Face
        return _columns(
            part[0] if len(part) else {}, lambda name: part[name], lambda: part.with_format("arrow")[:], field
        )
    if any(hasattr(part, word) for word in ("iloc", "to_arrow", "to_batches")):  # pandas, polars, Arrow
        return "table", part, None
    if isinstance(part, tuple) and len(part) == 2:
        form, x, _ = _form(part[0], field)
        return form, x, _array(part[1])
    if isinstance(part, np.ndarray) and (part.dtype.names or np.ma.is_masked(part)):
        return "table", masked_table(part), None
    if isinstance(part, np.ndarray) or hasattr(part, "detach"):
        x = _array(part)
        return ("arrays", x, None) if x.dtype.kind in "biuf" else _examples(x.tolist())
    if isinstance(part, str | bytes) or not (hasattr(part, "__len__") and hasattr(part, "__getitem__")):
        raise InputError(
            "a source is a path, an array, a list of examples, a torch or Hugging Face data set, "
            f"or a pandas, polars or Arrow table, got {type(part).__name__}"
        )
    items = [part[k] for k in range(len(part))]
    if items and isinstance(items[0], Mapping):
        return _columns(items[0], lambda name: [item.get(name) for item in items], lambda: records_table(items), field)
    if not isinstance(part, list) and items and isinstance(items[0], tuple):  # a torch data set of (x, label) or (x,)
        labels = _array([item[1] for item in items]) if len(items[0]) == 2 else None
        form, x, _ = _examples([item[0] for item in items])
        return form, x, labels
    return _examples(items)


def _columns(
    first: Mapping[str, Any], column: Callable[[str], Iterable[Any]], table: Callable[[], Any], field: str | None
) -> Form:
    """Records by column: the named field, a text, the only column of pictures or lists; else a table.

    first: the first record.
    column: the values of a column, by its name.
    table: all records as a frame.
    field: the column to read; None for the only one that can be meant.
    """
    if field is not None and field not in first:
        raise unknown_name("field", field, first)
    if field is None and isinstance(first.get("text"), str):
        field = "text"
    long = [name for name, value in first.items() if _is_long(value)]
    if field is None and not long:
        return "table", table(), None
    if field is None and len(long) > 1:
        raise InputError(f"the columns {', '.join(long)} hold lists or arrays; name the one to read as field=...")
    form, x, _ = _examples(list(column(field or long[0])))
    label = next((name for name in LABELS if name in first), None)
    return form, x, None if label is None else _array(list(column(label)))


def _is_long(value: Any) -> bool:
    """Whether a value is a list, an array or a picture, not a single value."""
    return isinstance(value, list) or (not isinstance(value, str | bytes) and np.ndim(value) > 0)


def _examples(items: Sequence[Any]) -> Form:
    """Texts, one array of all where they have one shape, or sequences."""
    if not items:
        raise InputError("the source holds no examples; give it some")
    if all(isinstance(item, str | bytes) for item in items):
        return "texts", [as_bytes(item) if isinstance(item, str) else item for item in items], None
    lists = [item if isinstance(item, list) else _array(item) for item in items]
    are_texts = isinstance(items[0], str | bytes)
    for n, item in enumerate(lists):
        if not isinstance(item, list) and np.ndim(item) == 0 and not (are_texts and isinstance(items[n], str | bytes)):
            like = "a text, as the first one is" if are_texts else "an array, a list or a text; wrap each in a list"
            raise InputError(f"example {n + 1} is {items[n]!r}, expected {like}")
    try:
        x = np.stack(lists)
    except ValueError:  # of several lengths
        x = np.zeros(0, dtype=object)
    if x.dtype.kind in "biuf" and not (all(isinstance(item, list) for item in items) and _are_far_apart(x)):
        return "arrays", x, None
    return "sequences", [item if isinstance(item, list) else item.tolist() for item in lists], None


def _are_far_apart(x: Array) -> bool:
    """Whether integers are names, such as numbers of articles, not symbols 0, 1, ..., V - 1."""
    return x.dtype.kind in "iu" and x.size > 0 and int(x.max()) >= max(MOST_SYMBOLS, 16 * len(np.unique(x)))


def _array(x: Any) -> Array:
    """An array from an array, a tensor, a picture of pillow (as a file of it is read) or a list."""
    if hasattr(x, "getpalette"):
        deep = x.mode in ("I", "F") or x.mode.startswith("I;16")
        return np.asarray(x) if deep else Pictures().of_image("a picture", x)
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
