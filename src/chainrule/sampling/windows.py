"""Texts that are longer than the window of their model: windows that move on, as in evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from chainrule.errors import InputError
from chainrule.models.base import Sample
from chainrule.models.chain import AutoregressiveModel

__all__ = ["sample_windows"]


def sample_windows(
    model: AutoregressiveModel,
    n: int,
    length: int,
    moves_on: int,
    *,
    on_element: Callable[[int, Tensor], None] | None = None,
    prefix: Any = None,
    **options: Any,
) -> Sample:
    """Draw n texts of any length, window by window.

    The first window is drawn as a whole, x_d ~ p(x_d | x_<d). Then it moves on by S elements, again and again: the
    D - S elements that are still in it are given, and S more are drawn; the last window ends with the text. So each
    element is drawn given at least D - S before it, and `log_prob` is the number that scoring the text in windows of D
    and stride S gives. Texts of several lengths are the same but for what their last window draws.

    model: whose network has the length D.
    n: number of texts.
    length: elements of a text, together with its prefix.
    moves_on: S, 1 to D.
    on_element: called with d and x_d, shape (n,), of each element of the text.
    prefix: elements that are given at the beginning, at most D.
    options: a seed, a filter, see `AutoregressiveModel.sample`; a draw is a function of (seed, text, element).

    >>> from chainrule import CategoricalHead, CausalConv
    >>> model = AutoregressiveModel(CausalConv(num_symbols=3, shape=4, width=8), CategoricalHead(8, 3))
    >>> sample_windows(model, 2, length=11, moves_on=2, seed=0).x.shape
    torch.Size([2, 11])
    """
    window = model.network.length
    if length < 1 or not 1 <= moves_on <= window:
        raise InputError(
            f"a text has at least one element and windows move on by 1 to {window}, got {length} and {moves_on}"
        )
    last = model.sample(n, length=min(window, length), prefix=prefix, on_element=on_element, **options)
    parts, done = [last], last.x.shape[1]
    while done < length:
        begin = min(done + moves_on, length) - window
        given = done - begin
        last = model.sample(
            n,
            begin=begin,
            length=window,
            prefix=last.x[:, -given:] if given else None,
            on_element=None if on_element is None else _moved(on_element, begin, done),
            **options,
        )
        parts.append(replace(last, x=last.x[:, given:], mask=last.mask[:, given:]))
        done = begin + window
    return _joined(parts)


def _moved(on_element: Callable[[int, Tensor], None], begin: int, done: int) -> Callable[[int, Tensor], None]:
    """`on_element` of a window that begins there, of the elements that were not there before."""

    def moved(d: int, x: Tensor) -> None:
        if begin + d >= done:
            on_element(begin + d, x)

    return moved


def _joined(parts: list[Sample]) -> Sample:
    """What the windows have drawn, one after the other."""
    log_q = [part.log_q for part in parts if part.log_q is not None]
    return Sample(
        torch.cat([part.x for part in parts], 1),
        torch.cat([part.mask for part in parts], 1),
        torch.stack([part.log_prob for part in parts]).sum(0),
        torch.stack(log_q).sum(0) if log_q else None,
    )
