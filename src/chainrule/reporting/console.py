"""What a person sees while a command runs: lines and tables, progress on standard error, or one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from errno import EPIPE
from typing import Any

import rich.console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from chainrule.atomic_files import json_bytes
from chainrule.errors import OutputError
from chainrule.reporting.table import Table
from chainrule.reporting.visible import text, visible

__all__ = ["Console", "training_line"]

WIDTH = 1 << 16  # characters of a line where there is no terminal: nothing wraps


class Terminal(rich.console.Console):
    """Rich's console, which leaves a closed pipe to the command line."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Console:
    """Prints for a person, or keeps quiet and prints one JSON object at the end.

    json: whether standard output is for the JSON object alone; people then read standard error.
    silent: print nothing, as all processes of a job do but the first.
    kept: where what is computed is kept, for the message where it cannot be shown; None while nothing is.
    console: where lines and tables go, by default standard output, or with `json` standard error.
    """

    def __init__(self, json: bool = False, silent: bool = False, console: rich.console.Console | None = None) -> None:
        self.json = json and not silent
        self.kept: str | None = None
        self.console = Terminal(stderr=json, quiet=silent) if console is None else console
        self.progress_console = rich.console.Console(stderr=True, quiet=silent)

    def print(self, *parts: str | Text | Table) -> None:
        """A line, its parts put together, or a table.

        Text is shown as it is: nothing in it is read as markup or as an escape sequence, see `visible`.
        """
        with self._shown():
            self._print(*parts)

    def _print(self, *parts: str | Text | Table) -> None:
        lines = [part for part in parts if not isinstance(part, Table)]
        if lines or not parts:
            line = Text().join(part if isinstance(part, Text) else text(part) for part in lines)
            self.console.print(line, soft_wrap=True)
        for table in (part for part in parts if isinstance(part, Table)):
            most = self.console.width if self.console.is_terminal else WIDTH
            self.console.print(text(table.title, "italic"), soft_wrap=True)
            for line in table.lines(self.console, most):
                self.console.print(line, soft_wrap=True)

    def write(self, content: str) -> None:
        """A text of several lines on standard output: whole and as it is in a file, its control characters shown."""
        shown = visible(content, keep="\n\t") if self.console.is_terminal else content
        with self._shown():
            self.console.file.write(shown)
            self.console.file.flush()

    def aside(self) -> Console:
        """The same for a part of what a command does: people see it, the JSON object is that of the whole."""
        part = copy(self)
        part.json = False
        return part

    def milestone(self, line: str) -> None:
        """A line on standard error, where it is not a terminal and so shows no progress."""
        if not self.progress_console.is_terminal:
            self.progress_console.print(text(line), soft_wrap=True)

    def remark(self, line: str) -> None:
        """A line on standard error, beside what was asked for."""
        self.progress_console.print(text(line), soft_wrap=True)

    def result(self, record: dict[str, Any]) -> None:
        """The JSON object, if that is what was asked for."""
        if self.json:
            with self._shown():
                sys.stdout.write(json_bytes(record, indent=None).decode())
                sys.stdout.flush()

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """Inside, output that cannot be written is an OutputError, which is told from files that cannot."""
        try:
            yield
        except OSError as error:
            failed = OutputError(error.errno or EPIPE, error.strerror or "the pipe is closed")
            failed.kept = self.kept
            raise failed from error

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Any]:
        """A progress bar on standard error, gone when done; `update(advance, text, total)` moves it on."""
        shown = self.progress_console
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
            task = bar.add_task(visible(what), total=total, text="")

            def update(advance: int, text: str = "", total: int | None = None) -> None:
                bar.update(task, advance=advance, total=total)
                if text:
                    bar.update(task, text=visible(text))

            yield update


def training_line(record: dict[str, Any]) -> str:
    """The figures of training in one line, from the metrics of a step.

    >>> training_line({"train_nats_per_example": 78.1, "train_bits_per_dim": 1.76, "gradient_norm": 3.2,
    ...                "examples_per_second": 512.4, "elements_per_second": 32793.6, "waiting_share": 0.013})
    'train 78.10 nats = 1.760 bits/dim, gradient 3.2, 512 examples/s, 32.8k elements/s, 1% waiting for data'
    """
    if "train_nats_per_example" in record:
        trained = f"{record['train_nats_per_example']:.2f} nats = {record['train_bits_per_dim']:.3f} bits/dim"
    else:
        trained = f"estimate {record['train_estimate_per_example']:.2f}, which is not a likelihood"
    return (
        f"train {trained}, "
        f"gradient {record['gradient_norm']:.2g}, {_short(record['examples_per_second'])} examples/s, "
        f"{_short(record['elements_per_second'])} elements/s, {record['waiting_share']:.0%} waiting for data"
    )


def _short(number: float) -> str:
    """Three digits and a letter."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return f"{number:.0f}"
