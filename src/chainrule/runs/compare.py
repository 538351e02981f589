"""`compare`: which of several models is better on the same examples, and is it more than chance?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.examples.base import Examples
from chainrule.data.sources.objects import Source
from chainrule.errors import InputError
from chainrule.evaluation.block_bootstrap import block_length
from chainrule.evaluation.calibration import Diagnosis, diagnose
from chainrule.evaluation.comparison import Comparison, Nats, holm
from chainrule.evaluation.comparison import compare as compare_nats
from chainrule.evaluation.evaluate import evaluate
from chainrule.evaluation.scores import ScoreFile, read_score_file
from chainrule.likelihood import Units
from chainrule.runs.chosen import chosen_examples, name_of
from chainrule.runs.progress import Progress, silent
from chainrule.runs.run import Run

__all__ = ["ComparisonResult", "WhereBetter", "compare"]

MOST = 20  # examples and elements that are named


@dataclass(frozen=True)
class WhereBetter:
    """Where a model is better than the first one, the largest gain first.

    name: the model.
    examples, positions: the numbers of the examples and of the elements.
    columns: the names of those elements, where they are the columns of a table.
    """

    name: str
    examples: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The three lists by name."""
        return {"examples": list(self.examples), "positions": list(self.positions), "columns": list(self.columns)}


@dataclass(frozen=True)
class ComparisonResult:
    """Every later model against the first, on the same examples.

    data: what was scored.
    block: number of neighbouring examples that are resampled together.
    comparisons: one per later model, p-values corrected by Holm's method.
    where: one per later model.
    """

    data: str
    block: int
    comparisons: tuple[Comparison, ...]
    where: tuple[WhereBetter, ...]

    @property
    def unit(self) -> str:
        """What is resampled, in the plural: examples, groups, distinct examples or blocks of windows."""
        return self.comparisons[0].unit

    def to_json(self) -> dict[str, Any]:
        """Every figure by name."""
        pairs = zip(self.comparisons, self.where, strict=True)
        records = [comparison.to_json() | {"where_b_wins": where.to_json()} for comparison, where in pairs]
        return {"data": self.data, "block": self.block, "unit": self.unit, "comparisons": records}


def compare(
    first: Run | Path | str,
    *others: Run | Path | str,
    data: Source | None = None,
    split: str = "test",
    bootstrap_block: int | None = None,
    moved_to: Path | str | None = None,
    batch_size: int | None = None,
    progress: Progress = silent,
) -> ComparisonResult:
    """Say which model is better on the same examples, by how much, and whether it is more than chance.

    first: a run, its directory, or a CSV file with ln p of each example, which is joined with others by its column
        `id` if it has one.
    others: one or more of the same kinds.
    data: what to score with the runs, by default the first run's data.
    split: of the runs' own data: train, valid or test.
    bootstrap_block: neighbouring examples that are resampled together, by default 1; for the windows of a stream by
        their correlation.
    moved_to: where the data of the runs are now, if they were moved; their hash is checked.
    batch_size: examples that are scored at once, a matter of speed only.
    progress: shows how far it is.
    """
    if not others:
        raise InputError("a comparison needs at least two models, got 1; name runs or CSV files of scores")
    look = partial(_score, data=data, split=split, moved_to=moved_to, batch_size=batch_size, progress=progress)
    a, *rest = in_one_order([look(source) for source in (first, *others)])
    block = _block([a, *rest]) if bootstrap_block is None else bootstrap_block
    units = next((one.units for one in (a, *rest) if one.units is not None), None) if bootstrap_block is None else None
    results = [compare_nats(a.nats, b.nats, (a.name, b.name), block=block, units=units) for b in rest]
    corrected = holm([result.p_value for result in results])
    comparisons = tuple(replace(result, p_holm=p) for result, p in zip(results, corrected, strict=True))
    return ComparisonResult(
        split if data is None else name_of(data), block, comparisons, tuple(_where_better(a, b) for b in rest)
    )


