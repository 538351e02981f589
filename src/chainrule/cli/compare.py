"""`chainrule compare`: which of several models is better on the same examples, and is it more than chance?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from chainrule.data.examples.base import Examples
from chainrule.errors import InputError
from chainrule.evaluation.block_bootstrap import block_length
from chainrule.evaluation.calibration import Diagnosis, diagnose
from chainrule.evaluation.comparison import Comparison, Nats, compare, holm
from chainrule.evaluation.evaluate import evaluate
from chainrule.evaluation.scores import read_scores
from chainrule.reporting.console import Console
from chainrule.runs.run import Run

__all__ = ["compare_models"]


@dataclass(frozen=True)
class Scored:
    """ln p of every example under one model; by position where the model is a run of ours, by column if on a table."""

    name: str
    nats: Nats
    digest: str | None = None
    protocol: dict[str, str] | None = None
    stream: bool = False
    diagnosis: Diagnosis | None = None
    columns: tuple[str, ...] = ()


def compare_models(
    sources: list[Path], data: str | None, split: str, block: int | None, batch_size: int | None, console: Console
) -> list[Comparison]:
    """Compare every later model with the first, on the same examples; p-values corrected by Holm's method.

    sources: run directories, or CSV files with ln p of each example. data: what to score [the first run's own split].
    """
    if len(sources) < 2:
        raise InputError(
            f"a comparison needs at least two models, got {len(sources)}; name runs or CSV files of scores"
        )
    scored = [_score(path, data, split, batch_size, console) for path in sources]
    _same_examples(scored)
    first, *others = scored
    if block is None:
        block = max(map(partial(_block, first), others)) if any(one.stream for one in scored) else 1
    results = [compare(first.nats, b.nats, (first.name, b.name), block=block) for b in others]
    corrected = holm([result.p_value for result in results])
    results = [replace(result, p_holm=p) for result, p in zip(results, corrected, strict=True)]
    console.print(_table(results, block))
    records = []
    for result, b in zip(results, others, strict=True):
        console.print(f"{result.a} against {result.b}: {result.verdict}")
        where = _where_b_wins(first, b)
        if where["examples"]:
            console.print(f"  {b.name} is better by most on the examples {where['examples'][:5]}")
        if where["positions"]:
            named = f"in the columns {', '.join(where['columns'][:5])}" if where["columns"] else ""
            console.print(f"  and {escape(named) or 'at the elements ' + str(where['positions'][:5])}")
        records.append(result.to_json() | {"where_b_wins": where})
    console.result({"data": data or split, "block": block, "comparisons": records})
    return results


def _score(path: Path, data: str | None, split: str, batch_size: int | None, console: Console) -> Scored:
    if not path.is_dir():
        return Scored(path.name, read_scores(path))
    run = Run.open(path)
    examples = run.data().split(split) if data is None else run.encoding().encode(data)
    model = run.model()
    with console.progress(f"scoring {path}", len(examples)) as update:
        nats = evaluate(model, examples, batch_size=batch_size, progress=update).nats
    diagnosis, encoding = None, run.encoding()
    if model.has_conditionals:
        diagnosis = diagnose(model, examples, batch_size=batch_size)
        diagnosis = replace(diagnosis, nats_by_position=encoding.in_raster(diagnosis.nats_by_position))
    return Scored(
        str(path),
        nats,
        examples.digest(),
        _protocol(run, examples),
        examples.is_stream,
        diagnosis,
        encoding.column_names,
    )


def _protocol(run: Run, examples: Examples) -> dict[str, str]:
    """That of the run; where no example is longer than the window, how windows move says nothing."""
    return run.protocol() | ({"context": "whole examples"} if examples.are_whole else {})


def _block(a: Scored, b: Scored) -> int:
    """How many neighbouring windows of a stream belong together, seen from where both models give a probability."""
    possible = (a.nats > -np.inf) & (b.nats > -np.inf)
    return block_length(a.nats[possible] - b.nats[possible]) if possible.any() else 1


def _same_examples(scored: list[Scored]) -> None:
    """Refuse numbers that may not be compared: other examples, another protocol."""
    for other in scored[1:]:
        first = scored[0]
        if len(other.nats) != len(first.nats):
            raise InputError(
                f"{first.name} has {len(first.nats)} examples, {other.name} {len(other.nats)}; score the same data"
            )
        for what, a, b in (("data", first.digest, other.digest), ("protocols", first.protocol, other.protocol)):
            if a is not None and b is not None and a != b:
                raise InputError(f"{first.name} and {other.name} were scored on different {what}: {a} and {b}")


def _where_b_wins(a: Scored, b: Scored) -> dict[str, list[Any]]:
    """The numbers of the examples and elements, and the columns of a table, on which B is better, by most first."""
    with np.errstate(invalid="ignore"):
        gain = np.nan_to_num(b.nats - a.nats, nan=0.0)
    examples = [int(n) for n in np.argsort(-gain)[:20] if gain[n] > 0]
    positions: list[int] = []
    if a.diagnosis is not None and b.diagnosis is not None:
        by = np.nan_to_num(a.diagnosis.nats_by_position - b.diagnosis.nats_by_position)
        positions = [int(d) for d in np.argsort(-by)[:20] if by[d] > 0]
    columns = [a.columns[d] for d in positions] if a.columns == b.columns and a.columns else []
    return {"examples": examples, "positions": positions, "columns": columns}


def _table(results: list[Comparison], block: int) -> Table:
    of = "examples" if block == 1 else f"blocks of {block} examples"
    table = Table(title=f"nats/example that A saves over B (paired over {of})", title_justify="left")
    for heading in ("A", "B", "examples", "difference", "95 %", "p", "p (Holm)", "B better on", "examples needed"):
        table.add_column(heading, justify="left" if len(heading) == 1 else "right")
    for r in results:
        table.add_row(
            r.a,
            r.b,
            f"{r.examples:,}",
            f"{r.difference:.4g} ± {r.standard_error:.2g}",
            f"{r.interval[0]:.4g} to {r.interval[1]:.4g}",
            f"{r.p_value:.2g}",
            f"{r.p_holm:.2g}",
            f"{r.b_better:.0%}",
            "" if r.needed is None else f"{r.needed:,}",
        )
    return table
