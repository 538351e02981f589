"""Tokens: symbols that stand for several bytes, by a tokenizer that loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.batch import Array, Rows
from chainrule.data.alphabets.utf8 import as_text
from chainrule.data.alphabets.words import WordTokens, can_be_divided, content_of
from chainrule.errors import InputError

__all__ = ["Tokens"]

TOGETHER = 128  # pieces of a text that one thread encodes at once
GROUP = 1 << 20  # bytes of texts that are encoded at once, between two of which an interruption is seen


@dataclass(frozen=True)
class Tokens:
    """The tokens of a tokenizer, given as the JSON of the `tokenizers` library.

    A text that the tokenizer does not give back byte for byte (one that lower-cases, say) is refused: a likelihood of
    its tokens would not be a likelihood of the text.

    specification: the content of a `tokenizer.json`.
    size: V of the model that reads the tokens; symbols beyond those of the tokenizer stand for no bytes. None for the
        tokenizer's own number.
    end: the token that ends a text; None where no token does.
    """

    specification: str = field(repr=False)
    size: int | None = None
    end: int | None = None

    def __post_init__(self) -> None:
        known = self._known
        if self.size is not None and self.size < known:
            raise InputError(f"a model of {self.size} symbols cannot read a tokenizer of {known}; take the one it has")
        if self.end is not None and not 0 <= self.end < (self.size or known):
            raise InputError(f"the end of a text is one of the {self.size or known} tokens, got {self.end}")

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = tokenizer_of(self.specification, "the tokenizer")
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _known(self) -> int:
        """One more than the largest number of a token; there may be gaps."""
        return 1 + max(self._tokenizer.get_vocab(with_added_tokens=True).values())

    @property
    def name(self) -> str:
        return f"{len(self.byte_lengths)} tokens"

    @cached_property
    def _bytes(self) -> list[bytes]:
        """The bytes of every token: byte-level tokenizers write each byte as a printable character."""
        byte_of = {character: byte for byte, character in enumerate(_printable())}
        level = '"ByteLevel"' in self.specification
        special = {entry["id"] for entry in content_of(self.specification).get("added_tokens") or ()}
        pieces = []
        for number in range(self.size or self._known):
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

    @cached_property
    def _words(self) -> WordTokens | None:
        """The tokens of a text from those of its words, where that is the same."""
        known = can_be_divided(self.specification)
        return WordTokens(self._encoded_pieces, self.specification) if known else None

    @cached_property
    def _type(self) -> Any:
        return np.min_scalar_type(len(self.byte_lengths))

    def encode(self, raw: bytes, what: str) -> Array:
        text = as_text(raw, what)
        symbols = None if self._words is None or not text else self._words.encode(text)
        return self._checked(self._encoded(text), raw, what) if symbols is None else symbols

    def encode_all(self, texts: Sequence[bytes], what: Callable[[int], str]) -> list[Array]:
        symbols: list[Array] = []
        for start, stop in _groups(texts):
            plain = [as_text(texts[n], what(n)) for n in range(start, stop)]
            known = None if self._words is None or not all(plain) else self._words.encode_all(plain)
            if known is None:
                encoded = self._tokenizer.encode_batch_fast(plain, add_special_tokens=False)
                arrays = (np.array(one.ids, dtype=self._type) for one in encoded)
                known = [self._checked(ids, texts[n], what(n)) for n, ids in enumerate(arrays, start=start)]
            symbols += known
        return symbols

    def _encoded(self, text: str) -> Array:
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, dtype=self._type)

    def _encoded_pieces(self, pieces: Sequence[str]) -> tuple[Array, Rows] | None:
        """The tokens of pieces and how many each has, by several threads; None where they do not give them back."""
        groups = [pieces[k : k + TOGETHER] for k in range(0, len(pieces), TOGETHER)]
        encoded = self._tokenizer.encode_batch_fast(groups, is_pretokenized=True, add_special_tokens=False)
        found, sizes = [], []
        for group, one in zip(groups, encoded, strict=True):
            ids = np.array(one.ids, dtype=self._type)
            if self.decode(ids) != "".join(group).encode():
                return None
            ends = np.cumsum([len(piece.encode()) for piece in group])
            reached = np.cumsum(self.byte_lengths[ids])
            stops = np.searchsorted(reached, ends) + 1
            if (reached[stops - 1] != ends).any():
                return None
            found.append(ids)
            sizes.append(np.diff(stops, prepend=0))
        return np.concatenate(found), np.concatenate(sizes)

    def _checked(self, symbols: Array, raw: bytes, what: str) -> Array:
        """The symbols of a text; raises InputError where they do not give it back."""
        back = self.decode(symbols)
        if back != raw:
            first = next(
                (i for i, (a, b) in enumerate(zip(back, raw, strict=False)) if a != b), min(len(back), len(raw))
            )
            raise InputError(
                f"{what}: the tokenizer does not give the text back (first difference at byte {first}); it may put a "
                "space in front or change letters; take a byte-level tokenizer that adds nothing, or --symbols bytes"
            )
        return symbols

    def decode(self, symbols: Array) -> bytes:
        return b"".join(map(self._bytes.__getitem__, symbols.tolist()))

    def to_json(self) -> dict[str, Any]:
        own = {"size": self.size, "end_token": self.end}  # "end" is what documents say of theirs
        return {"symbols": "tokens", "tokenizer": self.specification} | {k: v for k, v in own.items() if v is not None}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Tokens:
        """The tokens that `to_json` wrote."""
        return cls(fields["tokenizer"], fields.get("size"), fields.get("end_token"))

    @classmethod
    def read(cls, path: Path) -> Tokens:
        """The tokenizer of a `tokenizer.json`."""
        try:
            specification = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: the tokenizer cannot be read ({error.strerror}); check --symbols") from None
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: is not a tokenizer.json of the tokenizers library ({error})") from None
        tokenizer_of(specification, str(path))
        return cls(specification)

    @classmethod
    def of_model(cls, directory: Path) -> Tokens:
        """The tokens that a Hugging Face model in a local directory reads, among them its own end of a text.

        directory: with the model's `config.json`, which says how many symbols there are and which ones end a text, the
        first of which is taken, and its `tokenizer.json`.
        """
        path = directory / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            size, end = int(config["vocab_size"]), config.get("eos_token_id")
            ends = [int(number) for number in (end if isinstance(end, list) else [end]) if number is not None]
        except OSError as error:
            raise InputError(f"{directory}: is not a Hugging Face model: {path.name}, {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}: does not say how many symbols a language model reads and which one ends a text ({error!r}); "
                "take the directory of a model of text alone"
            ) from None
        if not (directory / "tokenizer.json").exists():
            raise InputError(
                f"{directory}: holds no tokenizer.json; write it there with AutoTokenizer(...).save_pretrained"
            )
        return replace(cls.read(directory / "tokenizer.json"), size=size, end=ends[0] if ends else None)

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


def _groups(texts: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Borders of groups of texts of up to `GROUP` bytes, which are encoded at once; a longer text is one by itself.

    >>> list(_groups([b"a" * GROUP, b"b", b"c"]))
    [(0, 1), (1, 3)]
    """
    start, size = 0, 0
    for stop, text in enumerate(texts):
        if size and size + len(text) > GROUP:
            yield start, stop
            start, size = stop, 0
        size += len(text)
    if texts:
        yield start, len(texts)


def _printable() -> list[str]:
    """The character that a byte-level tokenizer writes for each byte: itself where it prints, else from U+0100 on."""
    prints = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in prints else chr(next(others)) for byte in range(256)]


def tokenizer_of(specification: str, what: str) -> Any:
    """The tokenizer that a `tokenizer.json` describes; `what` names it in errors."""
    tokenizers = library()
    try:
        return tokenizers.Tokenizer.from_str(specification)
    except Exception as error:  # the library raises plain exceptions
        raise InputError(f"{what}: is not a tokenizer.json of the tokenizers library ({error})") from None


def library() -> Any:
    """The `tokenizers` library, or an error that names the extra."""
    try:
        import tokenizers
    except ImportError:
        raise InputError("tokens need the tokenizers library: pip install 'chainrule[text]'") from None
    return tokenizers
