"""What to put in place of a suffix: other elements, other rows, special symbols, copies, runs, every symbol in turn.

Every check of causality takes its rows and their replaced suffixes from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice

import torch
from torch import Tensor

from chainrule.verification.certificate.special import special_symbols
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["Replacements", "replacements"]

BYTES = 256  # symbols of an alphabet that may be the bytes of a text
TEXT = torch.tensor(
    list(
        'The end.\r\n\r\n  «Größe», said he – it\'s 3.50 €! äàéèñü\n\n<p class="a">x &amp; y</p>\n'
        '{"k": [1, 2.5, null], "t": true}\n\tif (a == b) { return -1; }  // ...\n'
        "# 1. A list\n* one\n* two\n\n```\n0 1\t2\n```\n<|endoftext|>\x00\x00日本 http://a.b/c?d=e&f_g%20#h\r\n".encode()
    )
)
COMMON = 6  # special symbols that every second mixture has
Replaced = tuple[Tensor, Tensor, int, str]  # a row, the elements to put into it, from which place on, what they are


@dataclass(frozen=True)
class Replacements:
    """Rows, and the same rows with other elements from some place on.

    x: rows, shape (R, D).
    changed: the rows with other elements from `start` on, shape (R, D).
    start: first place that was changed, shape (R,).
    kinds: what stands there instead, one word per row.
    """

    x: Tensor
    changed: Tensor
    start: Tensor
    kinds: list[str]

    def __len__(self) -> int:
        return len(self.x)

    def part(self, rows: slice) -> Replacements:
        """Some of them."""
        return Replacements(self.x[rows], self.changed[rows], self.start[rows], self.kinds[rows])

    def cut(self, length: int) -> Replacements:
        """The first elements of each."""
        return replace(self, x=self.x[:, :length], changed=self.changed[:, :length])


def replacements(
    tested: ModelUnderTest,
    rows: Tensor,
    places: list[int],
    contents: int,
    every: list[int] | None = None,
    sweep: int = 0,
) -> Replacements:
    """Rows whose suffixes are replaced by content of every kind.

    tested: the model.
    rows: rows to begin with, shape (R, D).
    places: first places of the suffixes, which the kinds of content take in turn.
    contents: number of replacements with content of the different kinds.
    every: places at which, too, one suffix is replaced by other random elements; by default none.
    sweep: number of replacements by symbols that none of the others need have, until every symbol came.
    """
    made = list(islice(_contents(tested, rows, places), contents))
    for number, place in enumerate(every or ()):
        row = rows[number // tested.length % len(rows)]
        made.append((row, _all_different(tested, row, number), place, "other elements"))
    made += _sweep(tested, rows[0], sweep)
    return Replacements(
        torch.stack([row for row, *_ in made]),
        torch.stack([torch.cat([row[:place], other[place:].to(row.dtype)]) for row, other, place, _ in made]),
        torch.tensor([place for *_, place, _ in made]),
        [kind for *_, kind in made],
    )


def _contents(tested: ModelUnderTest, rows: Tensor, places: list[int]) -> Iterator[Replaced]:
    """What to put in place of suffixes: the kinds in turn, with every row and every special symbol in turn."""
    special = special_symbols(tested)
    for number in count():
        row, place = rows[number % len(rows)], places[number % len(places)]
        yield row, _all_different(tested, row, number), place, "other elements"
        another = rows[(number + 1 + number // len(rows)) % len(rows)]
        yield rows[0] if number % 2 else row, another, places[(number + 1) % len(places)], "another row"
        if special:
            yield from _of_symbol(tested, rows, special[number % len(special)], places, number)
            early = min(places[(number + 4) % len(places)], 1 + tested.length // 4)
            yield row, _mixed(special, len(row), number), early, "symbols with a meaning, mixed"
        if tested.num_symbols == BYTES:
            text = TEXT[(torch.arange(len(row)) + 61 * number) % len(TEXT)]
            yield row, text, min(places[(number + 5) % len(places)], 1 + tested.length // 4), "a text"
        if tested.chain is None or tested.chain.head.elementwise:
            place = places[(number + 3) % len(places)] or min(1, tested.length - 1)
            copy = row[torch.arange(len(row)) % max(place, 1)], "a copy of the beginning"
            run = row[max(place - 1, 0)].expand_as(row), "one symbol, repeated"
            yield row, *((copy, run)[number % 2][:1]), place, (copy, run)[number % 2][1]


def _of_symbol(tested: ModelUnderTest, rows: Tensor, symbol: int, places: list[int], number: int) -> Iterator[Replaced]:
    """A symbol in one place of a suffix, in two next to each other, and everywhere in it."""
    row, place = rows[number % len(rows)], places[(number + 2) % len(places)]
    row = torch.where(row == symbol, (row + 1) % (tested.num_symbols or 1), row)
    one = row.clone() if number % 2 else _all_different(tested, row, number)
    at = (place + tested.length - 1) // 2 if number % 2 else place
    one[at : at + 1 + number % 3 // 2] = symbol
    yield row, one, place, f"the symbol {symbol} in one place"
    yield row, torch.full_like(row, symbol), place, f"the symbol {symbol} everywhere"


def _mixed(special: list[int], length: int, number: int) -> Tensor:
    """Special symbols in pairs: by chance, or, in two mixtures of three, every pair of the most telling ones."""
    of = torch.tensor(special)
    if number % 3 == 1:
        return of[torch.randint(len(of), (length,), generator=torch.Generator().manual_seed(number))]
    few = min(COMMON, len(of))
    pairs = [k for a in range(few) for b in range(a, few) for k in ((a, b) if a < b else (a,))]  # a, b, a, c, ...
    return of[torch.tensor(pairs)[(torch.arange(length) + number * len(pairs) // 4) % len(pairs)]]


def _sweep(tested: ModelUnderTest, row: Tensor, most: int) -> list[Replaced]:
    """Suffixes of consecutive symbols, until every symbol came."""
    v, d = tested.num_symbols or 0, tested.length
    if d < 2 or not v:
        return []
    needed = -(-v // (d - 1))
    numbers = range(needed) if needed <= most else [needed * k // most for k in range(most)]
    start, made = 1, []
    for number in numbers:
        symbols = (torch.arange(d) - start + number * (d - 1)) % v
        base = (symbols + v // 2).roll(1) % v  # has none of them, where the alphabet is large
        made.append((torch.cat([row[:1], base[1:]]), symbols, start, f"the symbols from {int(symbols[start])} on"))
    return made


def _all_different(tested: ModelUnderTest, row: Tensor, seed: int) -> Tensor:
    """Random elements, each of them another one than in the row where there is another one."""
    v = tested.num_symbols
    if v is None:
        other = tested.elements(1 + seed % 2, 1)[0]
        return other if not torch.equal(other, row) else tested.elements(2 - seed % 2, 1)[0]
    shift = torch.randint(1, max(v, 2), row.shape, generator=torch.Generator().manual_seed(seed))
    return (row + shift) % v
