"""Novelty: `ARMNovelty` beside IsolationForest, LocalOutlierFactor and OneClassSVM of scikit-learn.

    python -m benchmarks.novelty [--cases cancer/0,digits/8]
    python -m benchmarks.novelty --table docs/estimators.md

A line per case is added to `benchmarks/novelty.jsonl`, or to the file that `--out` names.

`digits/K`: fitted to four fifths of the images of all digits but K; the others are normal, those of K are new.
`cancer/S`: fitted to half of the benign tumours, chosen by seed S; the other half is normal, malignant ones are new.
Every estimator has the settings it comes with; the peers read standardised columns. Reported are the area under the ROC
curve, and for ours the share of normal rows that `predict` calls new at alpha = a = 0.05, beside its standard error,
sqrt(a (1 - a) (1 / n_test + 1 / n_cal)), over tests and over fits: of the test rows and of the calibration rows.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from benchmarks.folds import ROOT, Record, digest_of, digest_of_code
from chainrule import ARMNovelty

ALPHA = 0.05
START, END = "<!-- benchmarks/novelty.py -->", "<!-- end of novelty -->"
PEERS = {
    "IsolationForest": lambda: IsolationForest(random_state=0),
    "LocalOutlierFactor": lambda: LocalOutlierFactor(novelty=True),
    "OneClassSVM": OneClassSVM,
}


def split(case: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is fitted to, normal rows and new rows of a case."""
    name, number = case.split("/")
    if name == "digits":
        x, y = load_digits(return_X_y=True)
        normal, new, share, seed = x[y != int(number)], x[y == int(number)], 0.8, 0
    else:
        x, y = load_breast_cancer(return_X_y=True)
        normal, new, share, seed = x[y == 1], x[y == 0], 0.5, int(number)
    normal = normal[np.random.default_rng(seed).permutation(len(normal))]
    cut = round(share * len(normal))
    return normal[:cut], normal[cut:], new


def measured(case: str) -> dict:
    """The figures of one case."""
    train, normal, new = split(case)
    rows, truth = np.concatenate([normal, new]), np.repeat([0, 1], [len(normal), len(new)])
    found: dict = {"train": len(train), "normal": len(normal), "new": len(new), "auc": {}}
    began = time.process_time()
    ours = ARMNovelty(alpha=ALPHA, random_state=0).fit(train)
    found["auc"]["ARMNovelty"] = roc_auc_score(truth, -ours.score_samples(rows))
    found["seconds"] = time.process_time() - began
    found["false_alarms"] = float((ours.predict(normal) == -1).mean())
    found["found"] = float((ours.predict(new) == -1).mean())
    found["calibration"] = len(ours.calibration_rows_)
    found["error"] = (ALPHA * (1 - ALPHA) * (1 / len(normal) + 1 / found["calibration"])) ** 0.5
    for name, peer in PEERS.items():
        fitted = make_pipeline(StandardScaler(), peer()).fit(train)
        found["auc"][name] = roc_auc_score(truth, -fitted.score_samples(rows))
    return found


def lines_of(found: dict) -> list[str]:
    """The table, as lines of markdown."""
    names = ["ARMNovelty", *PEERS]
    lines = [
        "| new | given (of which calibration), normal, new | "
        + " | ".join(names)
        + " | false alarms | found | seconds |",
        "|---|---|" + "---|" * (len(names) + 3),
    ]
    for case in sorted(found):
        one = found[case]
        best = max(one["auc"].values())
        areas = [f"**{one['auc'][n]:.3f}**" if one["auc"][n] == best else f"{one['auc'][n]:.3f}" for n in names]
        what, number = case.split("/")
        cells = [f"digit {number}" if what == "digits" else f"malignant, split {number}"]
        cells += [f"{one['train']} ({one['calibration']}), {one['normal']}, {one['new']}", *areas]
        cells += [f"{one['false_alarms']:.3f} (0.05 ± {one['error']:.3f})", f"{one['found']:.2f}"]
        lines.append("| " + " | ".join([*cells, f"{one['seconds']:.0f}"]) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.novelty", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", default=",".join(["cancer/0", "cancer/1", *(f"digits/{k}" for k in range(10))]))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "novelty.jsonl", help="record of the cases")
    parser.add_argument("--table", type=Path, default=None, help="page into which the table is written; nothing is run")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    record = Record(options.out)
    if options.table is not None:
        text = options.table.read_text()
        (before, rest), lines = text.split(START), "\n".join(lines_of(record.figures()))
        options.table.write_text(before + START + "\n" + lines + "\n" + END + rest.split(END)[1])
        return
    code = digest_of_code()
    for case in options.cases.split(","):
        digests = {"rows": digest_of(*split(case)), "code": code}
        if not record.has(case, **digests):
            figures = measured(case)
            record.add(case, digests, figures)
            print(case, figures, file=sys.stderr, flush=True)
    print("\n".join(lines_of(record.figures())))


if __name__ == "__main__":
    main()
