"""What the tests do a few times, many times: kills of a training run, damage to checkpoints, sound models verified.

python -m tests.support.soak [KILLS [DAMAGED [SOUND]]]          by default 1000, 100 000 and 1000
"""

import sys
import tempfile
from pathlib import Path

from chainrule.verification.certificate.verify import verify
from tests.mutants.faults import sound_model
from tests.support.damage import damaged
from tests.support.killing import kill_again_and_again
from tests.support.small_training import begin, build, settings, stop_after, train


def main(kills=1000, count=100_000, models=1000):
    with tempfile.TemporaryDirectory() as directory:
        seen = kill_again_and_again(Path(directory), kills, seed=0)
    print(f"{seen['kills']} kills, {seen['inside']} inside the writing of a checkpoint, {seen['runs']} runs:", end=" ")
    print(f"{len(seen['differ'])} files differ, exit codes {sorted(set(seen['codes']))}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "checkpoints"
        train(place, settings(), stop=stop_after(6))
        loaded = [kind for kind, why in damaged(place, begin(build(), settings()), count, seed=0) if not why]
    print(f"{count} damaged checkpoints: {len(loaded)} loaded {sorted(set(loaded))}")
    accused = [seed for seed in range(models) if not verify(sound_model(seed)).passed]
    print(f"{models} sound models: {len(accused)} accused {accused}")
    return int(bool(seen["differ"] or set(seen["codes"]) != {0} or loaded or accused))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
