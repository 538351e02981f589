"""Causality: what belongs to x_d is a function of x_<d, in evaluation and in training."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from chainrule.verification.certificate.check import Check, skipped
from chainrule.verification.certificate.comparison import by_element, in_mode, rounding, same_buffers, seeded
from chainrule.verification.certificate.leak import first_leak
from chainrule.verification.certificate.probes import Replacements
from chainrule.verification.certificate.tested import ElementFunction, ModelUnderTest

__all__ = ["Leak", "suffix", "truncation", "worst_leak"]

TOGETHER = 96  # rows of a pass in evaluation
SEEDS = 8  # of the random numbers in training


class Leak:
    """The clearest leak so far.

    figure: the largest difference.
    number: number of the replacement.
    place: first element whose output changed.
    of_scores: whether a score changed and no output.
    """

    def __init__(self) -> None:
        self.figure, self.number, self.place, self.of_scores = 0.0, 0, 0, False
        self.earlier = -1  # number of the clearest replacement that changed outputs of elements before it
        self.most_earlier = 0.0

    def see(self, apart: Tensor, tried: Replacements, first: int, of_scores: bool, bound: float) -> None:
        """Take in the differences (R, D) of some replacements, the first of which has the number `first`."""
        worst = apart.amax(1)
        if float(worst.max()) > self.figure:
            row = int(worst.argmax())
            self.figure, self.number, self.of_scores = float(worst[row]), first + row, of_scores
            self.place = int((apart[row] > min(bound, self.figure / 2)).int().argmax())
        before = apart.masked_fill(torch.arange(apart.shape[1]) >= tried.start[:, None], 0.0).amax(1)
        if not of_scores and float(before.max()) > max(bound, self.most_earlier):
            self.most_earlier, self.earlier = float(before.max()), first + int(before.argmax())


def worst_leak(tested: ModelUnderTest, tried: Replacements, bound: float, scored: int = 0) -> Leak:
    """The largest change of what must not change, in the mode that the model is in.

    tested: the model.
    tried: rows and replaced suffixes.
    bound: largest difference that is rounding.
    scored: number of replacements of which the scores are compared, too.
    """
    leak = Leak()
    training = tested.module is not None and tested.module.training
    size = min(max(8, min(32, len(tried) // 12)) if training else TOGETHER, tested.rows_at_once())
    place = torch.arange(tested.length)
    again: tuple[Tensor, Tensor] | None = None  # rows and their outputs, where the next rows may be the same
    for number, first in enumerate(range(0, len(tried), size)):
        part = tried.part(slice(first, first + size))
        with_gradients = training and number % 2 == 1 and not part.x.is_floating_point()
        c = tested.contexts(len(part), first)
        if again is not None and c is None and torch.equal(again[0], part.x):
            before, after = again[1], seeded(tested.outputs, part.changed, c, seed=number % SEEDS)
        else:
            before, after = _pair(tested.outputs, tested, part, c, number, with_gradients)
        leak.see(by_element(before, after, place <= part.start[:, None]), part, first, False, bound)
        again = None if training else (part.x, before)
        del before, after
        if tested.scores is not None and first < scored:
            before, after = _pair(tested.scores, tested, part, c, number)
            leak.see(by_element(before, after, place < part.start[:, None]), part, first, True, bound)
    return leak


def _pair(
    function: ElementFunction,
    tested: ModelUnderTest,
    part: Replacements,
    c: Tensor | None,
    number: int,
    with_gradients: bool = False,
) -> tuple[Tensor, Tensor]:
    """What a function makes of the rows and of the changed rows, from the same buffers and random numbers."""
    made = []
    for x in (part.x, part.changed):
        kept = tested.module if tested.module is not None and tested.module.training else None
        with same_buffers(kept), torch.set_grad_enabled(with_gradients):
            made.append(seeded(function, x, c, seed=number % SEEDS).detach())
    return made[0], made[1]


def _has_own_noise(tested: ModelUnderTest, part: Replacements) -> bool:
    """Whether the same rows have other outputs in a second pass with the same random numbers."""
    again = replace(part, changed=part.x)
    before, after = _pair(tested.outputs, tested, again, tested.contexts(len(part)), 0)
    return not torch.equal(before.nan_to_num(), after.nan_to_num())


def suffix(tested: ModelUnderTest, training: bool, tried: Replacements, bound: float, scored: int) -> Check:
    """Replace x_j, x_{j+1}, ...: the outputs of elements up to j and the scores of those before j stay the same.

    tested: the model.
    training: whether in training mode.
    tried: rows and replaced suffixes.
    bound: largest difference that is rounding.
    scored: number of replacements of which the scores are compared, too.
    """
    mode = "training" if training else "evaluation"
    with in_mode(tested, training):
        leak = worst_leak(tested, tried, bound, scored)
        where = described(tested, tried, leak, bound) if not leak.figure <= bound else ""
        if training and where and _has_own_noise(tested, tried.part(slice(leak.number, leak.number + 1))):
            return skipped(
                f"causality.suffix.{mode}", "its noise follows no generator, so no two passes are comparable"
            )
    places = len(set(tried.start.tolist()))
    what = f"{len(tried)} replaced suffixes from {places} of {tested.length} places, {len(set(tried.kinds))} kinds"
    power = "" if places == tested.length else f"not tried from {tested.length - places} places"
    return Check.of(f"causality.suffix.{mode}", leak.figure, bound, what, where, power)


def described(tested: ModelUnderTest, tried: Replacements, leak: Leak, bound: float) -> str:
    """Where the leak is, what shows it, and the first module that sees it."""
    row, kind = leak.number, tried.kinds[leak.number]
    start = int(tried.start[row])
    what = "ln p" if leak.of_scores else "the output"
    said = f"replacing x_{start} and what follows ({kind}) changes {what} of x_{leak.place}"
    if leak.of_scores:
        return f"{said} and no output: look at how the score is made of the outputs"
    earlier = leak.earlier >= 0
    shown = leak.earlier if earlier else row
    c = tested.contexts(1, shown)
    found = first_leak(
        tested,
        (tried.x[shown : shown + 1], tried.changed[shown : shown + 1], c),
        int(tried.start[shown]),
        bound,
        earlier,
    )
    return f"{said}: {found}"


def truncation(tested: ModelUnderTest, rows: Tensor, lengths: list[int], bound: float) -> Check:
    """Cut the rows off after their first j elements: what is left is the same.

    tested: the model.
    rows: rows to try, shape (R, D).
    lengths: the lengths to cut to.
    bound: largest difference that is rounding.
    """
    name, c = "causality.truncation", tested.contexts(len(rows))
    worst, where, tried = 0.0, "", 0
    with in_mode(tested, training=False):
        whole = tested.outputs(rows, c)
        for j in lengths:
            try:
                cut = tested.outputs(rows[:, :j], c)
            except Exception as error:  # whatever a user's module raises at a length that it was not made for
                if tested.any_length:
                    raise
                return skipped(name, f"it reads examples of the whole length only ({said_by(error)})")
            figure = float(by_element(whole[:, :j], cut, torch.ones(len(rows), j, dtype=torch.bool)).max())
            tried += 1
            if not figure <= worst:
                worst, where = figure, f"cut off after {j} of {tested.length} elements: the length is read"
    return Check.of(name, worst, bound, f"{len(rows)} rows cut to {tried} lengths", where)


def said_by(error: Exception) -> str:
    """The type and the first line of an error.

    >>> said_by(KeyError("a"))
    "KeyError: 'a'"
    """
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:150]}".rstrip(": ")


def bound_of(tested: ModelUnderTest, outputs: torch.dtype) -> float:
    """The rounding of one pass, by the type of the parameters and that of the outputs, whichever is coarser."""
    return max(rounding(tested.dtype), rounding(outputs))
