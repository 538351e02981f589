"""The tokens of a long text from those of its pieces, each of which a tokenizer reads once.

A byte-level tokenizer first divides a text by a pattern, and then encodes each part by itself. Under the patterns that
are listed here a part always ends at the places that `places_to_cut` finds, and nothing before them depends on what
comes behind. So the tokens of a text are those of its pieces, one after the other, and a piece that comes again has the
tokens that it had before.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from chainrule.batch import Array, Rows

__all__ = ["WordTokens", "can_be_divided", "content_of", "places_to_cut"]

MOST_KNOWN, MOST_CHARACTERS = 1 << 18, 1 << 23  # pieces that are remembered, and characters of all of them
BETWEEN = "\n\n"
SLAB = 1 << 20  # characters that are divided at once
NEAR = 1 << 10  # characters, more than the longest added token has
SPACE, LINE_END, APOSTROPHE, ZERO, NINE, ASCII = 32, 10, 39, 48, 57, 128
LETTERS_TO, SPACES_TO = 0x530, 0x3001  # Latin, Greek and Cyrillic letters; all white space lies below

# How GPT-2 divides a text, which is what a `ByteLevel` part does by itself; then GPT-4, Qwen 2, Llama 3 and GPT-4o.
LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    LETTERS + r"|\p{N}{1,3}" + REST,
    LETTERS + r"|\p{N}" + REST,
}


@lru_cache(maxsize=1)
def content_of(specification: str) -> Any:
    """The content of a `tokenizer.json`, which may have megabytes."""
    return json.loads(specification)


def can_be_divided(specification: str) -> bool:
    """Whether the tokens of a text are those of its pieces.

    specification: the content of a `tokenizer.json`.
    """
    content = content_of(specification)
    model, added = content["model"], content.get("added_tokens") or []
    return (
        content.get("normalizer") is None
        and model.get("type") == "BPE"
        and not model.get("dropout")
        and _divides(content.get("pre_tokenizer"))
        and not any(
            token.get("lstrip")
            or token.get("rstrip")
            or token.get("single_word")
            or re.search(r"\s", token["content"])
            or len(token["content"]) > NEAR
            for token in added
        )
    )


def _divides(part: dict[str, object] | None) -> bool:
    """Whether a pre-tokenizer divides by one of the patterns, and does nothing else but write bytes as characters."""
    steps: list[dict[str, object]] = [part] if part is not None else []
    if part is not None and part.get("type") == "Sequence":
        steps = list(part["pretokenizers"])  # type: ignore[call-overload]
    *first, last = steps or [{}]
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        return False
    if not first:
        return last.get("use_regex", True) is True
    return len(first) == 1 and last.get("use_regex") is False and _splits(first[0])


def _splits(part: dict[str, object]) -> bool:
    pattern = part.get("pattern")
    return (
        part.get("type") == "Split"
        and part.get("behavior") == "Isolated"
        and part.get("invert") is False
        and isinstance(pattern, dict)
        and pattern.get("Regex") in PATTERNS
    )


class WordTokens:
    """The tokens of texts, piece by piece.

    encode_pieces: the tokens of some pieces one after the other, by the tokenizer, and how many each has; None where
        they do not give the pieces back.
    specification: the content of a `tokenizer.json` that `can_be_divided`; its added tokens are never cut.
    """

    def __init__(self, encode_pieces: Callable[[Sequence[str]], tuple[Array, Rows] | None], specification: str) -> None:
        self._encode_pieces = encode_pieces
        added = (token["content"] for token in content_of(specification).get("added_tokens") or ())
        self._uncut = tuple(content for content in added if len(places_to_cut(content)))
        self._known = Known()

    def encode(self, text: str) -> Array | None:
        """The tokens of a text that is not empty; None where the tokenizer does not give back one of its pieces."""
        found = [self.encode_all([slab]) for slab in _slabs(text, self._uncut)]
        known = [ids for ids in found if ids is not None]
        return None if len(known) < len(found) else np.concatenate([ids for (ids,) in known])

    def encode_all(self, texts: Sequence[str]) -> list[Array] | None:
        """The tokens of each text, none of them empty; None where the tokenizer does not give back one of the pieces.

        All texts are divided at once, so they should not be longer than some `SLAB` in all.
        """
        pieces, owner = _pieces(texts, self._uncut)
        unseen = list(set(pieces).difference(self._known.number))
        if unseen:
            encoded = self._encode_pieces(unseen)
            if encoded is None:
                return None
            self._known.add(unseen, *encoded)
        tokens, sizes = self._known.gathered(pieces)
        if self._known.is_full:
            self._known = Known()
        borders = np.cumsum(np.bincount(owner, weights=sizes, minlength=len(texts))).astype(np.int64)
        return np.split(tokens, borders[:-1])


class Known:
    """The tokens of the pieces that were read so far, one after the other.

    number: of each piece. tokens: of all of them. sizes: how many of them each piece has. characters: of all pieces.
    """

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.tokens: Array = np.zeros(0, dtype=np.uint8)
        self.sizes: Rows = np.zeros(0, dtype=np.int64)
        self.characters = 0

    @property
    def is_full(self) -> bool:
        """Whether they are so many that it is time to forget them."""
        return len(self.number) > MOST_KNOWN or self.characters > MOST_CHARACTERS

    def add(self, pieces: Sequence[str], tokens: Array, sizes: Rows) -> None:
        """Remember the tokens of pieces that were not known, one after the other, and how many each has."""
        self.number.update(zip(pieces, range(len(self.number), len(self.number) + len(pieces)), strict=True))
        self.tokens = np.concatenate([self.tokens, tokens])
        self.sizes = np.concatenate([self.sizes, sizes])
        self.characters += sum(map(len, pieces))

    def gathered(self, pieces: Sequence[str]) -> tuple[Array, Rows]:
        """The tokens of known pieces one after the other, and how many each of them has.

        >>> known = Known()
        >>> known.add(["a", "bc"], np.array([7, 8, 9]), np.array([1, 2]))
        >>> [found.tolist() for found in known.gathered(["bc", "a", "bc"])]
        [[8, 9, 7, 8, 9], [2, 1, 2]]
        """
        rows = np.fromiter(map(self.number.__getitem__, pieces), dtype=np.int64, count=len(pieces))
        start, sizes = np.cumsum(self.sizes) - self.sizes, self.sizes[rows]
        offset = np.cumsum(sizes) - sizes
        return self.tokens[np.repeat(start[rows] - offset, sizes) + np.arange(sizes.sum())], sizes


def _pieces(texts: Sequence[str], uncut: Sequence[str]) -> tuple[list[str], Rows]:
    """The pieces of all texts, and the number of the text that each is of."""
    whole = BETWEEN.join(texts)  # white space on both sides, so that no cut depends on another text
    lengths = np.array([len(text) for text in texts])
    begin = np.cumsum(lengths + len(BETWEEN)) - lengths - len(BETWEEN)
    cuts = _outside(places_to_cut(whole), whole, uncut)
    of = np.searchsorted(begin, cuts, side="right") - 1
    inside = (cuts > begin[of]) & (cuts < begin[of] + lengths[of])
    start = np.sort(np.concatenate([begin, cuts[inside]]))
    owner = np.searchsorted(begin, start, side="right") - 1
    stop = np.minimum(np.append(start[1:], len(whole)), begin[owner] + lengths[owner])
    return [whole[i:j] for i, j in zip(start.tolist(), stop.tolist(), strict=True)], owner


def places_to_cut(text: str) -> Rows:
    r"""Where a part of a text surely begins, whatever stands before and behind: numbers of characters, increasing.

    Before a space between two characters that are no white space; between a letter and a sign or a line end; between a
    single line end and a letter.

    >>> places_to_cut("It is, he said.\nNot so").tolist()
    [2, 5, 6, 9, 14, 16, 19]
    """
    letter, white = _classes()
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    kind = np.minimum(points, SPACES_TO)
    is_letter, is_white, line_end = letter[kind], white[kind], points == LINE_END
    digit = (points >= ZERO) & (points <= NINE)
    sign = (points < ASCII) & ~is_letter & ~digit & (points != APOSTROPHE) & (points != SPACE)
    cut = np.zeros(len(points), dtype=bool)
    cut[1:] |= is_letter[:-1] & sign[1:]
    cut[1:-1] |= ~is_white[:-2] & (points[1:-1] == SPACE) & ~is_white[2:]
    cut[2:] |= ~is_white[:-2] & line_end[1:-1] & is_letter[2:]
    return np.flatnonzero(cut)


def _outside(cuts: Rows, text: str, uncut: Sequence[str]) -> Rows:
    """The cuts that are not inside one of the words that are never cut."""
    if not any(start in text for start in {word[:2] for word in uncut}):
        return cuts
    for word in uncut:
        found = re.finditer(f"(?={re.escape(word)})", text)
        begin = np.array([-len(word), *(match.start() for match in found)])
        last = begin[np.searchsorted(begin, cuts) - 1]  # the last place before each cut where the word begins
        cuts = cuts[cuts >= last + len(word)]
    return cuts


def _slabs(text: str, uncut: Sequence[str]) -> Iterator[str]:
    """The text in parts of about `SLAB` characters, each of whole pieces."""
    start = 0
    while len(text) - start > SLAB:
        stop = start + SLAB
        for size in (NEAR, SLAB):  # a cut is most often near
            window = text[stop - NEAR : stop + size]
            cuts = _outside(places_to_cut(window), window, uncut)
            cuts = cuts[cuts >= NEAR]
            if len(cuts):
                break
        else:
            break
        yield text[start : (start := stop - NEAR + int(cuts[0]))]
    yield text[start:]


@cache
def _classes() -> tuple[Rows, Rows]:
    """Whether each code point up to `SPACES_TO` is a letter of the first alphabets, and whether it is white space."""
    points = [chr(point) for point in range(SPACES_TO + 1)]
    letter = np.array([unicodedata.category(one)[0] == "L" and ord(one) < LETTERS_TO for one in points])
    white = np.array([one.isspace() or one == "\u180e" for one in points])  # U+180E is white space to some libraries
    return letter, white
