"""Counting floating-point operations of matrix products, convolutions and attention, and how much is dispatched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["FlopCounter", "counted"]

Sizes = torch.Size


def attention(q: Sizes, k: Sizes, v: Sizes, dropout: float = 0.0, causal: bool = False, **more: Any) -> int:
    """Two products of queries, keys and values; half of each where it is causal."""
    batch, heads, length, size = q
    return 4 * batch * heads * length * k[2] * size // (2 if causal else 1)


def attention_backward(
    grad: Sizes, q: Sizes, k: Sizes, v: Sizes, out: Sizes, log_z: Sizes, dropout: float, causal: bool, **more: Any
) -> int:
    """Five products where the forward pass has two."""
    return 5 * attention(q, k, v, dropout, causal) // 2


ON_A_CPU = {  # which PyTorch's counter passes over
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: attention_backward,
}


class FlopCounter(FlopCounterMode):
    """PyTorch's counter, which prints nothing and knows attention on a CPU, too.

    >>> q = torch.ones(1, 2, 8, 4)
    >>> with FlopCounter() as counter:
    ...     _ = torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
    >>> counter.get_total_flops()
    1024
    """

    def __init__(self) -> None:
        super().__init__(display=False, custom_mapping=ON_A_CPU)


class _Operations(TorchDispatchMode):
    """Counts the operations that are dispatched, views apart."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def counted(function: Callable[[], object]) -> tuple[int, int]:
    """The floating-point operations of a call, and how many operations it dispatches."""
    operations = _Operations()
    with FlopCounter() as flops, operations:
        function()
    return flops.get_total_flops(), operations.count
