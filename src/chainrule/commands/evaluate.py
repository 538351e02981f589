"""`chainrule evaluate`: every example once, each metric with its standard error."""

from __future__ import annotations

from pathlib import Path

from chainrule.evaluation import Evaluation, evaluate
from chainrule.likelihood import Protocol
from chainrule.report.console import Console
from chainrule.report.tables import result_table
from chainrule.run import Run

__all__ = ["evaluate_run"]


def evaluate_run(path: Path, source: str | None, split: str, batch_size: int, console: Console) -> Evaluation:
    """Score a split of the run's own data, or everything in another source."""
    run = Run.open(path)
    model = run.model()
    examples = run.data().split(split) if source is None else run.encoding().encode(source)
    with console.progress("scoring", len(examples)) as update:
        result = evaluate(model, examples, batch_size=batch_size, protocol=Protocol(**run.protocol()), progress=update)
    what = split if source is None else source
    console.print(result_table({what: result.likelihood}, {}))
    console.result({"run": str(path), "data": what, "sha256": examples.digest()} | result.likelihood.to_json())
    return result
