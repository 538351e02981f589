"""The command line. Thin: each command opens, calls and prints.

Torch is imported inside the commands, so that `--help` stays quick.
"""

from __future__ import annotations

import os
import sys
import warnings
from errno import ENOSPC
from functools import cache
from typing import TYPE_CHECKING

from chainrule import __version__
from chainrule.cli.commands import COMMANDS, commands_page
from chainrule.cli.streams import write_what_can_be_written
from chainrule.cli.unforeseen import output_failed, unforeseen
from chainrule.config.old_names import with_new_flags
from chainrule.config.options_text import help_page
from chainrule.errors import InputError, Interrupted, OutputError

if TYPE_CHECKING:
    from cyclopts import App

__all__ = ["app", "main"]


@cache
def app() -> App:
    """The commands by name; each is imported when it is called, so that the help of another imports none of them."""
    from cyclopts import App

    commands = App(name="chainrule", version=__version__, help_format="plaintext")
    for name, about in COMMANDS.items():
        file = "import_model" if name == "import" else name
        commands.command(f"chainrule.cli.{file}:{file}", name=name, help=about)
    return commands


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code, see `docs/exit_codes.md`; an error is one line on standard error.

    arguments: the words of the command line, by default those of the process. `--debug` among them lets an error that
        nobody foresaw through, with its traceback.
    """
    warnings.showwarning = lambda message, *_: _warn(str(message))
    write_what_can_be_written()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        return _run(_with_standard_input(with_new_flags([word for word in words if word != "--debug"])))
    except InputError as error:
        return _fail(str(error))
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
        sys.stdout.flush()
    except OSError as error:
        of_output = isinstance(error, BrokenPipeError | OutputError)
        if not of_output and (error.filename is not None or error.errno != ENOSPC):
            raise
        message, code = output_failed(error)
        return _fail(message, code) if message else code
    return code if isinstance(code, int) else 0


def _called(words: list[str]) -> object:
    """What the command gives back; the two pages of help that are read most are shown without cyclopts."""
    if words in ([], ["--help"], ["-h"]):
        return print(commands_page(), end="")
    if words == ["--version"]:
        return print(__version__)
    if words[0] == "fit" and {"--help", "-h"} & set(words):
        return print(help_page(), end="")
    from cyclopts import CycloptsError

    try:
        return app()(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        raise InputError(str(error)) from error


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
