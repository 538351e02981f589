"""What a check is given: the model under test in one type, rows to try, and the work that it may spend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from chainrule.domain import Domain
from chainrule.verification.certificate.adapters import in_precision
from chainrule.verification.certificate.check import difference
from chainrule.verification.certificate.comparison import rounding
from chainrule.verification.certificate.probes import Replacements, replacements
from chainrule.verification.certificate.rows import rows_to_try
from chainrule.verification.certificate.tested import ModelUnderTest, fewer, shorter
from chainrule.verification.certificate.work import FULL, QUICK, Work, cost_of_element

if TYPE_CHECKING:
    from chainrule.data.examples.base import Examples

__all__ = ["Trial"]

NUMBERS = 1 << 25  # that a pass over a batch of eight rows may put out
ROWS = 28  # of all kinds
LARGE_BATCH = 100  # examples
KNOWN = 512  # rows of the data in which values that repeat are looked for
COARSE = 1e-2  # a difference beyond this is no rounding in float32


@dataclass(frozen=True)
class Trial:
    """One form of the certificate on one model, in one type.

    own: the model as it came, or a copy that nothing stays in.
    tested: the model that the checks look at: in the full form a float64 copy where there is one; in the quick form its
        first elements, in float32 at least.
    exact: the float64 copy, None where there is none; the quick form makes it when a check fails.
    quick: whether this is the quick form.
    work: the operations that the form may spend.
    original: what `verify` was given, asked by nobody; None where it cannot be copied.
    examples: data whose accounting is checked.
    training: data that the model was trained on.
    domain: the domain of the data.
    """

    own: ModelUnderTest
    tested: ModelUnderTest
    quick: bool
    work: Work
    original: Any
    examples: Examples | None
    training: Examples | None
    domain: Domain | None

    @classmethod
    def of(
        cls,
        own: ModelUnderTest,
        quick: bool,
        original: Any,
        examples: Examples | None,
        training: Examples | None,
        domain: Domain | None,
    ) -> Trial:
        """The trial of a model in the type that suits the form."""
        if domain is not None and domain.end is not None:
            own = replace(own, special=(domain.end, *own.special))
        work = Work(QUICK if quick else FULL, cost_of_element(own))
        half = own.dtype in (torch.bfloat16, torch.float16)
        if quick:
            tested = (in_precision(own, torch.float32) or own) if half else own
            tested = shorter(tested, work.length(0.3, 8))
        else:
            tested = in_precision(own, torch.float64) or (in_precision(own, torch.float32) if half else None) or own
        tested = replace(fewer(tested, min(tested.examples, tested.rows_at_once())), special=own.special)
        return cls(own, tested, quick, work, original, examples, training, domain)

    @cached_property
    def exact(self) -> Trial | None:
        """The same trial in float64; None where there is no such copy, or where this is it."""
        if self.tested.dtype == torch.float64:
            return None
        wide = in_precision(self.own, torch.float64)
        if wide is None:
            return None
        wide = replace(wide, special=self.tested.special)
        return self.with_tested(fewer(shorter(wide, self.tested.length), self.tested.examples))

    @cached_property
    def coarse(self) -> float:
        """The largest difference of two passes of different shapes that may be rounding.

        That is COARSE, or more where the model is far from its float64 copy, but not very far: some compute in half
        precision inside.
        """
        if self.exact is None:
            return COARSE
        rows = self.crowd.few
        wide = rows.double() if rows.is_floating_point() else rows
        with torch.no_grad():
            own = self.tested.outputs(rows, self.tested.contexts(len(rows))).double()
            exact = self.exact.tested.outputs(wide, self.exact.tested.contexts(len(rows)))
        noise = float(difference(exact, own).max())
        return max(COARSE, 4 * noise) if noise < 10 * COARSE else COARSE

    @cached_property
    def near(self) -> Trial:
        """The trial of the first elements only, for checks of many passes; in the full form, of all of them."""
        if not self.quick:
            return self
        return self._cut(shorter(self.tested, min(48, self.work.length(0.02, 4, least=8))))

    @cached_property
    def crowd(self) -> Trial:
        """The trial of as many first elements as several rows of fit into one pass, for checks of whole batches."""
        near = self.near
        width = max(near.tested.num_symbols or 1, 64)
        return near._cut(shorter(near.tested, max(16, NUMBERS // (8 * width))))

    def with_tested(self, tested: ModelUnderTest) -> Trial:
        """The trial of the same model in another type, on the same rows where they are symbols."""
        made = replace(self, tested=tested)
        same = tested is self.tested or not self.every_row.is_floating_point()
        if same and self.every_row.shape[1] >= tested.length:
            made.__dict__["every_row"] = self.every_row[:, : tested.length]
        return made

    def _cut(self, tested: ModelUnderTest) -> Trial:
        """The trial of the first elements only, on the same rows."""
        made = replace(self, tested=tested)
        made.__dict__["every_row"] = self.every_row[:, : tested.length]
        return made

    @cached_property
    def every_row(self) -> Tensor:
        """Rows of every kind, from which suffixes are replaced."""
        data = self.training if self.training is not None else self.examples
        d = self.tested.length
        walked = d if self.work.rows(0.02, 2 * d) >= d else 0
        return rows_to_try(self.tested, data, ROWS, walked)

    @cached_property
    def known(self) -> Tensor | None:
        """Rows of the data, if they are real numbers, in which values that repeat are looked for; otherwise None."""
        data = self.training if self.training is not None else self.examples
        if data is None or not len(data) or self.tested.num_symbols is not None:
            return None
        x = data.batch(np.unique(np.linspace(0, len(data) - 1, min(len(data), KNOWN)).astype(np.int64))).x
        return x if x.is_floating_point() and x.ndim == 2 else None

    @cached_property
    def rows(self) -> Tensor:
        """The most telling of these rows, as many as the work pays for."""
        return self.every_row[: min(8 if self.quick else 24, max(4, self.work.rows(0.02, self.tested.length)))]

    @cached_property
    def pairs(self) -> Tensor:
        """Rows in which every pair of symbols comes, as far as the work goes, for functions of prefixes."""
        v, d = self.tested.num_symbols or 1, self.tested.length
        every = torch.cartesian_prod(torch.arange(v), torch.arange(v)).reshape(-1)
        rows = min(-(-len(every) // d), self.work.rows(0.05, d))
        return every[torch.arange(rows * d) % len(every)].view(rows, d)

    @cached_property
    def few(self) -> Tensor:
        """Some of these rows, as many as fit into one pass."""
        return self.rows[: min(8, max(1, self.tested.rows_at_once()))]

    def suffixes(self, share: float, least: int = 8, *, training: bool = False, most: int = 360) -> Replacements:
        """Replaced suffixes of every content from every place that a share of the work pays for, at least some.

        share: of the work.
        least: number of replacements that are made in any case.
        training: whether in training mode.
        most: largest number with content of different kinds; in the quick form 84.

        Those from every place begin with the same rows, whose outputs are computed once in evaluation mode.
        """
        tested, d = self.tested, self.tested.length
        paid = self.work.rows(share / 2, d, least=least)
        contents = min(84 if self.quick else most, paid // 2)
        every = tested.positions(min(d, (paid - contents) * (1 if training else 2)))
        left = paid - contents - len(every)
        if not self.quick and left >= d:
            every, left = every + tested.positions(d, seed=1), left - d
        places = tested.positions(max(6, contents // 4))
        return replacements(tested, self.every_row, places, contents, every, sweep=left // (8 if self.quick else 2))

    @property
    def tight(self) -> float:
        """The largest difference of two passes of one shape that is rounding."""
        return rounding(self.tested.dtype)

    @property
    def loose(self) -> float:
        """The largest difference of two ways to compute the same that is rounding."""
        return rounding(self.tested.dtype, same_shape=False)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of batches to try."""
        wanted = (2, 3, 5, 8, 17, 130) if self.quick else (2, 3, 4, 5, 8, 17, 32, 65, 130, 520)
        most = max(3, min(self.work.rows(0.04, self.tested.length), 4 * self.tested.rows_at_once()))
        return tuple(size for size in wanted if size <= most)

    @property
    def shuffled_sizes(self) -> tuple[int, ...]:
        """Sizes of the batches whose order is changed: the largest that are not very large."""
        return tuple(size for size in self.sizes if size < LARGE_BATCH)[-1 if self.quick else -2 :]
