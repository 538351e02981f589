"""Joint Gaussians: mixtures of Gaussians over whole rows, fitted in moments, whose conditionals are features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from chainrule.domain import Column
from chainrule.errors import InputError, unknown_name
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.column_numbers import common_symbols, units_of
from chainrule.networks.gaussian_classes import ClassesState, GaussianClasses

if TYPE_CHECKING:
    from chainrule.heads.marginal import Marginal

__all__ = ["JointGaussians"]

CUT = 6.0  # normal scores, which are infinite at the ends
READ_AS = {"unknown": float("nan"), "mean": 0.0}
LEAST = -60.0  # ln p of a class


@dataclass
class JointState:
    """The position, and the states of both mixtures."""

    d: int
    scores: ClassesState
    values: ClassesState


class JointGaussians(AutoregressiveNetwork):
    """The conditionals of two mixtures of Gaussians over whole rows, one of normal scores and one of the numbers.

    The mixture over normal scores is a Gaussian copula, or several: what single columns are like, values that repeat
    among it, is left to their own distributions. The other is over standardised numbers. Both are fitted by
    expectation-maximisation with covariances that are drawn towards a common one and this towards its diagonal (see
    `training.joint_fitting`), with the number of classes by validation. `JointGaussiansHead` averages what they say.
    Columns of symbols have a pmf in every class. A missing number tells nothing: conditionals are given what is there.

    columns: what each element may be.
    marginals: of each column the distribution of its numbers, which `initialise` fits; of symbols it is not used.
    classes: K, largest number of classes.
    missing: what a missing number is read as, "unknown" or, in models of before, the "mean".

    The features of an element are (ln p of the classes, means, ln of scales) of both mixtures, the weight of the first
    as a logit, and the logit of being there: 6K + 2.

    Papers: Song, *Multivariate dispersion models generated from Gaussian copula*, 2000; McLachlan, Peel, *Finite
    mixture models*, 2000.

    >>> from chainrule.heads.marginal import Marginal
    >>> columns = [Column(None, resolution=0.5), Column(3), Column(None)]
    >>> network = JointGaussians(columns, [Marginal(column.resolution) for column in columns], classes=2)
    >>> network(torch.zeros(5, 3)).shape
    torch.Size([5, 3, 14])
    """

    fitted_by_gradients = False

    centre: Tensor
    spread: Tensor
    gate: Tensor
    present: Tensor
    unit: Tensor

    def __init__(
        self, columns: Sequence[Column], marginals: Sequence[Marginal], classes: int = 18, missing: str = "unknown"
    ) -> None:
        if not columns or classes < 1:
            raise InputError(f"columns and classes start at 1, got {len(columns)} and {classes}")
        if missing not in READ_AS:
            raise unknown_name("what a missing number is read as", missing, tuple(READ_AS))
        super().__init__(len(columns), 6 * classes + 2)
        self._gone = READ_AS[missing]
        self.columns = tuple(columns)
        sizes = [0 if c.num_symbols is None else c.num_symbols + c.missing for c in columns]
        self.scores, self.values = (GaussianClasses(sizes, classes) for _ in range(2))
        self.marginals: Sequence[Marginal] = nn.ModuleList(marginals)  # type: ignore[assignment]
        self.register_buffer("centre", torch.zeros(len(columns)).double())
        self.register_buffer("spread", torch.ones(len(columns)).double())
        self.register_buffer("gate", torch.zeros(len(columns)).double())
        self.register_buffer("present", torch.zeros(len(columns)).double())
        self.register_buffer("unit", torch.ones(()), persistent=False)

    @property
    def symbols_read(self) -> int | None:
        """V, where all elements are symbols."""
        return common_symbols(self.columns)

    def initialise(self, x: Tensor) -> None:
        """Take the columns' own distributions, units and shares of values that are there from rows (N, D)."""
        for buffer, found in zip(
            (self.centre, self.spread, self.present), units_of(self.columns, self.marginals, x), strict=True
        ):
            buffer.copy_(found)

    def as_scores(self, x: Tensor, d: int) -> Tensor:
        """What the first mixture reads of elements d: the normal score between both ends, or the symbol; float64."""
        x = x.double()
        if self.columns[d].num_symbols is not None:
            return x
        low, high, _ = self.marginals[d].scores(x.nan_to_num())
        return torch.where(x.isnan(), self._gone, (low.clamp(-CUT, CUT) + high.clamp(-CUT, CUT)) / 2)

    def as_values(self, x: Tensor, d: int) -> Tensor:
        """What the second mixture reads of elements d: the standardised number, or the symbol; float64."""
        x = x.double()
        if self.columns[d].num_symbols is not None:
            return x
        return torch.where(x.isnan(), self._gone, (x - self.centre[d]) / self.spread[d])

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """The features alone, (B, D, H)."""
        self._check(x, context)
        both = [
            classes(torch.stack([read(x[:, d], d) for d in range(x.shape[1])], 1))
            for classes, read in ((self.scores, self.as_scores), (self.values, self.as_values))
        ]
        gate, present = (constant[: x.shape[1], None].expand(len(x), -1, 1) for constant in (self.gate, self.present))
        return [self._features([*both[0], *both[1], gate, present])]

    def _features(self, parts: list[Tensor]) -> Tensor:
        for place in (0, 3):
            parts[place] = parts[place].log_softmax(-1).clamp(min=LEAST)
        return torch.cat(parts, -1).to(self.unit.dtype)

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> JointState:
        self._check(self.gate.new_zeros(batch_size, 0), context)
        return JointState(0, self.scores.initial_state(batch_size), self.values.initial_state(batch_size))

    def step(self, x_previous: Tensor | None, state: JointState) -> tuple[Tensor, JointState]:
        d = state.d
        if d >= self.length:
            raise InputError(f"an example has {self.length} elements, and all of them have been walked")
        scores, values = (
            (None, None)
            if x_previous is None
            else (self.as_scores(x_previous, d - 1), self.as_values(x_previous, d - 1))
        )
        first, second = self.scores.step(d, scores, state.scores), self.values.step(d, values, state.values)
        rest = [constant[d].expand(len(first[0]), 1) for constant in (self.gate, self.present)]
        state.d += 1
        return self._features([*first, *second, *rest]), state

    def _check(self, x: Tensor, context: Tensor | None) -> None:
        if context is not None:
            raise InputError("joint Gaussians take no context; take another network, or leave out --given")
        if x.shape[1] > self.length:
            raise InputError(f"examples have {x.shape[1]} elements, but the network was built for {self.length}")
