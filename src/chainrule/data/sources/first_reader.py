"""The reader of runs of the first versions, kept as it was, so that these runs have the data that they were made with.

Its tables have no recorded spelling of their columns: missing values, numbers and dates are those of `columns`.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chainrule.data.sources.objects import Source
from chainrule.data.sources.typed_tables import arrow_table, columnar_blocks
from chainrule.errors import InputError

__all__ = ["READER", "read_blocks", "table_names"]

READER = 2  # version of the readers of tables and arrays; 1 stands for those of the first versions
DELIMITED = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
BLOCK = 1 << 22  # bytes of CSV at once


def _arrow() -> Any:
    """The `pyarrow` library, imported on first use."""
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    return pyarrow


def table_names(source: Source) -> list[str]:
    """The names of the columns."""
    return _delimited(Path(source))[0] if _is_delimited(source) else list(_schema(source))


def read_blocks(source: Source) -> Iterator[Any]:
    """The rows in blocks, each an Arrow table with every column as text, null where there is no value.

    Raises InputError, naming the file and where possible the row, for what is missing, cut off, ragged, or not UTF-8.
    """
    if not isinstance(source, str):
        yield _as_text(arrow_table(source), "the frame")
        return
    arrow, path = _arrow(), Path(source)
    try:
        for block in _delimited_blocks(path) if _is_delimited(source) else columnar_blocks(path):
            yield _as_text(arrow.Table.from_batches([block]), source)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except (OSError, EOFError, arrow.ArrowException) as error:
        if "UTF8" in str(error):
            raise InputError(f"{path} row {_undecodable(path)}: is not UTF-8; write the table again as UTF-8") from None
        raise InputError(f"{path}: cannot be read as a table ({error}); correct or write it again") from None


def _is_delimited(source: Source) -> bool:
    return isinstance(source, str) and source.lower().endswith(DELIMITED)


def _delimited(path: Path) -> tuple[list[str], str, bool]:
    """The names, the delimiter, and whether the first line is a header; a line of numbers only is not a header."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            first = file.readline().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} row 1: is not UTF-8; write the table again as UTF-8") from None
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); fetch it again") from None
    if not first.strip():
        raise InputError(f"{path}: the table is empty or starts with an empty line; give it a header and rows")
    delimiter = max(",;\t|", key=first.count) if ".tsv" not in path.name else "\t"
    try:
        names = next(csv.reader([first], delimiter=delimiter))
    except csv.Error as error:
        raise InputError(f"{path} row 1: cannot be read ({error}); end lines with a newline") from None
    header = not all(_is_number(name) for name in names)
    names = [name.strip() for name in names] if header else [f"c{k}" for k in range(len(names))]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: the column {twice!r} occurs twice in the header; rename one")
    return names, delimiter, header


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in ("nan", "inf", "infinity")


def _delimited_blocks(path: Path) -> Iterator[Any]:
    arrow = _arrow()
    names, delimiter, header = _delimited(path)
    ragged: list[Any] = []

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "error"

    try:
        yield from arrow.csv.open_csv(
            arrow.input_stream(str(path)),
            read_options=arrow.csv.ReadOptions(
                use_threads=False, block_size=BLOCK, column_names=names, skip_rows=int(header)
            ),
            parse_options=arrow.csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,
                invalid_row_handler=refuse,
            ),
            convert_options=arrow.csv.ConvertOptions(
                column_types={name: arrow.string() for name in names}, strings_can_be_null=False
            ),
        )
    except arrow.ArrowInvalid:
        if not ragged:
            raise
        row = ragged[0]
        raise InputError(
            f"{path} row {row.number}: has {row.actual_columns} values, expected {row.expected_columns}; "
            "correct or quote it"
        ) from None


def _schema(source: Source) -> list[str]:
    if not isinstance(source, str):
        return list(arrow_table(source).column_names)
    first = next(read_blocks(source), None)
    if first is None:
        raise InputError(f"{source}: the table has no rows; give it examples")
    return list(first.column_names)


def _as_text(table: Any, what: str) -> Any:
    arrow = _arrow()
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if arrow.types.is_nested(column.type):
            raise InputError(f"{what}: the column {name!r} holds {column.type}, expected one value per row; drop it")
        values = column.combine_chunks()
        values = values.dictionary_decode() if arrow.types.is_dictionary(values.type) else values
        columns[str(name)] = values.cast(arrow.string())
    return arrow.table(columns)


def _undecodable(path: Path) -> int:
    """The first line that is not UTF-8, counted from 1."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 0
