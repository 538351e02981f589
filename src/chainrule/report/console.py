"""What a person sees while a command runs: lines and tables, progress on standard error, or one JSON object."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rich.console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["Console"]


class Console:
    """Prints for a person, or keeps quiet and prints one JSON object at the end.

    json: whether standard output is for the JSON object alone; people then read standard error.
    """

    def __init__(self, json: bool = False) -> None:
        self.json = json
        self.console = rich.console.Console(stderr=json, highlight=False, soft_wrap=True)
        self.progress_console = rich.console.Console(stderr=True, highlight=False)

    def print(self, *what: Any) -> None:
        """A line or a table for a person."""
        self.console.print(*what)

    def result(self, record: dict[str, Any]) -> None:
        """The JSON object, if that is what was asked for."""
        if self.json:
            json_module.dump(record, sys.stdout, allow_nan=False)
            sys.stdout.write("\n")

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Any]:
        """A progress bar on standard error, gone when done; `update(advance, text)` moves it on."""
        shown = self.progress_console
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
            task = bar.add_task(what, total=total, text="")

            def update(advance: int, text: str = "") -> None:
                bar.update(task, advance=advance)
                if text:
                    bar.update(task, text=text)

            yield update
