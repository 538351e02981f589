"""Any function from elements to logits as a model, refused if it sees the future."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from chainrule.errors import InputError
from chainrule.heads.logits import LogitsHead
from chainrule.models.base import evaluating
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.logits import NextToken
from chainrule.networks.recomputed import Recomputed
from chainrule.verification.certificate.adapters import model_under_test
from chainrule.verification.certificate.causality import described, said_by, worst_leak
from chainrule.verification.certificate.comparison import in_mode
from chainrule.verification.certificate.probes import replacements
from chainrule.verification.certificate.rows import rows_to_try
from chainrule.verification.certificate.work import Work, cost_of_element

__all__ = ["wrap"]

WORK = 4e9  # operations of the check


def wrap(
    logits_of: Callable[[Tensor], Any], num_symbols: int, length: int, *, shift: int = 0, start: int = 0
) -> AutoregressiveModel:
    """A model from a function of elements (B, D) to logits (B, D, V), after its causality has been checked.

    logits_of: a module, or any callable.
    num_symbols: V.
    length: the number of elements of the longest example, or of all where the function takes one length only.
    shift: 0 if logits[:, d] belong to x_d and so read x_<d only; 1 if they belong to the element after x_d, as language
        models have it: elements are then shifted, and the symbol `start` stands in front, so that x_1 is scored too.
    start: the symbol in front of every example, where shift=1.

    Raises InputError for a function whose logits depend on what they are to predict, for one of another shape, for
    probabilities in place of logits, and for elements that are shifted twice.

    >>> model = wrap(lambda x: torch.zeros(*x.shape, 4), num_symbols=4, length=6)
    >>> model.log_prob(torch.zeros(1, 6, dtype=torch.long))  # 6 ln(1/4)
    tensor([-8.3178])
    """
    if shift not in (0, 1):
        raise InputError(f"logits belong to an element (shift=0) or to the one after it (shift=1), got shift={shift}")
    if shift == 1:
        logits_of = NextToken(logits_of, start)
    network = Recomputed(logits_of, num_symbols, length)
    with evaluating(network):
        x = torch.randint(num_symbols, (2, length), generator=torch.Generator().manual_seed(0))
        h = _called(network, x)
        network.one_length = not _takes(network, x[:, : length // 2]) if length > 1 else False
        _refuse_probabilities(h)
    _refuse_the_future(network)
    if shift == 1 and length > 2:
        _refuse_two_shifts(network, x, h)
    return AutoregressiveModel(network, LogitsHead(num_symbols))


def _called(network: Recomputed, x: Tensor) -> Tensor:
    """The logits; what a module raises becomes an error that says on what."""
    try:
        return network(x).clone()
    except InputError:
        raise
    except Exception as error:  # whatever a user's function raises
        raise InputError(
            f"the function cannot score elements of shape {tuple(x.shape)} ({said_by(error)}); "
            "wrap one that takes integers (B, D), of the length that you give"
        ) from None


def _takes(network: Recomputed, x: Tensor) -> bool:
    """Whether the function scores these shorter examples."""
    try:
        network(x)
    except Exception:  # whatever a user's function raises at a length that it was not made for
        return False
    return True


def _refuse_probabilities(h: Tensor) -> None:
    """Probabilities are not logits: their softmax is nearly uniform."""
    if h.shape[-1] > 1 and bool((h >= 0).all()) and bool(((h.double().sum(-1) - 1).abs() < 1e-3).all()):
        raise InputError("these are probabilities, which sum to one, and not logits; wrap their logarithm")


def _refuse_the_future(network: Recomputed) -> None:
    """Refuse logits that depend on what they are to predict, in evaluation or in training mode, at any place."""
    tested = model_under_test(network)
    work = Work(WORK, cost_of_element(tested))
    with in_mode(tested, training=False):
        rows = rows_to_try(tested, None, 24, walked=32)
    most = work.rows(0.25, tested.length, least=12, most=256)
    tried = replacements(tested, rows, tested.positions(12), min(48, most), tested.positions(most))
    bound = 1e-3 if tested.dtype != torch.float64 else 1e-6
    for training in (False, True):
        with in_mode(tested, training):
            leak = worst_leak(tested, tried, bound)
            if not leak.figure <= bound:
                said = described(tested, tried, leak, bound)
                raise InputError(
                    f"these logits see what they are to predict ({said}); "
                    "mask it, or say shift=1 if they belong to the next element"
                )


def _refuse_two_shifts(network: Recomputed, x: Tensor, h: Tensor) -> None:
    """Refuse shift=1 for logits that were shifted before: they see the last but one element and never the last."""
    seen = []
    with evaluating(network):
        for back in (1, 2):
            changed = x.clone()
            place = network.length // 2 + 1 - back
            changed[:, place] = (x[:, place] + 1) % network.features
            here = network.length // 2 + 1
            seen.append(not torch.equal(network(changed)[:, here : here + 1], h[:, here : here + 1]))
    if seen == [False, True]:
        raise InputError("the elements are shifted twice: logits never see the last element; say shift=0")
