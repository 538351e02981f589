"""What the tests do a few times, many times; what came of it is written down.

python -m tests.support.soak [SHARE [RECORD]]      SHARE of the full counts, by default 1; RECORD: a JSON file

The full counts: 1000 kills of a training run, 100 000 damaged checkpoints, 100 000 damaged run directories, 100 000
damaged data files, 20 000 changed archives, 565 failing operations on files, 1000 sound models verified.
`docs/reliability.md` says what was tried so far.
"""

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from time import monotonic

from chainrule import __version__
from chainrule.verification.certificate.verify import verify
from tests.mutants.faults import sound_model
from tests.support import damaged_runs, failing_files, hostile_archives, hostile_data
from tests.support.damage import damaged
from tests.support.killing import kill_again_and_again
from tests.support.small_training import begin, build, settings, stop_after, train

FAILING = 565  # operations on files of four commands, each in five ways


def kills(count):
    with tempfile.TemporaryDirectory() as directory:
        seen = kill_again_and_again(Path(directory), count, seed=0)
    bad = [*seen["differ"], *(code for code in seen["codes"] if code)]
    return {"kills": seen["kills"], "inside a checkpoint": seen["inside"], "runs": seen["runs"], "faults": bad}


def checkpoints(count):
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "checkpoints"
        train(place, settings(), stop=stop_after(6))
        loaded = [kind for kind, why in damaged(place, begin(build(), settings()), count, seed=0) if not why]
    return {"checkpoints": count, "faults": loaded}


def failing(count):
    return failing_files.trials(every=max(1, round(FAILING / count)))


def sound(count):
    return {"models": count, "faults": [seed for seed in range(count) if not verify(sound_model(seed)).passed]}


PARTS = {  # what is tried, and the full count
    "kills of a training run": (kills, 1000),
    "damaged checkpoints": (checkpoints, 100_000),
    "damaged run directories": (damaged_runs.trials, 100_000),
    "damaged data files": (hostile_data.trials, 100_000),
    "changed archives": (hostile_archives.trials, 20_000),
    "failing operations on files": (failing, FAILING),
    "sound models verified": (sound, 1000),
}


def main(share=1.0, record=None):
    found = {"versions": {"chainrule": __version__, "torch": version("torch")}}
    for name, (work, full) in PARTS.items():
        begun = monotonic()
        found[name] = work(max(1, round(share * full))) | {"seconds": round(monotonic() - begun)}
        print(f"{name}: {json.dumps(found[name])}", flush=True)
    if record is not None:
        Path(record).write_text(json.dumps(found, indent=1) + "\n")
    return int(any(found[name]["faults"] for name in PARTS))


if __name__ == "__main__":
    sys.exit(main(*(convert(word) for convert, word in zip((float, str), sys.argv[1:], strict=False))))
