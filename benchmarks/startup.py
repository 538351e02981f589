"""Start-up: how long it takes to say something, each time in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.row import Limit, Options, Row, timed
from benchmarks.windows import side_by_side

__all__ = ["ROWS"]

PYTHON, TORCH = "python -c pass", 'python -c "import torch"'
COMMANDS = {
    "chainrule --version": ["-m", "chainrule", "--version"],
    "chainrule --help": ["-m", "chainrule", "--help"],
    "chainrule fit --help": ["-m", "chainrule", "fit", "--help"],
    "import chainrule": ["-c", "import chainrule"],
}
GOALS = {"chainrule --version": 5.0, "chainrule --help": 10.0, "chainrule fit --help": 10.0, "import chainrule": 5.0}


OF_A_RUN = {
    "chainrule info RUN": ["info"],
    "chainrule evaluate RUN": ["evaluate"],
    "chainrule score RUN DATA": ["score", "digits", "--split", "test"],
    "chainrule sample RUN": ["sample"],
}
GOAL_OF_A_RUN = 1 / 1.15  # at most 1.15 of the import


def started(arguments: list[str]) -> None:
    """Run Python to its end, without a look at where it was started."""
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=Path(sys.prefix))


def startup(options: Options) -> list[Row]:
    """Each command against `import torch`; `python -c pass` is the limit."""
    functions = [partial(started, arguments) for arguments in COMMANDS.values()]
    peers = [partial(started, ["-c", code]) for code in ("pass", "import torch")]
    empty, torch, *ours = side_by_side(*peers, *functions, rounds=options.rounds)
    disturbed = any(timing.disturbed for timing in (empty, torch, *ours))
    limit = Limit(median(empty.processor if disturbed else empty.seconds), PYTHON)
    return [
        timed(name, TORCH, timing, torch, goal=GOALS[name], limit=limit)
        for name, timing in zip(COMMANDS, ours, strict=True)
    ]


def start_with_a_run(options: Options) -> list[Row]:
    """What is said or drawn of a small run on the digits, against `import torch`."""
    with TemporaryDirectory() as folder:
        place = str(Path(folder, "run"))
        started(["-m", "chainrule", "fit", "digits", "--network", "made", "--steps", "10", "--out", place])
        functions = [
            partial(started, ["-m", "chainrule", command, place, *more]) for command, *more in OF_A_RUN.values()
        ]
        torch, *ours = side_by_side(partial(started, ["-c", "import torch"]), *functions, rounds=options.rounds)
    return [timed(name, TORCH, timing, torch, goal=GOAL_OF_A_RUN) for name, timing in zip(OF_A_RUN, ours, strict=True)]


ROWS = {"startup": startup, "with a run": start_with_a_run}
