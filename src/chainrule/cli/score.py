"""`chainrule score`: ln p(x) of each example."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch.nn import Module

from chainrule.atomic_files import json_value, write_file
from chainrule.baselines.independent import IndependentElements
from chainrule.data.examples.base import Examples
from chainrule.errors import InputError
from chainrule.evaluation.evaluate import evaluate
from chainrule.evaluation.novelty import Novelty
from chainrule.reporting.console import Console
from chainrule.runs.run import Run

__all__ = ["score_run"]

Numbers = npt.NDArray[np.float64]
Columns = dict[str, Numbers]


def score_run(
    path: Path,
    source: str,
    out: Path | None,
    batch_size: int | None,
    console: Console,
    novelty: bool = False,
    background: Path | None = None,
) -> None:
    """Write ln p of every example, in nats and in the order of the data, as CSV or JSON lines.

    novelty: also how strange each example is, calibrated on the run's validation split. background: a run whose
    likelihood is taken out; without one, the counts of the symbols alone.
    """
    if out is not None and out.suffix not in (".csv", ".jsonl"):
        raise InputError(f"{out}: scores are written as .csv or .jsonl; change the ending")
    run = Run.open(path)
    model = run.model()
    examples = run.encoding().encode(source)
    with console.progress("scoring", len(examples)) as update:
        log_prob = evaluate(model, examples, batch_size=batch_size, progress=update).nats
    columns = {"log_prob": log_prob}
    if novelty or background is not None:
        columns = _novelty(run, model, examples, log_prob, background)
    rows = list(zip(*(column.tolist() for column in columns.values()), strict=True))
    nats = log_prob.tolist()
    if out is not None and out.suffix == ".jsonl":
        named = (dict(zip(columns, json_value(row), strict=True)) for row in rows)
        lines = [json.dumps({"example": n} | row) for n, row in enumerate(named)]
    else:
        lines = [",".join(["example", *columns])]
        lines += [",".join([str(n), *(f"{value:.9g}" for value in row)]) for n, row in enumerate(rows)]
    content = "\n".join(lines) + "\n"
    if out is not None:
        try:
            write_file(out, content.encode())
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror}); name another place with --out") from None
        console.print(f"ln p of {len(nats)} examples in nats: [bold]{out}[/]")
    elif not console.json:
        sys.stdout.write(content)
    record = {"run": str(path), "data": source, "examples": len(nats), "out": None if out is None else str(out)}
    listed = {name: json_value(column) for name, column in columns.items()}
    console.result(record | (listed if out is None else {}))


def _novelty(run: Run, model: Module, examples: Examples, log_prob: Numbers, background: Path | None) -> Columns:
    """The scores of `Novelty`, held against the validation split, which the weights were not fitted to."""
    data = run.data()
    domain = data.encoding.domain
    other: Module | None = None
    if background is not None:
        other = Run.open(background).model()
    elif domain.num_symbols is not None and not domain.columns:
        other = IndependentElements.fit(data.train, domain.num_symbols, period=1)
    held_out = evaluate(model, data.valid).nats
    if other is None:
        return Novelty(held_out).columns(log_prob)
    return Novelty(held_out, evaluate(other, data.valid).nats).columns(log_prob, evaluate(other, examples).nats)
