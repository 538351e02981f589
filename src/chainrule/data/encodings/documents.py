"""Documents: texts of any lengths, each an example of its own that ends with an element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.data.alphabets.alphabet import Alphabet, alphabet_from_json, choose_alphabet
from chainrule.data.alphabets.raw import check_filled, read_documents
from chainrule.data.examples.base import Array, DataSet, Examples, Source
from chainrule.data.examples.lengths import SequenceExamples
from chainrule.data.examples.splits import divided
from chainrule.data.sources.objects import hold, path_or_held
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["DocumentEncoding", "check_end", "describe", "open_documents", "until_end"]

WINDOW = 512  # the longest that a network reads at once unless it is asked to


@dataclass(frozen=True)
class DocumentEncoding:
    """A document is its symbols and, where the end is scored, one more that stands for what divides documents.

    The end is the alphabet's own, where it has one (the end-of-text token of a language model), else a further symbol.

    window: the longest that the network reads at once; longer documents are read through windows. documents: what a
    document is ("line", "file", "record" or a separator). field: the text field of JSON lines. separator: the bytes
    between two documents. end: "scored" for p(x, T), "given" for p(x | T).
    """

    alphabet: Alphabet
    window: int
    stride: int
    documents: str
    separator: bytes
    end: str = "scored"
    field: str | None = None
    pack: int | None = None
    kind: ClassVar[str] = "documents"
    ending: ClassVar[str] = ".txt"

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
        """Bytes a symbol; the end stands for the separator."""
        lengths, end = self.alphabet.byte_lengths, self.domain.end
        if end is None:
            return lengths
        sizes = np.append(lengths, np.zeros((self.domain.num_symbols or 0) - len(lengths), dtype=lengths.dtype))
        sizes[end] = len(self.separator)
        return sizes

    def examples(self, texts: list[bytes], what: str) -> SequenceExamples:
        """The examples of documents."""
        sequences = encoded(self.alphabet, self.end, texts, what)
        return SequenceExamples.of(
            sequences, self.window, self.stride, self.domain.end, self.byte_lengths, pack=self.pack
        )

    def encode(self, source: Source) -> SequenceExamples:
        source = path_or_held(source, self.field)
        parts, _ = document_parts(source, self.documents, self.field)
        return self.examples(parts["test"] if "test" in parts else parts[""], str(source))

    def decode(self, x: Array) -> list[bytes]:
        """One text a row, up to its end."""
        return [self.alphabet.decode(until_end(row, self.domain.end)) for row in x]

    def raw(self, examples: Examples, most: int | None = None) -> bytes:
        """The text that examples of this encoding were made of; at most so many of its last documents."""
        if not isinstance(examples, SequenceExamples):
            raise InputError(f"expected documents, got {type(examples).__name__}; open the text again")
        texts = np.split(examples.flat, examples.start[1:-1])[-most if most else 0 :]
        return b"".join(self.alphabet.decode(text) + self.separator for text in texts)

    def write(self, raw: list[bytes]) -> bytes:
        """The content of a file of samples, which opens as the documents that they are."""
        if self.documents == "record":
            import json

            name = self.field or "text"
            return b"".join(json.dumps({name: text.decode(errors="replace")}).encode() + b"\n" for text in raw)
        return b"".join(text + (self.separator or b"\n\n----\n\n") for text in raw)

    def to_json(self) -> dict[str, Any]:
        names = ("window", "stride", "documents", "end", "field", "pack")
        fields = {name: getattr(self, name) for name in names}
        return {"kind": self.kind, "separator": self.separator.decode("latin-1")} | fields | self.alphabet.to_json()

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> DocumentEncoding:
        """The encoding that `to_json` wrote."""
        names = ("end", "field", "pack")
        return cls(
            alphabet_from_json(fields),
            fields["window"],
            fields["stride"],
            fields["documents"],
            fields["separator"].encode("latin-1"),
            **{name: fields[name] for name in names},
        )


def encoded(alphabet: Alphabet, end: str, texts: list[bytes], what: str) -> list[Array]:
    """The symbols of each document, without its end; refuses one that holds the alphabet's own end inside."""
    sequences = [alphabet.encode(text, f"{what} document {n}") for n, text in enumerate(texts, start=1)]
    own = alphabet.end if end == "scored" else None
    for n, sequence in enumerate(sequences if own is not None else (), start=1):
        if len(found := np.flatnonzero(sequence == own)):
            raise InputError(
                f"{what} document {n}: holds the end of a text ({alphabet.decode(sequence[found[:1]])!r}) as element "
                f"{found[0]}; divide it there with --documents, or remove it"
            )
    return sequences


