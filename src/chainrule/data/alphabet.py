"""Alphabets: what one element of a text stands for, bytes, characters or tokens, without loss.

Whatever the alphabet, every symbol knows how many bytes of the raw text it stands for, so that bits/byte have the same
denominator for all of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from chainrule.data.base import Array
from chainrule.errors import InputError, unknown_name

__all__ = ["Alphabet", "Bytes", "Characters", "Tokens", "alphabet_from_json", "choose_alphabet"]


class Alphabet(Protocol):
    """Raw bytes <-> symbols; `decode(encode(raw, what)) == raw`."""

    @property
    def name(self) -> str:
        """What a symbol is, for people: "bytes", "65 characters", ..."""

    @property
    def byte_lengths(self) -> Array:
        """The bytes that each symbol stands for, shape (V,)."""

    def encode(self, raw: bytes, what: str) -> Array:
        """The symbols of a text, integers of shape (T,); `what` names it in errors."""

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

    @property
    def byte_lengths(self) -> Array:
        return np.ones(256, dtype=np.int64)

    def encode(self, raw: bytes, what: str) -> Array:
        return np.frombuffer(raw, dtype=np.uint8)

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

    def decode(self, symbols: Array) -> bytes:
        return self._points[symbols].tobytes().decode("utf-32-le").encode()

    def to_json(self) -> dict[str, Any]:
        return {"symbols": "characters", "characters": self.characters}


@dataclass(frozen=True)
class Tokens:
    """The tokens of a tokenizer, given as the JSON of the `tokenizers` library.

    A text that the tokenizer does not give back byte for byte (one that lower-cases, say) is refused: a likelihood of
    its tokens would be none of the text.
    """

    specification: str = field(repr=False)

    @cached_property
    def _tokenizer(self) -> Any:
        return library().Tokenizer.from_str(self.specification)

    @property
    def name(self) -> str:
        return f"{len(self.byte_lengths)} tokens"

    @cached_property
    def _bytes(self) -> list[bytes]:
        """The bytes of every token: byte-level tokenizers write each byte as a printable character."""
        byte_of = {character: byte for byte, character in enumerate(_printable())}
        level = '"ByteLevel"' in self.specification
        special = {entry["id"] for entry in json.loads(self.specification).get("added_tokens") or ()}
        pieces = []
        for number in range(self._tokenizer.get_vocab_size()):
            token = self._tokenizer.id_to_token(number) or ""
            if level and number not in special:
                pieces.append(bytes(byte_of.get(character, 63) for character in token))
            elif len(token) == 6 and token.startswith("<0x"):
                pieces.append(bytes([int(token[3:5], 16)]))
            else:
                pieces.append(token.replace("\u2581", " ").encode())
        return pieces

    @cached_property
    def byte_lengths(self) -> Array:
        return np.array([len(piece) for piece in self._bytes])

    def encode(self, raw: bytes, what: str) -> Array:
        ids = self._tokenizer.encode(as_text(raw, what), add_special_tokens=False).ids
        symbols = np.array(ids, dtype=np.min_scalar_type(len(self.byte_lengths)))
        back = self.decode(symbols)
        if back != raw:
            first = next(
                (i for i, (a, b) in enumerate(zip(back, raw, strict=False)) if a != b), min(len(back), len(raw))
            )
            raise InputError(
                f"{what}: the tokenizer does not give the text back (first difference at byte {first}); "
                "take a byte-level tokenizer, or --symbols bytes"
            )
        return symbols

    def decode(self, symbols: Array) -> bytes:
        return b"".join(map(self._bytes.__getitem__, symbols.tolist()))

    def to_json(self) -> dict[str, Any]:
        return {"symbols": "tokens", "tokenizer": self.specification}

    @classmethod
    def read(cls, path: Path) -> Tokens:
        """The tokenizer of a `tokenizer.json`."""
        try:
            specification = path.read_text(encoding="utf-8")
            library().Tokenizer.from_str(specification)
        except OSError as error:
            raise InputError(f"{path}: the tokenizer cannot be read ({error.strerror}); check --symbols") from None
        except InputError:
            raise
        except Exception as error:  # the library raises plain exceptions
            raise InputError(f"{path}: is no tokenizer.json of the tokenizers library ({error})") from None
        return cls(specification)

    @classmethod
    def trained(cls, text: str, size: int) -> Tokens:
        """Byte-pair encoding with `size` tokens from a text (Sennrich, Haddow, Birch 2016), on the level of bytes."""
        if size < 257:
            raise InputError(f"a byte-pair encoding has the 256 bytes and more, got bpe:{size}; take at least bpe:257")
        tokenizers = library()
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size,
            show_progress=False,
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        )
        tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
        return cls(tokenizer.to_str())


def _printable() -> list[str]:
    """The character that a byte-level tokenizer writes for each byte: itself where it prints, else from U+0100 on."""
    prints = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in prints else chr(next(others)) for byte in range(256)]


def library() -> Any:
    """The `tokenizers` library, or an error that names the extra."""
    try:
        import tokenizers
    except ImportError:
        raise InputError("tokens need the tokenizers library; install it with `pip install chainrule[text]`") from None
    return tokenizers


def as_text(raw: bytes, what: str) -> str:
    """UTF-8 decoded; an error names the first byte that is none."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{what}: is no UTF-8 text (byte 0x{raw[error.start]:02x} at {error.start}); "
            "convert it, or use --symbols bytes"
        ) from None


def choose_alphabet(symbols: str, training: bytes, whole: bytes, what: str) -> Alphabet:
    """The alphabet that an option names.

    symbols: "bytes"; "characters", those of the whole source; "bpe:V", V tokens learned from the training split alone;
    or the path of a `tokenizer.json`.
    """
    if symbols == "bytes":
        return Bytes()
    if symbols == "characters":
        return Characters("".join(sorted(set(as_text(whole, what)))))
    if symbols.startswith("bpe:"):
        size = symbols.removeprefix("bpe:")
        if not size.isdigit():
            raise InputError(f"a byte-pair encoding is asked for as bpe:1000, got {symbols!r}")
        return Tokens.trained(as_text(training, what), int(size))
    if symbols.endswith(".json") or Path(symbols).exists():
        return Tokens.read(Path(symbols))
    raise unknown_name("alphabet", symbols, ("bytes", "characters", "bpe:1000", "tokenizer.json"))


def alphabet_from_json(fields: dict[str, Any]) -> Alphabet:
    """The alphabet that `Alphabet.to_json` wrote."""
    if fields["symbols"] == "bytes":
        return Bytes()
    return Characters(fields["characters"]) if fields["symbols"] == "characters" else Tokens(fields["tokenizer"])
