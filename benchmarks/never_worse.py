"""`make never-worse`: the default of `fit --minutes` against every static baseline, and each expert alone.

    python -m benchmarks.never_worse [--data ../shared/data] [--budgets 0.1,0.5] [--only chain,digits]

A set and a budget count as lost where the fitted model is worse than any of them on test by more than two paired
standard errors *and* by more than 0.2 % of its nats. Results are kept one file each, so that it goes on where it was
interrupted; docs/never_worse.md is written from all that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.never_worse_sets import sets
from chainrule.atomic_files import write_json
from chainrule.baselines.fitted import fit_baselines
from chainrule.config.default_experts import default_experts
from chainrule.data.encodings.data_set import DataSet
from chainrule.evaluation.comparison import compare
from chainrule.evaluation.evaluate import evaluate
from chainrule.runs.fit import fit
from chainrule.runs.run import Run

__all__ = ["against", "lost", "main", "measure"]

ERRORS, SHARE = 2.0, 0.002  # by which a model has to be worse to have lost
ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "never_worse.md"
ALONE = {"row": "boosted_trees", "image": "boosted_trees", "text": "ngram"}


def fitted(source: str, minutes: float, place: Path, network: str | None = None, here: bool = False) -> Run:
    """A run by the command line, in a process of its own, or, quicker to begin, in this one."""
    if here:
        return fit(source, out=place, minutes=minutes, network=network)
    if not (place / "report.json").exists():
        options = [] if network is None else ["--network", network]
        command = [sys.executable, "-m", "chainrule", "fit", source, "--out", str(place), "--minutes", str(minutes)]
        begun = ["--resume"] if (place / "config.json").exists() else []
        done = subprocess.run([*command, *options, *begun], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1]}")
    return Run.open(place)


def against(run: Run, others: dict[str, Any], data: DataSet) -> dict[str, dict[str, float]]:
    """By how much a run is worse than each of other models on the test examples, nats per example, and its error."""
    mine = evaluate(run.model(), data.test)
    found = {}
    for name, model in others.items():
        theirs = evaluate(model, data.test)
        difference = compare(theirs.nats, mine.nats, block=max(mine.block, theirs.block), units=mine.units)
        found[name] = {
            "nats": -float(theirs.nats.mean()),
            "worse_by": difference.difference,
            "error": difference.standard_error,
            "impossible": difference.impossible[1] - difference.impossible[0],
        }
    return found


def lost(result: dict[str, Any]) -> list[str]:
    """The models to which a result has lost.

    >>> lost({"nats": 10.0, "others": {"a": {"worse_by": 0.5, "error": 0.1}, "b": {"worse_by": 0.01, "error": 0.001}}})
    ['a']
    """
    return [
        name
        for name, other in result["others"].items()
        if other.get("impossible", 0) > 0
        or other["worse_by"] > max(ERRORS * np.nan_to_num(other["error"]), SHARE * abs(result["nats"]))
    ]


def measure(name: str, source: str, minutes: float, folder: Path, here: bool = False) -> dict[str, Any]:
    """The default within a budget, beside the baselines and the expert alone within the same budget.

    here: whether to fit in this process.
    """
    place = folder / f"{name.replace(' ', '_')}-{minutes:g}"
    load = os.getloadavg()[0]
    run = fitted(source, minutes, place / "default", here=here)
    data = run.data()
    others: dict[str, Any] = dict(fit_baselines(data))
    expert = ALONE[data.encoding.group]
    usual = data.encoding.group != "image" or bool(default_experts("image", data.encoding.domain, len(data.train)))
    if usual and not data.encoding.domain.variable_length:
        others[expert] = fitted(source, minutes, place / expert, expert, here).model()
    report = run.report_dict or {}
    return {
        "set": name,
        "minutes": minutes,
        "what": f"{len(data.train):,} x {data.encoding.domain.length}",
        "nats": -float(evaluate(run.model(), data.test).nats.mean()),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "threads": torch.get_num_threads(),
        "processors": os.cpu_count() or 0,
        "used": report.get("time", {}).get("used_seconds", 0.0) / 60 / minutes,
        "weights": {str(m.get("expert") or "network"): m["weight"] for m in report.get("members", ()) if "weight" in m},
        "others": against(run, others, data),
    }


HEAD = """# Never worse

Made by `make never-worse` (`benchmarks/never_worse.py`): the default of `fit --minutes` against every static baseline
and the expert that the same time fits alone, on the test split, paired. *Lost* is worse by more than two standard
errors and by more than 0.2 % of the nats. Sets times budgets that were run: {run}; lost: {lost}.

{conditions} *Share used* far above 100 % says that the machine was so busy that opening the data and the libraries took
longer than the budget; what is fitted then is what is always fitted: counts, and some rounds of stumps. Results
are kept from one run of the script to the next, so that rows may be of different days and versions.

| set | train rows x elements | minutes | share used | nats per example | best of the others | worse by | lost to |
|---|---|---|---|---|---|---|---|
"""


def conditions(results: list[dict[str, Any]]) -> str:
    """Under what conditions results were measured, in words.

    >>> conditions([{"threads": 1, "processors": 2, "load": [0.5, 3.0]}])
    'Run with 1 thread on a machine of 2 processors, whose load average was 0.5 to 3 with what else ran there.'
    """
    known = [result for result in results if "load" in result]
    if not known:
        return "Nothing is known of the machine."
    threads, processors = (sorted({result[name] for result in known}) for name in ("threads", "processors"))
    loads = [load for result in known for load in result["load"]]
    return (
        f"Run with {' or '.join(map(str, threads))} thread{'s' if threads != [1] else ''} on a machine of "
        f"{' or '.join(map(str, processors))} processors, whose load average was {min(loads):g} to {max(loads):g} with "
        "what else ran there."
    )


def page(results: list[dict[str, Any]]) -> str:
    """The table in Markdown."""
    lines = []
    for result in sorted(results, key=lambda r: (r["set"], r["minutes"])):
        best = min(result["others"], key=lambda name: result["others"][name]["nats"])
        other = result["others"][best]
        cells = (
            result["set"],
            result["what"],
            f"{result['minutes']:g}",
            f"{result['used']:.0%}",
            f"{result['nats']:.5g}",
            f"{best} {other['nats']:.5g}",
            f"{other['worse_by']:.2g} ± {other['error']:.2g}",
            ", ".join(lost(result)) or "-",
        )
        lines.append(f"| {' | '.join(cells)} |\n")
    count = sum(bool(lost(result)) for result in results)
    return HEAD.format(run=len(results), lost=count, conditions=conditions(results)) + "".join(lines)


def main(words: list[str] | None = None) -> int:
    """Run what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--budgets", default="0.1,0.5,2,5")
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "never_worse")
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args(words)
    only = {name for name in given.only.split(",") if name}
    for minutes in map(float, given.budgets.split(",")):
        for name, source in sets(given.out / "data", given.data).items():
            kept = given.out / "results" / f"{name.replace(' ', '_')}-{minutes:g}.json"
            if (only and name not in only) or kept.exists():
                continue
            kept.parent.mkdir(parents=True, exist_ok=True)
            result = measure(name, source, minutes, given.out / "runs")
            write_json(kept, result)
            print(f"{name}, {minutes:g} minutes: {result['nats']:.5g}, lost to: {', '.join(lost(result)) or 'none'}")
    found = [json.loads(path.read_text()) for path in sorted((given.out / "results").glob("*.json"))]
    given.page.write_text(page(found))
    return int(any(lost(result) for result in found))


if __name__ == "__main__":
    sys.exit(main())
