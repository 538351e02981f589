"""Text as one long stream of symbols, read through windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, ClassVar

import numpy as np
import torch

from chainrule.batch import Batch
from chainrule.data.alphabets.alphabet import Alphabet, Bytes, alphabet_from_json, choose_alphabet
from chainrule.data.alphabets.raw import read_file, text_files
from chainrule.data.examples.base import Array, DataSet, Examples, Rows, parse_split
from chainrule.data.examples.shards import head_of, size_of, stored_stream
from chainrule.data.examples.stored import LARGE
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol
from chainrule.noise import uniforms

__all__ = ["StreamExamples", "TextEncoding", "open_text"]


@dataclass(frozen=True)
class StreamExamples:
    """Windows over a stream, placed so that every element is scored exactly once.

    The first window scores all it holds; each later one moves on by `stride` and scores its last `stride` elements,
    given the `window - stride` before them. The last window ends with the stream.

    stream: elements, shape (T,), perhaps mapped from disk. offset: elements at the start that are left out (training
    only). byte_lengths: bytes a symbol, shape (V,); one each by default.

    >>> windows = StreamExamples(np.arange(10, dtype=np.uint8), window=4, stride=2)
    >>> batch = windows.batch(np.arange(len(windows)))
    >>> batch.x[batch.mask].tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    stream: Array
    window: int
    stride: int
    offset: int = 0
    byte_lengths: Array | None = None
    continuous: ClassVar[bool] = True  # neighbours are stretches of one text, and no independent examples

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.window:
            raise InputError(f"a stride is from 1 to the window's {self.window}, got {self.stride}")

    def __len__(self) -> int:
        left = len(self.stream) - self.offset
        return 0 if left < 1 else 1 + max(0, -(-(left - self.window) // self.stride))

    def batch(self, rows: Rows) -> Batch:
        total = len(self.stream)
        size = min(self.window, total - self.offset)
        end = np.minimum(self.offset + self.window + rows * self.stride, total)
        scored_from = np.where(rows == 0, self.offset, self.offset + self.window + (rows - 1) * self.stride)
        position = end[:, None] + np.arange(-size, 0)
        mask = torch.from_numpy(position >= scored_from[:, None])
        x = torch.from_numpy(self.stream[position]).long()
        count = mask.sum(1)
        sizes = count
        if self.byte_lengths is not None:
            sizes = torch.where(mask, torch.from_numpy(self.byte_lengths)[x], 0).sum(1)
        return Batch(x, mask, dims=count, bytes=sizes)

    def epoch(self, seed: int, epoch: int) -> StreamExamples:
        """Disjoint windows from a start that differs from epoch to epoch, so that borders move."""
        start = int(uniforms(seed, [epoch], [0])[0, 0] * self.window)
        return replace(self, stride=self.window, offset=start if len(self.stream) > 2 * self.window else 0)

    def digest(self) -> str:
        digest = sha256()
        for start in range(0, len(self.stream), LARGE):
            digest.update(np.ascontiguousarray(self.stream[start : start + LARGE]).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class TextEncoding:
    """A text as a stream of an alphabet's symbols, in windows; the files of a folder follow each other by name."""

    alphabet: Alphabet
    window: int
    stride: int
    kind: ClassVar[str] = "text"
    ending: ClassVar[str] = ".txt"

    @property
    def domain(self) -> Domain:
        """The alphabet's symbols, in windows of a fixed length."""
        return Domain(shape=(self.window,), num_symbols=len(self.alphabet.byte_lengths))

    @property
    def protocol(self) -> Protocol:
        """How the stream is scored."""
        return Protocol(context=f"windows of {self.window} of the stream, stride {self.stride}")

    def examples(self, stream: Array) -> StreamExamples:
        """The windows of a stream."""
        return StreamExamples(stream, self.window, self.stride, 0, self.alphabet.byte_lengths)

    def encode(self, source: str) -> StreamExamples:
        if size_of(source) > LARGE:
            return self.examples(stored_stream(source, self.alphabet))
        return self.examples(self.alphabet.encode(_whole(source), source))

    def decode(self, x: Array) -> list[bytes]:
        """One text a row."""
        return [self.alphabet.decode(row) for row in x]

    def raw(self, examples: Examples, most: int | None = None) -> bytes:
        """The text that examples of this encoding were made of; at most so many of its last symbols."""
        if not isinstance(examples, StreamExamples):
            raise InputError(f"expected the windows of a stream, got {type(examples).__name__}; open the text again")
        return self.alphabet.decode(examples.stream[-most if most else 0 :])

    def write(self, raw: list[bytes]) -> bytes:
        """The content of a file of samples: a single one as it is, several with a line between them."""
        return b"\n\n----\n\n".join(raw)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "window": self.window, "stride": self.stride} | self.alphabet.to_json()

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> TextEncoding:
        """The encoding that `to_json` wrote."""
        return cls(alphabet_from_json(fields), fields["window"], fields["stride"])


def _whole(source: str) -> bytes:
    return b"".join(read_file(file) for file in text_files(source))


def open_text(
    source: str,
    *,
    symbols: str | Alphabet = "bytes",
    window: int = 256,
    stride: int | None = None,
    split: str = "80/10/10",
) -> DataSet:
    """A text file, or a folder of them, as one stream, divided in its order into train, valid and test.

    symbols: what an element is, see `choose_alphabet`. window: how many of them the network reads at once. stride: by
    how many the window moves on in evaluation, by default half a window, so that every symbol but the first ones is
    scored given at least half a window before it.

    A source above 64 MiB stays on disk: bytes are mapped from the file itself, other symbols from a prepared one.
    """
    if window < 2:
        raise InputError(f"a window holds at least 2 elements, got {window}")
    stride = max(1, window // 2) if stride is None else stride
    shares = np.cumsum([0, *parse_split(split)])[1:3]
    if size_of(source) > LARGE:
        alphabet, pieces = _large(source, symbols, shares)
    else:
        raw = _whole(source)
        borders = (shares * len(raw)).round().astype(int).tolist()
        if symbols not in ("bytes", Bytes()):
            borders = [_character_start(raw, border) for border in borders]
        alphabet = choose_alphabet(symbols, raw[: borders[0]], raw, source)
        texts = (raw[start:stop] for start, stop in zip([0, *borders], [*borders, len(raw)], strict=True))
        pieces = [alphabet.encode(text, source) for text in texts]
    encoding = TextEncoding(alphabet, window, stride)
    train, valid, test = map(encoding.examples, pieces)
    total = sum(map(len, pieces))
    many = "" if len(files := text_files(source)) == 1 else f" from {len(files)} files"
    note = (
        f"a text of {total} elements ({alphabet.name}){many}, split {split} in order; "
        f"windows of {window}, evaluated with stride {stride}"
    )
    options = {"symbols": symbols, "window": window, "stride": stride, "split": split}
    return DataSet(source, encoding, train, valid, test, note, options)


def _character_start(raw: bytes, place: int) -> int:
    """The first place from here on where a UTF-8 character may start."""
    while place < len(raw) and raw[place] & 0xC0 == 0x80:
        place += 1
    return place


def _large(source: str, symbols: str | Alphabet, shares: Array) -> tuple[Alphabet, list[Array]]:
    """The alphabet and the splits of a source that is not read into memory; its training split's head makes a BPE."""
    if symbols == "characters":
        raise InputError(f"{source}: above {LARGE >> 20} MiB a text is read as bytes or tokens; leave out --symbols")
    alphabet: Alphabet = Bytes()
    if symbols not in ("bytes", Bytes()):
        head = head_of(source, LARGE // 4)
        alphabet = choose_alphabet(symbols, head, head, source)
    stream = stored_stream(source, alphabet)
    return alphabet, np.split(stream, (shares * len(stream)).round().astype(int))
