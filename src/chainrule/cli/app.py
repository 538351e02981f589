"""The command line. Thin: each command opens, calls and prints.

Torch is imported inside the commands, so that `--help` stays quick.
"""

from __future__ import annotations

import sys
import warnings
from errno import ENOSPC

from cyclopts import App, CycloptsError

from chainrule import __version__
from chainrule.cli.unforeseen import UNFORESEEN, output_failed, unforeseen
from chainrule.config.old_names import with_new_flags
from chainrule.config.options_text import ABOUT, help_page
from chainrule.errors import InputError, Interrupted

__all__ = ["app", "main"]

app = App(
    name="chainrule",
    version=__version__,
    help="Autoregressive models by their exact log-likelihood.",
    help_format="plaintext",
)


app.command("chainrule.cli.fit:fit", name="fit", help=ABOUT)


# Each command is imported when it is called; its help stands here so that `chainrule --help` imports none of them.
COMMANDS = {
    "import": "Make a run of a Hugging Face language model, to evaluate, compare, sample, probe and score with it.",
    "evaluate": "Score every example once: nats/example, bits/dim and their standard errors.",
    "compare": "Say which model is better on the same examples, by how much, and whether it is more than chance.",
    "report": "Write one self-contained page: figures, learning curve, samples, calibration, certificate.",
    "verify": "Verify that the reported number is a log-likelihood; exit code 1 if it is not.",
    "sample": "Draw examples from the model: its own distribution, nothing cut off, unless a filter is asked for.",
    "probe": "Say how well a linear classifier reads labels off each layer.",
    "classify": "Say which class each example is of, by Bayes from a model that was fitted with --given label.",
    "score": "Print ln p(x) of every example of DATA, in nats, and how strange it is if so asked.",
    "reproduce": "Reproduce published results: train by each recipe, verify, score, and write records/NAME.json.",
    "info": "Say what a run directory holds, or which networks, heads and defaults there are.",
}
for _name, _help in COMMANDS.items():
    _file = "import_model" if _name == "import" else _name
    app.command(f"chainrule.cli.{_file}:{_file}", name=_name, help=_help)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code, see `docs/exit_codes.md`; an error is one line on standard error.

    arguments: the words of the command line, by default those of the process. `--debug` among them lets an error that
        nobody foresaw through, with its traceback.
    """
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        return _run(_with_standard_input(with_new_flags([word for word in words if word != "--debug"])))
    except (InputError, CycloptsError) as error:
        return _fail(str(error))
    except Interrupted as end:
        return _fail(str(end), code=end.code)
    except KeyboardInterrupt:
        return _fail("interrupted", code=130)
    except MemoryError as error:
        return _fail(f"out of memory ({error}); use a smaller --batch-size, --microbatch or --width", code=UNFORESEEN)
    except Exception as error:
        if debug:
            raise
        return _fail(unforeseen(error), code=UNFORESEEN)


def _run(words: list[str]) -> int:
    """Run a command; standard output that cannot be written ends it with a code of its own."""
    try:
        if words[:1] == ["fit"] and {"--help", "-h"} & set(words):
            print(help_page(), end="")
            code = 0
        else:
            code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError) and (error.filename is not None or error.errno != ENOSPC):
            raise
        message, code = output_failed(error)
        return _fail(message, code) if message else code
    return code if isinstance(code, int) else 0


def _with_standard_input(words: list[str]) -> list[str]:
    """The words of a command line, in which `-` as data is not taken for an option."""
    return [
        "/dev/stdin" if word == "-" and not before.startswith("--") else word
        for before, word in zip(["", *words], words, strict=False)
    ]


def _fail(message: str, code: int = 2) -> int:
    from chainrule.reporting.visible import visible

    print("error:", visible(" ".join(message.split())), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
