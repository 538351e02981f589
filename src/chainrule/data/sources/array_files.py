"""Arrays by split: the parts of a `.npy` or `.npz` by their usual names, or arrays in memory."""

from __future__ import annotations

import zipfile
import zlib
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.data.examples.stored import LARGE
from chainrule.data.sources.memory import refuse_above_memory
from chainrule.data.sources.objects import Source, from_object
from chainrule.errors import InputError

__all__ = ["array_parts", "as_integers", "is_array_file"]

SPLITS = {"train": ("train",), "valid": ("valid", "val", "validation"), "test": ("test",)}
LABELS = ("label", "labels", "y")
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
)
LARGEST = 2.0**53  # reals from here on are no longer exact integers


def is_array_file(path: Path) -> bool:
    """Whether a file is named like arrays of NumPy."""
    return path.suffix.lower() in (".npy", ".npz")


def array_parts(source: Source) -> dict[str, tuple[Array, Array | None]]:
    """Examples and labels by split, "" for a single part, of a file or of an object.

    An `.npz` holds `train`, `valid` and `test`, or `x_train` and so on (`valid` may be missing), or a single array; the
    labels of a part are `train_labels`, `y_train`, and `labels` or `y` for a single one.

    Raises InputError for files that are missing, damaged, pickled or empty, and for other names.
    """
    if not isinstance(source, str):
        found = from_object(source).of_form("arrays")
        return _checked({split: (x, found.labels.get(split)) for split, x in found.parts.items()}, str(found))
    path = Path(source)
    arrays = _load(path)
    parts = {}
    for split, words in SPLITS.items():
        x = _first(arrays, [name for word in words for name in (word, f"x_{word}", f"{word}_x", f"{word}_images")])
        y = _first(
            arrays, [name for word in words for label in LABELS for name in (f"{label}_{word}", f"{word}_{label}")]
        )
        if x is not None:
            parts[split] = (x, y)
    if not {"train", "test"} <= set(parts):
        names = [name for name in arrays if name.lower() not in LABELS]
        if len(names) != 1 or parts:
            named = ", ".join(sorted(arrays)) or "none"
            raise InputError(f"{path}: holds the arrays {named}; expected train, valid and test, or a single one")
        parts = {"": (arrays[names[0]], _first(arrays, list(LABELS)))}
    return _checked(parts, str(path))


def _checked(parts: dict[str, tuple[Array, Array | None]], what: str) -> dict[str, tuple[Array, Array | None]]:
    for split, (x, y) in parts.items():
        name = f"{what} {split}".strip()
        if x.size == 0:
            raise InputError(f"{name}: the array is empty, of shape {x.shape}; give it examples")
        if x.ndim == 0:
            raise InputError(f"{name}: is a single number, expected an array (examples, elements); give it examples")
        if y is not None and y.shape != (len(x),):
            raise InputError(f"{name}: the labels have the shape {y.shape}, expected one for each of {len(x)} examples")
    return {split: (_native(x), None if y is None else _native(y)) for split, (x, y) in parts.items()}


def _native(x: Array) -> Array:
    """The array in this machine's order of bytes, whatever machine wrote it."""
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def _first(arrays: dict[str, Array], names: list[str]) -> Array | None:
    lower = {name.lower(): array for name, array in arrays.items()}
    return next((lower[name] for name in names if name in lower), None)


def _load(path: Path) -> dict[str, Array]:
    """The arrays of a file by name, "" for the one of a `.npy`, which is mapped and not read where it is large."""
    try:
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                return _members(path)
            file.seek(0)
            shape, fortran, dtype = _header(file)
            begin, size = file.tell(), file.seek(0, 2)
            if dtype.hasobject:
                raise InputError(f"{path}: holds pickled Python objects, which are never loaded; write numbers")
            expected = begin + dtype.itemsize * prod(shape)
            if size != expected:
                raise InputError(
                    f"{path}: has {size} bytes, its header promises {expected} (shape {shape}, {dtype}); write it "
                    "again with numpy.save"
                )
            if size > LARGE:
                order: Any = "F" if fortran else "C"
                return {"": np.memmap(path, dtype=dtype, mode="r", offset=begin, shape=shape, order=order)}
            file.seek(0)
            return {"": np.load(file, allow_pickle=False)}
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(
            f"{path}: not a readable .npy or .npz file ({error}); write it again with numpy.save"
        ) from None


def _members(path: Path) -> dict[str, Array]:
    """The arrays of an `.npz`, after a look at what their headers promise."""
    with zipfile.ZipFile(path) as archive:
        needed = 0
        for member in archive.infolist():
            with archive.open(member) as file:
                shape, _, dtype = _header(file)
            needed += dtype.itemsize * prod(shape)
        refuse_above_memory(
            2.0 * needed,
            str(path),
            f"holds arrays of {needed:,} bytes",
            "save each as .npy, which is mapped and not read",
        )
    with np.load(path, allow_pickle=False) as loaded:
        return dict(loaded)


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape, whether the first axis is the innermost, and the type that the header of a `.npy` promises."""
    version = np.lib.format.read_magic(file)
    try:
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file)
        if version == (2, 0):
            return np.lib.format.read_array_header_2_0(file)
    except (SyntaxError, TokenError, TypeError, MemoryError, RecursionError) as error:  # of a header that is damaged
        raise ValueError(f"its header is damaged: {error}") from None
    raise ValueError(f"version {version[0]}.{version[1]} of the format is not read")


def as_integers(x: Array, what: str) -> Array:
    """Booleans and integers as they are, in the byte order of this machine, reals that are whole numbers as integers.

    x: the array.
    what: its name in errors.
    """
    if x.dtype == np.bool_:
        return x.astype(np.uint8)
    if x.dtype.kind in "iu":  # to NumPy, durations are integers, too
        return x.astype(x.dtype.newbyteorder("="), copy=False)
    if not np.issubdtype(x.dtype, np.floating):
        raise InputError(f"{what}: the array has dtype {x.dtype}, expected integers; encode the values as numbers")
    if isinstance(x, np.memmap):
        refuse_above_memory(
            24.0 * x.size, what, f"holds {x.size:,} reals that are made integers", "save it as integers"
        )
    if not np.isfinite(x).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise InputError(f"{what}: {x[first]} at {first} is not finite; remove it or fill it in")
    if x.size and max(abs(float(x.min())), abs(float(x.max()))) >= LARGEST:
        first = tuple(int(i) for i in np.argwhere(np.abs(x) >= LARGEST)[0])
        raise InputError(f"{what}: {x[first]} at {first} is too large for a symbol; re-encode the values from 0 on")
    if (x != np.floor(x)).any():
        first = tuple(int(i) for i in np.argwhere(x != np.floor(x))[0])
        raise InputError(f"{what}: {x[first]} at {first} is not an integer; quantise the data to levels 0, 1, ..., V-1")
    return x.astype(np.int64)
