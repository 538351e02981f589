"""The commands: what each does, in one line, and the page of `chainrule --help`.

The page is made here without the library that reads the command line: to import that takes longer than all else.
"""

from __future__ import annotations

from textwrap import fill

from chainrule.config.option import ABOUT

__all__ = ["COMMANDS", "commands_page"]

# In the order in which they are used.
COMMANDS = {
    "fit": ABOUT,
    "evaluate": "Score every example once: nats per example, bits per dimension, and their standard errors.",
    "report": "Write one self-contained page: figures, learning curve, samples, calibration, certificate.",
    "sample": "Draw examples from the model: its own distribution, nothing cut off unless a filter is asked for.",
    "score": "Print ln p(x) of every example of a file, in nats, and how strange it is if asked.",
    "compare": "Say which model is better on the same examples, by how much, and whether that could be chance.",
    "compress": "Compress a file into an archive that gives it back byte for byte, with a model or by counts.",
    "decompress": "Give back the file of an archive, byte for byte, or some of its examples.",
    "verify": "Check that the reported number is a log-likelihood; the exit code is 1 if it is not.",
    "probe": "Say how well a linear classifier reads labels from each layer.",
    "classify": "Say which class each example is of, by Bayes' rule, from a model fitted with --given label.",
    "import": "Make a run of a Hugging Face language model, to evaluate, compare, sample, probe and score with it.",
    "reproduce": "Reproduce published results: train, verify and score each recipe, and write records/NAME.json.",
    "info": "Say what a run directory holds, or which networks, heads and defaults there are.",
}

EXAMPLES = {
    "chainrule fit digits": "a first model: three minutes, into runs/digits-1",
    "chainrule fit my.csv --minutes 10": "your own table, text, images or array",
    "chainrule sample runs/digits-1": "draw from it",
    "chainrule fit --help": "the options of a command",
}


def commands_page(width: int = 80) -> str:
    """The text of `chainrule --help`.

    width: number of characters per line.

    >>> print(commands_page().splitlines()[0])
    Usage: chainrule COMMAND
    """
    last = {"--version": "Print the version.", "--debug": "Show the whole traceback of an unforeseen error."}
    parts = (
        "Usage: chainrule COMMAND",
        "Autoregressive models by their exact log-likelihood.",
        f"Commands\n{_listed(COMMANDS, width)}",
        f"Start here\n{_listed(EXAMPLES, width)}",
        f"Options\n{_listed(last | {'--help, -h': 'Show this page, or that of a command.'}, width)}",
    )
    return "\n\n".join(parts) + "\n"


def _listed(lines: dict[str, str], width: int) -> str:
    margin = 4 + max(map(len, lines))
    return "\n".join(
        fill(text, width, initial_indent=f"  {name}".ljust(margin), subsequent_indent=" " * margin)
        for name, text in lines.items()
    )
