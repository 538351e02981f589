"""What a compiled step is made from, as a hash: layers, weights, shapes, versions, and the processor."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from hashlib import sha256
from inspect import isfunction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["program_key"]

FOLDERS = ("networks", "heads", "sampling")  # of this package, whose code a program is made of
OURS = ("chainrule.", "torch.")
OF_EVERY_MODULE = {*vars(nn.Module()), "training"}
HOOKS = [name for name in vars(nn.Module()) if name.endswith("hooks")]  # code of users that is compiled with a layer
PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size)


class Unknown(Exception):
    """Something whose content cannot be told."""


def program_key(layers: Iterable[nn.Module], *shapes: Any) -> str | None:
    """The hash of everything that decides what is compiled; None where a part of the layers cannot be described.

    layers: what is compiled, in evaluation mode; only classes of this package and of torch can be described.
    shapes: the tensors that enter, of which type and shape count, and plain values.

    >>> layer = nn.Linear(2, 2)
    >>> program_key([layer], 1) == program_key([layer], 1) != program_key([layer], 2)
    True
    >>> program_key([nn.Linear(2, 2)], 1) == program_key([layer], 1)
    False
    """
    digest = sha256(f"{_surroundings()} {torch.get_num_threads()}".encode())
    try:
        for layer in layers:
            for part in _described_module(layer):
                digest.update(part)
        for shape in shapes:
            content = f"{shape.dtype}{tuple(shape.shape)}" if isinstance(shape, Tensor) else shape
            for part in _described(content):
                digest.update(part)
    except Unknown:
        return None
    return digest.hexdigest()[:32]


@cache
def _surroundings() -> str:
    """Versions, the code of what is compiled, and the processor with all that it can do."""
    code = sha256()
    for folder in FOLDERS:
        for file in sorted((Path(__file__).parents[1] / folder).glob("*.py")):
            code.update(file.read_bytes())
    processor = [platform.machine(), platform.processor(), torch.backends.cpu.get_cpu_capability()]
    known = Path("/proc/cpuinfo")
    if known.is_file():
        processor += [line for line in known.read_text().splitlines() if line.startswith(("flags", "model name"))][:2]
    return repr((code.hexdigest(), torch.__version__, sys.version, processor))


def _described_module(module: nn.Module) -> Iterator[bytes]:
    """The class, the attributes and the weights of a module and of those inside it."""
    for name, part in module.named_modules():
        kind = type(part)
        if not f"{kind.__module__}.".startswith(OURS) or any(vars(part)[hooks] for hooks in HOOKS) or _is_changed(kind):
            raise Unknown
        yield f"module {name}: {kind.__module__}.{kind.__qualname__}\n".encode()
        for attribute, value in sorted(vars(part).items()):
            if attribute not in OF_EVERY_MODULE:
                yield f"{attribute} = ".encode()
                yield from _described(value)
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        yield f"tensor {name}: ".encode()
        yield from _described(tensor)


def _is_changed(kind: type) -> bool:
    """Whether a method of a class of this package, or of those above it, is not the one that its file has."""
    ours = (each for each in kind.__mro__ if f"{each.__module__}.".startswith(OURS[0]))
    return any(isfunction(f) and f.__module__ != each.__module__ for each in ours for f in vars(each).values())


def _described(value: Any) -> Iterator[bytes]:
    """A value by its content; raises Unknown where that cannot be told."""
    if isinstance(value, PLAIN):
        yield f"{value!r}\n".encode()
    elif isinstance(value, Tensor):
        yield f"{value.dtype}{tuple(value.shape)}".encode()
        yield value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    elif isinstance(value, dict):
        for key, content in value.items():
            yield from _described(key)
            yield from _described(content)
    elif isinstance(value, list | tuple):
        yield f"{len(value)} of {type(value).__name__}: ".encode()
        for content in value:
            yield from _described(content)
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value).__qualname__.encode()
        for field in fields(value):
            yield from _described(vars(value)[field.name])
    elif isinstance(value, type) or (isfunction(value) and value.__closure__ is None):
        if not f"{value.__module__}.".startswith(OURS):
            raise Unknown
        yield f"{value.__module__}.{value.__qualname__}\n".encode()
    elif isinstance(value, nn.Module):
        yield from _described_module(value)
    else:
        raise Unknown
