"""The front door of data: a source is recognised and opened, one file a kind of data behind it."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

from chainrule.data.encodings.documents import DocumentEncoding
from chainrule.data.encodings.fasta import FastaEncoding
from chainrule.data.encodings.images import ImageEncoding
from chainrule.data.encodings.sequences import SequenceEncoding
from chainrule.data.encodings.sets import SetEncoding
from chainrule.data.encodings.tables import TableEncoding
from chainrule.data.encodings.text import TextEncoding
from chainrule.data.examples.arrays import ArrayEncoding, open_digits
from chainrule.data.examples.base import DataSet, Encoding
from chainrule.data.examples.blocks import BlockEncoding, in_blocks
from chainrule.data.recognition.recognise import text_reader
from chainrule.data.recognition.recognise_objects import object_reader
from chainrule.data.recognition.recognise_rows import row_reader
from chainrule.data.sources.objects import Held, path_or_held
from chainrule.errors import InputError, unknown_name

__all__ = ["encoding_from_json", "open"]

EMBEDDED: dict[str, Callable[..., DataSet]] = {"digits": open_digits}
TEXTS = (TextEncoding, DocumentEncoding, SequenceEncoding, SetEncoding, FastaEncoding)
ENCODINGS: dict[str, Any] = {
    encoding.kind: encoding for encoding in (ArrayEncoding, ImageEncoding, BlockEncoding, TableEncoding, *TEXTS)
}


def open(source: Any, **options: Any) -> DataSet:
    """Recognise a source by its name and content and open it: images, arrays, tables, text, sequences.

    source: "digits"; a `.npy` or `.npz` file; a folder of PNG or JPEG; IDX; CSV, TSV, Parquet or Arrow; FASTA; JSON
    lists of symbols or sets; a folder of texts; any other file is text, one string a line where it looks like that,
    else one long stream; or a Python object, see `hold`: an array, a list, a frame, a data set of torch or Hugging
    Face, or a dictionary of them by split. options: of the kind at hand (`shape` and
    `split` for arrays; `symbols`, `documents`, `window`, ... for text; `blocks` for images, see `in_blocks`); None
    means the default.

    Raises InputError for an unknown name, an unreadable file, or an option that the kind does not have.

    >>> open("digits").encoding.domain.num_symbols
    17
    """
    options = {name: value for name, value in options.items() if value is not None}
    if (side := options.pop("blocks", 1)) != 1:
        return in_blocks(open(source, **options), side)
    source = path_or_held(source, options.get("field"))
    reader, options = _reader(source, options)
    known = {p.name for p in signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY}
    surplus = set(options) - known
    if surplus:
        takes = f"takes {', '.join(sorted(known))}" if known else "takes no options"
        raise InputError(f"{source}: the option {sorted(surplus)[0]!r} does not apply here; this kind of data {takes}")
    return reader(source, **options)


def _reader(source: str | Held, options: dict[str, Any]) -> tuple[Callable[..., DataSet], dict[str, Any]]:
    """How to open a source, and with which options."""
    if not isinstance(source, str):
        return object_reader(source, options)
    if source in EMBEDDED:
        return EMBEDDED[source], options
    path = Path(source)
    if (rows := row_reader(source, options)) is not None:
        return rows, options
    if not path.exists() and not path.suffix and "/" not in source:
        raise unknown_name("data set or file", source, EMBEDDED)
    if (text := text_reader(source, options)) is not None:
        return text
    raise InputError(f"{source}: is a directory; give a file, or one of the data sets {', '.join(EMBEDDED)}")


def encoding_from_json(fields: dict[str, Any]) -> Encoding:
    """The encoding that `Encoding.to_json` wrote."""
    if fields.get("kind") not in ENCODINGS:
        raise unknown_name("encoding", str(fields.get("kind")), ENCODINGS)
    encoding: Encoding = ENCODINGS[fields["kind"]].from_json(fields)
    return encoding
