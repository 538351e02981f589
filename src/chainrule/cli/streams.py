"""Standard output and standard error of any encoding: what a code page does not have is written in ASCII."""

from __future__ import annotations

import codecs
import io
import sys

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
    codecs.register_error(HANDLER, plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)
