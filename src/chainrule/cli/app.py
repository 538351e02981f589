"""The command line. Thin: each command opens, calls and prints.

Torch is imported inside the commands, so that `--help` stays quick.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING

from chainrule import __version__
from chainrule.cli.commands import COMMANDS, commands_page
from chainrule.cli.quick_start import import_torch
from chainrule.cli.streams import write_what_can_be_written
from chainrule.cli.unforeseen import output_failed, unforeseen
from chainrule.config.old_names import with_new_flags
from chainrule.errors import InputError, Interrupted, OutputError
from chainrule.training.clock import COMMAND_BEGUN, IMPORTED

if TYPE_CHECKING:
    from cyclopts import App

__all__ = ["app", "main"]

WITHOUT_TORCH = {"info"}
MAX_MEMORY = "--max-memory"
MEMORY_VARIABLE = "CHAINRULE_MAX_MEMORY"


@cache
def app() -> App:
    """The commands by name; each is imported when it is called, so that the help of another imports none of them."""
    from cyclopts import App, Parameter

    from chainrule.cli.options import converted

    commands = App(
        name="chainrule",
        version=__version__,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(converter=converted),
    )
    for name, about in COMMANDS.items():
        commands.command(f"{_module(name)}:{_module(name).rpartition('.')[2]}", name=name, help=about)
    return commands


def _module(command: str) -> str:
    """The module of a command; the function in it has the same name."""
    return f"chainrule.cli.{'import_model' if command == 'import' else command}"


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code, see `docs/exit_codes.md`; an error is one line on standard error.

    arguments: the words of the command line, by default those of the process. `--debug` among them lets an error that
        nobody foresaw through, with its traceback; `--max-memory GB` is what reading data may take.
    """
    warnings.showwarning = lambda message, *_: _warn(str(message))
    write_what_can_be_written()
    COMMAND_BEGUN.set(IMPORTED if arguments is None else monotonic())
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        with _max_memory_of([word for word in words if word != "--debug"]) as words:
            return _run(_with_standard_input(with_new_flags(words)))
    except InputError as error:
        return _fail(str(error), error.code)
    except Interrupted as end:
        return _fail(str(end), code=end.code)
    except KeyboardInterrupt:
        return _fail("interrupted", code=130)
    except Exception as error:
        if debug:
            raise
        return _fail(*unforeseen(error))


def _run(words: list[str]) -> int:
    """Run a command; standard output that cannot be written ends it with a code of its own."""
    try:
        code = _called(words)
        _flush()
    except OSError as error:
        of_output = isinstance(error, BrokenPipeError | OutputError)
        if not of_output and (error.filename is not None or error.errno != ENOSPC):
            raise
        message, code = output_failed(error)
        return _fail(message, code) if message else code
    return code if isinstance(code, int) else 0


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError as error:
        raise OutputError(error.errno, error.strerror) from error


def _called(words: list[str]) -> object:
    """What the command gives back; the two pages of help that are read most are shown without cyclopts."""
    if words in ([], ["--help"], ["-h"]):
        return print(commands_page(), end="")
    if words == ["--version"]:
        return print(__version__)
    if words[0] == "fit" and {"--help", "-h"} & set(words):
        from chainrule.config.options_text import help_page

        return print(help_page(), end="")
    from cyclopts import CycloptsError

    try:
        command, bound, _ = app().parse_args(words, exit_on_error=False, print_error=False)
        if command.__module__ in {_module(name) for name in COMMANDS if name not in WITHOUT_TORCH}:
            import_torch()
        return command(*bound.args, **bound.kwargs)
    except CycloptsError as error:
        raise InputError(str(error)) from error


@contextmanager
def _max_memory_of(words: list[str]) -> Iterator[list[str]]:
    """The words without `--max-memory GB`, which holds for every command and is what reading data may take inside."""
    joined = [part for word in words for part in (word.split("=", 1) if word.startswith(MAX_MEMORY + "=") else [word])]
    if MAX_MEMORY not in joined:
        yield words
        return
    place, before = joined.index(MAX_MEMORY), os.environ.get(MEMORY_VARIABLE)
    number = "".join(joined[place + 1 : place + 2])
    if not number.replace(".", "", 1).isdigit() or float(number) == 0:
        raise InputError(f"{MAX_MEMORY} is a number of gigabytes above 0, such as 8; got {number!r}")
    os.environ[MEMORY_VARIABLE] = number
    try:
        yield joined[:place] + joined[place + 2 :]
    finally:
        os.environ.pop(MEMORY_VARIABLE)
        if before is not None:
            os.environ[MEMORY_VARIABLE] = before


def _with_standard_input(words: list[str]) -> list[str]:
    """The words of a command line, in which `-` as data is not taken for an option."""
    return [
        "/dev/stdin" if word == "-" and not before.startswith("--") else word
        for before, word in zip(["", *words], words, strict=False)
    ]


def _warn(message: str) -> None:
    if os.environ.get("RANK", "0") == "0":  # once, of several processes
        print(f"warning: {message}", file=sys.stderr)


def _fail(message: str, code: int = 2) -> int:
    from chainrule.reporting.visible import visible

    print("error:", visible(" ".join(message.split())), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
