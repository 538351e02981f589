"""Some lines of a text file, from which its dialect is found."""

from __future__ import annotations

from pathlib import Path

from chainrule.data.sources.delimited.lines import Scan, as_utf8
from chainrule.data.sources.plain_files import chunks, is_compressed, unpacked

__all__ = ["first_lines", "later_lines"]

SAMPLE = 1 << 18  # bytes
FEWEST_LINES = 20  # lines of the sample, however long
LARGEST_SAMPLE = 1 << 24  # bytes


def first_lines(path: Path, found: Scan) -> tuple[list[str], bool]:
    """The first lines, and whether they are all of the file; carriage returns that end lines become line feeds."""
    data = bytearray()
    with unpacked(path) as file:
        for piece in as_utf8(path, chunks(file, SAMPLE), found.encoding):
            data += piece
            lines = data.count(b"\n") or data.count(b"\r")
            if len(data) >= SAMPLE and (lines >= FEWEST_LINES or len(data) >= LARGEST_SAMPLE):
                break
        complete = not file.read(1)
    return _lines(bytes(data), found), complete


def later_lines(path: Path, found: Scan) -> list[str]:
    """Some lines of the middle and the end, where a file can be read from there."""
    if found.encoding == "utf-16" or is_compressed(path):
        return []
    lines: list[str] = []
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for place in (size // 2, size - SAMPLE // 4):
            file.seek(max(0, place))
            lines += _lines(file.read(SAMPLE // 4), found)[1:]
    return lines


def _lines(data: bytes, found: Scan) -> list[str]:
    if found.line_end in ("\r", "mixed"):
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = data.decode("utf-8", "replace").split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
