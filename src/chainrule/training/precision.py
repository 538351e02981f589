"""The precision in which the network is trained; log-probabilities and sums are in float32 or better in any case.

    float32    everything in float32
    float64    everything in float64
    bfloat16   the network under autocast; weights, head, loss and optimizer in float32
    float16    the same, and the loss scaled so that small gradients do not vanish (Micikevicius et al., *Mixed
               precision training*, ICLR 2018)
    auto       bfloat16 where the device multiplies matrices of it several times as fast, float32 elsewhere

What is evaluated and reported never runs under autocast.
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import unknown_name

__all__ = ["PRECISIONS", "Precision", "resolved"]

PRECISIONS = ("float32", "float64", "bfloat16", "float16", "auto")
HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def resolved(name: str, device: str = "cpu") -> str:
    """The precision that a name means on a kind of device: itself, or what "auto" resolves to there.

    >>> resolved("float64"), resolved("auto") in ("float32", "bfloat16")
    ('float64', True)
    """
    if name not in PRECISIONS:
        raise unknown_name("precision", name, PRECISIONS)
    return name if name != "auto" else "bfloat16" if _multiplies_bfloat16(device) else "float32"


def _multiplies_bfloat16(device: str) -> bool:
    """Whether matrix products in bfloat16 have instructions of their own: tensor cores, or the tiles of AMX."""
    if device == "cpu":
        return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
    return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


class Precision:
    """A precision by name, on a kind of device. Warns about half precision for which a CPU has no instructions.

    name: one of PRECISIONS.
    device: "cpu" or "cuda".
    scaler: scales the loss of float16 and skips steps whose scaled gradients overflow; otherwise it does nothing.

    >>> with Precision("float32").autocast():
    ...     torch.get_autocast_dtype("cpu")
    torch.bfloat16
    """

    def __init__(self, name: str = "float32", device: str = "cpu") -> None:
        self.name, self.device = resolved(name, device), device
        self.half = self.name in HALF
        if self.half and device == "cpu" and resolved("auto", device) != self.name:
            warnings.warn(
                f"{name} on this processor is slower than float32 and less exact; leave out --precision", stacklevel=2
            )
        self.scaler = torch.amp.GradScaler(device, enabled=self.name == "float16")

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which the forward pass of the network runs."""
        return torch.autocast(self.device, HALF[self.name]) if self.half else nullcontext()

    def convert(self, model: nn.Module) -> None:
        """Convert the weights, in place, to the type in which they are trained."""
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
