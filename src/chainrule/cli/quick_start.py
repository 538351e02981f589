"""The start of a command, most of which is the import of torch."""

from __future__ import annotations

import gc
import sys

__all__ = ["import_torch"]


def import_torch() -> None:
    """Import torch without looking for garbage.

    What the import makes stays until the process ends, yet Python's collector would walk over it again and again while
    it grows, and once more at the end of the process: a quarter of the time of `import torch`. So it rests meanwhile,
    and never looks at these objects again. Of everything made later it collects as ever.
    """
    if "torch" in sys.modules:
        return
    gc.disable()
    try:
        import torch  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()
