"""A text shown while it is drawn: the bytes of each symbol, as soon as they make characters."""

from __future__ import annotations

import codecs
from collections.abc import Callable

import numpy as np
from torch import Tensor

from chainrule.data.alphabets.alphabet import Alphabet

__all__ = ["TextStream"]


class TextStream:
    """Receives the elements of one example, d and x_d of shape (1,), and shows their text as it grows.

    A character may take several bytes, and they may be several symbols: it is shown when the last of them is there.
    All pieces together are the decoded text, with a replacement character for bytes that are not UTF-8.

    alphabet: decodes the symbols.
    end: symbol that ends the text; None if there is none.
    show: called with each piece of text.

    >>> import torch
    >>> from chainrule.data.alphabets.alphabet import Bytes
    >>> stream = TextStream(Bytes(), end=256, show=lambda text: print(repr(text)))
    >>> for d, byte in enumerate("né".encode()):
    ...     stream(d, torch.tensor([byte]))
    'n'
    'é'
    >>> stream.close()
    """

    def __init__(self, alphabet: Alphabet, end: int | None, show: Callable[[str], None]) -> None:
        self.alphabet, self.end, self.show = alphabet, end, show
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.over = False

    def __call__(self, d: int, x: Tensor) -> None:
        symbol = int(x[0])
        self.over = self.over or symbol == self.end
        if not self.over:
            self._say(self.alphabet.decode(np.array([symbol])))

    def close(self) -> None:
        """Show what is left of a character that never became whole."""
        self._say(b"", final=True)

    def _say(self, raw: bytes, final: bool = False) -> None:
        if text := self.decoder.decode(raw, final):
            self.show(text)
