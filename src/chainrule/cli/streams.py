"""Standard streams of any encoding, also where they are closed: what a code page does not have is written in ASCII."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Literal, TextIO

__all__ = ["write_what_can_be_written"]

PLAIN = {"±": "+-", "×": "x", "–": "-", "—": "-", "…": "...", "│": "|", "─": "-", "━": "-"}
HANDLER = "chainrule-plain"


def plain(error: UnicodeError) -> tuple[str, int]:
    r"""An error handler of codecs: a sign of ours in ASCII, any other character as its escape.

    >>> codecs.register_error(HANDLER, plain)
    >>> "1 ± 2 \u4e2d".encode("ascii", HANDLER)
    b'1 +- 2 \\u4e2d'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    escaped = (
        PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode()
        for character in error.object[error.start : error.end]
    )
    return "".join(escaped), error.end


def write_what_can_be_written() -> None:
    """Let no character that the terminal's encoding lacks end a command, such as ± on an ASCII terminal."""
    _open_what_is_closed()
    codecs.register_error(HANDLER, plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def _open_what_is_closed() -> None:
    """Give a number of its own to each standard stream that is closed, or the next file that is opened would get it.

    Writing to standard output then fails as it should; what is meant for standard error is lost.
    """
    if sys.stdin is None:
        sys.stdin = _null(0, os.O_RDONLY, "r")
    if sys.stdout is None:
        sys.stdout = _null(1, os.O_RDONLY, "w")  # which cannot be written
    if sys.stderr is None:
        sys.stderr = _null(2, os.O_WRONLY, "w")


def _null(number: int, flags: int, mode: Literal["r", "w"]) -> TextIO:
    opened = os.open(os.devnull, flags)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    return open(number, mode, encoding="utf-8", closefd=False)
