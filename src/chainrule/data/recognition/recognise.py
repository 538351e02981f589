"""Which kind of text or sequences a source is, by its name and the beginning of its content."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.data.alphabets.raw import TEXT_ENDINGS, read_json_lines
from chainrule.data.encodings.documents import open_documents
from chainrule.data.encodings.fasta import open_fasta
from chainrule.data.encodings.sequences import open_sequences, read_sequences
from chainrule.data.encodings.sets import open_sets
from chainrule.data.encodings.text import open_text
from chainrule.data.examples.base import DataSet

__all__ = ["are_sets", "text_reader"]

Reader = Callable[..., DataSet]
FASTA_ENDINGS = (".fasta", ".fa", ".faa", ".fna", ".a3m")
HEAD = 1 << 16


def text_reader(source: str, options: dict[str, Any]) -> tuple[Reader, dict[str, Any]] | None:
    """How to open a file or a folder of text or sequences, and with which options; None for a folder without text.

    options: those given; `documents` ("line", "file", a separator, or "stream" for one long text) goes before the
    content.
    """
    path = Path(source)
    ending = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if path.is_dir():
        if not any(file.suffix in TEXT_ENDINGS for file in path.rglob("*")):
            return None
    elif ending in FASTA_ENDINGS:
        return open_fasta, options
    elif ending == ".jsonl" and path.exists():
        return _json_lines(path, options)
    elif ending == ".json" and path.exists():
        return (open_sets if are_sets(_first_sequences(source)) else open_sequences), options
    rest = {name: value for name, value in options.items() if name != "documents"}
    documents = options.get("documents")
    if documents is None and _one_a_line(path):
        documents = "line"
    if documents in (None, "stream"):
        return open_text, rest
    return open_documents, rest | {"documents": documents}


def _json_lines(path: Path, options: dict[str, Any]) -> tuple[Reader, dict[str, Any]]:
    """Records with a text are documents; lists, or records with a list, are sequences."""
    rows = read_json_lines(path)
    field = options.get("field")
    first = rows[0]
    if isinstance(first, dict) and not isinstance(first.get(field or "text"), list):
        return open_documents, {"documents": "record"} | options
    sequences = rows if field is None else [row.get(field) if isinstance(row, dict) else None for row in rows]
    return (open_sets if are_sets(sequences) else open_sequences), options


def _first_sequences(source: str) -> list[Any]:
    return next(iter(read_sequences(source).values()))


def are_sets(sequences: list[Any]) -> bool:
    """Whether steps are lists of varying length: sets. Of one length they are the voices of a step."""
    sizes = {
        len(step) if isinstance(step, list) else -1
        for sequence in sequences
        if isinstance(sequence, list)
        for step in sequence
    }
    return -1 not in sizes and (len(sizes) > 1 or sizes == {0})


def _one_a_line(path: Path) -> bool:
    """Whether the first lines are words without spaces, none empty: names, SMILES, identifiers."""
    try:
        opened: Any = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115
        with opened as file:
            head = file.read(HEAD)
    except (OSError, EOFError, zlib.error):
        return False
    lines = head.splitlines()[: None if len(head) < HEAD else -1]
    return len(lines) >= 20 and all(line and len(line) <= 200 and len(line.split()) == 1 for line in lines)
