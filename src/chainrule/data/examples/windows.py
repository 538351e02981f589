"""Other windows over the same data: how much context each element gets is a choice of the evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chainrule.data.encodings.text import StreamExamples
from chainrule.data.examples.base import Encoding, Examples
from chainrule.data.examples.lengths import SequenceExamples
from chainrule.errors import InputError

__all__ = ["with_windows"]


def with_windows(
    encoding: Encoding, examples: Examples, context: int | None, stride: int | None, longest: int
) -> tuple[Encoding, Examples]:
    """The same examples read through windows of `context` elements (or steps) that move on by `stride`.

    longest: the most elements that the network reads at once. What is None stays, but for a stride that is wider than
    the window.
    """
    if not isinstance(examples, StreamExamples | SequenceExamples):
        raise InputError("this kind of data is not read through windows; leave out --context and --stride")
    step: int = getattr(encoding, "step", 1)
    own: Any = encoding
    window = own.window if context is None else context
    stride = min(own.stride, window) if stride is None else stride
    if not 1 <= window * step <= longest:
        raise InputError(
            f"a context is from 1 to the {longest // step} that the network was built for, got {window}; "
            "fit with a longer --window"
        )
    return replace(own, window=window, stride=stride), replace(examples, window=window * step, stride=stride * step)
