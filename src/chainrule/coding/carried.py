"""A model that travels in the archive: its tensors in few bytes.

Float32 numbers are rounded to float16 where they lie in its range; both sides then compute with the rounded ones, so
that the code is that of the rounded model. Whole numbers and float64 stay as they are. The bytes of all numbers are
laid out by their place in the number, in which a general compressor finds more than in the numbers one by one.
"""

from __future__ import annotations

import json
from math import prod

import numpy as np
import torch
from torch import Tensor

from chainrule.coding.whole_numbers import numbers, read_length
from chainrule.errors import DamagedArchive

__all__ = ["carried_tensors", "tensors_bytes"]

LARGEST = 6e4  # of a float16
TYPES = {"float16", "float32", "float64", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool"}
MOST = 1 << 32  # bytes of a tensor


def tensors_bytes(tensors: dict[str, Tensor]) -> bytes:
    """Tensors by name, float32 ones rounded to float16.

    >>> carried_tensors(tensors_bytes({"a": torch.tensor([1.0, 0.1])}))
    {'a': tensor([1.0000, 0.1000])}
    """
    said, planes = [], []
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        if tensor.dtype == torch.float32 and bool((tensor.abs() < LARGEST).all()):
            tensor = tensor.half()
        kind = str(tensor.dtype).removeprefix("torch.")
        said.append([name, kind, list(tensor.shape)])
        planes.append(tensor.reshape(-1).view(torch.uint8).numpy().reshape(-1, tensor.element_size()).T.tobytes())
    head = json.dumps(said, separators=(",", ":")).encode()
    return b"".join([numbers([len(head)]), head, *planes])


def carried_tensors(content: bytes) -> dict[str, Tensor]:
    """The tensors of `tensors_bytes`, float16 ones as float32; raises DamagedArchive for anything else."""
    length, at = read_length(content)
    tensors: dict[str, Tensor] = {}
    try:
        said = json.loads(content[at : at + length])
        at += length
        for name, kind, shape in said:
            if kind not in TYPES or any(type(side) is not int or side < 0 for side in shape):
                raise ValueError(f"{name} is of {kind}")
            dtype: torch.dtype = torch.__dict__[kind]
            size = prod(shape) * dtype.itemsize
            if size > MOST or at + size > len(content):
                raise ValueError(f"{name} would have {size} bytes")
            plane = np.frombuffer(content, np.uint8, size, at).reshape(dtype.itemsize, -1).T
            tensor = torch.from_numpy(np.ascontiguousarray(plane).reshape(-1).copy()).view(dtype).reshape(shape)
            tensors[str(name)] = tensor.float() if dtype == torch.float16 else tensor
            at += size
    except (ValueError, TypeError, RuntimeError) as error:
        raise DamagedArchive(f"the model in the archive cannot be read ({error}); the archive is damaged") from None
    if at != len(content):
        raise DamagedArchive("the model in the archive has another length than it says; the archive is damaged")
    return tensors
