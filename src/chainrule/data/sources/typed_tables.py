"""Tables whose columns have types already: Parquet and Arrow files, and pandas, polars or Arrow frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chainrule.data.sources.objects import Source
from chainrule.errors import InputError

__all__ = ["arrow_table", "columnar_blocks", "typed_blocks", "typed_names", "typed_rows"]

ROWS = 1 << 16  # of a block
CELLS = 1 << 22  # of a block


def typed_names(source: Source) -> list[str]:
    """The names of the columns; raises InputError where two columns have the same."""
    what = source if isinstance(source, str) else "the frame"
    with _explained(what):
        found = _file_names(Path(source)) if isinstance(source, str) else _frame_names(source)
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


def typed_blocks(source: Source) -> Iterator[Any]:
    """The rows in blocks, Arrow tables of the types that the source has; errors name the source."""
    if isinstance(source, str):
        import pyarrow

        with _explained(source):
            for batch in columnar_blocks(Path(source)):
                yield pyarrow.Table.from_batches([batch])
        return
    with _explained("the frame"):
        table = arrow_table(source)
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
            yield from (reader.get_batch(k) for k in range(reader.num_record_batches))
        except pyarrow.ArrowInvalid:
            mapped.seek(0)
            yield from pyarrow.ipc.open_stream(mapped)


def arrow_table(frame: Any) -> Any:
    """An Arrow table from one, from a pandas frame or from a polars frame."""
    import pyarrow

    if isinstance(frame, pyarrow.Table):
        return frame
    if hasattr(frame, "to_arrow"):
        table = frame.to_arrow()
        return table if isinstance(table, pyarrow.Table) else pyarrow.table({"value": table})
    if hasattr(frame, "iloc"):
        frame = frame.to_frame() if hasattr(frame, "to_frame") else frame
        return pyarrow.Table.from_pandas(frame, preserve_index=False)
    raise InputError(f"a table is a path, or a pandas, polars or Arrow table, got {type(frame).__name__}")


def _frame_names(frame: Any) -> list[Any]:
    if hasattr(frame, "iloc") and not hasattr(frame, "to_frame"):
        return list(frame.columns)  # two of the same name cannot become an Arrow table
    return list(arrow_table(frame).column_names)


def _file_names(path: Path) -> list[str]:
    import pyarrow
    import pyarrow.parquet

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
