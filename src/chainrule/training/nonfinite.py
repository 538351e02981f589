"""Where a loss became NaN or infinite: the first module whose output or gradient is not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.batch import Batch

__all__ = ["first_not_finite"]


def first_not_finite(model: nn.Module, loss: Callable[[Batch], Tensor], microbatches: list[Batch]) -> str:
    """Run the microbatches again, forward and backward, and name the first thing in order that is not finite.

    The order is: a weight; the output of a module, the inner before the outer; the gradient at the output of a module,
    from the last to the first; the gradient of a weight. Minus infinity is named only where no NaN or infinity is,
    since it is what a head says of a symbol that cannot come. loss: what was differentiated. Leaves the gradients
    empty; the caller sets the random state to what it was.

    >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    >>> _ = model[1].bias.data.fill_(float("nan"))
    >>> first_not_finite(model, lambda batch: model(batch.x).sum(), [])
    'the weight 1.bias'
    """
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            return f"the weight {name}"
    found: list[tuple[bool, str]] = []  # whether it is only minus infinity, and what it is

    def look(tensor: Tensor, what: str) -> None:
        if not bool(torch.isfinite(tensor).all()):
            found.append((not bool((tensor.isnan() | (tensor == float("inf"))).any()), what))

    def watch(name: str, module: nn.Module) -> Any:
        called = f"{name} ({type(module).__name__})" if name else f"the whole model ({type(module).__name__})"

        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            for tensor in _tensors(output):
                look(tensor.detach(), f"the output of {called}")
                if tensor.requires_grad:
                    tensor.register_hook(lambda gradient: look(gradient, f"the gradient at the output of {called}"))  # type: ignore[no-untyped-call]

        return module.register_forward_hook(hook)

    hooks = [watch(name, module) for name, module in model.named_modules()]
    try:
        for microbatch in microbatches:
            loss(microbatch).backward()  # type: ignore[no-untyped-call]
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                look(parameter.grad, f"the gradient of the weight {name}")
    finally:
        for handle in hooks:
            handle.remove()
        model.zero_grad(set_to_none=True)
    return min(found, key=lambda entry: entry[0])[1] if found else "no single tensor when run again: a sum overflows"


def _tensors(output: Any) -> Iterator[Tensor]:
    """The tensors of real numbers in what a module returned."""
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, dict):
        yield from (tensor for part in output.values() for tensor in _tensors(part))
    elif isinstance(output, list | tuple):
        yield from (tensor for part in output for tensor in _tensors(part))
