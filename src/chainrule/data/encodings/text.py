"""Text as one long stream of symbols, read through windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Array
from chainrule.data.alphabets.alphabet import Alphabet, Bytes, alphabet_from_json, choose_alphabet, reads_any_file
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.ends import windows_of
from chainrule.data.examples.base import Examples
from chainrule.data.examples.splits import DEFAULT, Split, parse_shares, refuse_empty
from chainrule.data.examples.stored import LARGE, Progress
from chainrule.data.examples.stream import StreamExamples
from chainrule.data.sources.stored_text import head_of, is_large, stored_stream
from chainrule.data.sources.text_files import check_texts, is_list_like, read_file, refuse_named_splits, text_files
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["TextEncoding", "load_text"]

WINDOW = 256  # elements: the default of what a network reads at once


@dataclass(frozen=True)
class TextEncoding(Encoding):
    """A text as a stream of an alphabet's symbols, in windows; the files of a folder follow each other by name.

    symbols: the alphabet.
    window: the number of symbols that the network reads at once.
    stride: the number of symbols that a window moves on by.
    any_file: whether files of formats that are no text are read, too.
    """

    symbols: Alphabet
    window: int
    stride: int
    any_file: bool = False
    kind: ClassVar[str] = "text"
    group: ClassVar[str] = "text"
    is_text: ClassVar[bool] = True
    file_endings: ClassVar[tuple[str, ...]] = (".txt",)

    @property
    def alphabet(self) -> Alphabet:
        return self.symbols

    @property
    def moves_on(self) -> int:
        return self.stride

    @property
    def domain(self) -> Domain:
        """The alphabet's symbols, in windows of a fixed length."""
        return Domain(shape=(self.window,), num_symbols=len(self.alphabet.byte_lengths))

    @property
    def protocol(self) -> Protocol:
        return Protocol(context=f"windows of {self.window} of the stream, stride {self.stride}")

    def examples(self, stream: Array) -> StreamExamples:
        """The windows of a stream."""
        return StreamExamples(stream, self.window, self.stride, 0, self.alphabet.byte_lengths)

    def encode(self, source: str) -> StreamExamples:
        source = str(source)
        if not self.any_file:
            check_texts(source)
        if is_large(source):
            return self.examples(stored_stream(source, self.alphabet))
        return self.examples(self.alphabet.encode(_whole(source), source))

    def decode(self, x: Array) -> list[bytes]:
        """One text per row."""
        return [self.alphabet.decode(row) for row in x]

    def raw(self, examples: Examples, most: int | None = None) -> bytes:
        return b"".join(map(self.alphabet.decode, examples.sequences(most)))

    def write(self, raw: list[bytes], given: str | None = None) -> bytes:
        """A single text as it is, several with a line between them."""
        return b"\n\n----\n\n".join(raw)

    def to_json(self) -> dict[str, Any]:
        fields = {"kind": self.kind, "window": self.window, "stride": self.stride} | self.alphabet.to_json()
        return fields | ({"any_file": True} if self.any_file else {})

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> TextEncoding:
        return cls(alphabet_from_json(fields), fields["window"], fields["stride"], fields.get("any_file", False))


def _whole(source: str) -> bytes:
    return b"".join(read_file(file) for file in text_files(source))


def load_text(
    source: str,
    *,
    symbols: str | Alphabet | None = None,
    documents: str | None = None,
    window: int = WINDOW,
    stride: int | None = None,
    split: str | None = None,
    progress: Progress | None = None,
) -> DataSet:
    """A text file, or a folder of them, as one stream, divided in its order into train, valid and test.

    A source above 64 MiB stays on disk: bytes are mapped from the file itself, other symbols from a prepared one.

    source: a file or a folder.
    symbols: what an element is, see `choose_alphabet`; None for "bytes" of what is no other known format.
    documents: "stream" where the text would else be read as documents; None elsewhere.
    window: symbols that the network reads at once.
    stride: symbols that a window moves on by in evaluation; None for half a window, so that every symbol but the first
        ones is scored given at least half a window before it.
    split: shares of train, valid and test in the order of the text, such as "80/10/10" or "order:80/10/10"; None
        for 80/10/10, unless files are named train and test.
    progress: shows the number of bytes that were prepared; None shows nothing.
    """
    asked = window
    any_file = reads_any_file(symbols)
    if not any_file:
        check_texts(source)
    symbols = "bytes" if symbols is None else symbols
    if split is None:
        refuse_named_splits(source)
    split = split or DEFAULT
    division = Split.parse(split, "order")
    if division.way != "order":
        raise InputError(f"{source}: a text is one stream and divided in its order, got --split {split}; give shares")
    shares = np.cumsum(parse_shares(division.shares))[:2]
    if is_large(source):
        alphabet, pieces = _stored(source, symbols, shares, progress)
    else:
        alphabet, pieces = _in_memory(source, symbols, shares)
    total = sum(map(len, pieces))
    refuse_empty(pieces, parse_shares(division.shares), f"of {total} elements the shares {division.shares}")
    window, stride = windows_of(window, stride, max(map(len, pieces)), default=WINDOW, least=2)
    encoding = TextEncoding(alphabet, window, stride, any_file)
    train, valid, test = map(encoding.examples, pieces)
    many = "" if len(files := text_files(source)) == 1 else f" from {len(files)} files"
    note = (
        f"a text of {total} elements ({alphabet.name}){many}, split {division.shares} in order; "
        f"windows of {window}, evaluated with stride {stride}"
    ) + (f" (a window of {asked} would be longer than the text)" if asked > window else "")
    if documents is None and not any_file and len(files) == 1 and is_list_like(files[0]):
        note += "; --documents line makes each line an example"
    options = {"symbols": symbols, "window": window, "stride": stride, "split": split, "documents": "stream"}
    return DataSet(source, encoding, train, valid, test, note, options)


def _in_memory(source: str, symbols: str | Alphabet, shares: Array) -> tuple[Alphabet, list[Array]]:
    """The alphabet and the splits of a source that is read whole."""
    raw = _whole(source)
    borders = (shares * len(raw)).round().astype(int).tolist()
    if symbols not in ("bytes", Bytes()):
        borders = [_character_start(raw, border) for border in borders]
    alphabet = choose_alphabet(symbols, raw[: borders[0]], raw, source)
    texts = (raw[start:stop] for start, stop in zip([0, *borders], [*borders, len(raw)], strict=True))
    return alphabet, [alphabet.encode(text, source) for text in texts]


def _character_start(raw: bytes, place: int) -> int:
    """The first place from here on where a UTF-8 character may start."""
    while place < len(raw) and raw[place] & 0xC0 == 0x80:
        place += 1
    return place


def _stored(
    source: str, symbols: str | Alphabet, shares: Array, progress: Progress | None
) -> tuple[Alphabet, list[Array]]:
    """The alphabet and the splits of a source that stays on disk; the first part of the source trains a BPE."""
    if symbols == "characters":
        raise InputError(f"{source}: above {LARGE >> 20} MiB a text is read as bytes or tokens; leave out --symbols")
    alphabet: Alphabet = Bytes()
    if symbols not in ("bytes", Bytes()):
        head = head_of(source, LARGE // 4)
        alphabet = choose_alphabet(symbols, head, head, source)
    stream = stored_stream(source, alphabet, progress)
    return alphabet, np.split(stream, (shares * len(stream)).round().astype(int))
