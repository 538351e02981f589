"""Interrupted and resumed by several processes: `python -m torch.distributed.run ... resuming.py DIRECTORY ENGINE`.

Prints "same" from the first process if the end is that of a run left alone, bit for bit.
"""

import sys
from pathlib import Path

from chainrule.training.checkpoint import Checkpoints
from chainrule.training.engine import Engine
from chainrule.training.fit import Callbacks, begin, fit
from tests.support.small_training import TRAIN, VALID, build, fingerprint, settings, stop_after


def go_on(place, engine, stop=lambda: False):
    model, chosen = build(), settings(steps=8, engine=sys.argv[2])
    state, checkpoints = begin(model, chosen, engine), Checkpoints(place, every=3, writes=engine.first)
    engine.any(False)  # none looks for checkpoints before the first has written them
    checkpoints.restore(state)
    fit(model, TRAIN, VALID, chosen, state=state, checkpoints=checkpoints, callbacks=Callbacks(stop=stop))
    return fingerprint(state)


if __name__ == "__main__":
    engine = Engine(sys.argv[2])
    whole = go_on(Path(sys.argv[1]) / "whole", engine)
    go_on(Path(sys.argv[1]) / "parts", engine, stop_after(5))
    parts = go_on(Path(sys.argv[1]) / "parts", engine)
    if engine.first:
        print("same" if parts == whole else "not the same")
    engine.close()
