"""What the training loop itself costs: everything of a step but forward, backward and optimizer.

One training by `fit`, with its checkpoints and its progress line, at the size of the default for a small text: 4 layers
x 128, Muon, 16 windows of 256 bytes. Both sides of the row are the same steps: ours all of their time, theirs that of
forward, backward and the optimizer's step alone. The goal is an overhead below 3 %.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import rich.console

from benchmarks.defaults import text
from benchmarks.row import Options, Row
from benchmarks.stepping import PHASES, Phases
from benchmarks.windows import TOLERANCE, busy, own
from chainrule.reporting.console import Console, training_line
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.fit import Callbacks, begin, fit
from chainrule.training.state import StepMetrics

__all__ = ["ROWS"]

GOAL = 0.97


def overhead(options: Options) -> list[Row]:
    """The row; each figure is of a stretch of ten steps."""
    stretch, stretches = (2, 2) if options.quick else (10, options.rounds)
    steps = stretch * (stretches + 1)
    chosen = text(32 if options.quick else 256, steps=steps, evaluate_every=steps)
    state = begin(chosen.model, chosen.settings)
    phases, console = Phases(state), Console()
    console.progress_console = rich.console.Console(file=io.StringIO(), force_terminal=True)
    marks: list[tuple[float, ...]] = []

    def mark(record: StepMetrics) -> None:
        update(1, training_line(record))
        if record["step"] % stretch == 0:
            inside = sum(phases.seconds.values()), sum(phases.processor.values())
            marks.append((perf_counter(), process_time(), *inside, busy() - own()))

    with (
        tempfile.TemporaryDirectory() as folder,
        phases.watching(),
        console.progress("training", steps) as update,
    ):
        checkpoints = Checkpoints(Path(folder))
        fit(
            chosen.model,
            chosen.train,
            chosen.few,
            chosen.settings,
            state=state,
            checkpoints=checkpoints,
            callbacks=Callbacks(on_step=mark),
        )
    wall, processor, wall_inside, processor_inside, others = np.diff(np.array(marks), axis=0).T / stretch
    quiet = bool((others / wall / (os.cpu_count() or 1) <= TOLERANCE).all())
    whole, inside = (wall, wall_inside) if quiet else (processor, processor_inside)
    return [
        Row(
            f"training loop, a step of {chosen.name}",
            " + ".join(PHASES) + " of the same steps",
            tuple(whole.tolist()),
            tuple(inside.tolist()),
            goal=GOAL,
            clock="wall" if quiet else "processor",
            note=f"overhead {np.median(1 - inside / whole):.2%} of a step",
        )
    ]


ROWS = {"loop": overhead}
