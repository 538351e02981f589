"""The kept weights of a run as bytes: safetensors, with a hash of the tensors, for safetensors detects no damage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from chainrule.errors import RunError

__all__ = ["load_weights", "tensors_file", "weights_bytes"]


def weights_bytes(model: nn.Module) -> bytes:
    """The content of `model.safetensors`."""
    return tensors_file(model.state_dict())


def tensors_file(state: Mapping[str, Tensor]) -> bytes:
    """The same of the tensors of a model, by name."""
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
    return save(tensors, metadata={"sha256": _digest(tensors)})


def load_weights(model: nn.Module, content: bytes, where: str) -> None:
    """Load the weights of a run into the model that its configuration describes.

    model: the module, changed in place.
    content: the content of `model.safetensors`.
    where: the file, for error messages.

    Raises RunError where the content is damaged or belongs to another model.
    """
    try:
        tensors = load(content)
        size = int.from_bytes(content[:8], "little")
        recorded = json.loads(content[8 : 8 + size]).get("__metadata__", {}).get("sha256")
    except (SafetensorError, ValueError) as error:
        raise RunError(f"{where}: the weights cannot be read ({error}); restore the file or train again") from None
    if recorded != _digest(tensors):
        raise RunError(f"{where}: the weights are damaged (their hash differs); restore the file or train again")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise RunError(f"{where}: the weights do not fit config.json ({reason}); restore both") from None


def _digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and contents."""
    digest = sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
