"""Raw text from disk: a file (also compressed), a folder, or the text field of JSON lines; whole or in documents."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from chainrule.data.alphabets.utf8 import as_bytes
from chainrule.data.sources.folders import files_below, split_of
from chainrule.data.sources.line_lists import LINE_END, are_short_lines
from chainrule.data.sources.memory import ENOUGH, available_bytes, refuse_above_memory, watched_memory
from chainrule.data.sources.picture_files import PICTURES
from chainrule.data.sources.plain_files import (
    TEXT_ENDINGS,
    chunks,
    data_ending,
    is_compressed,
    refuse_false_ending,
    refuse_no_text,
    unpacked,
)
from chainrule.errors import InputError

__all__ = [
    "check_filled",
    "check_texts",
    "is_list_like",
    "read_documents",
    "read_file",
    "read_json_lines",
    "refuse_named_splits",
    "split_lines",
    "text_files",
]

LIST_HEAD = 1 << 14  # bytes
JSON_TAKES = 20  # bytes of memory for a byte of JSON, at most


def check_texts(source: str) -> None:
    """Refuse a source of which a file is known to be no text, see `refuse_no_text`."""
    for file in text_files(source):
        refuse_no_text(file)


def is_list_like(path: Path) -> bool:
    """Whether the lines of a file are so short that each could be a string of its own."""
    with unpacked(path, any_format=True) as file:
        head = file.read(LIST_HEAD)
    return are_short_lines(head, len(head) < LIST_HEAD)


def read_file(path: Path, takes: float = 4.0) -> bytes:
    """The content of a file that is not empty, unpacked where it is compressed (gzip, bzip2, xz, zstandard).

    path: a file that can be read many times.
    takes: bytes of memory that each byte of the content will take, with what is made of it.

    Raises InputError where that is more than there are, for a compressed file once so much of it is unpacked.
    """
    refuse_false_ending(path)
    advice = "give a part of it"
    if not is_compressed(path) and path.is_file():
        size = path.stat().st_size
        refuse_above_memory(takes * size, str(path), f"holds {size:,} bytes that are read as a whole", advice)
    pieces, size, free = [], 0, available_bytes()
    with unpacked(path, any_format=True) as file:
        for piece in chunks(file):
            pieces.append(piece)
            size += len(piece)
            holds = f"unpacks to more than {size:,} bytes that are read as a whole"
            refuse_above_memory(takes * size, str(path), holds, advice, free=free)
    if not size:
        raise InputError(f"{path}: the file is empty; give a text of at least a few hundred bytes")
    return b"".join(pieces)


def text_files(source: str) -> list[Path]:
    """The files of a source: itself, or a folder's text files at any depth by path, see `files_below`."""
    path = Path(source)
    if not path.is_dir():
        return [path]
    files = files_below(path)
    found = [file for file in files if data_ending(file.name) in TEXT_ENDINGS]
    pictures = sum(file.suffix.lower() in PICTURES for file in files)
    if found and pictures >= len(found):
        raise InputError(
            f"{source}: holds {len(found)} texts and {pictures} pictures; name the folder of the one or of the other"
        )
    if not found:
        raise InputError(f"{source}: the folder holds no text files (.txt, .md, code); give one that does, or a file")
    return found


def refuse_named_splits(source: str) -> None:
    """Refuse a folder whose texts, or folders of texts, are named train and test: read as one they would be mixed.

    source: a file or a folder. Programs, such as train.py and test.py, are no splits.
    """
    folder = Path(source)
    if not folder.is_dir():
        return
    named: dict[str, Path] = {}
    for file in text_files(source):
        top = folder / file.relative_to(folder).parts[0]
        word = top.name if top != file else data_ending(file.name) == ".txt" and Path(file.name).stem
        if word and (split := split_of(word) or split_of(word.rpartition(".")[2])):
            named.setdefault(split, top)
    if "train" in named and len(named) > 1:
        other = named.get("test", named.get("valid"))
        raise InputError(
            f"{source}: holds {', '.join(path.name for path in named.values())}, and a folder of texts is read as one "
            f"source; fit {named['train']} with --test {other}, or give shares with --split to divide all of it anew"
        )


