"""Inputs to try: random rows, draws of the model, rows of the data, repeats, special symbols, wide tails, and seams.

Every check of causality, company and accounting takes its rows from here. A leak that needs a certain content (the end
of a text further on, a passage that comes twice, a row of the training data) is seen only where that content is tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from chainrule.networks.huggingface import HuggingFace
from chainrule.verification.certificate.tested import ModelUnderTest, of_noise

if TYPE_CHECKING:
    from chainrule.data.examples.base import Examples

__all__ = ["Replacements", "replacements", "rows_to_try", "special_symbols"]

DRAWN = 2  # rows that the model draws
STORED = 4  # rows that a module keeps in its buffers
DATA = 4  # rows of the data


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


def special_symbols(tested: ModelUnderTest) -> list[int]:
    """Symbols with a meaning in some model: begin, end and pad of a configuration, 0, 1, 2, V - 1, round numbers."""
    v = tested.num_symbols or 0
    places = [tested.thing, getattr(tested.thing, "config", None)]
    if tested.chain is not None and isinstance(tested.chain.network, HuggingFace):
        places.append(tested.chain.network.model.config)
    named = [getattr(at, f"{word}_token_id", None) for at in places for word in ("bos", "eos", "pad")]
    known = [k for k in named if isinstance(k, int)]
    round_numbers = [10**k for k in range(1, 7)] + [2 * 10**k for k in range(3, 6)]
    found = [*tested.special, *known, v - 1, 0, 1, 2, v - 2, *round_numbers]
    return list(dict.fromkeys(k for k in found if 0 <= k < v))


def rows_to_try(tested: ModelUnderTest, data: Examples | None = None, most: int = 16) -> Tensor:
    """Rows of every kind, (R, D), the most telling first.

    tested: the model.
    data: examples of which some rows are taken.
    most: largest R.
    """
    random = tested.elements(0, 4)
    rows = [random[:1], _stored(tested), _of_data(tested, data), _drawn(tested), random[1:2]]
    if tested.num_symbols is not None:
        rows.append(_repeats(tested, random[0]))
    elif tested.chain is not None:
        rows.append(of_noise(tested.chain.head, tested.length, 2, seed=3, extreme=True))
    else:
        rows += [1000 * random[:1], torch.zeros_like(random[:1]), random[:1] / random[1:2]]
    rows.append(random[2:])
    return torch.cat([part.to(random.dtype) for part in rows if len(part)])[:most]


def _repeats(tested: ModelUnderTest, row: Tensor) -> Tensor:
    """A row whose second half is the first, runs of four, one symbol only, few symbols only."""
    d, v = tested.length, tested.num_symbols or 1
    half = max(1, d // 2)
    place = torch.arange(d)
    first = special_symbols(tested)[0]
    return torch.stack(
        [
            row[place % half],
            row[place // 4],
            torch.full_like(row, int(row[0])),
            row % min(v, 3),
            torch.full_like(row, first),
        ]
    )


def _drawn(tested: ModelUnderTest) -> Tensor:
    """Rows that the model finds probable: drawn by its sampler, or all elements at once from what was drawn before."""
    n, length = DRAWN, tested.length
    c = tested.contexts(n)
    if tested.module is None:
        return torch.stack([_walked(tested, seed) for seed in range(n)])
    if tested.chain is not None and length <= 256 and (tested.num_symbols or 0) * length <= 1 << 20:
        return tested.chain.sample(n, seed=3, length=length, context=c).x.clone()
    if tested.log_pmf is None or (tested.num_symbols or 0) * length > 1 << 22:
        return tested.elements(0, 0)
    x, generator = tested.elements(7, n), torch.Generator().manual_seed(7)
    for _ in range(2):
        p = tested.log_pmf(x, c)[..., : tested.num_symbols].double().exp().nan_to_num(nan=0.0).clamp(min=0)
        p = p + 1e-12
        x = torch.multinomial(p.flatten(0, 1), 1, generator=generator).view(n, length)
    return x


def _walked(tested: ModelUnderTest, seed: int) -> Tensor:
    """A row that a function of prefixes draws, element by element."""
    generator, row = torch.Generator().manual_seed(seed), torch.zeros(tested.length, dtype=torch.long)
    for d in range(tested.length):
        p = torch.as_tensor(tested.thing(row[:d].tolist())).detach().double().nan_to_num(nan=0.0).clamp(min=0)
        row[d] = torch.multinomial(p + 1e-12, 1, generator=generator)
    return row


def _stored(tested: ModelUnderTest) -> Tensor:
    """Rows of symbols that a module keeps, such as the training data that it looks up."""
    found: list[Tensor] = []
    if tested.module is not None and tested.num_symbols is not None:
        for kept in tested.module.buffers():
            whole = kept.ndim == 2 and kept.shape[1] >= tested.length and len(kept) > 1
            if whole and not kept.is_floating_point() and kept.dtype != torch.bool:
                rows = kept[: min(len(kept), STORED), : tested.length]
                if int(rows.min()) >= 0 and int(rows.max()) < tested.num_symbols:
                    found.append(rows)
    return torch.cat(found)[:STORED] if found else tested.elements(0, 0)


def _of_data(tested: ModelUnderTest, data: Examples | None) -> Tensor:
    """The longest of some rows of the data, repeated from their start where they are shorter than D."""
    nothing = tested.elements(0, 0)
    if data is None or not len(data):
        return nothing
    numbers = np.unique(np.linspace(0, len(data) - 1, min(len(data), 32)).astype(np.int64))
    batch = data.batch(numbers)
    order = batch.elements.argsort(descending=True)[:DATA]
    x = batch.x[order][:, torch.arange(tested.length) % batch.x.shape[1]]
    if x.is_floating_point() != nothing.is_floating_point():
        return nothing
    outside = tested.num_symbols is not None and (int(x.min()) < 0 or int(x.max()) >= tested.num_symbols)
    return nothing if outside else x


def replacements(
    tested: ModelUnderTest, rows: Tensor, places: list[int], contents: int, every: list[int] | None = None
) -> Replacements:
    """Rows whose suffixes are replaced by content of every kind.

    tested: the model.
    rows: rows to begin with, shape (R, D).
    places: first places of the suffixes, which the kinds of content take in turn.
    contents: number of replacements with content of the different kinds.
    every: places at which, too, one suffix is replaced by other random elements; by default none.
    """
    x, changed, start, kinds = [], [], [], []

    def add(row: Tensor, other: Tensor, place: int, kind: str) -> None:
        x.append(row)
        changed.append(torch.cat([row[:place], other[place:].to(row.dtype)]))
        start.append(place)
        kinds.append(kind)

    for number in range(contents):
        row = rows[number % len(rows)]
        place = places[number % len(places)]
        other, kind = _content(tested, rows, row, place, number)
        add(row, other, place, kind)
    for number, place in enumerate(every or ()):
        row = rows[0]
        add(row, _all_different(tested, row, number), place, "other elements")
    return Replacements(torch.stack(x), torch.stack(changed), torch.tensor(start), kinds)


def _content(tested: ModelUnderTest, rows: Tensor, row: Tensor, place: int, number: int) -> tuple[Tensor, str]:
    """What to put in place of a suffix: the kinds in turn."""
    round_, turn = number // 6, number % 6
    another = rows[(number + 1 + round_) % len(rows)]
    if tested.num_symbols is None:
        if (tested.chain is not None and not tested.chain.head.elementwise) or turn % 2 == 0:
            return another, "another row"
        kinds = (row.roll(place), "a copy of the beginning"), (row[place - 1].expand_as(row), "one value")
        return kinds[turn // 2 % 2] if place else (another, "another row")
    special = special_symbols(tested)
    symbol = special[(number + round_) % len(special)]
    if turn == 0:
        return _all_different(tested, row, number), "other elements"
    if turn == 1:
        one = _all_different(tested, row, number) if round_ % 2 else row.clone()
        one[(place + tested.length - 1) // 2 if round_ % 2 else place] = symbol
        return one, f"the symbol {symbol} in one place"
    if turn == 2:
        return torch.full_like(row, symbol), f"the symbol {symbol} everywhere"
    if turn == 3 and place:
        return row[torch.arange(len(row)) % place], "a copy of the beginning"
    if turn == 4:
        return row[max(place - 1, 0)].expand_as(row), "one symbol, repeated"
    return another, "another row"


def _all_different(tested: ModelUnderTest, row: Tensor, seed: int) -> Tensor:
    """Random elements, each of them another one than in the row where there is another one."""
    v = tested.num_symbols
    if v is None:
        other = tested.elements(1 + seed % 2, 1)[0]
        return other if not torch.equal(other, row) else tested.elements(2 - seed % 2, 1)[0]
    shift = torch.randint(1, max(v, 2), row.shape, generator=torch.Generator().manual_seed(seed))
    return (row + shift) % v
