"""Run directories damaged at random, each read by one command drawn at random, all in one process.

    python -m tests.support.damaged_runs COUNT SEED      prints what came of so many directories as JSON

The law: a documented exit code, one line for an error, no traceback, no more than some seconds, and, where a figure is
given, that of the run as it was.
"""

import contextlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from chainrule.cli.app import main
from tests.support.hostile_data import damaged, late

SLOW = 10.0  # seconds that no command may take
TINY = ("--steps", "2", "--evaluate-every", "1", "--width", "4", "--depth", "1", "--members", "1", "--experts", "none")
COMMANDS = {
    "info": (),
    "evaluate": ("--json",),
    "sample": ("-n", "1", "--out", "{place}/x{ending}"),
    "score": ("{data}", "--json"),
    "report": ("--out", "{place}/page.html"),
    "compare": ("{intact}",),
    "verify": ("--quick",),
    "fit --resume": (),
}
CODES = {"verify": (0, 1, 2, 6)}
VALUES = (None, True, -1, 0, 10**400, 1e308, "", "x" * 5000, [], [[]], {}, "../../etc/passwd", "<script>", [{}] * 50)


def made(place):
    """Small runs of three kinds, with the data of each and the figure that `evaluate` gives."""
    random = np.random.default_rng(0)
    np.save(place / "rows.npy", random.integers(0, 3, (60, 5)))
    (place / "table.csv").write_text("a,b\n" + "".join(f"{'ABC'[k % 3]},{k % 7}\n" for k in range(60)))
    (place / "text.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 20)
    networks = {"rows.npy": "causal_conv", "table.csv": "nade", "text.txt": "causal_conv"}
    found = []
    for name, network in networks.items():
        run = place / f"run-{name.partition('.')[0]}"
        code, _, err = called("fit", place / name, "--out", run, "--network", network, *TINY)
        assert code == 0, err
        found.append((run, place / name, figure(called("evaluate", run, "--json")[1])))
    return found


def called(*words):
    """The exit code and what a command prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
    return code, out.getvalue(), err.getvalue()


def figure(out):
    return json.loads(out)["nats_per_example"]


def _change_json(path, random):
    """One value of a JSON file, or of a line of it, becomes something else."""
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    number = int(random.integers(len(lines)))
    value = json.loads(lines[number])
    inner = value
    while isinstance(inner, dict | list) and inner:
        keys = list(inner) if isinstance(inner, dict) else range(len(inner))
        key = list(keys)[int(random.integers(len(keys)))]
        if not isinstance(inner[key], dict | list) or not inner[key] or random.random() < 0.2:
            inner[key] = VALUES[int(random.integers(len(VALUES)))]
            break
        inner = inner[key]
    lines[number] = json.dumps(value)
    path.write_text("\n".join(lines) + "\n")


def harm(run, random):
    """Damage one file of a run in one way; the way, in words."""
    files = sorted(path for path in run.rglob("*") if path.is_file())
    path = files[int(random.integers(len(files)))]
    if random.random() < 0.5:  # most files are of checkpoints, which few commands read
        path = run / ("config.json", "report.json", "metrics.jsonl", "model.safetensors")[int(random.integers(4))]
    way = ("bytes", "json", "json", "gone", "swap", "link", "folder", "pipe", "foreign")[int(random.integers(9))]
    if way == "json" and path.suffix not in (".json", ".jsonl"):
        way = "bytes"
    if way == "bytes":
        path.write_bytes(damaged(path.read_bytes(), random))
    elif way == "json":
        _change_json(path, random)
    elif way == "gone":
        path.unlink()
    elif way == "swap":
        path.write_bytes(files[int(random.integers(len(files)))].read_bytes())
    elif way == "foreign":
        (run / f"{random.integers(1000)}.json").write_bytes(random.bytes(20))
    else:
        path.unlink()
        {"link": lambda: path.symlink_to("/etc/hostname"), "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}[way]()
    return f"{way} of {path.name}"


def fault_of(command, code, out, err, expected, seconds):
    """What of the law does not hold, "" where all of it does."""
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    if "Traceback" in out + err:
        return "a traceback"
    if code not in CODES.get(command, (0, 2)):
        return f"exit code {code}: {errors}"
    if code == 2 and len(errors) != 1:
        return f"{len(errors)} lines of error"
    if command == "evaluate" and code == 0 and figure(out) != expected:
        return f"{figure(out)}, expected {expected}"
    return ""


def trials(count, seed=0):
    """So many damaged directories; what was seen."""
    random, names = np.random.default_rng(seed), sorted(COMMANDS)
    ends, faults, slowest = Counter(), [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["CHAINRULE_CACHE"] = str(place / "cache")
        runs = made(place)
        signal.signal(signal.SIGALRM, late)
        for number in range(count):
            intact, data, expected = runs[int(random.integers(len(runs)))]
            run = shutil.copytree(intact, place / f"case-{number}")
            what = harm(run, random)
            command = names[number % len(names)]
            given = {"place": place, "data": data, "intact": intact, "ending": data.suffix.replace("json", "txt")}
            options = [word.format(**given) for word in COMMANDS[command]]
            words = ["fit", "--resume", "--out", run] if command == "fit --resume" else [command, run, *options]
            begun = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, 6 * SLOW)  # a loaded machine takes long
            try:
                code, out, err = called(*words)
            except TimeoutError:
                code, out, err = "late", "", ""
            signal.setitimer(signal.ITIMER_REAL, 0)
            seconds = time.monotonic() - begun
            slowest = max(slowest, seconds)
            ends[f"{command}: {code}"] += 1
            if fault := fault_of(command, code, out, err, expected, seconds):
                faults.append([number, command, what, fault[:300]])
            shutil.rmtree(run)
    return {"directories": count, "ends": dict(sorted(ends.items())), "slowest": round(slowest, 2), "faults": faults}


if __name__ == "__main__":
    print(json.dumps(trials(int(sys.argv[1]), int(sys.argv[2])), indent=1))
