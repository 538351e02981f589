"""DuckDB, as we allow it to run: no network, no extensions, no file but the one it is given, bounded memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import torch

from chainrule.data.sources.plain_files import private_folder
from chainrule.errors import InputError

__all__ = ["connection", "plain_name", "suggested_delimiter"]

MEMORY = "256MB"
WIDEST = 1000  # columns up to which the sniffer is quick
FILE = "table"


@contextlib.contextmanager
def connection(folder: Path, file: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that can read one file and one private folder, and nothing else.

    folder: holds a link to the file under a plain name, and what is spilled.
    file: the file itself.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,  # a name in a query is never a variable of ours
        "memory_limit": MEMORY,
        "threads": torch.get_num_threads(),
        "temp_directory": str(folder / "spill"),
    }
    with duckdb.connect(":memory:", config=settings) as database:
        database.execute("SET allowed_directories = [$folder]", {"folder": f"{folder}/"})
        if file is not None:
            database.execute("SET allowed_paths = [$file]", {"file": str(file.resolve())})
        database.execute("SET enable_external_access = false")
        database.execute("SET enable_progress_bar = false")
        database.execute("SET lock_configuration = true")
        yield database


def plain_name(path: Path, folder: Path) -> Path:
    """A link to the file under a name that is neither a pattern nor an address, in the private folder."""
    link = folder / FILE
    link.symlink_to(path.resolve())
    return link


def suggested_delimiter(lines: Sequence[str]) -> str:
    """The delimiter that DuckDB's sniffer finds for the lines, "" where it finds none or the lines are very long."""
    if not lines or max(lines[0].count(mark) for mark in ",;\t|") > WIDEST:
        return ""
    with private_folder() as folder:
        file = folder / FILE
        try:
            file.write_text("".join(lines), "utf-8", newline="")
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be written ({error.strerror}); make room, or name another place with TMPDIR"
            ) from None
        with connection(folder) as database:
            try:
                found = database.execute(f"SELECT Delimiter FROM sniff_csv('{file}')").fetchone()
            except duckdb.Error:
                return ""
    return str(found[0]) if found else ""
