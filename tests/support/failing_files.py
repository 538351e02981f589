"""Commands of which the n-th operation on a file fails; prints what came of all.

    python -m tests.support.failing_files [EVERY]      every n, or of EVERY operations one

An operation opens a file for writing, writes, renames, makes a folder, or asks that the disk has it. It fails once or
from then on, for want of space or because of the device, or a write takes half of its bytes.
"""

import builtins
import errno
import io
import json
import mmap
import os
import shutil
import struct
import sys
import tempfile
from contextlib import redirect_stdout
from itertools import product
from pathlib import Path

import numpy as np
import torch._dynamo  # noqa: F401  (which the first optimizer of a process imports)

from chainrule.cli.app import main
from tests.support.trials import attempt

QUICK = ("--steps", "4", "--evaluate-every", "2", "--checkpoint-every", "2", "--network", "nade", "--width", "8")
CODES = (0, 2, 74)
CALLS = ("open", "write", "replace", "rename", "mkdir", "fsync")
WAYS = (("no space", "once"), ("no space", "for ever"), ("device", "once"), ("device", "for ever"), ("short", "once"))
NUMBERS = {"no space": errno.ENOSPC, "device": errno.EIO}


class Failing:
    """A context in which the operation of a number fails; of none, it counts them.

    at: number of the operation, from 1 on; None for none.
    how: "no space", "device" or "short".
    long: "once", or "for ever".
    """

    def __init__(self, at=None, how="no space", long="once"):
        self.at, self.how, self.long = at, how, long
        self.shared = mmap.mmap(-1, 8)  # the children count in it, too
        self.before = {name: getattr(os, name) for name in CALLS}
        self.open = io.open

    @property
    def count(self):
        return struct.unpack("q", self.shared[:8])[0]

    def fails(self):
        self.shared[:8] = struct.pack("q", self.count + 1)
        return self.at is not None and (self.count == self.at or (self.long == "for ever" and self.count > self.at))

    def broken(self, name):
        def call(*arguments, **options):
            writes = name != "open" or arguments[1] & (os.O_WRONLY | os.O_RDWR)
            if not writes or not self.fails():
                return self.before[name](*arguments, **options)
            if self.how != "short":
                raise OSError(NUMBERS[self.how], os.strerror(NUMBERS[self.how]))
            if name == "write":
                arguments = (arguments[0], bytes(arguments[1])[: max(1, len(arguments[1]) // 2)])
            return self.before[name](*arguments, **options)

        return call

    def broken_open(self, file, mode="r", *arguments, **options):
        if not isinstance(file, int) and set(mode) & set("wax+") and self.fails() and self.how != "short":
            raise OSError(NUMBERS[self.how], os.strerror(NUMBERS[self.how]), str(file))
        return self.open(file, mode, *arguments, **options)

    def __enter__(self):
        for name in CALLS:
            setattr(os, name, self.broken(name))
        io.open = builtins.open = self.broken_open
        return self

    def __exit__(self, *error):
        for name, call in self.before.items():
            setattr(os, name, call)
        io.open = builtins.open = self.open


def commands(data, run, place):
    """A fit, and what reads or writes a run that is there."""
    yield ("fit", data, "--out", place / "fitted", *QUICK)
    yield ("evaluate", run, "--save", place / "scores.csv")
    yield ("score", run, data, "--out", place / "rows.csv")
    yield ("sample", run, "-n", "3", "--out", place / "drawn.npy")


def weights(run):
    return (run / "model.safetensors").read_bytes()


def trials(every=1, seed=0):
    """The counts, and the operations after which something did not hold."""
    rng, found, faults = np.random.default_rng(seed), {}, []
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        data, run = home / "data.npy", home / "run"
        np.save(data, rng.integers(0, 3, (60, 5)))
        with redirect_stdout(io.StringIO()):  # here, so that all is imported before the forks
            (home / "first").mkdir()
            assert main(["fit", str(data), "--out", str(run), *QUICK]) == 0
            assert not any(main([str(word) for word in line]) for line in commands(data, run, home / "first"))
        for number, line in enumerate(commands(data, run, home)):
            counter = Failing()
            outcome = attempt(line, inside=counter)
            assert outcome.code == 0, outcome
            found[line[0]] = operations = counter.count
            chosen = [(at, *way) for at, way in product(range(1, operations + 1), WAYS)]
            for k in rng.permutation(len(chosen))[::every]:
                place = home / f"{number}-{k}"
                place.mkdir()
                words = [*commands(data, run, place)][number]
                outcome = attempt(words, inside=Failing(*chosen[k]))
                why = outcome.broken_law(CODES) or after(words, outcome, run, place, home)
                if why:
                    faults.append(f"{words[0]}, {chosen[k]} of {operations}: {why}; {outcome.err[-300:]}")
                found["failed"] = found.get("failed", 0) + 1
                shutil.rmtree(place)
    return found | {"faults": faults}


def after(words, outcome, run, place, home):
    """What does not hold once the disk is well again; "" where all does."""
    if words[0] != "fit":
        left = [path for path in place.iterdir()]
        broken = [path.name for path in left if path.read_bytes() != (home / path.name).read_bytes()]
        return f"left {broken}" if broken else "" if left or outcome.code else "no file and exit code 0"
    out = place / "fitted"
    if outcome.code == 0:
        return "" if weights(out) == weights(run) else "other weights and exit code 0"
    again = attempt(("fit", "--resume", "--out", out))
    if again.code == 2 and not (out / "checkpoints").is_dir():
        return ""  # nothing had been computed yet
    if again.code:
        return f"is not resumed: {again.err[-300:]}"
    return "" if weights(out) == weights(run) else "other weights after it went on"


if __name__ == "__main__":
    print(json.dumps(trials(*map(int, sys.argv[1:])), indent=1))
