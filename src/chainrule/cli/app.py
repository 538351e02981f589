"""The command line. Thin: each command opens, calls and prints.

Torch is imported inside the commands, so that `--help` stays quick.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from chainrule import __version__
from chainrule.cli.options import Json, console_of
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
    "info": "Say what a run directory holds, or which networks, heads and defaults there are.",
}
for _name, _help in COMMANDS.items():
    _file = "import_model" if _name == "import" else _name
    app.command(f"chainrule.cli.{_file}:{_file}", name=_name, help=_help)


@app.command
def reproduce(
    *names: Annotated[str, Parameter(name="NAME", help="Recipes or families of them [default: list what there is].")],
    every: Annotated[bool, Parameter(name="--all", negative="", help="Every recipe, one after the other.")] = False,
    table: Annotated[bool, Parameter(negative="", help="Only write docs/results.md from the records.")] = False,
    data: Annotated[
        Path | None, Parameter(help="The directory of the data sets [default: CHAINRULE_DATA, ../shared/data].")
    ] = None,
    out: Annotated[Path, Parameter(help="The directory of the runs, one a recipe.")] = Path("runs/reproduce"),
    minutes: Annotated[float | None, Parameter(help="Of training, instead of the recipe's budget.")] = None,
    threads: Annotated[int | None, Parameter(help="Of torch.", validator=Number(gte=1))] = None,
    seed: Annotated[int | None, Parameter(help="Of weights, order and dropout [default: 0].")] = None,
    smoke: Annotated[bool, Parameter(negative="", help="Two steps on a few examples: does it run at all?")] = False,
    resume: Annotated[bool, Parameter(negative="", help="Go on with the runs at --out; finished ones stay.")] = False,
    json: Json = False,
) -> int:
    """Have a published number again: train by its recipe, verify, score, and write records/NAME.json."""
    from chainrule.cli.reproduce import reproduce_recipes

    return reproduce_recipes(names, every, table, data, out, minutes, threads, smoke, seed, resume, console_of(json))


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
