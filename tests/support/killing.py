"""Kill `chainrule fit --resume` again and again, at random moments, and compare its end with that of a run left alone.

    python -m tests.support.killing DIRECTORY KILLS SEED

Prints one JSON object, in which it also says what came of Ctrl-C and SIGTERM. Every attempt is a process of its own,
forked so that it need not import everything anew. In the attempts, operations on files take a little longer than they
do, so that there is a moment in which to hit them; that a kill fell into the writing of a checkpoint is seen by the
unfinished directory that it left behind.
"""

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch._dynamo  # noqa: F401  (which the first optimizer of a process imports)

from chainrule import atomic_files
from chainrule.cli.app import main
from chainrule.reporting import pictures
from chainrule.runs import fit, start  # noqa: F401  (imported once, before the forks)
from tests.support.at_hand import a_certificate
from tests.support.small_training import timeless

OPTIONS = "--network causal_conv --width 4 --depth 1 --steps 14 --batch-size 16 --evaluate-every 4 --checkpoint-every 2"
SLOWNESS = 0.0015  # seconds an operation


class SlowDisk:
    """The module `os` on a slow disk."""

    def __getattr__(self, name):
        operation = getattr(os, name)
        if name not in ("open", "write", "fsync", "rename", "replace", "unlink", "mkdir"):
            return operation

        def slow(*arguments, **more):
            time.sleep(SLOWNESS)
            return operation(*arguments, **more)

        return slow


def attempt(data, run, slow=True):
    """Start a process that trains, or goes on; its number."""
    child = os.fork()
    if child:
        return child
    try:
        with open(run.parent / "log.txt", "a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            os.dup2(log.fileno(), 2)
            pictures.learning_curve = lambda *arguments: b""  # this and the certificate take longer than all the rest
            start.stop_at_a_leak = lambda model: a_certificate()
            if slow:
                atomic_files.os = SlowDisk()
            code = main(["fit", str(data), "--out", str(run), "--resume", *OPTIONS.split(), "--dropout", "0.2"])
        os._exit(code)
    except BaseException:
        import traceback

        traceback.print_exc()
    os._exit(99)


def ended(child):
    """The exit code of a child that is over, None if it is not."""
    done, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def writing(run, child):
    """Whether there is a checkpoint that a process has not finished."""
    place = run / "checkpoints"
    with contextlib.suppress(OSError):
        return any(path.name.endswith(f".{child}.new") for path in place.iterdir())
    return False


def kill(child, run, random, inside):
    """Kill it at a random moment, or once it writes a checkpoint; its exit code if it was over before, else None."""
    began, patience = time.monotonic(), float(random.exponential(0.4))
    while (code := ended(child)) is None:
        if inside and writing(run, child):
            time.sleep(float(random.uniform(0, 30 * SLOWNESS)))
            break
        if not inside and time.monotonic() - began > patience:
            break
        time.sleep(0.0005)
    if code is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return code


def left_behind(run):
    """Everything that must be the same: the files of a run, without what a clock says."""
    files = {}
    for path in sorted(path for path in run.rglob("*") if path.is_file()):
        name, content = str(path.relative_to(run)), path.read_bytes()
        if name in ("config.json", "learning_curve.png"):
            continue  # the command line, and a picture of the same records
        if name == "metrics.jsonl":
            content = json.dumps([timeless(json.loads(line)) for line in content.decode().splitlines()]).encode()
        elif name == "report.json":
            content = json.dumps(timeless(json.loads(content))).encode()
        elif name.endswith("state.json"):
            state = json.loads(content)
            state["progress"] |= {"seconds": 0, "pace": 0}
            content = json.dumps(timeless(state)).encode()
        elif name.endswith("manifest.json"):
            continue  # hashes of files that hold times
        files[name] = content
    return files


def kill_again_and_again(directory, kills, seed):
    """So many kills, each run brought to its end; what was seen."""
    random = np.random.default_rng(seed)
    a_certificate()  # made once, before the forks
    data = directory / "rows.npy"
    np.save(data, random.integers(0, 3, (60, 5)))
    os.waitpid(attempt(data, directory / "whole", slow=False), 0)
    expected = left_behind(directory / "whole")
    seen = {"files": sorted(expected), "kills": 0, "inside": 0, "runs": 0, "differ": [], "codes": []}
    while seen["kills"] < kills:
        run = directory / f"run-{seen['runs']}"
        code = None
        while code is None:
            child = attempt(data, run)
            if seen["kills"] >= kills or random.random() < 0.1:
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])  # left alone
                break
            code = kill(child, run, random, inside=bool(random.random() < 0.5))
            if code is None:
                seen["kills"] += 1
                seen["inside"] += writing(run, child)
        seen["runs"] += 1
        seen["codes"].append(code)
        found = left_behind(run)
        seen["differ"] += [name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)]
    return seen


def interrupt(directory):
    """Send each signal in the midst of training: the exit code, the message, and whether the run then ends the same."""
    data, expected, seen = directory / "rows.npy", left_behind(directory / "whole"), {}
    for name in ("SIGINT", "SIGTERM"):
        run = directory / name
        child = attempt(data, run)
        while not writing(run, child):
            time.sleep(0.001)
        os.kill(child, getattr(signal, name))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        message = (directory / "log.txt").read_text().splitlines()[-1]
        unfinished = not (run / "report.json").exists()
        again = os.waitstatus_to_exitcode(os.waitpid(attempt(data, run), 0)[1])
        same = left_behind(run) == expected
        seen[name] = {"code": code, "message": message, "unfinished": unfinished, "again": again, "same": same}
    return seen


if __name__ == "__main__":
    place = Path(sys.argv[1])
    seen = kill_again_and_again(place, int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(seen | {"signals": interrupt(place)}))
