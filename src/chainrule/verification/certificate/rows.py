"""Rows to try: random ones, draws of the model, rows of the data, and rows of every pattern that data have.

A leak that needs a certain content (a passage that comes twice, a row that goes up, a row of the training data, a value
far out) is seen only where that content is tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from chainrule.heads.base import Distribution, Head
from chainrule.verification.certificate.special import special_symbols
from chainrule.verification.certificate.tested import ModelUnderTest, of_noise

if TYPE_CHECKING:
    from chainrule.data.examples.base import Examples

__all__ = ["rows_to_try"]

DRAWN = 2  # rows that the model draws
WALKS = 5  # rows that a function of prefixes draws
STORED = 4  # rows that a module keeps in its buffers
DATA = 4  # rows of the data
WALKED = 256  # elements up to which rows are drawn one element at a time


def rows_to_try(tested: ModelUnderTest, data: Examples | None = None, most: int = 16, walked: int = WALKED) -> Tensor:
    """Rows of every kind, (R, D), the most telling first.

    tested: the model.
    data: examples of which some rows are taken.
    most: largest R.
    walked: number of elements up to which rows are drawn one element at a time by a module without a step.
    """
    random = tested.elements(0, 4)
    rows = [random[:1], _stored(tested), _of_data(tested, data), _drawn(tested, walked), random[1:2]]
    if tested.num_symbols is not None:
        rows.append(_patterns(tested, random[0]))
    elif tested.chain is not None:
        rows += [of_noise(tested.chain.head, tested.length, 2, seed=3, extreme=True)]
        rows += [_numbers(tested.chain.head, random[0])]
    else:
        rows += [1000 * random[:1], torch.zeros_like(random[:1]), random[:1] / random[1:2]]
    rows.append(random[2:])
    return torch.cat([part.to(random.dtype) for part in rows if len(part)])[:most]


def _patterns(tested: ModelUnderTest, row: Tensor) -> Tensor:
    """Rows of the patterns that data have: repeats, runs, slopes, few symbols, a background, ends that are alike."""
    d, v = tested.length, tested.num_symbols or 1
    place, half = torch.arange(d), max(1, tested.length // 2)
    first, end = special_symbols(tested)[0], max(1, d // 4)
    slope = place * (v - 1) // max(d - 1, 1)
    sparse = torch.where(place % max(2, d // 3) == 1, row, 0)
    return torch.stack(
        [
            row[place % half],
            row[place // 4],
            torch.full_like(row, int(row[0])),
            slope,
            row % min(v, 3),
            torch.cat([row[:-end], torch.zeros_like(row[-end:])]),
            torch.full_like(row, first),
            row[torch.minimum(place, d - 1 - place)],
            row[place % min(4, d)],
            slope.flip(0),
            sparse,
            torch.zeros_like(row),
            (place % 2) * (v - 1),
            torch.cat([row[:-end], row[:end]]),
            torch.full_like(row, v - 1),
            torch.cat([row[:-end], torch.full_like(row[-end:], v - 1)]),
            place % v,
        ]
    )


def _numbers(head: Head, row: Tensor) -> Tensor:
    """Rows of real numbers or counts of unusual size and pattern, those that the head has in its support."""
    if not head.elementwise:
        return row[None][:0]
    place, row = torch.arange(len(row), dtype=torch.float64), row.double()
    every_third = place % 3 == 2
    wanted = [
        torch.zeros_like(place),
        torch.linspace(-2, 2, len(place), dtype=torch.float64),
        place,
        *(torch.where(every_third, size, row) for size in (10.0, -10.0, 1e4, -1e4, 1e8, 0.0)),
        torch.ones_like(place),
        row.abs(),
        place.flip(0),
        row.round(),
        row[(place // 2).long()],
    ]
    dtype = next((p.dtype for p in head.parameters()), torch.float32)
    h = torch.zeros(1, len(place), head.features, dtype=dtype)
    kept = [row[None][:0]]
    for values in wanted:
        p = head(h)
        x = values if p.resolution is None else (values / p.resolution).round() * p.resolution
        try:
            p.log_prob(x[None].long() if head.num_symbols is not None else x[None])
        except ValueError:
            continue  # outside of the support
        kept.append(x[None])
    return torch.cat(kept)


def _drawn(tested: ModelUnderTest, walked: int) -> Tensor:
    """Rows that the model finds probable: the likeliest symbols, and what is drawn."""
    n, length = DRAWN, tested.length
    c = tested.contexts(n)
    if tested.module is None:
        return torch.stack([_walked(tested, seed) for seed in range(WALKS)])
    generator = torch.Generator().manual_seed(7)
    if tested.chain is not None and length <= 256 and (tested.num_symbols or 0) * length <= 1 << 20:
        if tested.log_pmf is None:
            return tested.chain.sample(n, seed=3, length=length, context=c).x.clone()

        def draw(d: int, p: Distribution) -> Tensor:
            pmf = _pmf(p.pmf())
            x = torch.multinomial(pmf, 1, generator=generator).squeeze(1)
            x[0] = pmf[0].argmax()
            return x

        return tested.chain.unroll(draw, n + 1, length, tested.contexts(n + 1))
    if tested.log_pmf is None or (tested.num_symbols or 0) * length > 1 << 22:
        return tested.elements(0, 0)
    x = tested.elements(7, n)
    for d in range(length) if length <= walked else ():
        p = _pmf(tested.log_pmf(x, c)[:, d, : tested.num_symbols].exp())
        x[:, d] = torch.multinomial(p, 1, generator=generator).squeeze(1)
        x[0, d] = p[0].argmax()
    for _ in range(2 if length > walked else 0):
        p = _pmf(tested.log_pmf(x, c)[..., : tested.num_symbols].exp())
        x = torch.multinomial(p.flatten(0, 1), 1, generator=generator).view(n, length)
    return x


def _pmf(p: Tensor) -> Tensor:
    """Probabilities from which can be drawn, whatever a model gives."""
    return p.double().nan_to_num(nan=0.0, posinf=1.0).clamp(min=0) + 1e-12


def _walked(tested: ModelUnderTest, seed: int) -> Tensor:
    """A row that a function of prefixes draws, element by element; for the seed 0, its likeliest symbols."""
    generator, row = torch.Generator().manual_seed(seed), torch.zeros(tested.length, dtype=torch.long)
    for d in range(tested.length):
        p = _pmf(torch.as_tensor(tested.thing(row[:d].tolist())).detach())
        row[d] = torch.multinomial(p, 1, generator=generator) if seed else p.argmax()
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
    order = batch.elements.argsort(descending=True, stable=True)[:DATA]
    x = batch.x[order][:, torch.arange(tested.length) % batch.x.shape[1]]
    if x.is_floating_point() != nothing.is_floating_point():
        return nothing
    outside = tested.num_symbols is not None and (int(x.min()) < 0 or int(x.max()) >= tested.num_symbols)
    return nothing if outside else x
