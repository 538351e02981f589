"""General compressors: how short a text gets without a model of ours. Adaptive: they learn from what they coded."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from math import log

__all__ = ["MOST", "code_length", "code_lengths", "compressors"]

MOST = 32 << 20  # bytes of training text that are given to a compressor, the last ones; longer tests are left out


Compressor = Callable[[bytes], bytes]


def compressors() -> dict[str, Compressor]:
    """The compressors by name; PPMd is there where the package `pyppmd` is."""
    found: dict[str, Compressor] = {
        "bzip2": lambda text: bz2.compress(text, 9),
        "xz": lambda text: lzma.compress(text, preset=9),
    }
    try:
        import pyppmd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return found
    return found | {"PPMd, order 6": lambda text: pyppmd.compress(text, max_order=6, mem_size=256 << 20)}


def code_lengths(train: bytes, test: bytes) -> dict[str, float]:
    """Nats of the code of `test` after `train`, by compressor, see `code_length`.

    >>> lengths = code_lengths(b"abc" * 1000, b"abc" * 100)
    >>> lengths["xz"] < 8 * 300 * log(2) / 10
    True
    """
    return {name: code_length(compress, train, test) for name, compress in compressors().items()}


def code_length(compress: Compressor, train: bytes, test: bytes) -> float:
    """Nats of the code of `test` after `train`: ln 2 * 8 * (|code(train + test)| - |code(train)|).

    A code length is an upper bound on -ln p of the text under the compressor's own adaptive model.
    """
    train = train[-MOST:]
    return 8 * log(2) * (len(compress(train + test)) - len(compress(train)))