def read_documents(
    source: str, documents: str, field: str | None, *, may_be_empty: bool = False
) -> tuple[list[bytes], bytes]:
    r"""The documents of a source, and the bytes between two of them.

    source: a file or a folder.
    documents: "line", "file", "record" (the text field of each line of a `.jsonl`), or a separator such as
        "<|endoftext|>", in which \n and \t may be written.
    field: the name of the text field; None for "text".
    may_be_empty: whether an empty document is one, as among samples; else it is refused.
    """
    check = _unchecked if may_be_empty else check_filled
    if documents == "record":
        rows = read_json_lines(Path(source))
        name = "text" if field is None else field
        texts = []
        for number, row in enumerate(rows, start=1):
            text = row.get(name) if isinstance(row, dict) else None
            if not isinstance(text, str):
                known = ", ".join(sorted(row)) if isinstance(row, dict) else type(row).__name__
                raise InputError(
                    f"{source} line {number}: has no text field {name!r} (it has {known}); name it with --field"
                )
            texts.append(as_bytes(text))
        return check(texts, source, "line"), b""
    files = text_files(source)
    if documents == "file":
        return [read_file(file) for file in files], b""
    if documents == "line":
        return _lines(files, check)
    pieces: list[bytes] = []
    separator = _separator(documents)
    for file in files:
        parts = read_file(file).split(separator)
        pieces += check(parts[:-1] if not parts[-1] else parts, str(file), "document")
    return pieces, separator


def _separator(documents: str) -> bytes:
    """The bytes of a separator as it is written on the command line."""
    try:
        separator = documents.encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1")
    except UnicodeError:
        separator = b""
    if not separator:
        raise InputError(f"--documents is line, file, stream or a separator such as '\\n\\n', got {documents!r}")
    return separator


def _unchecked(texts: list[bytes], source: str, unit: str) -> list[bytes]:
    return texts


def _lines(files: list[Path], check: Callable[[list[bytes], str, str], list[bytes]]) -> tuple[list[bytes], bytes]:
    """The lines of files, and what ends most of them."""
    lines: list[bytes] = []
    ends: dict[bytes, int] = {}
    for file in files:
        found, separators = split_lines(read_file(file))
        lines += check(found, str(file), "line")
        for end, count in separators.items():
            ends[end] = ends.get(end, 0) + count
    return lines, max(ends, key=lambda end: ends[end], default=b"\n")


def split_lines(content: bytes) -> tuple[list[bytes], dict[bytes, int]]:
    r"""The lines of a text, without a byte-order mark and blank lines at the end, and how often each line end occurs.

    >>> split_lines(b"anna\r\nbert\nclara\r\n\n")[0]
    [b'anna', b'bert', b'clara']
    """
    both = content.count(b"\r\n")
    ends = {b"\n": content.count(b"\n") - both, b"\r\n": both, b"\r": content.count(b"\r") - both}
    if codecs.BOM_UTF8 in content:  # also where files with marks were joined
        content = content.removeprefix(codecs.BOM_UTF8).replace(b"\n" + codecs.BOM_UTF8, b"\n")
    content = content.rstrip(b"\r\n")
    return LINE_END.split(content) if both or ends[b"\r"] else content.split(b"\n"), ends


def check_filled(texts: list[bytes], source: str, unit: str) -> list[bytes]:
    """The texts; raises InputError for an empty one."""
    for number, text in enumerate(texts, start=1):
        if not text:
            raise InputError(f"{source} {unit} {number}: is empty; remove it, or divide the text in another way")
    return texts


def read_json_lines(path: Path) -> list[object]:
    """The values of a `.jsonl` file, one per line; blank lines are skipped.

    Raises InputError for a line that is not JSON, and where the values fill the memory.
    """
    rows: list[object] = []
    with watched_memory(str(path)) as watch:
        for number, line in _numbered_lines(path):
            if line.strip():
                watch(len(line))
                rows.append(_json_value(line, f"{path} line {number}"))
    if not rows:
        raise InputError(f"{path}: holds no lines; give it examples")
    return rows


def _numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, each with its number from 1; one that is longer than memory allows is refused."""
    refuse_false_ending(path)
    most, number, empty = max(ENOUGH, int(available_bytes() / JSON_TAKES)), 0, True
    with unpacked(path, any_format=True) as file:
        while piece := file.readline(most):
            empty = False
            if len(piece) == most:
                raise InputError(
                    f"{path} line {number + 1}: is longer than {most:,} bytes, as much as memory allows; write each "
                    "example on a line of its own, or allow more with --max-memory GB"
                )
            for line in piece.splitlines():  # a carriage return ends one, too
                number += 1
                yield number, line
    if empty:
        raise InputError(f"{path}: the file is empty; give a text of at least a few hundred bytes")


def _json_value(line: bytes, where: str) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: is not JSON ({error}); correct it") from None
    except RecursionError:
        raise InputError(f"{where}: is nested too deeply; give lists of symbols, or of lists of them") from None
