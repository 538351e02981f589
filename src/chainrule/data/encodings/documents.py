"""Documents: texts of different lengths, each an example of its own that ends with an element."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Array
from chainrule.data.alphabets.alphabet import Alphabet, alphabet_from_json, choose_alphabet, reads_any_file
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.ends import check_end, describe, until_end, windows_of
from chainrule.data.examples.base import Examples
from chainrule.data.examples.division import divided
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.data.examples.splits import Split, default_way
from chainrule.data.sources.objects import Source, as_source, from_object
from chainrule.data.sources.plain_files import data_ending
from chainrule.data.sources.text_files import check_filled, check_texts, read_documents, refuse_named_splits, text_files
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["DocumentEncoding", "load_documents"]


@dataclass(frozen=True)
class DocumentEncoding(Encoding):
    """A document is its symbols and, where the end is scored, one more that stands for what divides documents.

    The end is the alphabet's own, where it has one (the end-of-text token of a language model), else a further symbol.

    symbols: the alphabet.
    window: the number of symbols that the network reads at once; longer documents are read through windows.
    stride: the number of symbols that a window moves on by.
    documents: what a document is: "line", "file", "record" or a separator.
    separator: the bytes between two documents.
    end: "scored" for p(x, T), "given" for p(x | T).
    field: the text field of JSON lines.
    pack: the length of the rows into which training packs documents; None for padding.
    any_file: whether files of formats that are no text are read, too.
    """

    symbols: Alphabet
    window: int
    stride: int
    documents: str
    separator: bytes
    end: str = "scored"
    field: str | None = None
    pack: int | None = None
    any_file: bool = False
    kind: ClassVar[str] = "documents"
    group: ClassVar[str] = "text"
    is_text: ClassVar[bool] = True
    file_endings: ClassVar[tuple[str, ...]] = (".txt", ".jsonl")

    @property
    def alphabet(self) -> Alphabet:
        return self.symbols

    @property
    def domain(self) -> Domain:
        """The alphabet's symbols and, where it is scored, the end."""
        symbols, end = len(self.alphabet.byte_lengths), self.alphabet.end
        if self.end == "given":
            return Domain((self.window,), symbols, variable_length=True)
        if end is None:
            return Domain((self.window,), symbols + 1, variable_length=True, end=symbols)
        return Domain((self.window,), symbols, variable_length=True, end=end)

    @property
    def protocol(self) -> Protocol:
        """How a document is scored: with its end or given its length, and through which windows."""
        return Protocol(end=self.end, context=f"windows of {self.window} of the document, stride {self.stride}")

    @property
    def byte_lengths(self) -> Array:
        """Bytes per symbol; the end stands for the separator."""
        lengths, end = self.alphabet.byte_lengths, self.domain.end
        if end is None:
            return lengths
        sizes = np.append(lengths, np.zeros((self.domain.num_symbols or 0) - len(lengths), dtype=lengths.dtype))
        sizes[end] = len(self.separator)
        return sizes

    def examples(self, texts: list[bytes], what: str) -> SequenceExamples:
        """The examples of documents; `what` names the source in errors."""
        return self.examples_of(_encoded(self.alphabet, self.end, texts, what))

    def examples_of(self, sequences: list[Array]) -> SequenceExamples:
        """The examples of documents that are encoded already, without their ends."""
        return SequenceExamples.of(
            sequences, self.window, self.stride, self.domain.end, self.byte_lengths, pack=self.pack
        )

    def encode(self, source: Source) -> Examples:
        parts = self.encode_parts(source)
        return parts["test"] if "test" in parts else parts[""]

    def encode_parts(self, source: Source) -> dict[str, Examples]:
        source = as_source(source, self.field)
        if not self.any_file and isinstance(source, str):
            check_texts(source)
        parts, _ = _document_parts(source, self.documents, self.field, may_be_empty=self.end == "scored")
        return {name: self.examples(texts, f"{source} {name}".strip()) for name, texts in parts.items()}

    def example_names(self, source: Source) -> dict[str, list[str]]:
        if self.documents != "file" or not Path(str(source)).is_dir():
            return {}
        return {"": [file.relative_to(source).as_posix() for file in text_files(str(source))]}

    def decode(self, x: Array) -> list[bytes]:
        """One text per row, up to its end."""
        return [self.alphabet.decode(until_end(row, self.domain.end)) for row in x]

    def raw(self, examples: Examples, most: int | None = None) -> bytes:
        return b"".join(self.alphabet.decode(text) + self.separator for text in examples.sequences(most))

    def write(self, raw: list[bytes], given: str | None = None) -> bytes:
        if self.documents == "record":
            return self.write_as(".jsonl", raw, given)
        return b"".join(text + (self.separator or b"\n\n----\n\n") for text in raw)

    def write_as(self, ending: str, raw: list[bytes], given: str | None = None) -> bytes:
        """As `write`; in `.jsonl` a record per text, which keeps line ends and bytes that are not UTF-8."""
        if ending != ".jsonl":
            return self.write(raw, given)
        name = self.field or "text"
        texts = (text.decode("utf-8", "surrogateescape") for text in raw)
        return b"".join(json.dumps({name: text}).encode() + b"\n" for text in texts)

    def to_json(self) -> dict[str, Any]:
        fields = {name: value for name, value in vars(self).items() if name not in ("symbols", "separator", "any_file")}
        fields |= {"any_file": True} if self.any_file else {}
        return {"kind": self.kind, "separator": self.separator.decode("latin-1")} | fields | self.alphabet.to_json()

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> DocumentEncoding:
        names = ("end", "field", "pack")
        return cls(
            alphabet_from_json(fields),
            fields["window"],
            fields["stride"],
            fields["documents"],
            fields["separator"].encode("latin-1"),
            **{name: fields[name] for name in names},
            any_file=fields.get("any_file", False),
        )


