"""The range coder: symbols to 32-bit words and back, by integer weights that sum to 2^24.

The format is defined by the integers below, 64 bits of state and 32-bit words; the library `constriction` (the extra
`codec`) gives the same words faster and is used where it is installed.

    lower += (range >> 24) * (w_0 + ... + w_{k-1}),    range = (range >> 24) * w_k

and whenever range < 2^32, the highest word of lower leaves the state. Where a carry may still reach it, it waits.

Papers: Martin, *Range encoding*, 1979; Bamler, *Understanding entropy coding with asymmetric numeral systems*, 2022,
whose library constriction has this coder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.coding.weights import BITS, Room
from chainrule.errors import DamagedArchive

__all__ = ["Decoder", "Encoder", "PlainDecoder", "PlainEncoder", "decoder", "encoder", "words_of"]

STATE, WORD = (1 << 64) - 1, (1 << 32) - 1
SHORT = 1 << 32


class Encoder(ABC):
    """Takes symbols and gives words; the first symbol that goes in is the first that comes out."""

    @abstractmethod
    def encode(self, symbols: Array, weights: Array) -> None:
        """Add symbols. symbols: shape (N,). weights: whole numbers, shape (N, V), V >= 2, at least 1, sum 2^24."""

    @abstractmethod
    def words(self) -> Array:
        """All words, uint32, such that whatever follows them decodes to the same symbols."""


class Decoder(ABC):
    """Takes words and gives symbols."""

    @abstractmethod
    def decode(self, weights: Array) -> Array:
        """The next symbols, int64, shape (N,). weights: as in `Encoder.encode`."""


class PlainEncoder(Encoder):
    """The coder in plain Python.

    >>> coder = PlainEncoder()
    >>> coder.encode(np.array([1, 0]), np.array([[1, 2**24 - 1], [2**23, 2**23]]))
    >>> words = coder.words()
    >>> PlainDecoder(words).decode(np.array([[1, 2**24 - 1], [2**23, 2**23]])).tolist()
    [1, 0]
    """

    def __init__(self) -> None:
        self.lower, self.range = 0, STATE
        self.written: list[int] = []
        self.waiting = 0  # words that a carry may still change: the first of them, then words of ones
        self.first = 0

    def encode(self, symbols: Array, weights: Array) -> None:
        weights = weights.astype(np.int64)
        before = np.cumsum(weights, axis=1) - weights
        rows = np.arange(len(symbols))
        pairs = zip(before[rows, symbols].tolist(), weights[rows, symbols].tolist(), strict=True)
        for low, weight in pairs:
            self._add(low, weight)

    def _add(self, low: int, weight: int) -> None:
        scale = self.range >> BITS
        lower = self.lower + scale * low
        self.range = scale * weight
        carried, lower = lower > STATE, lower & STATE
        if self.waiting and (carried or lower + self.range <= STATE):
            self._settle(carried)
        self.lower = lower
        if self.range < SHORT:
            word = self.lower >> 32
            self.lower = (self.lower << 32) & STATE
            self.range <<= 32
            if self.waiting:
                self.waiting += 1
            elif self.lower + self.range <= STATE:
                self.written.append(word)
            else:
                self.waiting, self.first = 1, word

    def _settle(self, carried: bool) -> None:
        """Write the words that waited: one more in the first, and zeros after it, if there was a carry."""
        self.written.append((self.first + carried) & WORD)
        self.written += [0 if carried else WORD] * (self.waiting - 1)
        self.waiting = 0

    def words(self) -> Array:
        if self.range == STATE:
            return np.zeros(0, dtype=np.uint32)
        kept = self.written.copy(), self.waiting
        point = self.lower + SHORT - 1
        if self.waiting:
            self._settle(point > STATE)
        words = [*self.written, (point & STATE) >> 32]
        if ((self.lower + self.range) & STATE) >> 32 == words[-1]:
            words.append(0)
        self.written, self.waiting = kept
        return np.array(words, dtype=np.uint32)


class PlainDecoder(Decoder):
    """The other side of `PlainEncoder`; beyond the last word it reads zeros."""

    def __init__(self, words: Array) -> None:
        self.source = iter(np.asarray(words, dtype=np.uint32).tolist())
        self.range = STATE
        self.above = next(self.source, 0) << 32 | next(self.source, 0)  # how far the code lies above lower

    def decode(self, weights: Array) -> Array:
        reached = np.cumsum(weights.astype(np.int64), axis=1)
        found = np.empty(len(weights), dtype=np.int64)
        for n, ends in enumerate(reached):
            scale = self.range >> BITS
            place = self.above // scale
            symbol = int(np.searchsorted(ends, place, side="right"))
            if symbol >= len(ends):
                raise DamagedArchive("the code points beyond every symbol; the archive is damaged, fetch it again")
            low = int(ends[symbol - 1]) if symbol else 0
            self.above -= scale * low
            self.range = scale * (int(ends[symbol]) - low)
            if self.range < SHORT:
                self.range <<= 32
                self.above = (self.above << 32 | next(self.source, 0)) & STATE
            found[n] = symbol
        return found


class LibraryEncoder(Encoder):
    """The same words by constriction, which takes w - 1 as C-contiguous float64 and then has exactly the weights w."""

    def __init__(self, library: Any) -> None:
        self.coder = library.stream.queue.RangeEncoder()
        self.family = library.stream.model.Categorical(perfect=False)

    def encode(self, symbols: Array, weights: Array) -> None:
        if len(symbols):
            self.coder.encode(np.ascontiguousarray(symbols, dtype=np.int32), self.family, _as_floats(weights))

    def words(self) -> Array:
        return np.asarray(self.coder.get_compressed(), dtype=np.uint32)


class LibraryDecoder(Decoder):
    """The other side of `LibraryEncoder`."""

    def __init__(self, library: Any, words: Array) -> None:
        self.coder = library.stream.queue.RangeDecoder(np.ascontiguousarray(words, dtype=np.uint32))
        self.family = library.stream.model.Categorical(perfect=False)

    def decode(self, weights: Array) -> Array:
        if not len(weights):
            return np.zeros(0, dtype=np.int64)
        try:
            return np.asarray(self.coder.decode(self.family, _as_floats(weights)), dtype=np.int64)
        except (AssertionError, ValueError) as error:
            raise DamagedArchive(f"the code cannot be read ({error}); the archive is damaged, fetch it again") from None


ROOM = Room()


def _as_floats(weights: Array) -> Array:
    """w - 1, C-contiguous, in memory that is used again."""
    less = ROOM.of(weights.shape)
    np.subtract(weights, 1, out=less)
    return less


@cache
def _library() -> Any:
    """The library constriction; None where it is not installed."""
    return import_module("constriction") if find_spec("constriction") is not None else None


def words_of(code: bytes) -> Array:
    """The words of a code, uint32; raises DamagedArchive where they are not whole."""
    if len(code) % 4:
        raise DamagedArchive("a code is not of whole words; the archive is damaged, fetch it again")
    return np.frombuffer(code, "<u4").astype(np.uint32)


def encoder() -> Encoder:
    """The fastest encoder that is installed."""
    library = _library()
    return PlainEncoder() if library is None else LibraryEncoder(library)


def decoder(words: Array) -> Decoder:
    """The fastest decoder that is installed."""
    library = _library()
    return PlainDecoder(words) if library is None else LibraryDecoder(library, words)
