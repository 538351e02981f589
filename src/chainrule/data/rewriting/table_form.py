"""The form of a delimited table: its first lines, its delimiter, and how each column spells its values.

A column is written by a rule: the decoded text as it is or in quotes, then the spelling that it has most often. Cells
that are written otherwise stand in the form by their rows, and so does a column that is not modelled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

__all__ = ["table_form", "table_rewritten"]

DELIMITERS = (",", ";", "\t", "|", " ")
SEEN = 200  # lines by which the delimiter is found


def table_form(content: bytes, names: Sequence[str], raw: Sequence[Sequence[str]]) -> dict[str, Any]:
    r"""The form of a table.

    content: the file.
    names: of the modelled columns.
    raw: rows of decoded texts, one per modelled column.

    >>> form = table_form(b'a;b\n"x";1,50\n"y";2,25\n', ["a", "b"], [["x", "1.5"], ["y", "2.25"]])
    >>> table_rewritten(form, [["x", "1.5"], ["y", "2.25"]])
    b'a;b\n"x";1,50\n"y";2,25\n'
    """
    lines = [line for line in content.decode("latin-1").split("\n") if line.strip()]
    end = "\r\n" if lines[-1].endswith("\r") or lines[0].endswith("\r") else "\n"
    lines = [line.removesuffix("\r") for line in lines]
    first = len(lines) - len(raw)
    head, body = lines[:first], lines[first:]
    delimiter = _delimiter(body)
    rows = [_cells(line, delimiter) for line in body]
    width = Counter(map(len, rows)).most_common(1)[0][0]
    odd = {n: line for n, (line, cells) in enumerate(zip(body, rows, strict=True)) if len(cells) != width}
    places = _places(_cells(head[-1], delimiter) if head else [], names, width)
    columns = []
    for c in range(width):
        written = ["" if n in odd else cells[c] for n, cells in enumerate(rows)]
        d = places.get(c)
        decoded = None if d is None else [row[d].encode().decode("latin-1") for row in raw]
        columns.append({"cells": written} if decoded is None else {"of": d} | _spelling(decoded, written, set(odd)))
    return {
        "form": "table",
        "head": head,
        "delimiter": delimiter,
        "end": end,
        "columns": columns,
        "odd": [[n, line] for n, line in odd.items()],
    }


def table_rewritten(form: dict[str, Any], raw: Sequence[Sequence[str]]) -> bytes:
    """The table of a form and its rows."""
    columns = [_written(column, raw) for column in form["columns"]]
    lines = [form["delimiter"].join(cells) for cells in zip(*columns, strict=True)]
    for n, line in form["odd"]:
        lines[n] = line
    return "".join(line + form["end"] for line in [*form["head"], *lines]).encode("latin-1")


def _written(column: dict[str, Any], raw: Sequence[Sequence[str]]) -> list[str]:
    """The cells of one column."""
    if "of" not in column:
        cells: list[str] = column["cells"]
        return cells
    decoded = [row[column["of"]].encode().decode("latin-1") for row in raw]
    cells = [column["map"].get(text, _as(text, column["as"])) for text in decoded]
    n = 0
    for step, cell in zip(column["steps"], column["cells"], strict=True):
        n += step
        cells[n] = cell
    return cells


def _spelling(decoded: Sequence[str], written: Sequence[str], odd: set[int]) -> dict[str, Any]:
    """How a column spells its values: a rule, a spelling for each value, and the cells that are written otherwise."""
    rows = [n for n in range(len(written)) if n not in odd]
    decimals = Counter(len(written[n].strip('"').partition(".")[2]) for n in rows).most_common(1)
    rules = ["plain", "quoted", f"decimals {decimals[0][0] if decimals else 0}"]
    rule = max(rules, key=lambda rule: sum(_as(decoded[n], rule) == written[n] for n in rows[:1000]))
    spellings: dict[str, Counter[str]] = {}
    for n in rows:
        spellings.setdefault(decoded[n], Counter())[written[n]] += 1
    often = {text: found.most_common(1)[0] for text, found in spellings.items()}
    spelled = {text: best for text, (best, times) in often.items() if best != _as(text, rule) and times > 1}
    other = [n for n in rows if written[n] != spelled.get(decoded[n], _as(decoded[n], rule))]
    steps = [b - a for a, b in zip([0, *other], other, strict=False)]
    return {"as": rule, "map": spelled, "steps": steps, "cells": [written[n] for n in other]}


def _as(text: str, rule: str) -> str:
    if rule == "quoted":
        return '"' + text.replace('"', '""') + '"'
    if rule.startswith("decimals") and text.lstrip("-").replace(".", "", 1).isdigit():
        whole, _, part = text.partition(".")
        digits = int(rule.split()[1])
        return f"{whole}.{part.ljust(digits, '0')}" if digits else text
    return text


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line as they are written; a delimiter inside quotes divides nothing."""
    parts = line.split(delimiter)
    if '"' not in line:
        return parts
    cells: list[str] = []
    is_open = False
    for part in parts:
        cells = [*cells[:-1], cells[-1] + delimiter + part] if is_open else [*cells, part]
        is_open ^= part.count('"') % 2 == 1
    return cells


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that divides the lines into the same number of cells, and into the most."""

    def evenly(delimiter: str) -> tuple[float, int]:
        counts = Counter(len(_cells(line, delimiter)) for line in lines[:SEEN])
        (width, lines_of_it), *_ = counts.most_common(1)
        return (lines_of_it / max(1, min(len(lines), SEEN)) if width > 1 else 0.0), width

    return max(DELIMITERS, key=lambda delimiter: (round(evenly(delimiter)[0], 1), evenly(delimiter)[1]))


def _places(header: Sequence[str], names: Sequence[str], width: int) -> dict[int, int]:
    """The number of the modelled column that stands at each place of a line."""
    known = {name: d for d, name in enumerate(names)}
    titles = [cell.encode("latin-1").decode("utf-8-sig", "replace").strip().strip('"') for cell in header]
    found = {c: known[title] for c, title in enumerate(titles[:width]) if title in known}
    if not found and width == len(names):
        return {c: c for c in range(width)}
    return found
