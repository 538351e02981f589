"""`chainrule probe`: what a linear classifier reads off each layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from chainrule.data.recognition.load import load
from chainrule.errors import InputError
from chainrule.evaluation.probe import probe
from chainrule.reporting.console import Console
from chainrule.runs.run import Run

__all__ = ["probe_run"]


def probe_run(
    path: Path, labels: Path | None, source: str | None, split: str, segments: int, folds: int, console: Console
) -> None:
    """Cross-validate a linear probe on every layer and say which one is best.

    labels: a .npy file, or a text with one label a line; by default the labels that the run's data brings along.
    """
    run = Run.open(path)
    model = run.chain()
    examples = run.data().split(split) if source is None else run.encoding().encode(source)
    if labels is None and examples.batch(np.arange(1)).context is not None:
        raise InputError(
            "the features of a model of p(x | label) know the label; probe one of p(x), or give other --labels"
        )
    results = probe(model, examples, _labels(run, labels, source, split), segments=segments, folds=folds)
    best = max(results, key=lambda result: result.accuracy)
    table = Table(title=f"linear probe, {folds} folds over {len(examples)} examples", title_justify="left")
    for heading in ("layer", "accuracy"):
        table.add_column(heading, justify="right")
    for result in results:
        mark = " [bold]best[/]" if result is best else ""
        table.add_row(str(result.layer), f"{result.accuracy:.4f} ± {result.standard_error:.4f}{mark}")
    console.print(table)
    layers = [vars(result) for result in results]
    console.result({"run": str(path), "examples": len(examples), "layers": layers, "best_layer": best.layer})


def _labels(run: Run, path: Path | None, source: str | None, split: str) -> npt.NDArray[np.int64]:
    """One class an example, numbered from 0."""
    values: npt.NDArray[Any]
    if path is None:
        if source is not None:
            raise InputError(f"{source}: say what the labels of these examples are with --labels")
        recorded = run.config["data"]
        labelled = load(recorded["name"], **(recorded["options"] | {"given": "label"})).split(split)
        values = labelled.batch(np.arange(len(labelled))).context.numpy()  # type: ignore[union-attr]
    else:
        try:
            values = (
                np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.array(path.read_text().splitlines())
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: is no .npy file or text of labels ({error}); give one an example") from None
    return np.unique(values, return_inverse=True)[1].astype(np.int64)
