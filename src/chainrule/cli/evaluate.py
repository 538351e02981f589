"""`chainrule evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from chainrule.cli.options import BatchSize, Data, Json, MovedTo, RunPath, Split, console_of, flag

if TYPE_CHECKING:
    from chainrule.reporting.console import Console
    from chainrule.runs.evaluate import EvaluationResult

__all__ = ["evaluate"]


def evaluate(
    run: RunPath,
    source: Data = None,
    /,
    *,
    split: Split = "test",
    window: Annotated[
        int | None, Parameter(help="Sequences: elements that are read at once [default: as in the run].")
    ] = None,
    stride: Annotated[
        int | None, Parameter(help="Sequences: elements the window moves on by [default: as in the run].")
    ] = None,
    carry: Annotated[bool, flag("Stream, recurrent network: carry the state over the windows.")] = False,
    calibration: Annotated[bool, flag("Also say whether the conditionals mean what they say.")] = False,
    save: Annotated[
        Path | None, Parameter(help="A .csv or .parquet file for ln p of each example; the figures beside it.")
    ] = None,
    groups: Annotated[
        Path | None, Parameter(help="A .npy file or a text with one label per example [default: the classes].")
    ] = None,
    moved_to: MovedTo = None,
    batch_size: BatchSize = None,
    json: Json = False,
) -> None:
    """Score every example once: nats/example, bits/dim and their standard errors."""
    from chainrule.runs.run import Run

    console = console_of(json)
    result = Run.open(run).evaluate(
        source,
        split=split,
        window=window,
        stride=stride,
        carry=carry,
        calibration=calibration,
        save=save,
        groups=groups,
        moved_to=moved_to,
        batch_size=batch_size,
        progress=console.progress,
    )
    _show(result, console)
    if save is not None:
        figures = save.with_suffix(".json")
        console.print(f"ln p of {len(result.nats)} examples: {save}, the figures: {figures}")
    console.result(result.to_json())


def _show(result: EvaluationResult, console: Console) -> None:
    """The tables."""
    from chainrule.reporting.tables import column_table, group_table, position_table, result_table

    record = result.likelihood.to_json()
    if result.in_train is not None:
        record |= {"in_train": result.in_train}
    console.print(result_table({result.data: record}))
    if result.in_train_unknown:
        console.print(f"how many of them stand in the run's train split is not known: {result.in_train_unknown}")
    elif result.in_train:
        console.print(f"{result.in_train:,} of {len(result.nats):,} stand in the run's train split, too")
    if result.by_position is not None and (protocol := result.likelihood.protocol) is not None:
        console.print(f"scored through {protocol.context}, the end {protocol.end}")
        console.print(position_table(result.by_position))
    if result.by_column is not None:
        console.print(column_table(result.by_column))
    if result.by_group is not None:
        console.print(group_table(result.by_group))
    found = result.calibration
    if found is not None and found.z_score is not None:
        console.print(
            f"nats minus entropy: {found.surprise:.4g} ± {found.surprise_se:.2g} per example "
            f"(z = {found.z_score:.1f}; above 2 the model is too sure of itself, below -2 not sure enough)"
        )
