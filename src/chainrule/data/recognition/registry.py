"""The kinds of data: one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule.data.encodings.arrays import ArrayEncoding, load_arrays, load_binary_table, load_digits
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.documents import DocumentEncoding, load_documents
from chainrule.data.encodings.fasta import FastaEncoding, load_fasta
from chainrule.data.encodings.images import ImageEncoding, load_images
from chainrule.data.encodings.pixel_blocks import PixelBlockEncoding
from chainrule.data.encodings.sequences import SequenceEncoding, load_sequences
from chainrule.data.encodings.sets import SetEncoding, load_sets
from chainrule.data.encodings.tables import TableEncoding, load_table
from chainrule.data.encodings.text import TextEncoding, load_text
from chainrule.data.recognition import recognise
from chainrule.data.sources.clues import Clues
from chainrule.errors import unknown_name

__all__ = ["KINDS", "Kind", "encoding_from_json", "encodings"]


@dataclass(frozen=True)
class Kind:
    """One kind of data.

    encoding: the class of its encoding.
    recognise: whether a source is of this kind.
    load: makes the data set from the source and keyword-only options.
    """

    encoding: type[Encoding]
    recognise: Callable[[Clues], bool]
    load: Callable[..., DataSet]


# In this order: the first kind that recognises a source loads it.
KINDS: list[Kind] = [
    Kind(ArrayEncoding, recognise.is_digits, load_digits),
    Kind(ImageEncoding, recognise.are_images, load_images),
    Kind(ArrayEncoding, recognise.are_arrays, load_arrays),
    Kind(ArrayEncoding, recognise.is_binary_table, load_binary_table),
    Kind(TableEncoding, recognise.is_table, load_table),
    Kind(FastaEncoding, recognise.is_fasta, load_fasta),
    Kind(SetEncoding, recognise.are_sets, load_sets),
    Kind(SequenceEncoding, recognise.are_sequences, load_sequences),
    Kind(DocumentEncoding, recognise.are_documents, load_documents),
    Kind(TextEncoding, recognise.is_text, load_text),
]

DERIVED: tuple[type[Encoding], ...] = (PixelBlockEncoding,)  # encodings made from others, of no source of their own


def encodings() -> dict[str, type[Encoding]]:
    """The classes of encodings by kind."""
    return {encoding.kind: encoding for encoding in (*(kind.encoding for kind in KINDS), *DERIVED)}


def encoding_from_json(fields: dict[str, Any]) -> Encoding:
    """The encoding from what `Encoding.to_json` gave."""
    known, kind = encodings(), str(fields.get("kind"))
    if kind not in known:
        raise unknown_name("encoding", kind, known)
    return known[kind].from_json(fields)
