"""Data: raw <-> elements. `open` is the front door, one file a kind of data behind it."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

from chainrule.data.arrays import ArrayEncoding, open_digits
from chainrule.data.base import ArrayExamples, DataSet, Encoding, Examples
from chainrule.data.documents import DocumentEncoding
from chainrule.data.fasta import FastaEncoding
from chainrule.data.images import ImageEncoding
from chainrule.data.lengths import SequenceExamples
from chainrule.data.packing import PackedExamples
from chainrule.data.recognise import text_reader
from chainrule.data.recognise_rows import row_reader
from chainrule.data.sequences import SequenceEncoding
from chainrule.data.sets import SetEncoding
from chainrule.data.tables import TableEncoding
from chainrule.data.text import StreamExamples, TextEncoding, open_text
from chainrule.errors import InputError, unknown_name

__all__ = [
    "ArrayEncoding",
    "ArrayExamples",
    "DataSet",
    "DocumentEncoding",
    "Encoding",
    "Examples",
    "FastaEncoding",
    "ImageEncoding",
    "PackedExamples",
    "SequenceEncoding",
    "SequenceExamples",
    "SetEncoding",
    "StreamExamples",
    "TableEncoding",
    "TextEncoding",
    "encoding_from_json",
    "open",
]

EMBEDDED: dict[str, Callable[..., DataSet]] = {"digits": open_digits}
TEXTS = (TextEncoding, DocumentEncoding, SequenceEncoding, SetEncoding, FastaEncoding)
ENCODINGS: dict[str, Any] = {
    encoding.kind: encoding for encoding in (ArrayEncoding, ImageEncoding, TableEncoding, *TEXTS)
}


def open(source: Any, **options: Any) -> DataSet:
    """Recognise a source by its name and content and open it: images, arrays, tables, text, sequences.

    source: "digits"; a `.npy` or `.npz` file; a folder of PNG or JPEG; IDX; CSV, TSV, Parquet or Arrow; a pandas or
    polars frame; FASTA; JSON lists of symbols or sets; a folder of texts; any other file
    is text, one string a line where it looks like that, else one long stream. options: of the kind at hand (`shape` and
    `split` for arrays; `symbols`, `documents`, `window`, ... for text); None means the default.

    Raises InputError for an unknown name, an unreadable file, or an option that the kind does not have.

    >>> open("digits").encoding.domain.num_symbols
    17
    """
    options = {name: value for name, value in options.items() if value is not None}
    rows = row_reader(source, options)
    path = Path(source) if isinstance(source, str) else Path()
    reader: Callable[..., DataSet]
    if isinstance(source, str) and source in EMBEDDED:
        reader = lambda _, **given: EMBEDDED[source](**given)  # noqa: E731
        known = set(signature(EMBEDDED[source]).parameters)
    elif rows is not None:
        reader = rows
        known = {p.name for p in signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY}
    elif path.is_dir() and text_reader(source, options) is None:
        raise InputError(f"{source}: is a directory; give a file, or one of the data sets {', '.join(EMBEDDED)}")
    elif not path.exists() and not path.suffix and "/" not in source:
        raise unknown_name("data set or file", source, EMBEDDED)
    else:
        reader, options = text_reader(source, options) or (open_text, options)
        known = {p.name for p in signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY}
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
