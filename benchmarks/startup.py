"""Start-up: how long it takes to say something, each time in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median

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


ROWS = {"startup": startup}
