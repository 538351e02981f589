"""Densities of continuous tables, fold by fold, beside those of kernels, Gaussian mixtures and a Gaussian copula.

    python -m benchmarks.continuous --data DIR [--protocol density] [--sets red,wine] [--folds 0,1,2]
    python -m benchmarks.continuous --table docs/estimators.md

A line per fold is added to `benchmarks/continuous.jsonl`, or to the file that `--out` names. A fold is done again where
rows, code or libraries are others than in its line; scores of the peers are kept for as long as theirs are the same.

Three protocols, each with ten folds at random; the others of a fold are what every model is fitted to.

- `density`: all columns but constant ones; where the values of a column are multiples of a step, each gets noise of
  one step, uniform, drawn once. Nobody gains by values that repeat.
- `mass`: the same columns as they are recorded. Ours gives the probability of the cell that a value stands for, and
  the peers are scored by theirs: of the same cell, integrated (kernels exactly, the others by sequential sampling).
  The step of a column belongs to the protocol: where it shows in a test row alone, ours is told it, as the peers are.
- `published`: that of the RNADE papers for red and white wine. Columns of fewer than three values are dropped, and one
  of each pair with a correlation above 0.98. Values repeat, and whole rows, which a density can exploit without bound:
  a figure says what was published and no more.

Ours is `ARMDensity(random_state=0)` as it is, with `density=True` in the first and the last. Reported are nats per row
of the standardised columns (nats of mass under `mass`) with the standard error over test rows, and the difference of
each peer to ours, row by row. The peers: Gaussian kernels with the bandwidth that is best in five folds of the training
rows; a mixture of Gaussians with as many components and the kind of covariance that BIC prefers; a Gaussian copula over
kernel densities of the columns, with correlations shrunk by Ledoit and Wolf.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from benchmarks.continuous_peers import Cells, copula, kernels, mixture
from benchmarks.folds import ROOT, Record, digest_of, digest_of_code
from chainrule import ARMDensity
from chainrule.domain import detect_resolution

PUBLISHED = {"red": 8.76, "white": 9.67}  # deep RNADE, ensembles of orders (Uria, Murray, Larochelle, ICML 2014)
FILES = {"red": "winequality-red.csv", "white": "winequality-white.csv", "ionosphere": "ionosphere.csv"}
SHIPPED: dict[str, Callable[[], np.ndarray]] = {
    "wine": lambda: load_wine().data,
    "cancer": lambda: load_breast_cancer().data,
    "diabetes": lambda: load_diabetes(scaled=False).data,
    "digits": lambda: load_digits().data,
    "iris": lambda: load_iris().data,
}
NAMES = {"cancer": "breast cancer", "red": "red wine", "white": "white wine"}
PROTOCOLS = ("density", "mass", "published")
FOLDS = 10
PEERS = {"kernels": kernels, "mixture": mixture, "copula": copula}
START, END = "<!-- benchmarks/continuous.py -->", "<!-- end -->"


def table(name: str, data: Path, protocol: str) -> np.ndarray:
    """The columns of a set that the protocol keeps, float64 (N, D)."""
    if name in SHIPPED:
        x = np.asarray(SHIPPED[name](), dtype=np.float64)
    else:
        lines = (data / "uci_continuous" / FILES[name]).read_text().split()
        x = np.array([[float(cell) for cell in line.split(",")[:-1]] for line in lines])
    if protocol == "published":
        return _published(x)
    x = x[:, [len(np.unique(column)) > 1 for column in x.T]]
    if protocol == "density":
        steps = np.array([detect_resolution(column) or 0.0 for column in x.T])
        x = x + (np.random.default_rng(7).random(x.shape) - 0.5) * steps
    return x


def _published(x: np.ndarray) -> np.ndarray:
    x = x[:, [len(np.unique(column)) > 2 for column in x.T]]
    kept: list[int] = []
    for d in range(x.shape[1]):
        if all(abs(np.corrcoef(x[:, d], x[:, k])[0, 1]) <= 0.98 for k in kept):
            kept.append(d)
    return x[:, kept]


def division(x: np.ndarray, held: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are fitted to, and the test rows of a fold."""
    fold = np.random.default_rng(0).permutation(len(x)) % FOLDS
    rest = x[fold != held]
    return rest[np.random.default_rng(held).permutation(len(rest))], x[fold == held]


