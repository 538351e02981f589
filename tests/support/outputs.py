"""Every command with a standard output that cannot be written; prints what came of each as JSON lines.

python -m tests.support.outputs DIRECTORY
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch._dynamo  # noqa: F401  (which the first optimizer of a process imports)

import chainrule.runs.fit  # imported once, before the forks
import chainrule.runs.run  # noqa: F401
from tests.support.trials import attempt

QUICK = ("--steps", "1", "--evaluate-every", "1", "--width", "8", "--depth", "1", "--network", "nade")
OUTPUTS = ("/dev/full", "closed", "broken pipe")


def few_commands(data, run):
    """Commands that print in different ways: by cyclopts, as text, as JSON, and as a file."""
    yield ("--version",)
    yield ("info", run)
    yield ("evaluate", run, "--json")
    yield ("score", run, data)


def commands(data, run, place):
    """One line of each command that prints something."""
    yield ("--help",)
    yield ("--version",)
    yield ("info",)
    yield ("fit", data, "--out", place / "fitted", *QUICK)
    for command in ("info", "evaluate"):
        yield (command, run)
        yield (command, run, "--json")
    yield ("report", run)
    yield ("sample", run, "-n", "2")
    yield ("score", run, data)
    yield ("score", run, data, "--json")
    yield ("compare", run, run)


def main(place):
    data, run = place / "rows.npy", place / "run"
    np.save(data, np.random.default_rng(0).integers(0, 3, (60, 5)))
    made = attempt(("fit", data, "--out", run, *QUICK), 120, 6)
    print(json.dumps(asdict(made) | {"words": "made", "output": ""}), flush=True)
    for number, output in enumerate(OUTPUTS):
        (place / str(number)).mkdir()
        for words in few_commands(data, run) if number else commands(data, run, place / str(number)):
            found = attempt(words, 120, 6, output=output)
            print(json.dumps(asdict(found) | {"words": " ".join(map(str, words)), "output": output}), flush=True)
    written = (place / "0" / "fitted").exists()
    print(json.dumps({"words": "left", "output": OUTPUTS[0], "written": written}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
