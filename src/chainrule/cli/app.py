"""The command line. Thin: each command opens, calls and prints.

Torch is imported inside the commands, so that `--help` stays quick.
"""

from __future__ import annotations

import sys
import warnings

from cyclopts import App, CycloptsError

from chainrule import __version__
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
    """Run a command; 0 on success, 1 if verification fails, 2 and one line on standard error for unusable input."""
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        words = with_new_flags(sys.argv[1:] if arguments is None else arguments)
        if words[:1] == ["fit"] and {"--help", "-h"} & set(words):
            print(help_page(), end="")
            return 0
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except InputError as error:
        return _fail(str(error))
    except CycloptsError as error:
        return _fail(str(error))
    except Interrupted as end:
        return _fail(str(end), code=end.code)
    except KeyboardInterrupt:
        return _fail("interrupted", code=130)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int = 2) -> int:
    from chainrule.reporting.visible import visible

    print("error:", visible(" ".join(message.split())), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