def _encoded(alphabet: Alphabet, end: str, texts: list[bytes], what: str) -> list[Array]:
    """The symbols of each document, without its end; raises InputError for one that contains the alphabet's own end."""
    sequences = alphabet.encode_all(texts, lambda n: f"{what} document {n + 1}")
    own = alphabet.end if end == "scored" else None
    for n, sequence in enumerate(sequences if own is not None else (), start=1):
        if len(found := np.flatnonzero(sequence == own)):
            raise InputError(
                f"{what} document {n}: contains the end of a text ({alphabet.decode(sequence[found[:1]])!r}) as "
                f"element {found[0]}; divide it there with --documents, or remove it"
            )
    return sequences


def _document_parts(
    source: Source, documents: str, field: str | None, may_be_empty: bool = False
) -> tuple[dict[str, list[bytes]], bytes]:
    """The documents by split, "" for a source without splits, and what stands between them, see `read_documents`."""
    if isinstance(source, str):
        if documents == "line" and data_ending(source) == ".jsonl":
            documents = "record"
        texts, separator = read_documents(source, documents, field, may_be_empty=may_be_empty)
        return {"": texts}, separator
    found = from_object(source, field).of_form("texts")
    for name, texts in found.parts.items() if not may_be_empty else ():
        check_filled(texts, f"{found} {name}".strip(), "text")
    return found.parts, b""


def load_documents(
    source: Source,
    *,
    documents: str | None = None,
    symbols: str | Alphabet | None = None,
    field: str | None = None,
    end: str = "scored",
    window: int | None = None,
    stride: int | None = None,
    pack: int | None = None,
    split: str | None = None,
    split_seed: int = 0,
) -> DataSet:
    """Documents of a file, a folder or a list, as given or divided into three splits.

    source: a file, a folder or an object.
    documents: what a document is, see `read_documents`; None for "record" in JSON lines and objects, else "line".
    symbols: the alphabet, see `choose_alphabet`; None for "bytes" of what is no other known format.
    field: the text field of JSON lines; None for "text".
    end: "scored" for p(x, T), "given" for p(x | T).
    window: symbols that the network reads at once; None for the longest document or 512.
    stride: symbols that a window moves on by in evaluation; None for half a window.
    pack: elements of a packed row in training; None for padding.
    split: how they are divided, see `Split`; None for distinct:80/10/10, for short ones random:80/10/10.
    split_seed: key of a random split.
    """
    check_end(end)
    any_file, found = reads_any_file(symbols), documents is None
    if not any_file and isinstance(source, str):
        check_texts(source)
    if split is None and isinstance(source, str):
        refuse_named_splits(source)
    symbols = "bytes" if symbols is None else symbols
    if documents is None:
        documents = "record" if not isinstance(source, str) or data_ending(source) == ".jsonl" else "line"
    parts, separator = _document_parts(source, documents, field)
    source = str(source)
    texts = [text for part in parts.values() for text in part]
    divided_by = Split.parse(split, default_way(texts), split_seed)
    division = divided(parts, divided_by, bytes)
    splits = division.parts
    alphabet = choose_alphabet(symbols, (separator or b"\n").join(splits[0]), b"".join(texts), source)
    encoded = dict(zip(texts, _encoded(alphabet, end, texts, source), strict=True))
    lengths = np.array([len(encoded[text]) for text in texts]) + (end == "scored")
    window, stride = windows_of(window, stride, int(lengths.max()), least=2)
    encoding = DocumentEncoding(alphabet, window, stride, documents, separator, end, field, pack, any_file)
    train, valid, test = (encoding.examples_of([encoded[text] for text in part]) for part in splits)
    note = f"{describe('documents', lengths, f'({alphabet.name}), the end {end}', window, stride)}; {division.how}"
    if found and documents == "line":
        note += "; a line is an example, since no line has a space (--documents stream reads one text)"
    options = {"documents": documents, "symbols": symbols, "field": field, "end": end, "window": window}
    options |= {"stride": stride, "pack": pack} | divided_by.options
    return DataSet(source, encoding, train, valid, test, note, options, division.unit)
