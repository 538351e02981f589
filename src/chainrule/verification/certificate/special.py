"""Symbols with a meaning of their own: those that a module or a domain names, and those at the ends."""

from __future__ import annotations

from torch import nn

from chainrule.networks.huggingface import HuggingFace
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["special_symbols"]

WORDS = (
    "eos",
    "bos",
    "pad",
    "end",
    "begin",
    "start",
    "unk",
    "sep",
    "mask",
    "ignore",
    "stop",
    "newline",
    "token",
    "_id",
)
BYTES = (10, 32, 46, 9, 13, 127, 128, 195)  # line break, space, full stop, tab, return, ends of ASCII, a lead byte
NAMED = 12  # symbols that modules name


def special_symbols(tested: ModelUnderTest) -> list[int]:
    """Symbols with a meaning in some model, the most telling first.

    Those that a model, a configuration, an embedding or an attribute of a module names, 0, 1, 2, 3, V - 1 and V - 2,
    round numbers and the powers of two at which types and tables end, and the bytes that structure a text.
    """
    v = tested.num_symbols or 0
    places = [tested.thing, getattr(tested.thing, "config", None)]
    if tested.chain is not None and isinstance(tested.chain.network, HuggingFace):
        places.append(tested.chain.network.model.config)
    configured = [getattr(at, f"{word}_token_id", None) for at in places for word in ("bos", "eos", "pad")]
    known = [k for k in configured if isinstance(k, int)]
    round_numbers = [10**k for k in range(1, 7)] + [2 * 10**k for k in range(3, 6)]
    powers = [2**k for k in (15, 14, 16, 12, 10, 8) if 2**k < v]
    found = [*tested.special, *known, v - 1, 0, 1, 2, v - 2, *_of_modules(tested), 3, *(BYTES if v == 256 else ())]
    found += [*round_numbers, *powers]
    return list(dict.fromkeys(k for k in found if 0 <= k < v))


def _of_modules(tested: ModelUnderTest) -> list[int]:
    """Whole numbers that modules keep under a name that a symbol may have."""
    found: list[int] = []
    for part in tested.module.modules() if tested.module is not None else ():
        if isinstance(part, nn.Embedding) and part.padding_idx is not None:
            found.append(part.padding_idx)
        for kept in (vars(part), vars(type(part))):
            for name, value in kept.items():
                if type(value) is int and any(word in name.lower() for word in WORDS):
                    found.append(value)
    return list(dict.fromkeys(found))[:NAMED]
