"""Data: raw <-> elements. `open` is the front door, one file a kind of data behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.data.arrays import ArrayEncoding, open_array, open_digits
from chainrule.data.base import ArrayExamples, DataSet, Encoding, Examples
from chainrule.data.text import ByteEncoding, StreamExamples, open_text
from chainrule.errors import InputError, unknown_name

__all__ = [
    "ArrayEncoding",
    "ArrayExamples",
    "ByteEncoding",
    "DataSet",
    "Encoding",
    "Examples",
    "StreamExamples",
    "encoding_from_json",
    "open",
]

EMBEDDED: dict[str, Callable[[], DataSet]] = {"digits": open_digits}
ENCODINGS: dict[str, Any] = {encoding.kind: encoding for encoding in (ArrayEncoding, ByteEncoding)}


def open(source: str, **options: Any) -> DataSet:
    """Recognise a source by its name and content and open it: an embedded data set, an array file, or a text file.

    source: "digits", a `.npy` or `.npz` file, or any other file, which is read as text in bytes. options: of the kind
    at hand (`shape` and `split` for arrays; `window`, `stride` and `split` for text); None means the default.

    Raises InputError for an unknown name, an unreadable file, or an option that the kind does not have.

    >>> open("digits").encoding.domain.num_symbols
    17
    """
    options = {name: value for name, value in options.items() if value is not None}
    path = Path(source)
    reader: Callable[..., DataSet]
    if source in EMBEDDED:
        reader, known = (lambda _: EMBEDDED[source]()), set()
    elif path.suffix in (".npy", ".npz"):
        reader, known = open_array, {"shape", "split"}
    elif path.is_dir():
        raise InputError(f"{source}: is a directory; give a file, or one of the data sets {', '.join(EMBEDDED)}")
    elif not path.exists() and not path.suffix and "/" not in source:
        raise unknown_name("data set or file", source, EMBEDDED)
    else:
        reader, known = open_text, {"window", "stride", "split"}
    surplus = set(options) - known
    if surplus:
        takes = f"takes {', '.join(sorted(known))}" if known else "takes no options"
        raise InputError(f"{source}: the option {sorted(surplus)[0]!r} does not apply here; this kind of data {takes}")
    return reader(source, **options)


def encoding_from_json(fields: dict[str, Any]) -> Encoding:
    """The encoding that `Encoding.to_json` wrote."""
    if fields.get("kind") not in ENCODINGS:
        raise unknown_name("encoding", str(fields.get("kind")), ENCODINGS)
    encoding: Encoding = ENCODINGS[fields["kind"]].from_json(fields)
    return encoding