def document_parts(source: Source, documents: str, field: str | None) -> tuple[dict[str, list[bytes]], bytes]:
    """The documents by split, "" for a source without splits, and what stands between them, see `read_documents`."""
    if isinstance(source, str):
        texts, separator = read_documents(source, documents, field)
        return {"": texts}, separator
    held = hold(source, field).of("texts")
    for name, texts in held.parts.items():
        check_filled(texts, f"{held} {name}".strip(), "text")
    return held.parts, b""


def until_end(row: Array, end: int | None) -> Array:
    """The elements before the first end.

    >>> until_end(np.array([2, 1, 9, 2]), 9).tolist()
    [2, 1]
    """
    ends = np.flatnonzero(row == (-1 if end is None else end))
    return row[: ends[0]] if len(ends) else row


def check_end(end: str) -> None:
    """Refuse what is neither "scored" nor "given"."""
    if end not in ("scored", "given"):
        raise InputError(f"--end is scored, for p(x, T), or given, for p(x | T); got {end!r}")


def open_documents(
    source: Source,
    *,
    documents: str = "line",
    symbols: str | Alphabet = "bytes",
    field: str | None = None,
    end: str = "scored",
    window: int | None = None,
    stride: int | None = None,
    pack: int | None = None,
    split: str = "80/10/10",
) -> DataSet:
    """Documents of a file, a folder or a list, as given or divided by a hash of their content into three splits.

    documents, field: see `read_documents`. symbols: see `choose_alphabet`. window: the longest that the network reads
    at once, by default the longest document or 512. stride: of the windows over longer documents, by default half of
    one. pack: the length of packed rows in training.
    """
    check_end(end)
    parts, separator = document_parts(source, documents, field)
    source = str(source)
    splits, how = divided(parts, split, bytes)
    texts = [text for part in parts.values() for text in part]
    alphabet = choose_alphabet(symbols, (separator or b"\n").join(splits[0]), b"".join(texts), source)
    lengths = np.array([len(sequence) for sequence in encoded(alphabet, end, texts, source)]) + (end == "scored")
    window = min(int(lengths.max()), WINDOW) if window is None else window
    if window < 2:
        raise InputError(f"a window holds at least 2 elements, got {window}")
    stride = max(1, window // 2) if stride is None else stride
    encoding = DocumentEncoding(alphabet, window, stride, documents, separator, end, field, pack)
    train, valid, test = (encoding.examples(part, source) for part in splits)
    note = f"{describe('documents', lengths, f'({alphabet.name}), the end {end}', window, stride)}; {how}"
    options = {"documents": documents, "symbols": symbols, "field": field, "end": end, "window": window}
    options |= {"stride": stride, "pack": pack, "split": split}
    return DataSet(source, encoding, train, valid, test, note, options)


def describe(what: str, lengths: Array, alphabet: str, window: int, stride: int) -> str:
    """How many examples of which lengths, for a person."""
    low, middle, high = (int(q) for q in np.quantile(lengths, [0, 0.5, 1]))
    longer = int((lengths > window).sum())
    through = f"; {longer} longer than the window of {window}, read with stride {stride}" if longer else ""
    return f"{len(lengths)} {what} of {low} to {high} elements (median {middle}) {alphabet}{through}"
