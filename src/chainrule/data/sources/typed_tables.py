"""Tables whose columns have types already: Parquet and Arrow files, and pandas, polars or Arrow frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from chainrule.data.sources.objects import Source
from chainrule.data.sources.plain_files import data_ending
from chainrule.data.sources.record_tables import column_of, records_table
from chainrule.data.sources.text_files import read_json_lines
from chainrule.errors import InputError

__all__ = ["arrow_table", "columnar_blocks", "is_records", "typed_blocks", "typed_names", "typed_rows"]

ROWS = 1 << 16  # of a block
CELLS = 1 << 22  # of a block


def typed_names(source: Source) -> list[str]:
    """The names of the columns; raises InputError where two columns have the same."""
    what = source if isinstance(source, str) else "the frame"
    with _explained(what):
        found = _file_names(source) if isinstance(source, str) else _frame_names(source)
        names = [str(name) for name in found]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{what}: the column {name!r} occurs twice; rename one")
        seen.add(name)
    return names


def typed_rows(source: Source) -> int:
    """The number of rows; 0 where that is not known before they are read."""
    import pyarrow.parquet

    if not isinstance(source, str):
        return len(source)
    with _explained(source):
        return pyarrow.parquet.read_metadata(source).num_rows if Path(source).suffix.lower() == ".parquet" else 0


def typed_blocks(source: Source, places: Sequence[int]) -> Iterator[Any]:
    """Some columns of the rows in blocks, Arrow tables of the types that the source has; errors name the source.

    source: a path as text, or a frame.
    places: the numbers of the columns.
    """
    if isinstance(source, str) and not is_records(source):
        import pyarrow

        with _explained(source):
            for batch in columnar_blocks(Path(source)):
                yield pyarrow.Table.from_batches([batch]).select(list(places))
        return
    with _explained(source if isinstance(source, str) else "the frame"):
        table = _records(source) if isinstance(source, str) else arrow_table(source, places)
        table = table.select(list(places)) if isinstance(source, str) else table
    size = max(1, min(ROWS, CELLS // max(1, table.num_columns)))
    for start in range(0, table.num_rows, size):
        yield table.slice(start, size)


def columnar_blocks(path: Path) -> Iterator[Any]:
    """The record batches of a Parquet or Arrow file."""
    import pyarrow
    import pyarrow.parquet

    if path.suffix.lower() == ".parquet":
        file = pyarrow.parquet.ParquetFile(path)
        columns = max(1, len(file.schema_arrow.names))
        yield from file.iter_batches(batch_size=max(1, min(ROWS, CELLS // columns)))
        return
    with pyarrow.memory_map(str(path)) as mapped:
        try:
            reader = pyarrow.ipc.open_file(mapped)
        except pyarrow.ArrowInvalid:
            mapped.seek(0)
            batches = iter(pyarrow.ipc.open_stream(mapped))
        else:
            batches = (reader.get_batch(k) for k in range(reader.num_record_batches))
        for batch in batches:
            batch.validate(full=True)  # what is mapped is not checked otherwise: offsets may lead anywhere
            yield batch


def arrow_table(frame: Any, places: Sequence[int] | None = None) -> Any:
    """An Arrow table from one, from a pandas frame or from a polars frame.

    frame: the frame.
    places: the numbers of the columns that are wanted; None for all.
    """
    if hasattr(frame, "iloc") and not hasattr(frame, "to_frame"):
        frame = frame if places is None else frame.iloc[:, list(places)]
        return _whole_table(frame)
    table = _whole_table(frame)
    return table if places is None else table.select(list(places))


def _whole_table(frame: Any) -> Any:
    import pyarrow

    if isinstance(frame, pyarrow.Table):
        return frame
    if hasattr(frame, "to_arrow"):
        table = frame.to_arrow()
        return table if isinstance(table, pyarrow.Table) else pyarrow.table({frame.name or "value": table})  # a Series
    if hasattr(frame, "iloc"):
        frame = frame.to_frame() if hasattr(frame, "to_frame") else frame
        columns = [column_of(frame.iloc[:, k], str(name)) for k, name in enumerate(frame.columns)]
        return pyarrow.table(columns, names=[str(name) for name in frame.columns])
    raise InputError(f"a table is a path, or a pandas, polars or Arrow table, got {type(frame).__name__}")


def _frame_names(frame: Any) -> list[Any]:
    if hasattr(frame, "iloc") and not hasattr(frame, "to_frame"):
        return list(frame.columns)  # two of the same name cannot become an Arrow table
    return list(arrow_table(frame).column_names)


def is_records(path: str) -> bool:
    """Whether a file is named like JSON lines."""
    return data_ending(path) in (".jsonl", ".ndjson")


@lru_cache(maxsize=1)
def _read_records(path: str, mark: tuple[int, int]) -> Any:
    return records_table(read_json_lines(Path(path)), path)


def _records(path: str) -> Any:
    """The table of a file of JSON lines, read once while it stays the same."""
    found = Path(path).stat()
    return _read_records(path, (found.st_size, found.st_mtime_ns))


def _file_names(source: str) -> list[str]:
    import pyarrow
    import pyarrow.parquet

    path = Path(source)
    if is_records(source):
        return list(_records(source).column_names)
    if path.suffix.lower() == ".parquet":
        return list(pyarrow.parquet.read_schema(path).names)
    with pyarrow.memory_map(str(path)) as mapped:
        try:
            return list(pyarrow.ipc.open_file(mapped).schema.names)
        except pyarrow.ArrowInvalid:
            mapped.seek(0)
            return list(pyarrow.ipc.open_stream(mapped).schema.names)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Inside, what Arrow and the system complain about becomes an InputError that names the source."""
    import pyarrow

    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{what}: there is no such file; check the path") from None
    except (OSError, EOFError, pyarrow.ArrowException) as error:
        said = " ".join(str(error).split())[:300]
        raise InputError(f"{what}: cannot be read as a table ({said}); correct it, or write it again") from None
