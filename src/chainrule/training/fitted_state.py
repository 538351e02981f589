"""What is fitted without gradients, read from a checkpoint as a whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from chainrule.errors import InputError

__all__ = ["load_whole"]


def load_whole(module: nn.Module, saved: Mapping[str, Any]) -> None:
    """Load saved parameters and buffers; raises InputError, and changes nothing, where they do not fit.

    module: what is fitted, changed in place.
    saved: its `state_dict` of before.

    >>> module = nn.Linear(2, 1)
    >>> load_whole(module, module.state_dict())
    """
    before = {name: value.clone() for name, value in module.state_dict().items()}
    try:
        module.load_state_dict(saved)
    except RuntimeError as error:
        module.load_state_dict(before)
        raise InputError(f"the checkpoint is of another model: {error}; take another --out, or begin anew") from None
