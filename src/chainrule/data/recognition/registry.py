"""The kinds of data: one line each. The file of a kind is imported when that kind is met, and not before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chainrule.data.recognition import recognise
from chainrule.data.sources.clues import Clues
from chainrule.errors import unknown_name

if TYPE_CHECKING:
    from chainrule.data.encodings.base import Encoding
    from chainrule.data.encodings.data_set import DataSet

__all__ = ["KINDS", "Kind", "encoding_from_json", "encodings"]


@dataclass(frozen=True)
class Kind:
    """One kind of data.

    name: the `kind` of its encoding, by which a run names it.
    recognise: whether a source is of this kind.
    file: the file in `data/encodings/`, without its ending.
    encoding_name: the class of the encoding in that file.
    load_name: the function in that file that makes the data set from the source and keyword-only options.
    """

    name: str
    recognise: Callable[[Clues], bool]
    file: str
    encoding_name: str
    load_name: str

    @property
    def encoding(self) -> type[Encoding]:
        """The class of its encoding."""
        return _encoding(self.file, self.encoding_name)

    @property
    def load(self) -> Callable[..., DataSet]:
        """The function that makes the data set."""
        return _from_file(self.file, self.load_name)


# In this order: the first kind that recognises a source loads it.
KINDS: list[Kind] = [
    Kind("array", recognise.is_digits, "arrays", "ArrayEncoding", "load_digits"),
    Kind("image", recognise.are_images, "images", "ImageEncoding", "load_images"),
    Kind("array", recognise.are_arrays, "arrays", "ArrayEncoding", "load_arrays"),
    Kind("array", recognise.is_binary_table, "arrays", "ArrayEncoding", "load_binary_table"),
    Kind("table", recognise.is_table, "tables", "TableEncoding", "load_table"),
    Kind("fasta", recognise.is_fasta, "fasta", "FastaEncoding", "load_fasta"),
    Kind("sets", recognise.are_sets, "sets", "SetEncoding", "load_sets"),
    Kind("sequences", recognise.are_sequences, "sequences", "SequenceEncoding", "load_sequences"),
    Kind("documents", recognise.are_documents, "documents", "DocumentEncoding", "load_documents"),
    Kind("text", recognise.is_text, "text", "TextEncoding", "load_text"),
]

DERIVED = {"pixel_blocks": ("pixel_blocks", "PixelBlockEncoding")}  # made from others, of no source of their own


def encodings() -> dict[str, type[Encoding]]:
    """The classes of encodings by kind; imports all of them."""
    return {name: _encoding(*place) for name, place in _places().items()}


def encoding_from_json(fields: dict[str, Any]) -> Encoding:
    """The encoding from what `Encoding.to_json` gave."""
    known, name = _places(), str(fields.get("kind"))
    if name not in known:
        raise unknown_name("encoding", name, known)
    return _encoding(*known[name]).from_json(fields)


def _places() -> dict[str, tuple[str, str]]:
    """The file and the class of each encoding, by kind."""
    return {kind.name: (kind.file, kind.encoding_name) for kind in KINDS} | DERIVED


def _encoding(file: str, name: str) -> type[Encoding]:
    encoding: type[Encoding] = _from_file(file, name)
    return encoding


def _from_file(file: str, name: str) -> Any:
    return getattr(import_module(f"chainrule.data.encodings.{file}"), name)
