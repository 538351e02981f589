"""Certificates: time and peak of resident memory by size, each in a process of its own, against goals that are fixed.

A row compares with its goal, as those of `opening` do. The models have the defaults of `fit` and one step of training.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.opening import GOAL
from benchmarks.row import Options, Row

__all__ = ["ROWS", "gpt2", "model"]

CHILD = """
import json, resource, sys, time
from benchmarks.certificate import model
from chainrule.verification.certificate.verify import verify
what, forms, size, home = sys.argv[1:]
thing, options = model(what, json.loads(size), home)
found = {}
for form in forms.split():
    wall, processor = time.perf_counter(), time.process_time()
    summary = verify(thing, quick=form == "quick", **options).summary
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    found[form] = [wall, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, summary]
print(json.dumps(found))
"""
SIZE = (1024, 50_257)  # elements and symbols of the language model


def gpt2(length: int, symbols: int) -> Any:
    """A GPT-2 of two layers of width 32, with random weights."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        bos_token_id=0, eos_token_id=0, vocab_size=symbols, n_positions=length, n_embd=32, n_layer=2, n_head=2
    )
    return GPT2LMHeadModel(config)


def _source(what: str, home: Path) -> Any:
    """Small data of a kind: a file, an array, or the name of data that is always there."""
    random = np.random.default_rng(0)
    if what == "digits":
        return "digits"
    if what == "images":
        return random.integers(0, 256, (200, 32, 32, 3)).astype(np.uint8)
    if what == "text":
        words = np.array(["chain", "rule", "of", "all", "the", "numbers", "is", "one"])
        path = home / "text.txt"
        path.write_text(" ".join(random.choice(words, 20_000)), encoding="utf-8")
        return path
    if what == "rows":
        table = np.column_stack([random.normal(size=500), random.integers(0, 5, 500), random.integers(20, 90, 500)])
        path = home / "rows.csv"
        text = "\n".join(f"{a:.4f},{'abcde'[int(b)]},{int(c)}" for a, b, c in table)
        path.write_text(f"noise,letter,age\n{text}\n", encoding="utf-8")
        return path
    if what == "repeats":
        from sklearn.datasets import load_wine

        wine = load_wine()
        path = home / "wine.csv"
        np.savetxt(path, wine.data, "%.10g", ",", header=",".join(wine.feature_names), comments="")
        return path
    path = home / "reals.csv"
    names = ",".join(f"x{column}" for column in range(8))
    np.savetxt(path, random.normal(size=(500, 8)), "%.17g", ",", header=names, comments="")
    return path


def model(what: str, size: list[int], home: str) -> tuple[Any, dict[str, Any]]:
    """What is verified, with the options of `verify`. home: a folder for the files of its data."""
    if what == "gpt2":
        return gpt2(*size), {"length": size[0]}
    import chainrule as cr

    run = cr.fit(_source(what, Path(home)), steps=1)
    data = run.data()
    return run.model(), {"examples": data.unseen, "training": data.train, "domain": data.encoding.domain}


def verified(what: str, forms: str, size: tuple[int, int], threads: int) -> dict[str, tuple[float, float, float, str]]:
    """By form: seconds by the clock, seconds of the processor, peak MiB, and the verdict of a certificate."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, what, forms, json.dumps(size), home],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
            cwd=Path(__file__).parents[1],  # from where `benchmarks` is imported
        )
    found: dict[str, tuple[float, float, float, str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows_of(
    what: str, name: str, goals: dict[str, float], *, mib: float | None = None
) -> Callable[[Options], list[Row]]:
    """The rows of one model. goals: seconds that are aimed at, by form; mib: peak that is aimed at, None for none."""

    def measure(options: Options) -> list[Row]:
        size = (64, 500) if options.quick else SIZE
        found = []
        every = [verified(what, " ".join(goals), size, options.threads)]
        every += [verified(what, "quick", size, options.threads) for _ in range(options.rounds - 1) if "quick" in goals]
        for form, seconds in goals.items():
            runs = [each[form] for each in every if form in each]
            work, best = f"certificate, {form} form: {name}", min(wall for wall, *_ in runs)
            note = f"{runs[0][3]}; the processor worked {min(run[1] for run in runs):.1f} s"
            found.append(Row(work, GOAL, (best,), (seconds,), goal=1.0, note=note))
            if mib is not None:
                peak = (max(run[2] for run in runs),)
                found.append(Row(f"{work}: peak", GOAL, peak, (mib,), unit="MiB", goal=1.0, note="the whole process"))
        return found

    return measure


ROWS = {
    what: rows_of(what, f"the default of {name}", {"quick": 3.0})
    for what, name in {
        "text": "a text",
        "digits": "the digits",
        "images": "images of 32 x 32 x 3",
        "rows": "a table of three columns",
        "reals": "eight columns of reals",
        "repeats": "13 columns of reals that repeat (sklearn's wine)",
    }.items()
}
LANGUAGE = "GPT-2, 2 layers of width 32, D = 1024, V = 50,257"
ROWS |= {
    "gpt2 quick": rows_of("gpt2", LANGUAGE, {"quick": 5.0}, mib=2048.0),
    "gpt2 full": rows_of("gpt2", LANGUAGE, {"full": 90.0}, mib=2048.0),
}
