"""`Run.evaluate`: every example once, each metric with its standard error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.atomic_files import write_json
from chainrule.data.examples.base import Examples
from chainrule.data.sources.objects import Source
from chainrule.errors import InputError
from chainrule.evaluation.by_position import NatsByPosition
from chainrule.evaluation.calibration import Diagnosis, by_group, diagnose
from chainrule.evaluation.evaluate import Evaluation
from chainrule.evaluation.evaluate import evaluate as evaluate_examples
from chainrule.evaluation.scores import write_scores
from chainrule.evaluation.streaming import STREAM_CONTEXT, StreamModel, side_by_side
from chainrule.likelihood import LogLikelihood, Protocol
from chainrule.models.base import Model
from chainrule.runs.chosen import chosen_examples, read_labels
from chainrule.runs.progress import Progress, silent
from chainrule.training.allocation import keep_freed_memory

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["EvaluationResult", "evaluate"]


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """The log-likelihood of a set of examples under a run, and where it comes from.

    run, data: what was scored with which run.
    sha256: digest of the examples.
    likelihood: sums, counts and metrics.
    nats: ln p of each example, in nats, shape (N,).
    by_position: nats per element by its position in the window; None where there are no windows.
    by_column: nats per cell of each column of a table; None for other data.
    by_group: nats per example of each group; None where there are no groups.
    calibration: whether the conditionals mean what they say; None where it was not asked for.
    in_train: how many of the examples also stand in the run's train split; None for its own data and where that is not
        known.
    in_train_unknown: why it is not known, "" where it is or was not asked.
    """

    run: str
    data: str
    sha256: str
    likelihood: LogLikelihood
    nats: npt.NDArray[np.float64]
    by_position: list[dict[str, Any]] | None = None
    by_column: list[dict[str, Any]] | None = None
    by_group: dict[str, dict[str, float]] | None = None
    calibration: Diagnosis | None = None
    in_train: int | None = None
    in_train_unknown: str = ""

    def to_json(self) -> dict[str, Any]:
        """Every figure by name; not the nats of the single examples."""
        record: dict[str, Any] = {"run": self.run, "data": self.data, "sha256": self.sha256}
        record |= self.likelihood.to_json() | {"by_position": self.by_position}
        parts = {"by_column": self.by_column, "by_group": self.by_group}
        parts["calibration"] = None if self.calibration is None else self.calibration.to_json()
        if self.in_train is not None or self.in_train_unknown:
            record["examples_in_train"] = self.in_train
        if self.in_train_unknown:
            record["examples_in_train_unknown"] = self.in_train_unknown
        return record | {name: part for name, part in parts.items() if part is not None}

    def save(self, path: Path) -> None:
        """Write ln p of each example as .csv or .parquet, and the figures beside it as .json."""
        write_scores(path, self.nats)
        try:
            write_json(path.with_suffix(".json"), self.to_json())
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); name another place") from None


def evaluate(
    run: Run,
    source: Source | None = None,
    *,
    split: str = "test",
    window: int | None = None,
    stride: int | None = None,
    carry: bool = False,
    calibration: bool = False,
    save: Path | str | None = None,
    groups: Any = None,
    moved_to: Path | str | None = None,
    batch_size: int | None = None,
    progress: Progress = silent,
) -> EvaluationResult:
    """Score every example once: nats per example, bits per dim and their standard errors.

    source: what to score, by default the run's own data.
    split: of the run's own data, or of a source that has splits: train, valid or test.
    window: sequences: elements that are read at once, by default as in the run.
    stride: sequences: elements that the window moves on by, by default as in the run.
    carry: a stream and a recurrent network: carry the state over the windows, see `StreamModel`.
    calibration: also say whether the conditionals mean what they say.
    save: a .csv or .parquet file for ln p of each example; the figures are written beside it.
    groups: one label per example, or a .npy file or a text of them, by default the classes that are conditioned on.
    moved_to: where the run's own data are now, if they were moved; their hash is checked.
    batch_size: examples that are scored at once, a matter of speed only.
    progress: shows how far it is.
    """
    run, save = run.moved(moved_to), None if save is None else Path(save)
    if carry and (window is not None or stride is not None):
        raise InputError("a carried state sees all of the stream before; leave out --window and --stride, or --carry")
    if save is not None and save.suffix not in (".csv", ".parquet"):
        raise InputError(f"{save}: per-example nats are written as .csv or .parquet; change the ending")
    windowed = window is not None or stride is not None
    chain = run.chain() if carry or calibration or windowed else None  # what these ask for only a chain has
    model = run.model() if chain is None else chain
    examples, name = chosen_examples(run, source, split)
    protocol = Protocol(**run.protocol())
    if chain is not None and windowed:
        encoding, examples = run.encoding().with_windows(examples, window, stride, chain.network.length)
        protocol = replace(protocol, context=encoding.protocol.context)
    if carry:
        examples, protocol = side_by_side(examples), replace(protocol, context=STREAM_CONTEXT)
    watched = _watched(model, examples) if model.has_conditionals else None
    scored = StreamModel(chain) if carry and chain is not None else watched or model
    found = _scored(scored, examples, batch_size, protocol, progress)
    result = EvaluationResult(
        run=run.name,
        data=name,
        sha256=examples.digest(),
        likelihood=found.likelihood,
        nats=found.nats,
        by_position=watched.table() if watched is not None and examples.windows is not None and not carry else None,
        by_column=_by_column(watched, run),
        by_group=_by_group(found, groups, examples),
        calibration=diagnose(chain, examples) if calibration and chain is not None else None,
    )
    result = result if source is None else _with_those_in_train(result, run, examples)
    if save is not None:
        result.save(save)
    return result


def _scored(
    model: Model, examples: Examples, batch_size: int | None, protocol: Protocol, progress: Progress
) -> Evaluation:
    keep_freed_memory()
    with progress("scoring", len(examples)) as update:
        return evaluate_examples(model, examples, batch_size=batch_size, protocol=protocol, progress=update)


def _with_those_in_train(result: EvaluationResult, run: Run, examples: Examples) -> EvaluationResult:
    """The result with how many examples also stand in the train split of the run; where that is not known, why."""
    try:
        found = run.data().in_train(examples)
    except InputError as error:
        return replace(result, in_train_unknown=str(error))
    if found is None:
        return replace(result, in_train_unknown="a stream has no examples that could be counted")
    return replace(result, in_train=found[0])


def _by_column(watched: NatsByPosition | None, run: Run) -> list[dict[str, Any]] | None:
    """The nats of each column of a table, where the model has conditionals."""
    names = run.encoding().column_names
    return watched.columns(list(names)) if watched is not None and names else None


def _watched(model: Model, examples: Examples) -> NatsByPosition:
    """The model, adding up nats by position; where a row is an example, also by unit."""
    return NatsByPosition(model, examples.units if examples.windows is None else None)


def _by_group(found: Evaluation, groups: Any, examples: Examples) -> dict[str, dict[str, float]] | None:
    """The nats by the groups that were named, else by the classes that the examples are conditioned on, if they are."""
    units = found.units if found.block == 1 else None
    if groups is not None:
        return by_group(found.nats, read_labels(groups), units)
    context = examples.context
    return (
        by_group(found.nats, context.tolist(), units) if isinstance(context, np.ndarray) and context.ndim == 1 else None
    )
