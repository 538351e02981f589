"""Invariance: an example's score depends on that example alone, not on its company or its padding."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.verification.certificate.accounting import mixed_lengths
from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["batch", "order", "packing", "padding", "related_rows", "scored_rows"]

MANY = 32  # examples that every model is expected to take at a time
ALONE = 4  # examples of mixed lengths that are scored alone as well
WIDE = 4096  # outputs per element that are compared one by one


def scored_rows(tested: ModelUnderTest, x: Tensor, c: Tensor | None) -> Tensor:
    """Outputs and scores of some rows in one batch, (n, everything), float64.

    Of very many outputs per element, the first ones and their logsumexp, in which a change of any of them shows.
    """
    outputs = tested.outputs(x, c)
    if outputs.ndim == 3 and outputs.shape[2] > WIDE:
        outputs = torch.cat([outputs[..., :64], outputs.logsumexp(-1, keepdim=True)], -1)
    made = [outputs.flatten(1)]
    if tested.scores is not None:
        made.append(tested.scores(x, c))
    return torch.cat([part.double() for part in made], 1)


def company_of(tested: ModelUnderTest, rows: Tensor, size: int) -> tuple[Tensor, Tensor | None]:
    """A pool of rows with their contexts: the given ones, equal rows, and rows that are related to others."""
    first, other = rows[0], rows[1 % len(rows)]
    kept = [first, other, first, *related_rows(tested, first, other), *rows[2:]]
    pool = torch.stack(kept)[torch.arange(size) % len(kept)]
    return pool, tested.contexts(size)


def related_rows(tested: ModelUnderTest, row: Tensor, other: Tensor) -> list[Tensor]:
    """Rows that a key which is too short takes for a row: the same beginning, the same ends, the same symbols."""
    half, quarter = tested.length // 2, tested.length // 4
    beginning = torch.cat([row[:half], other[half:]])
    ends = torch.cat([row[:quarter], other[quarter : len(row) - quarter], row[len(row) - quarter :]])
    turned = [row.roll(1)] if tested.num_symbols is not None else []
    every_second = torch.where(torch.arange(len(row)) % 2 == 0, row, other)
    last = torch.cat([row[:-1], other[-1:]])
    return [beginning, *turned, ends, every_second, last]


def batch(tested: ModelUnderTest, rows: Tensor, sizes: tuple[int, ...], bound: float) -> Check:
    """Every example is scored in batches of many sizes as it is alone.

    tested: the model.
    rows: rows to try, shape (R, D); equal rows and rows with the same beginning are added.
    sizes: sizes of the batches.
    bound: largest difference that is rounding.
    """
    name = "invariance.batch"
    largest = max(sizes)
    pool, c = company_of(tested, rows, largest)
    alone: dict[int, Tensor] = {}
    worst, where = 0.0, ""
    for size in sizes:
        here = torch.arange(size)
        try:
            together = scored_rows(tested, pool[here], None if c is None else c[here])
        except Exception:  # whatever a user's module raises that takes so many examples and not more
            if size <= MANY:
                raise
            sizes = tuple(tried for tried in sizes if tried < size)
            break
        for n in range(size) if size <= 8 else (0, 1, size - 1, size // 2):
            equal = (pool == pool[n]) | (pool.isnan() & pool[n].isnan())
            same = n if c is not None else int(equal.all(1).nonzero()[0])
            if same not in alone:
                alone[same] = scored_rows(tested, pool[n : n + 1], None if c is None else c[n : n + 1])
            figure = float(difference(alone[same], together[n : n + 1]).max())
            if not figure <= worst:
                worst, where = figure, f"example {n} of a batch of {size} is not scored as alone"
    equal = pool[:1].expand(3, -1)
    c_equal = None if c is None else c[:1].expand(3, *c.shape[1:])
    figure = float(difference(alone[0].expand(3, -1), scored_rows(tested, equal, c_equal)).max())
    if not figure <= worst:
        worst, where = figure, "three equal examples are not scored as one of them alone"
    return Check.of(name, worst, bound, f"batches of {', '.join(map(str, sizes))} examples, and alone", where)


def order(tested: ModelUnderTest, rows: Tensor, sizes: tuple[int, ...], bound: float) -> Check:
    """The examples in another order have the same scores in that order.

    tested: the model.
    rows: rows to try, shape (R, D).
    sizes: sizes of the batches.
    bound: largest difference that is rounding.
    """
    name = "invariance.order"
    worst, where = 0.0, ""
    for number, size in enumerate(sizes):
        pool, c = company_of(tested, rows, size)
        first = scored_rows(tested, pool, c)
        shuffled = torch.randperm(size, generator=torch.Generator().manual_seed(number))
        for turned, how in ((torch.arange(size).roll(1), "rolled by one"), (shuffled, "shuffled")):
            again = scored_rows(tested, pool[turned], None if c is None else c[turned])
            figure = float(difference(first[turned], again).max())
            if not figure <= worst:
                worst, where = figure, f"a batch of {size} {how} has other scores"
    return Check.of(name, worst, bound, f"batches of {', '.join(map(str, sizes))}, rolled and shuffled", where)


def padding(tested: ModelUnderTest, rows: Tensor, bound: float) -> Check:
    """Neither the padding, its content nor its amount, nor the lengths of other examples change a score.

    tested: the model.
    rows: rows to try, shape (R, D).
    bound: largest difference that is rounding.
    """
    name, model = "invariance.padding", tested.model
    if model is None or tested.length < 2:
        return skipped(name, "it takes no mask")
    worst, where = 0.0, ""

    def compare(a: Tensor, b: Tensor, said: str) -> None:
        nonlocal worst, where
        figure = float(difference(a, b).max())
        if not figure <= worst:
            worst, where = figure, said

    few = rows[:4]
    c = tested.contexts(len(few))
    others = [tested.elements(seed, len(few)).to(few.dtype) for seed in (1, 2)]
    all_scored = model.element_log_prob(Batch(few, context=c)).double()
    for length in sorted({1, tested.length // 2, tested.length - 1}):
        mask = (torch.arange(tested.length) < length).expand(few.shape)
        rest = ~mask  # what is given before the elements that count is read, and is not scored
        rows_of = [torch.cat([few[:, :length], other[:, length:]], 1) for other in (few, *others)]
        four = Batch(
            torch.cat([*rows_of, few]), torch.cat([mask] * 3 + [rest]), None if c is None else torch.cat([c] * 4)
        )
        *scored, given = model.element_log_prob(four).double().chunk(4)
        scores = [each.sum(1) for each in scored]
        for other in scores[1:]:
            compare(scores[0], other, f"the padding after {length} of {tested.length} elements changes the score")
        if (short := _short(tested, few[:, :length], c)) is not None:
            compare(scores[0], short, f"{length} elements alone and with padding have other scores")
        compare(
            given,
            torch.where(rest, all_scored, 0),
            f"with {length} elements given and not scored, the rest has other scores",
        )
    mixed = mixed_lengths(tested, rows)
    together = model.element_log_prob(mixed).double()
    for n in range(0, len(rows), -(-len(rows) // ALONE)):
        alone = model.element_log_prob(mixed[n : n + 1]).double()
        compare(alone, together[n : n + 1], f"example {n} of {len(rows)} of mixed lengths has another score than alone")
    return Check.of(
        name, worst, bound, "padding of three lengths, several fillings, none, mixed lengths, and given", where
    )


def _short(tested: ModelUnderTest, x: Tensor, c: Tensor | None) -> Tensor | None:
    """ln p of examples without padding; None where the model reads examples of the whole length only."""
    if tested.model is None:
        return None
    try:
        return tested.model.element_log_prob(Batch(x, context=c)).double().sum(1)
    except Exception:  # whatever a user's module raises at a length that it was not made for
        if tested.any_length:
            raise
        return None


def packing(tested: ModelUnderTest, rows: Tensor, bound: float) -> Check:
    """Two, three and more examples next to each other in one row are scored as each of them alone.

    tested: the model.
    rows: rows to try, shape (R, D).
    bound: largest difference that is rounding.
    """
    name, model = "invariance.packing", tested.chain
    if model is None or tested.context is not None or tested.length < 2 or not model.head.elementwise:
        return skipped(name, "only examples without a context, whose elements are alike, are packed")
    d = tested.length
    cuts = [[(d + 1) // 2], [d // 3, 2 * d // 3], [1, d // 4, d // 2, d - 1], list(range(1, min(d, 6)))]
    worst, where, tried = 0.0, "", set()
    for ends in ([e for e in sorted(set(some)) if 0 < e < d] for some in cuts):
        segment_ids = sum(((torch.arange(d) >= e).long() for e in ends), torch.zeros(d, dtype=torch.long))
        try:
            packed = model.element_log_prob(Batch(rows, segment_ids=segment_ids.expand(rows.shape))).double()
        except InputError as error:
            return skipped(name, f"{error}")
        edges = [0, *ends, d]
        parts = [rows[:, a:b] for a, b in pairwise(edges)]
        alone = torch.cat([model.element_log_prob(Batch(part)).double() for part in parts], 1)
        apart = difference(packed, alone)
        tried.add(len(parts))
        if not float(apart.max()) <= worst:
            worst = float(apart.max())
            where = (
                f"x_{int(apart.max(0).values.argmax())} of a row of {len(parts)} examples that begin at {edges[:-1]}"
            )
    return Check.of(name, worst, bound, f"rows of {', '.join(map(str, sorted(tried)))} examples", where)