@dataclass(frozen=True, eq=False)
class _Scored:
    """ln p of every example under one model; by element where the model is a single chain."""

    name: str
    nats: Nats
    ids: tuple[str, ...] | None = None
    units: Units | None = None
    digest: str | None = None
    protocol: dict[str, str] | None = None
    is_stream: bool = False
    diagnosis: Diagnosis | None = None
    columns: tuple[str, ...] = ()


def _score(
    source: Run | Path | str,
    *,
    data: Source | None,
    split: str,
    moved_to: Path | str | None,
    batch_size: int | None,
    progress: Progress,
) -> _Scored:
    if not isinstance(source, Run):
        if not Path(source).is_dir():
            file = read_score_file(Path(source))
            return _Scored(file.name, file.nats, file.ids)
        source = Run.open(source)
    run, encoding = source.moved(moved_to), source.encoding()
    (examples, _), model = chosen_examples(run, data, split), run.model()
    with progress(f"scoring {run.name}", len(examples)) as update:
        nats = evaluate(model, examples, batch_size=batch_size, progress=update).nats
    diagnosis = None
    if model.has_conditionals:
        diagnosis = diagnose(model, examples, batch_size=batch_size)
        diagnosis = replace(diagnosis, nats_by_position=encoding.in_raster(diagnosis.nats_by_position))
    return _Scored(
        run.name,
        nats,
        units=None if examples.is_stream else examples.units,
        digest=examples.digest(),
        protocol=_protocol(run, examples),
        is_stream=examples.is_stream,
        diagnosis=diagnosis,
        columns=encoding.column_names,
    )


def _protocol(run: Run, examples: Examples) -> dict[str, str]:
    """That of the run; where no example is longer than the window, how windows move says nothing."""
    return run.protocol() | ({"context": "whole examples"} if examples.are_whole else {})


def _block(scored: Sequence[_Scored]) -> int:
    """How many neighbouring windows of a stream belong together, seen from where both models give a probability."""
    if not any(one.is_stream for one in scored):
        return 1
    first, lengths = scored[0], []
    for other in scored[1:]:
        possible = (first.nats > -np.inf) & (other.nats > -np.inf)
        lengths.append(block_length(first.nats[possible] - other.nats[possible]) if possible.any() else 1)
    return max(lengths)


def in_one_order(scored: Sequence[_Scored]) -> list[_Scored]:
    """The scores of the same examples, in the order of the first; joined by their ids where they have some.

    Raises InputError for numbers that may not be compared: other examples, another protocol.
    """
    first, done = scored[0], [scored[0]]
    one = ScoreFile(first.name, first.nats, first.ids)
    for other in scored[1:]:
        found = ScoreFile(other.name, other.nats, other.ids).in_order_of(one)
        done.append(replace(other, nats=found))
        if len(other.nats) != len(first.nats):
            raise InputError(
                f"{first.name} has {len(first.nats)} examples, {other.name} {len(other.nats)}; score the same data"
            )
        for what, a, b in (("data", first.digest, other.digest), ("protocols", first.protocol, other.protocol)):
            if a is not None and b is not None and a != b:
                raise InputError(f"{first.name} and {other.name} were scored on different {what}: {a} and {b}")
    return done


def _where_better(a: _Scored, b: _Scored) -> WhereBetter:
    """Where B is better than A."""
    with np.errstate(invalid="ignore"):
        examples = _largest(np.nan_to_num(b.nats - a.nats, nan=0.0))
    positions: tuple[int, ...] = ()
    if a.diagnosis is not None and b.diagnosis is not None:
        positions = _largest(np.nan_to_num(a.diagnosis.nats_by_position - b.diagnosis.nats_by_position))
    columns = tuple(a.columns[d] for d in positions) if a.columns == b.columns and a.columns else ()
    return WhereBetter(b.name, examples, positions, columns)


def _largest(gain: Nats) -> tuple[int, ...]:
    return tuple(int(n) for n in np.argsort(-gain)[:MOST] if gain[n] > 0)
