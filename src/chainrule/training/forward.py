"""The function that a training step differentiates: ln p of each example, or an estimate of it, and regularisers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.models.base import as_model
from chainrule.training.precision import Precision
from chainrule.training.regularisers import Regularisers

__all__ = ["TrainingForward"]


class TrainingForward(nn.Module):
    """A model as training sees it: from a batch to two numbers for each example.

        (L_n, R_n):  L_n = ln p(x_n), or the head's training estimate of it,  R_n = sum_d r(x_{n,d}) of the regularisers

    They are kept apart, so that what is recorded as nats holds no penalty; `exact` says whether L_n is ln p. The
    network alone runs in the precision asked for and is compiled if so asked; the head works in float32 or better.

    model: an AutoregressiveModel; an OrderMixture, of which every batch trains one chain and which is not compiled; or
    any module from a Batch to ln p (B,) where nothing of this is asked for.

    >>> from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
    >>> model = AutoregressiveModel(CausalConv(3, 4, width=8), CategoricalHead(8, 3))
    >>> log_prob, added = TrainingForward(model, Regularisers(label_smoothing=0.1))(Batch(torch.zeros(2, 4).long()))
    >>> log_prob.shape, added.shape
    (torch.Size([2]), torch.Size([2]))
    """

    def __init__(
        self,
        model: nn.Module,
        regularisers: Regularisers | None = None,
        precision: Precision | None = None,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.regularisers, self.precision = regularisers or Regularisers(), precision or Precision()
        contract = as_model(model)
        self.exact = contract.exact_training
        self.plain = self.exact and not (self.regularisers or self.precision.half or compiled)
        if compiled and contract.chains and not contract.has_conditionals:
            raise InputError(
                "a mixture over orders trains another chain in every batch and is not compiled; leave out --compile"
            )
        if not self.plain and not contract.chains:
            raise InputError(
                "regularisers, half precision and compilation need the network and the head apart; "
                f"got a {type(model).__name__}, make it an AutoregressiveModel or leave them out"
            )
        self.compiled = compiled
        self._conditioning: Callable[[Batch], Tensor] | None = None

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        batch = self.precision.cast(batch)
        if self.plain:
            log_prob: Tensor = self.model(batch)
            return log_prob, torch.zeros_like(log_prob)
        chain, batch = as_model(self.model).training_chain(batch)
        head = chain.head
        with self.precision.autocast():
            h = self.precision.widen((self.conditioning if self.compiled else chain.training_features)(batch))
        if self.exact:
            log_prob = head(h).masked_log_prob(batch.x, batch.mask).sum(1)
        else:
            estimate = head.training_estimate(h[batch.mask], batch.x[batch.mask])
            log_prob = estimate.new_zeros(batch.mask.shape).masked_scatter(batch.mask, estimate).sum(1)
        if not self.regularisers:
            return log_prob, torch.zeros_like(log_prob)
        x = torch.where(batch.mask, batch.x, torch.zeros_like(batch.x))
        return log_prob, torch.where(batch.mask, self.regularisers(head(h), x), 0.0).sum(1)

    @property
    def conditioning(self) -> Callable[[Batch], Tensor]:
        """The network's forward pass, compiled at its first use if so asked."""
        if self._conditioning is None:
            (chain,) = as_model(self.model).chains
            through = chain.training_features
            self._conditioning = torch.compile(through) if self.compiled else through
        return self._conditioning
