"""Sequences of symbols from JSON and JSON lines, or from a Python object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chainrule.data.examples.splits import SPLITS
from chainrule.data.sources.memory import refuse_above_memory
from chainrule.data.sources.objects import Source, from_object
from chainrule.data.sources.plain_files import data_ending
from chainrule.data.sources.text_files import read_file, read_json_lines
from chainrule.errors import InputError

__all__ = ["read_sequences"]

OF_VALUE = 64  # bytes of memory, with its place in a list


def read_sequences(source: Source, field: str | None = None, *, may_be_empty: bool = False) -> dict[str, list[Any]]:
    """The sequences of a `.json` or `.jsonl` file (also gzipped), or of what Python holds: by split, or all under "".

    A `.json` holds a list of sequences, or an object with such a list under train, valid and test; each line of a
    `.jsonl` is a sequence, or an object that has one under `field`.

    source: a path, or an object.
    field: the name of the field of a `.jsonl` that holds the sequence; None where each line is one.
    may_be_empty: whether an empty list is a sequence, as among samples; else it is refused.
    """
    path = Path(str(source))
    if not isinstance(source, str):
        parts = from_object(source).lists()
    elif data_ending(path.name) == ".jsonl":
        rows = read_json_lines(path)
        if field is not None:
            rows = [row.get(field) if isinstance(row, dict) else None for row in rows]
        parts = {"": rows}
    else:
        content = _json_of(path)
        if isinstance(content, dict) and not set(SPLITS) <= set(content):
            raise InputError(
                f"{source}: has {', '.join(content) or 'nothing'}; expected train, valid and test, or a list"
            )
        parts = {name: content[name] for name in SPLITS} if isinstance(content, dict) else {"": content}
    for name, sequences in parts.items():
        what = f"{source} {name}".strip()
        if not isinstance(sequences, list) or not sequences:
            raise InputError(f"{what}: holds no sequences; give a list of lists")
        for n, sequence in enumerate(sequences, start=1):
            if not isinstance(sequence, list):
                raise InputError(
                    f"{what} sequence {n}: is {type(sequence).__name__}, expected a list of symbols or steps; write "
                    "texts, or the rows of a table, one per line as .jsonl"
                )
            if not (sequence or may_be_empty):
                raise InputError(f"{what} sequence {n}: is empty; remove it")
    return parts


def _json_of(path: Path) -> Any:
    """The value of a `.json` file; refused where its parts would take more memory than there is."""
    content = read_file(path)
    values = content.count(b",") + content.count(b"[") + content.count(b"{")
    refuse_above_memory(
        OF_VALUE * values + 2.0 * len(content), str(path), f"holds {values:,} values", "write JSON lines"
    )
    try:
        return json.loads(content)
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error}); correct it") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply; give lists of symbols") from None
