"""Texts larger than memory: symbols in one file that is mapped, not read."""

from __future__ import annotations

import json
import lzma
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from chainrule.batch import Array
from chainrule.data.alphabets.alphabet import Alphabet, Bytes
from chainrule.data.examples.stored import LARGE, Progress, stored
from chainrule.data.sources.plain_files import is_compressed, packing_of, unpacked, unpacking
from chainrule.data.sources.text_files import text_files
from chainrule.errors import InputError

__all__ = ["head_of", "is_large", "stored_stream"]

CHUNK = 1 << 15  # bytes; a tokenizer is slower on longer texts
TOGETHER = 32  # chunks that are encoded at once, by several threads


def size_of(source: str) -> int:
    """The size of the source's files in bytes; 0 where there are no files."""
    path = Path(source)
    return sum(file.stat().st_size for file in (text_files(source) if path.is_dir() else [path]) if file.is_file())


def is_large(source: str) -> bool:
    """Whether a source holds so much text, unpacked where it is compressed, that it stays on disk."""
    path, size = Path(source), 0
    for file in text_files(source) if path.is_dir() else [path]:
        if not file.is_file():
            continue
        if not is_compressed(file):
            size += file.stat().st_size
        else:
            with unpacked(file, any_format=True) as content:
                while size <= LARGE and (piece := content.read(LARGE >> 4)):
                    size += len(piece)
        if size > LARGE:
            return True
    return False


def head_of(source: str, size: int) -> bytes:
    """The first lines of a source, about `size` bytes."""
    lines: list[bytes] = []
    for file in text_files(source):
        for raw, _ in _chunks(file):
            lines.append(raw)
            if sum(map(len, lines)) >= size:
                return b"".join(lines)
    return b"".join(lines)


def stored_stream(source: str, alphabet: Alphabet, progress: Progress | None = None) -> Array:
    """The symbols of a source as an array on disk: one plain file of bytes is that already, others are prepared once.

    source: a file or a folder of text.
    alphabet: what the symbols stand for.
    progress: shows the number of bytes done; None shows nothing.
    """
    files = text_files(source)
    if isinstance(alphabet, Bytes) and len(files) == 1 and not is_compressed(files[0]):
        return np.memmap(files[0], dtype=np.uint8, mode="r")
    marks = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = json.dumps(["text", alphabet.to_json(), marks])
    dtype = np.min_scalar_type(len(alphabet.byte_lengths) - 1)

    def pieces() -> Iterator[tuple[Array, int]]:
        for file in files:
            chunks = _chunks(file)
            while group := list(islice(chunks, TOGETHER)):
                symbols = alphabet.encode_all([raw for raw, _ in group], lambda n, file=file: str(file))  # type: ignore[misc]
                yield np.concatenate(symbols).astype(dtype), sum(read for _, read in group)

    return stored(key, pieces, source, size_of(source), progress)


def _chunks(file: Path) -> Iterator[tuple[bytes, int]]:
    """A file in pieces of whole lines or words of about CHUNK bytes, unpacked; the bytes read for each."""
    try:
        packing = packing_of(file)
        with open(file, "rb") as packed:
            opened = unpacking(packed, packing)
            before, rest = 0, b""
            while raw := rest + opened.read(CHUNK) + opened.readline(CHUNK):
                cut = _end_of_words(raw)
                raw, rest = raw[:cut], raw[cut:]
                yield raw, packed.tell() - before
                before = packed.tell()
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        raise InputError(f"{file}: the {packing} file is damaged or cut off ({error}); fetch it again") from None


def _end_of_words(raw: bytes) -> int:
    r"""Where a piece of text may end: with its line, before its last space, or at least before a character.

    >>> [_end_of_words(text.encode()) for text in ("a line\n", "two words", "hé", "é")]
    [7, 3, 1, 2]
    """
    if raw.endswith(b"\n"):
        return len(raw)
    cut = raw.rfind(b" ")
    if cut <= 0:
        cut = len(raw) - 1
        while cut > 0 and raw[cut] & 0xC0 == 0x80:
            cut -= 1
    return cut or len(raw)
