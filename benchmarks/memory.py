"""The peak of resident memory that a call takes; Linux only."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path

__all__ = ["peak_mib"]


def peak_mib(function: Callable[[], object], prepare: Callable[[], object] = lambda: None) -> float:
    """MiB that a call takes at its highest beyond what was there before it; `prepare` runs first and is not counted."""
    prepare()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    function()
    return _resident("VmHWM") - before


def _resident(field: str) -> float:
    """VmRSS, or its peak VmHWM, in MiB."""
    found = re.search(field + r":\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")
