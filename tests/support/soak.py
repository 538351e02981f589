"""What the tests do a few times, a thousand times: kills of a training run, and damage to its checkpoints.

python -m tests.support.soak [KILLS [DAMAGED]]          by default 1000 and 100 000
"""

import sys
import tempfile
from pathlib import Path

from tests.support.damage import damaged
from tests.support.killing import kill_again_and_again
from tests.support.small_training import begin, build, settings, stop_after, train


def main(kills=1000, count=100_000):
    with tempfile.TemporaryDirectory() as directory:
        seen = kill_again_and_again(Path(directory), kills, seed=0)
    print(f"{seen['kills']} kills, {seen['inside']} inside the writing of a checkpoint, {seen['runs']} runs:", end=" ")
    print(f"{len(seen['differ'])} files differ, exit codes {sorted(set(seen['codes']))}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "checkpoints"
        train(place, settings(), stop=stop_after(6))
        loaded = [kind for kind, why in damaged(place, begin(build(), settings()), count, seed=0) if not why]
    print(f"{count} damaged checkpoints: {len(loaded)} loaded {sorted(set(loaded))}")
    return int(bool(seen["differ"] or set(seen["codes"]) != {0} or loaded))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
