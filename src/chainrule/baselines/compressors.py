"""General compressors: how short a text gets without a model of ours. Adaptive: they learn from what they coded."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from math import log

__all__ = ["MOST", "code_lengths"]

MOST = 32 << 20  # bytes of training text that are given to a compressor, the last ones; longer tests are left out


def code_lengths(train: bytes, test: bytes) -> dict[str, float]:
    """Nats of the code of `test` after `train`, by compressor: ln 2 * 8 * (|code(train + test)| - |code(train)|).

    A code length is an upper bound on -ln p of the text under the compressor's own adaptive model. PPMd is there where
    the package `pyppmd` is.

    >>> lengths = code_lengths(b"abc" * 1000, b"abc" * 100)
    >>> lengths["xz"] < 8 * 300 * log(2) / 10
    True
    """
    train = train[-MOST:]
    compressors: dict[str, Callable[[bytes], bytes]] = {
        "bzip2": lambda text: bz2.compress(text, 9),
        "xz": lambda text: lzma.compress(text, preset=9),
    }
    try:
        import pyppmd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        pass
    else:
        compressors["PPMd, order 6"] = lambda text: pyppmd.compress(text, max_order=6, mem_size=256 << 20)
    return {
        name: 8 * log(2) * (len(compress(train + test)) - len(compress(train)))
        for name, compress in compressors.items()
    }
