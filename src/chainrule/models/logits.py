"""Any module of logits as a model: what is needed to evaluate and to verify it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.categorical import Categorical
from chainrule.heads.finite import at_least_float32
from chainrule.models.base import Model

__all__ = ["LogitsModel", "NextToken", "as_logits_model"]


class NextToken(nn.Module):
    """A predictor of the next element as a function from elements to their own logits.

        logits_d = predictor(start, x_1, ..., x_{d-1})_last

    predictor: a module or function from elements (B, D) to logits (B, D, V) of what follows each, such as a causal
        language model of Hugging Face (its `.logits` are taken).
    start: the symbol that stands before the first element, which is thereby scored.
    """

    def __init__(self, predictor: Callable[[Tensor], Any], start: int) -> None:
        super().__init__()
        self.predictor, self.start = predictor, start

    def forward(self, x: Tensor) -> Any:
        start = x.new_full((len(x), 1), self.start)
        return self.predictor(torch.cat([start, x[:, :-1]], 1))


class LogitsModel(Model):
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
        output = self.logits_of(x)
        # the output of a user's module: logits, or an object with logits, as Hugging Face's models return
        logits = getattr(output, "logits", output)
        if not isinstance(logits, Tensor) or logits.ndim != 3 or logits.shape[:2] != x.shape:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise InputError(
                f"the module returned {got}, expected logits of shape {(*x.shape, 'V')}; wrap it in a module that does"
            )
        return at_least_float32(logits)

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p(x_d | x_<d) in nats, shape (B, D); 0 where an element does not count."""
        read = batch.mask.flip(1).cummax(1).values.flip(1)  # not the padding, which follows the last that counts
        x = torch.where(read, batch.x, 0)
        return torch.where(batch.mask, Categorical(self.logits(x)).log_prob(x), 0.0)


def as_logits_model(module: Callable[[Tensor], Any]) -> LogitsModel:
    """The module itself if it is a `LogitsModel`; otherwise the model whose logits it computes."""
    return module if isinstance(module, LogitsModel) else LogitsModel(module)
