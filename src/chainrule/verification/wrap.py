"""Any function from elements to logits as a model, refused if it sees the future."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from chainrule.errors import InputError
from chainrule.heads.logits import LogitsHead
from chainrule.models.base import evaluating
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.logits import NextToken
from chainrule.networks.recomputed import Recomputed
from chainrule.verification.laws import LawBroken, elements
from chainrule.verification.laws.networks import causality

__all__ = ["wrap"]


def wrap(
    logits_of: Callable[[Tensor], Any], num_symbols: int, length: int, *, shift: int = 0, start: int = 0
) -> AutoregressiveModel:
    """A model from a function of elements (B, D) to logits (B, D, V), after the causality law has been run on it.

    logits_of: a module, or any callable. num_symbols: V. length: the longest example. shift: 0 if logits[:, d] belong
    to x_d and so read x_<d only; 1 if they belong to the element after x_d, as language models have it: elements are
    then shifted, and the symbol `start` stands in front, so that x_1 is scored too.

    Raises InputError for a function whose logits depend on what they are to predict, and for one of another shape.

    >>> import torch
    >>> model = wrap(lambda x: torch.zeros(*x.shape, 4), num_symbols=4, length=6)
    >>> model.log_prob(torch.zeros(1, 6, dtype=torch.long))  # 6 ln(1/4)
    tensor([-8.3178])
    """
    if shift not in (0, 1):
        raise InputError(f"logits belong to an element (shift=0) or to the one after it (shift=1), got shift={shift}")
    if shift == 1:
        logits_of = NextToken(logits_of, start)
    network = Recomputed(logits_of, num_symbols, length)
    try:
        with evaluating(network):
            causality(network, elements(num_symbols, 3, min(length, 16)))
    except LawBroken as broken:
        raise InputError(
            f"these logits see what they are to predict ({broken}); "
            "mask it, or say shift=1 if they belong to the next element"
        ) from None
    return AutoregressiveModel(network, LogitsHead(num_symbols))
