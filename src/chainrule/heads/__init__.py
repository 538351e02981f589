"""Heads: features -> distribution of x_d. One file per head, one line in `table`."""

from importlib import import_module
from typing import Any

from chainrule.heads.table import FACE

_HOME = {name: f"chainrule.heads.{file}" for file, names in FACE.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)  # the lazy face: a class is imported at its first use
