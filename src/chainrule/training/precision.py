"""The numbers in which the network is trained; log-probabilities and sums are in float32 or better whatever they are.

    float32    everything in float32
    float64    everything in float64
    bfloat16   the network under autocast; weights, head, loss and optimizer in float32
    float16    the same, and the loss scaled so that small gradients do not vanish (Micikevicius et al., *Mixed
               precision training*, ICLR 2018)

What is evaluated and reported never runs under autocast.
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import unknown_name

__all__ = ["PRECISIONS", "Precision"]

PRECISIONS = ("float32", "float64", "bfloat16", "float16")


class Precision:
    """A precision by name, on a kind of device ("cpu", "cuda"). Half precision on a CPU is warned about.

    scaler: scales the loss of float16 and skips steps whose scaled gradients overflow; otherwise it does nothing.

    >>> with Precision("float32").autocast():
    ...     torch.get_autocast_dtype("cpu")
    torch.bfloat16
    """

    def __init__(self, name: str = "float32", device: str = "cpu") -> None:
        if name not in PRECISIONS:
            raise unknown_name("precision", name, PRECISIONS)
        self.name, self.device = name, device
        self.half = name in ("bfloat16", "float16")
        if self.half and device == "cpu":
            warnings.warn(
                f"{name} on a CPU is usually slower than float32 and less exact; leave out --precision", stacklevel=2
            )
        self.scaler = torch.amp.GradScaler(device, enabled=name == "float16")

    def autocast(self) -> AbstractContextManager[object]:
        """What the forward pass of the network runs in."""
        return torch.autocast(self.device, getattr(torch, self.name)) if self.half else nullcontext()

    def convert(self, model: nn.Module) -> None:
        """Give the weights, in place, the type in which they are kept."""
        if self.name == "float64":
            model.double()

    def cast(self, batch: Batch) -> Batch:
        """The batch with its reals in the type of the weights."""

        def to(part: Tensor) -> Tensor:
            return part.double() if part.is_floating_point() else part

        return batch.map(to) if self.name == "float64" else batch

    def widen(self, h: Tensor) -> Tensor:
        """The features in float32 or better, for the head."""
        return h.float() if h.dtype in (torch.float16, torch.bfloat16) else h
