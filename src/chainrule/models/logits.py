"""Any module of logits as a model: what is needed to evaluate and to verify it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.categorical import Categorical

__all__ = ["LogitsModel", "NextToken"]


class NextToken(nn.Module):
    """A predictor of the next element as a function from elements to their own logits.

        logits_d = predictor(start, x_1, ..., x_{d-1})_last

    predictor: a module or function from elements (B, D) to logits (B, D, V) of what follows each, such as a causal
    language model of Hugging Face (its `.logits` are taken). start: the symbol that stands before the first element,
    which is thereby scored.
    """

    def __init__(self, predictor: Callable[[Tensor], Any], start: int) -> None:
        super().__init__()
        self.predictor, self.start = predictor, start

    def forward(self, x: Tensor) -> Any:
        start = x.new_full((len(x), 1), self.start)
        return self.predictor(torch.cat([start, x[:, :-1]], 1))


class LogitsModel(nn.Module):
    """A module from elements (B, D) to logits (B, D, V), of which logits[:, d] belong to x_d, as a model.

    logits_of: the module, or a function. It must read x_<d only for logits[:, d]; `chainrule.verify` says whether.

    >>> model = LogitsModel(lambda x: torch.zeros(*x.shape, 4))
    >>> model(Batch(torch.zeros(2, 3, dtype=torch.long)))  # 3 ln(1/4)
    tensor([-4.1589, -4.1589])
    """

    def __init__(self, logits_of: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.logits_of = logits_of

    def logits(self, x: Tensor) -> Tensor:
        """The logits of every element, float32 or better."""
        made = self.logits_of(x)
        made = getattr(made, "logits", made)
        if not isinstance(made, Tensor) or made.ndim != 3 or made.shape[:2] != x.shape:
            came = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise InputError(f"the module made {came}, expected logits of shape {(*x.shape, 'V')}; wrap it so")
        return made.float() if made.dtype in (torch.float16, torch.bfloat16) else made

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p(x_d | x_<d) in nats, shape (B, D); 0 where an element does not count."""
        read = batch.mask.flip(1).cummax(1).values.flip(1)  # not the padding, which follows the last that counts
        x = torch.where(read, batch.x, 0)
        return torch.where(batch.mask, Categorical(self.logits(x)).log_prob(x), 0.0)

    def forward(self, batch: Batch) -> Tensor:
        return self.element_log_prob(batch).sum(1)
