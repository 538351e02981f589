"""Whether the lines of a text are strings of their own, such as names, or the lines of one text."""

from __future__ import annotations

import re

__all__ = ["LINE_END", "are_short_lines", "is_one_per_line"]

LINE_END = re.compile(rb"\r*\n|\r")  # of Unix, Windows (also where it was made twice) and old Macs
FEWEST = 20  # lines
LONGEST = 200  # bytes of a string
WRAPPED = 60  # characters of a line, from which on lines of one length may be one text that was wrapped
SHORT = 40  # characters of a line of which it is said that it could be a string
WORDS = 20  # characters on average, above which lines without spaces are sentences
SPACELESS = re.compile(  # scripts that are written without spaces: from Thai to Myanmar, Khmer, kana, Han
    "[\u0e00-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
)
SENTENCE = re.compile("[\u3001\u3002\uff0c\uff01\uff1f\uff1b\uff1a\u2026\u300c\u300d\u300e\u300f\u104b\u17d4]")


def is_one_per_line(head: bytes, whole: bool) -> bool:
    """Whether the first lines are words without spaces, none empty: names, SMILES, identifiers.

    Lines of a script without spaces (Chinese, Japanese, Thai, ...) are prose where more than one in ten has a mark of
    sentences, or where they are longer than 20 characters on average. Lines of one length, from 60 characters on, of
    which only the last is shorter, are one text that was wrapped.

    head: the first bytes.
    whole: whether these are all.
    """
    lines = _lines(head, whole)
    if len(lines) < FEWEST or not all(line and len(line) <= LONGEST and len(line.split()) == 1 for line in lines):
        return False
    if whole and len(set(map(len, lines[:-1]))) == 1 and len(lines[-1]) < len(lines[0]) >= WRAPPED:
        return False
    texts = [text for text in map(_decoded, lines) if 2 * len(SPACELESS.findall(text)) > len(text)]
    if 10 * len(texts) < len(lines):
        return True
    sentences = sum(bool(SENTENCE.search(text)) for text in texts)
    return 10 * sentences <= len(texts) and sum(map(len, texts)) <= WORDS * len(texts)


def are_short_lines(head: bytes, whole: bool) -> bool:
    """Whether most of the first lines are short and none is empty, so that each could be a string of its own.

    head, whole: as in `is_one_per_line`.
    """
    lines = _lines(head, whole)
    return len(lines) >= FEWEST and all(lines) and sorted(map(len, lines))[len(lines) // 2] <= SHORT


def _lines(head: bytes, whole: bool) -> list[bytes]:
    """The whole lines, without blank ones at the end."""
    return LINE_END.split(head.rstrip(b"\r\n")) if whole else LINE_END.split(head)[:-1]


def _decoded(line: bytes) -> str:
    """A line as text; in an encoding of its own as if it were Chinese, to judge its length."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("gb18030", "replace")
