"""What training maximises: the exact log-likelihood, divided once by a count that is known before the first backward.

    per_example:  (1/N) sum_n L_n             per_element:  sum_n L_n / sum_n T_n

Both are sums over microbatches and processes, so the gradient is the same, up to rounding, for every split. A prior is
added with the same denominator taken over the whole training data, + ln p(theta) / N_data or + ln p(theta) / sum_n T_n,
so that in expectation over an epoch the log-posterior is maximised, whichever way it is divided.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.batch import Batch
from chainrule.errors import InputError, unknown_name
from chainrule.training.priors import Prior

__all__ = ["ARMLogLikelihood", "Objective"]


class Objective:
    """The loss of one optimizer step over microbatches: -sum_m ln p / N_step - ln p(theta) / N_data.

    normalisation: "per_example" divides by the number of examples of the whole step, "per_element" by its number of
    scored elements. Their optima differ unless all examples have the same length. prior: ln p(theta), none by default.
    data_count: N_data, what `count` says of all training data; it is needed with a prior only.

    >>> batch = Batch(torch.zeros(4, 3).long())
    >>> objective = Objective("per_example")
    >>> count = objective.count(batch.split(2))
    >>> sum(objective.loss(torch.full((2,), -6.0), count) for _ in range(2))
    tensor(6.)
    """

    def __init__(
        self, normalisation: str = "per_example", prior: Prior | None = None, data_count: int | None = None
    ) -> None:
        if normalisation not in ("per_example", "per_element"):
            raise unknown_name("normalisation", normalisation, ("per_example", "per_element"))
        if prior is not None and (data_count is None or data_count < 1):
            raise InputError(f"a prior is divided by the count of the training data, got data_count={data_count}")
        self.normalisation, self.prior, self.data_count = normalisation, prior, data_count

    def count(self, microbatches: Iterable[Batch]) -> int:
        """N_step: the examples, or the scored elements, of all microbatches of the step."""
        if self.normalisation == "per_example":
            return sum(batch.examples for batch in microbatches)
        return sum(int(batch.elements.sum()) for batch in microbatches)

    def loss(self, log_prob: Tensor, count: int) -> Tensor:
        """The share of one microbatch in the loss of the step, from its L_n, shape (B,)."""
        return -log_prob.sum() / count

    def penalty(self, model: nn.Module) -> Tensor | None:
        """-ln p(theta) / N_data, once a step and not once a microbatch; None without a prior."""
        return None if self.prior is None else -self.prior.log_density(model) / (self.data_count or 1)


class ARMLogLikelihood(nn.Module):
    """The mean over a batch of the log-likelihood of each sequence, from logits.

        (1/B) sum_b sum_d [ s_{b,d,x_{b,d}} - logsumexp_k s_{b,d,k} ]

    the sum of indicator times log theta in which only the target's term is left: a gather, no one-hot tensor and no
    clamped probability. To be maximised; its negative is a loss. Elements are computed in float32 or better and added
    in float64.

    num_categories: number K of categories.
    logits: s, where s_{b,d} is a function of x_{b,<d}, shape (B, D, K).
    targets: x, integers in [0, K), shape (B, D).
    mask: True where an element counts, shape (B, D); targets elsewhere are not read.

    Raises InputError for other shapes and dtypes and for categories out of range.

    >>> log_likelihood = ARMLogLikelihood(num_categories=4)
    >>> log_likelihood(torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.long))  # 3 ln(1/4)
    tensor(-4.1589)
    """

    def __init__(self, num_categories: int) -> None:
        super().__init__()
        if num_categories < 1:
            raise InputError(f"num_categories starts at 1, got {num_categories}")
        self.num_categories = num_categories

    def extra_repr(self) -> str:
        """What `repr` shows."""
        return f"num_categories={self.num_categories}"

    def forward(self, logits: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
        self._check(logits, targets, mask)
        if mask is not None:
            targets = torch.where(mask, targets, 0)
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        nats = -F.cross_entropy(logits.flatten(0, 1), targets.flatten().long(), reduction="none").view(targets.shape)
        if mask is not None:
            nats = torch.where(mask, nats, 0.0)
        return nats.sum(1, dtype=torch.float64).mean().to(logits.dtype)

    def _check(self, logits: Tensor, targets: Tensor, mask: Tensor | None) -> None:
        shape = (*targets.shape, self.num_categories)
        if targets.ndim != 2 or tuple(logits.shape) != shape:
            raise InputError(
                f"expected targets (B, D) and logits (B, D, {self.num_categories}), "
                f"got targets {tuple(targets.shape)} and logits {tuple(logits.shape)}"
            )
        if len(targets) == 0:
            raise InputError("the mean over an empty batch is undefined; give at least one sequence")
        if not logits.is_floating_point():
            raise InputError(f"logits are real numbers, got {logits.dtype}")
        if targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool:
            raise InputError(f"targets are integer categories, got {targets.dtype}; convert them with .long()")
        if mask is not None and (mask.shape != targets.shape or mask.dtype != torch.bool):
            raise InputError(
                f"expected a boolean mask of the targets' shape {tuple(targets.shape)}, "
                f"got {mask.dtype} of shape {tuple(mask.shape)}"
            )
        counted = targets if mask is None else targets[mask]
        if counted.numel() and not torch.compiler.is_compiling():
            low, high = (int(end) for end in torch.aminmax(counted))
            if low < 0 or high >= self.num_categories:
                raise InputError(
                    f"categories run from {low} to {high}, expected 0 to {self.num_categories - 1}; "
                    "re-encode the targets or raise num_categories"
                )
