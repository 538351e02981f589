"""Delimited text as columns of text, in blocks, with bounded memory; every complaint names the line of the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from chainrule.data.sources.delimited.delimiter import SPACE
from chainrule.data.sources.delimited.dialect import Dialect
from chainrule.data.sources.delimited.duck import connection, plain_name
from chainrule.data.sources.delimited.rewritten import plain
from chainrule.data.sources.delimited.rows import first_ragged, line_of
from chainrule.data.sources.plain_files import private_folder
from chainrule.errors import InputError

__all__ = ["read_delimited"]

WIDE = 300  # columns from which Arrow reads: DuckDB takes long to bind very many
ROWS = 1 << 16  # of a block
CELLS = 1 << 20  # of a block
BLOCK = 1 << 22  # bytes that Arrow parses at once, at least some lines
LONGEST = 1 << 26  # bytes of a line
SHOWN = re.compile(r"^[^\n]*")


def read_delimited(path: Path, dialect: Dialect) -> Iterator[pa.Table]:
    """The rows in blocks, each an Arrow table with every column as text, null where a cell is empty.

    A quoted empty cell is the text "". Cells stand as the file has them: what a number or a missing value is, is
    decided elsewhere (`encodings/cells.py`).

    path: a file that can be read many times (see `as_file`), perhaps compressed.
    dialect: as `sniff` finds it.

    Raises InputError, naming the file, the line and what to do, for a row with more or fewer values than the others,
    a quote that is not closed, and bytes that are not of the encoding.
    """
    try:
        with plain(path, dialect) as (file, skip, delimiter):
            read = _by_arrow if dialect.width >= WIDE else _by_duckdb
            yield from _trimmed(read(file, skip, delimiter, dialect), path, dialect)
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # Arrow passes DuckDB's on as OSError
        raise _explained(path, dialect, str(error)) from None


def _by_duckdb(file: Path, skip: int, delimiter: str, dialect: Dialect) -> Iterator[pa.Table]:
    columns = ", ".join(f"'{k}': 'VARCHAR'" for k in range(dialect.width))
    quote = "" if dialect.delimiter == SPACE else dialect.quote
    values = {"skip": skip, "delimiter": delimiter, "quote": quote}
    with private_folder() as folder, connection(folder, file) as database:
        values["file"] = str(plain_name(file, folder))
        relation = database.sql(
            "SELECT * FROM read_csv($file, auto_detect = false, header = false, "
            f"columns = {{{columns}}}, skip = $skip, delim = $delimiter, quote = $quote, escape = $quote, "
            "nullstr = '', allow_quoted_nulls = false, "
            f"max_line_size = {LONGEST // 4}, buffer_size = {LONGEST // 2})",
            params=values,
        )
        for batch in relation.to_arrow_reader(max(1, min(ROWS, CELLS // dialect.width))):
            yield pa.Table.from_batches([batch])


def _by_arrow(file: Path, skip: int, delimiter: str, dialect: Dialect) -> Iterator[pa.Table]:
    names = [str(k) for k in range(dialect.width)]
    quote: Any = dialect.quote if dialect.quote and dialect.delimiter != SPACE else False
    with pa.OSFile(str(file.absolute())) as source:
        for batch in pyarrow.csv.open_csv(
            source,
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=max(BLOCK, 64 * dialect.width), column_names=names, skip_rows=skip
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, quote_char=quote, newlines_in_values=bool(quote), ignore_empty_lines=True
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        ):
            yield pa.Table.from_batches([batch])


def _trimmed(blocks: Iterator[pa.Table], path: Path, dialect: Dialect) -> Iterator[pa.Table]:
    """The blocks under the names of the file, without what stands for nothing: spaces after delimiters, a last empty
    column, blank lines at the end of a table of one column.
    """
    held: pa.Table | None = None
    row = 0
    for block in blocks:
        if dialect.trailing:
            _check_empty(block.column(dialect.width - 1), path, dialect, row)
            block = block.remove_column(dialect.width - 1)
        if dialect.spaced:
            block = pa.table([pc.utf8_trim(column, " ") for column in block.columns], names=block.column_names)
        row += block.num_rows
        block = block.rename_columns(list(dialect.names))
        if dialect.width > 1 or not dialect.blank_end:
            yield block
            continue
        held = block if held is None else pa.concat_tables([held, block])
        if held.num_rows > dialect.blank_end:
            yield held.slice(0, held.num_rows - dialect.blank_end)
            held = held.slice(held.num_rows - dialect.blank_end)


def _check_empty(column: Any, path: Path, dialect: Dialect, before: int) -> None:
    """Refuse a value after the last delimiter of a line, where the first lines have none."""
    filled = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(column), ""), False)
    at = pc.index(filled, True).as_py()
    if at >= 0:
        raise InputError(
            f"{path} line {line_of(path, dialect, before + at)}: has {dialect.width} values, expected "
            f"{dialect.width - 1}: {column[at].as_py()!r} stands after the last delimiter; correct the line"
        )


def _explained(path: Path, dialect: Dialect, message: str) -> InputError:
    """The error that names the line, found by walking over the file once more."""
    row = first_ragged(path, dialect)
    if row is not None:
        line, came, begins = row
        if not begins.strip():
            return InputError(f"{path} line {line}: holds nothing but spaces; remove the line")
        hint = "quote a value that holds the delimiter, or correct the line"
        if came > 2 * dialect.width or "\n" in begins:
            hint = "a quote is perhaps not closed: double the quotes within values, or correct the line"
        return InputError(
            f"{path} line {line}: has {came} values, expected {dialect.width} "
            f"({', '.join(islice(dialect.names, 3))}{', ...' if dialect.width > 3 else ''}); {hint}"
        )
    said = " ".join(SHOWN.findall(message))[:200].strip()
    return InputError(f"{path}: cannot be read as a table ({said}); correct the file, or write it again")
