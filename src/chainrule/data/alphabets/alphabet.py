"""Alphabets: what one element of a text stands for, bytes, characters or tokens, without loss.

Whatever the alphabet, every symbol knows how many bytes of the raw text it stands for, so that bits/byte have the same
denominator for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from chainrule.batch import Array
from chainrule.data.alphabets.tokens import Tokens
from chainrule.data.alphabets.utf8 import as_text
from chainrule.errors import InputError, unknown_name

__all__ = ["Alphabet", "Bytes", "Characters", "alphabet_from_json", "choose_alphabet", "reads_any_file"]


@runtime_checkable
class Alphabet(Protocol):
    """Raw bytes <-> symbols; `decode(encode(raw, what)) == raw`."""

    @property
    def name(self) -> str:
        """What a symbol is, for people: "bytes", "65 characters", ..."""

    @property
    def byte_lengths(self) -> Array:
        """The bytes that each symbol stands for, shape (V,)."""

    @property
    def end(self) -> int | None:
        """The symbol that ends a text; None where none of the V symbols does."""

    def encode(self, raw: bytes, what: str) -> Array:
        """The symbols of a text, integers of shape (T,); `what` names it in errors."""

    def encode_all(self, texts: Sequence[bytes], what: Callable[[int], str]) -> list[Array]:
        """The symbols of each of many texts; `what` gives the name of the one of this place in errors."""

    def decode(self, symbols: Array) -> bytes:
        """The text of symbols (T,)."""

    def to_json(self) -> dict[str, Any]:
        """The alphabet as JSON, its kind under "symbols"."""


@dataclass(frozen=True)
class Bytes:
    """Every byte is a symbol: any file, nothing lost.

    >>> Bytes().encode("né".encode(), "a word").tolist()
    [110, 195, 169]
    """

    name: str = "bytes"
    end: ClassVar[int | None] = None

    @property
    def byte_lengths(self) -> Array:
        return np.ones(256, dtype=np.int64)

    def encode(self, raw: bytes, what: str) -> Array:
        return np.frombuffer(raw, dtype=np.uint8)

    def encode_all(self, texts: Sequence[bytes], what: Callable[[int], str]) -> list[Array]:
        return [self.encode(text, what(n)) for n, text in enumerate(texts)]

    def decode(self, symbols: Array) -> bytes:
        return symbols.astype(np.uint8).tobytes()

    def to_json(self) -> dict[str, Any]:
        return {"symbols": "bytes"}


@dataclass(frozen=True)
class Characters:
    """The characters (code points) that occur, in their order.

    >>> Characters("abé").encode("béa".encode(), "a word").tolist(), Characters("abé").byte_lengths.tolist()
    ([1, 2, 0], [1, 1, 2])
    """

    characters: str
    end: ClassVar[int | None] = None

    @property
    def name(self) -> str:
        return f"{len(self.characters)} characters"

    @property
    def byte_lengths(self) -> Array:
        return np.array([len(character.encode()) for character in self.characters])

    @cached_property
    def _points(self) -> Array:
        return np.array([ord(character) for character in self.characters], dtype=np.uint32)

    def encode(self, raw: bytes, what: str) -> Array:
        points = np.frombuffer(as_text(raw, what).encode("utf-32-le"), dtype=np.uint32)
        place = np.searchsorted(self._points, points).clip(max=len(self._points) - 1)
        if len(points) and (self._points[place] != points).any():
            first = int(np.flatnonzero(self._points[place] != points)[0])
            raise InputError(
                f"{what}: the character {chr(points[first])!r} at {first} is not among the {self.name} that the model "
                "knows, so its probability is 0; remove it, or fit with --symbols bytes"
            )
        return place.astype(np.min_scalar_type(len(self._points)))

    def encode_all(self, texts: Sequence[bytes], what: Callable[[int], str]) -> list[Array]:
        return [self.encode(text, what(n)) for n, text in enumerate(texts)]

    def decode(self, symbols: Array) -> bytes:
        return self._points[symbols].tobytes().decode("utf-32-le").encode()

    def to_json(self) -> dict[str, Any]:
        return {"symbols": "characters", "characters": self.characters}


def choose_alphabet(symbols: str | Alphabet, training: bytes, whole: bytes, what: str) -> Alphabet:
    """The alphabet that an option names; an alphabet stays as it is.

    symbols: "bytes"; "characters", those of the whole source; "bpe:V", V tokens learned from the training split only;
        the path of a `tokenizer.json`; or the directory of a Hugging Face model, for its tokens and its end of a text.
    training: the training split.
    whole: the whole source.
    what: the name of the source, for errors.
    """
    if not isinstance(symbols, str):
        return symbols
    if symbols == "bytes":
        return Bytes()
    if symbols == "characters":
        return Characters("".join(sorted(set(as_text(whole, what)))))
    if symbols.startswith("bpe:"):
        size = symbols.removeprefix("bpe:")
        if not size.isdigit():
            raise InputError(f"a byte-pair encoding is asked for as bpe:1000, got {symbols!r}")
        return Tokens.trained(as_text(training, what), int(size))
    if Path(symbols).is_dir():
        return Tokens.of_model(Path(symbols))
    if symbols.endswith(".json") or Path(symbols).exists():
        return Tokens.read(Path(symbols))
    raise unknown_name("alphabet", symbols, ("bytes", "characters", "bpe:1000", "tokenizer.json", "MODEL_DIRECTORY"))


def reads_any_file(symbols: str | Alphabet | None) -> bool:
    """Whether the option says by itself that bytes are meant, so that any file may be read, text or not."""
    return symbols in ("bytes", Bytes())


def alphabet_from_json(fields: dict[str, Any]) -> Alphabet:
    """The alphabet that `Alphabet.to_json` wrote."""
    if fields["symbols"] == "bytes":
        return Bytes()
    return Characters(fields["characters"]) if fields["symbols"] == "characters" else Tokens.from_json(fields)
