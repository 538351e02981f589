"""What a text file is made of, found in one pass over its bytes: its encoding, its line ends, its lines and quotes."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.sources.plain_files import chunks, unpacked
from chainrule.errors import InputError

__all__ = ["Scan", "as_utf8", "encoding_of", "scan", "whole_lines"]

BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
QUOTE, LINE_FEED, CARRIAGE_RETURN = ord('"'), ord("\n"), ord("\r")


@dataclass(frozen=True)
class Scan:
    r"""The lines of a text file.

    encoding: "utf-8", "utf-8-sig" (with a byte-order mark) or "utf-16".
    lines: number of lines; a last one without a line end counts, an empty file has none.
    line_end: "\n", "\r\n", "\r", or "mixed" where the file has several.
    quotes: whether a double quote occurs at all.
    blank_end: number of blank lines at the end.
    odd: lines with an odd number of double quotes, each with its number from 1; at most `MOST_ODD` of them.
    """

    encoding: str
    lines: int
    line_end: str
    quotes: bool
    blank_end: int
    odd: tuple[tuple[int, bytes], ...]


MOST_ODD = 10_000
LONGEST = 1 << 24  # bytes of a line
TAIL = 1 << 12  # bytes in which blank lines at the end are looked for


def encoding_of(path: Path) -> str:
    """The encoding by the byte-order mark: "utf-8", "utf-8-sig" or "utf-16"."""
    with unpacked(path) as file:
        first = file.read(3)
    return next((name for mark, name in BOMS.items() if first.startswith(mark)), "utf-8")


def as_utf8(path: Path, pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The pieces of a text as UTF-8 without a byte-order mark.

    path: the file, for the error.
    pieces: its bytes.
    encoding: as `encoding_of` finds it.

    Raises InputError, naming the line, where the bytes are not of the encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    for piece in pieces:
        try:
            quick = encoding != "utf-16" and piece.isascii() and not decoder.getstate()[0]
            text = "" if quick else decoder.decode(piece)
        except UnicodeDecodeError as error:
            raise _undecodable(path, encoding, lines, error) from None
        if encoding == "utf-16":
            piece = text.encode("utf-8", "surrogatepass")
        elif encoding == "utf-8-sig" and lines == 1:
            piece = piece.removeprefix(codecs.BOM_UTF8)
        lines += piece.count(b"\n") or (piece.count(b"\r") if b"\n" not in piece else 0)
        yield piece
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _undecodable(path, encoding, lines, error) from None


def _undecodable(path: Path, encoding: str, lines: int, error: UnicodeDecodeError) -> InputError:
    done = error.object[: error.start]
    line = lines + (done.count(b"\n") or done.count(b"\r")) if encoding != "utf-16" else lines
    came = " ".join(f"{byte:02x}" for byte in error.object[error.start : error.start + 4])
    return InputError(
        f"{path} line {line}: the bytes {came} are not {encoding.removesuffix('-sig').upper()}; write the file again "
        f"as UTF-8, for example with iconv -f LATIN1 -t UTF-8 {path.name}"
    )


def whole_lines(pieces: Iterable[bytes], longest: int | None = None) -> Iterator[bytes]:
    """The pieces cut again so that each but the last ends with a line end; a carriage return keeps its line feed.

    pieces: of a text.
    longest: bytes of a line above which it is yielded in parts, for the caller to refuse; None for no bound.
    """
    rest: list[bytes] = []
    held = 0
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1 or piece.rfind(b"\r", 0, -1) + 1
        if cut:
            yield b"".join([*rest, piece[:cut]])
            rest, held = [], 0
        if piece[cut:]:
            rest.append(piece[cut:])
            held += len(rest[-1])
        if longest is not None and held > longest:
            yield b"".join(rest)
            rest, held = [], 0
    if rest:
        yield b"".join(rest)


def scan(path: Path) -> Scan:
    """Look at every byte of a file once, unpacked where it is compressed.

    Raises InputError, naming the line, for bytes that are not of the encoding and for NUL characters.
    """
    encoding = encoding_of(path)
    counts = {"\n": 0, "\r\n": 0, "\r": 0}
    odd: list[tuple[int, bytes]] = []
    quotes, tail, lines = False, b"", 0
    with unpacked(path) as file:
        for piece in whole_lines(as_utf8(path, chunks(file), encoding), LONGEST):
            if len(piece) > LONGEST and b"\0" not in piece:
                raise InputError(
                    f"{path} line {lines + 1}: is longer than {LONGEST >> 20} MiB, so this is not a table with a line "
                    "for each row; is it another kind of file?"
                )
            feeds, returns = piece.count(b"\n"), piece.count(b"\r")
            both = piece.count(b"\r\n") if returns else 0
            counts["\n"] += feeds - both
            counts["\r\n"] += both
            counts["\r"] += returns - both
            if b"\0" in piece:
                line = lines + piece[: piece.index(b"\0")].count(b"\n") + 1
                raise InputError(f"{path} line {line}: holds a NUL character, so it is not text; write it as UTF-8")
            if b'"' in piece:
                quotes = True
                odd += _odd_lines(piece, lines)[: MOST_ODD - len(odd)]
            lines += feeds
            tail = (tail + piece)[-TAIL:]
    found = [end for end, count in counts.items() if count]
    lines = sum(counts.values())
    lines += bool(tail) and not tail.endswith((b"\n", b"\r"))
    ends = tail.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    blank_end = max(0, len(ends) - len(ends.rstrip(b"\n")) - 1)
    line_end = found[0] if len(found) == 1 else "mixed" if found else "\n"
    return Scan(encoding, lines, line_end, quotes, blank_end, tuple(odd))


def _odd_lines(piece: bytes, before: int) -> list[tuple[int, bytes]]:
    """The lines of the piece that hold an odd number of quotes, each with its number; `before`: lines before it."""
    x = np.frombuffer(piece, np.uint8)
    ends = np.flatnonzero(x == LINE_FEED)
    of_line: Any = np.searchsorted(ends, np.flatnonzero(x == QUOTE))
    odd = np.flatnonzero(np.bincount(of_line) % 2)
    starts = np.concatenate([[0], ends + 1])
    stops = np.concatenate([ends, [len(piece)]])
    return [(before + int(k) + 1, piece[starts[k] : stops[k]].rstrip(b"\r")) for k in odd[:MOST_ODD]]