def fold_of(x: np.ndarray, held: int, protocol: str, known: dict) -> dict:
    """The scores of the test rows of one fold by every model, and the seconds of processor time that ours took.

    known: scores of peers, by name, that were found before.
    """
    rest, test = division(x, held)
    scale = rest.std(0)
    scale[scale == 0] = 1.0
    steps = np.array([detect_resolution(column) or 0.0 for column in x.T]) / scale if protocol == "mass" else None
    standard = [(y - rest.mean(0)) / scale for y in (rest, test)]
    scores = {peer: known.get(peer) or _rounded(score(*standard, Cells(steps))) for peer, score in PEERS.items()}
    began = time.process_time()
    ours = ARMDensity(density=protocol != "mass", columns=finer(x, rest, protocol), random_state=0).fit(rest)
    scores["ours"] = _rounded(ours.score_samples(test) + (0.0 if protocol == "mass" else np.log(scale).sum()))
    seconds = round(time.process_time() - began, 1)
    return {"scores": scores, "seconds": seconds, "rows": len(x), "columns": x.shape[1]}


def _rounded(scores: np.ndarray) -> list[float]:
    return [round(float(score), 4) for score in scores]


def finer(x: np.ndarray, rest: np.ndarray, protocol: str) -> dict[str, str] | None:
    """The steps of columns that the training rows alone make coarser than all rows, by name."""
    found = {}
    for d, (whole, part) in enumerate(zip(x.T, rest.T, strict=True)):
        steps = detect_resolution(whole), detect_resolution(part)
        if protocol == "mass" and None not in steps and steps[0] != steps[1] and (whole != np.rint(whole)).any():
            found[f"x{d}"] = f"real:{steps[0]}"
    return found or None


def pair(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ± {values.std(ddof=1) / len(values) ** 0.5:.2f}"


def lines_of(found: dict) -> list[str]:
    """The table of all protocols, as lines of markdown."""
    lines = [
        "| protocol | set | rows x columns | folds | ours | kernels | mixture | copula | seconds a fold |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for protocol in PROTOCOLS:
        for name in (*SHIPPED, *FILES):
            folds = [found[key] for key in sorted(found) if key.startswith(f"{protocol}/{name}/")]
            if not folds:
                continue
            scores = {model: np.concatenate([f["scores"][model] for f in folds]) for model in (*PEERS, "ours")}
            own = scores.pop("ours")
            cells = [protocol, NAMES.get(name, name), f"{folds[0]['rows']} x {folds[0]['columns']}", str(len(folds))]
            cells.append(f"{pair(-own)}" + (f" (published {PUBLISHED[name]})" if protocol == "published" else ""))
            for other in scores.values():
                cells.append(f"{-other.mean():.2f} ({pair(own - other)})")
            seconds = [f["seconds"] for f in folds if f["seconds"] is not None]
            cells.append(f"{np.mean(seconds):.0f}" if seconds else "not measured")
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def write_table(found: dict, page: Path) -> None:
    """Put the table between its two marks on a page."""
    text = page.read_text()
    before, rest = text.split(START)
    after = rest.split(END)[1]
    page.write_text(before + START + "\n" + "\n".join(lines_of(found)) + "\n" + END + after)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.continuous", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("."), help="folder with uci_continuous")
    parser.add_argument("--sets", default="iris,wine,diabetes,cancer,digits,red,white")
    parser.add_argument("--folds", default="0,1,2", help="numbers of the test folds that are scored, 0 to 9")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="density")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "continuous.jsonl", help="the record")
    parser.add_argument("--table", type=Path, default=None, help="page into which the table is written; nothing is run")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    record = Record(options.out)
    if options.table is not None:
        write_table(record.figures(), options.table)
        return
    code = digest_of_code(without=("novelty.py", "classifier.py"))
    peers = digest_of((ROOT / "benchmarks" / "continuous_peers.py").read_text())
    for held in map(int, options.folds.split(",")):
        for name in options.sets.split(","):
            key = f"{options.protocol}/{name}/{held}"
            x = table(name, options.data, options.protocol)
            digests = {"rows": digest_of(*division(x, held)), "code": code, "peers": peers}
            if record.has(key, **digests):
                continue
            known = record.figures(key, rows=digests["rows"], peers=peers)
            fold = fold_of(x, held, options.protocol, known.get("scores", {}))
            record.add(key, digests, fold)
            means = {model: round(-float(np.mean(scores)), 3) for model, scores in fold["scores"].items()}
            print(key, means, f"{fold['seconds']:.0f} s", file=sys.stderr, flush=True)
    print("\n".join(lines_of(record.figures())))


if __name__ == "__main__":
    main()
