"""The round trip: what is drawn, and test examples, are coded and decoded again, at the cost of their likelihood.

Whoever can decode a code of -ln p(x) / ln 2 bits has proved that p sums to no more than one (Kraft), that it reads the
past alone, and that the same numbers are there a second time. It is the last check, made where it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array, Batch
from chainrule.coding.walk import Layout, decode_sequences, encode_sequences
from chainrule.errors import DamagedArchive, InputError
from chainrule.models.base import evaluating
from chainrule.models.chain import AutoregressiveModel
from chainrule.verification.certificate.check import Check, skipped
from chainrule.verification.certificate.trial import Trial

__all__ = ["NAME", "round_trip"]

NAME = "coding.round_trip"
ROWS = 256  # of each kind at most
SHARE = 0.2  # of the work
LONGER = 1e-3  # than the likelihood says, beyond 64 bits and what integer weights cost
CHEAPEST = 23.0  # bits from which on a symbol may cost less than -log2 p, since no weight is below one


@dataclass(frozen=True)
class Sequences:
    """Examples to be coded.

    elements: of each example.
    context: what each is conditioned on, None for p(x).
    bits: -log2 p of each element, shape (N, D).
    real: whether elements are numbers and not symbols.
    """

    elements: list[Array]
    context: Tensor | None
    bits: Tensor
    real: bool


def round_trip(trial: Trial) -> Check:
    """Code draws and examples, decode them, and compare the length of the code with -log2 p as it is reported.

    trial: the model in its own type, and the data.
    """
    chain = trial.own.chain
    if chain is None:
        return skipped(NAME, "it has no step, by which both sides could walk")
    count = trial.work.rows(SHARE, trial.own.length, least=2, most=ROWS)
    with evaluating(chain):
        parts = {"draws": _draws(trial, chain, count), "examples": _examples(trial, chain, count)}
        try:
            found = {name: _checked(trial, chain, part) for name, part in parts.items() if part is not None}
        except InputError as error:
            return skipped(NAME, str(error))
    worst = max(found.values(), key=lambda result: result[0])
    tried = "; ".join(f"{name}: {said}" for name, (_, _, said) in found.items())
    return Check.of(NAME, worst[0], LONGER, tried, worst[1])


def _draws(trial: Trial, chain: AutoregressiveModel, count: int) -> Sequences:
    context = trial.own.contexts(count)
    x = chain.sample(count, seed=28, length=trial.own.length, context=context).x
    return _scored(chain, Batch(x, context=context))


def _examples(trial: Trial, chain: AutoregressiveModel, count: int) -> Sequences | None:
    """The first rows of the data that begin with an element that counts; None where there are none."""
    if trial.examples is None or not len(trial.examples):
        return None
    batch = trial.examples.batch(np.arange(min(count, len(trial.examples))))
    whole = batch.mask.long().cummin(1).values.sum(1) == batch.mask.sum(1)
    possible = torch.ones_like(whole) if batch.impossible is None else ~batch.impossible
    kept = (whole & possible & (batch.mask.sum(1) > 0)).nonzero().flatten()
    return _scored(chain, batch[kept].to(chain.device)) if len(kept) else None


def _scored(chain: AutoregressiveModel, batch: Batch) -> Sequences:
    bits = -chain.element_log_prob(batch).double().cpu() / log(2)
    lengths = batch.mask.sum(1).tolist()
    elements = [x[:n] for x, n in zip(batch.x.double().cpu().numpy(), lengths, strict=True)]
    return Sequences(elements, batch.context, bits, batch.x.is_floating_point())


def _checked(trial: Trial, chain: AutoregressiveModel, part: Sequences) -> tuple[float, str, str]:
    """By what share the code misses the likelihood, where, and both lengths in words."""
    length = max(map(len, part.elements))
    layout = Layout(min(64, len(part.elements)), length, length, length, real=part.real)
    try:
        code = encode_sequences(chain, layout, part.elements, part.context)
        back = decode_sequences(chain, layout, code, [len(x) for x in part.elements], part.context)
    except DamagedArchive as error:
        return float("inf"), f"the code cannot be decoded ({error})", "not decoded"
    wrong = _first_difference(part.elements, back)
    if wrong is not None:
        return float("inf"), f"example {wrong[0]} decodes to another x_{wrong[1]}", "decoded to something else"
    bits, size = float(part.bits.sum()), 8 * len(code)
    least = float(part.bits.clamp(max=CHEAPEST).sum())
    integers = 1.45 * (trial.own.num_symbols or 256) / 2**24 * sum(map(len, part.elements))
    more = max(size - 64 - integers - bits, least - 64 - size, 0.0) / max(bits, 1.0)
    said = f"{len(part.elements)} in {size} bits, -log2 p = {bits:.1f}"
    return (more if np.isfinite(bits) else float("inf")), f"the code and the likelihood differ: {said}", said


def _first_difference(x: list[Array], y: list[Array]) -> tuple[int, int] | None:
    """The number of the first sequence that differs, and of its first element that does."""
    for n, (a, b) in enumerate(zip(x, y, strict=True)):
        differs = ~((a == b) | (np.isnan(a) & np.isnan(b)))
        if differs.any():
            return n, int(differs.argmax())
    return None
