"""`chainrule evaluate`: every example once, each metric with its standard error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.atomic_files import write_json
from chainrule.data.examples.base import Examples
from chainrule.errors import InputError
from chainrule.evaluation.by_position import NatsByPosition
from chainrule.evaluation.calibration import by_group, diagnose
from chainrule.evaluation.evaluate import Evaluation, evaluate
from chainrule.evaluation.scores import write_scores
from chainrule.evaluation.streaming import STREAM_CONTEXT, StreamModel, side_by_side
from chainrule.likelihood import Protocol
from chainrule.reporting.console import Console
from chainrule.reporting.tables import column_table, group_table, position_table, result_table
from chainrule.runs.run import Run

__all__ = ["evaluate_run"]


def evaluate_run(
    path: Path,
    source: str | None,
    split: str,
    batch_size: int | None,
    console: Console,
    context: int | None = None,
    stride: int | None = None,
    calibration: bool = False,
    save: Path | None = None,
    groups: Path | None = None,
    carry: bool = False,
) -> Evaluation:
    """Score a split of the run's own data, or everything in another source; through other windows if so asked.

    carry: read a stream with a state that is carried over its windows, see `StreamModel`.
    """
    if carry and (context is not None or stride is not None):
        raise InputError("a carried state sees all of the stream before; leave out --context and --stride, or --carry")
    if save is not None and save.suffix not in (".csv", ".parquet"):
        raise InputError(f"{save}: per-example nats are written as .csv or .parquet; change the ending")
    run = Run.open(path)
    windowed = context is not None or stride is not None
    chain = run.chain() if carry or calibration or windowed else None  # what these ask for only a chain has
    model = run.model() if chain is None else chain
    examples = run.data().split(split) if source is None else run.encoding().encode(source)
    protocol = Protocol(**run.protocol())
    if chain is not None and windowed:
        encoding, examples = run.encoding().with_windows(examples, context, stride, chain.network.length)
        protocol = replace(protocol, context=encoding.protocol.context)
    if carry:
        examples, protocol = side_by_side(examples), replace(protocol, context=STREAM_CONTEXT)
    watched = NatsByPosition(model) if model.has_conditionals else None
    scored = StreamModel(chain) if carry and chain is not None else watched or model
    with console.progress("scoring", len(examples)) as update:
        result = evaluate(scored, examples, batch_size=batch_size, protocol=protocol, progress=update)
    what = split if source is None else source
    console.print(result_table({what: result.likelihood}, {}))
    windows = examples.windows is not None and not carry
    by_position = watched.table() if windows and watched is not None else None
    if by_position is not None:
        console.print(
            f"scored through {protocol.context}, the end {protocol.end}; by elements before it in the window:"
        )
        console.print(position_table(by_position))
    record: dict[str, Any] = {"run": str(path), "data": what, "sha256": examples.digest()} | result.likelihood.to_json()
    record["by_position"] = by_position
    if (columns := run.encoding().column_names) and watched is not None:
        record["by_column"] = watched.columns(list(columns))
        console.print(column_table(record["by_column"]))
    labels = _groups(groups) if groups is not None else _classes(examples)
    if labels is not None:
        record["by_group"] = by_group(result.nats, labels)
        console.print(group_table(record["by_group"]))
    if calibration and chain is not None:
        diagnosis = diagnose(chain, examples)
        record["calibration"] = diagnosis.to_json()
        if diagnosis.z_score is not None:
            console.print(
                f"nats minus entropy: {diagnosis.surprise:.4g} ± {diagnosis.surprise_se:.2g} per example "
                f"(z = {diagnosis.z_score:.1f}; above 2 the model is too sure of itself, below -2 too timid)"
            )
    if save is not None:
        write_scores(save, result.nats)
        write_json(save.with_suffix(".json"), record)
        console.print(f"ln p of {len(result.nats)} examples: [bold]{save}[/], the figures: {save.with_suffix('.json')}")
    console.result(record)
    return result


def _groups(path: Path) -> list[Any]:
    """One label an example: the rows of a .npy file, or the lines of a text."""
    try:
        if path.suffix == ".npy":
            labels: list[Any] = np.load(path, allow_pickle=False).tolist()
        else:
            labels = list(path.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is no .npy file or text of one label an example ({error})") from None
    return labels


def _classes(examples: Examples) -> list[Any] | None:
    """The classes that the examples are conditioned on, if they are."""
    context = examples.context
    return context.tolist() if context is not None and context.ndim == 1 else None
