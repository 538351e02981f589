"""`Run.score`: ln p(x) of each example, and how strange it is."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.atomic_files import json_bytes, json_value, write_file
from chainrule.data.examples.base import Examples
from chainrule.data.sources.objects import Source
from chainrule.errors import InputError
from chainrule.evaluation.evaluate import evaluate
from chainrule.evaluation.novelty import Novelty
from chainrule.models.base import Model
from chainrule.runs.chosen import encoded_parts, name_of, part_of
from chainrule.runs.progress import Progress, silent
from chainrule.training.allocation import keep_freed_memory

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["Scores", "score"]

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scores:
    """ln p of each example, in nats and in the order of the data, and beside it how strange the example is.

    run, data: what was scored with which run.
    columns: `log_prob` and, where they were asked for, the scores of `Novelty`, each of shape (N,).
    out: the file that was written, None if none was.
    splits: how many examples of each split there are, where the data have splits; else none.
    files: the name of the file of each example, where each has one; else none.
    """

    run: str
    data: str
    columns: dict[str, Numbers]
    out: Path | None = None
    splits: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    @property
    def log_prob(self) -> Numbers:
        """ln p of each example, in nats, shape (N,)."""
        return self.columns["log_prob"]

    def to_json(self) -> dict[str, Any]:
        """Where the scores stand, or the scores themselves where no file was written."""
        out = None if self.out is None else str(self.out)
        record: dict[str, Any] = {"run": self.run, "data": self.data, "examples": len(self.log_prob), "out": out}
        record |= {"splits": self.splits} if self.splits else {}
        if self.out is not None:
            return record
        return record | ({"file": self.files} if self.files else {}) | self.columns

    def to_csv(self) -> str:
        """One line per example, below a line with the names of the columns."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for n, row in enumerate(self._rows()):
            if n == 0:
                writer.writerow(["example", *row])
            writer.writerow([n, *(f"{cell:.9g}" if isinstance(cell, float) else cell for cell in row.values())])
        return text.getvalue()

    def to_jsonl(self) -> str:
        """One JSON object per example."""
        lines = (json_bytes({"example": n} | json_value(row), indent=None) for n, row in enumerate(self._rows()))
        return b"".join(lines).decode()

    def _rows(self) -> Iterator[dict[str, Any]]:
        """What there is to say of each example: its split and its file, where it has them, and its scores."""
        named: dict[str, list[Any]] = {}
        if self.splits:
            named["split"] = [name for name, count in self.splits.items() for _ in range(count)]
        if self.files:
            named["file"] = self.files
        named |= {name: column.tolist() for name, column in self.columns.items()}
        return (dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True))


def score(
    run: Run,
    source: Source,
    *,
    split: str | None = None,
    out: Path | str | None = None,
    novelty: bool = False,
    background: Run | Path | str | None = None,
    moved_to: Path | str | None = None,
    batch_size: int | None = None,
    progress: Progress = silent,
) -> Scores:
    """ln p(x) of every example, in nats, and how strange it is if so asked.

    source: what to score.
    split: of a source that has splits: train, valid or test; None for all of them, in that order.
    out: a .csv or .jsonl file, by default none.
    novelty: also typicality, ratio and conformal p-values, calibrated on the run's validation split.
    background: a run whose likelihood is taken out of the ratio, by default the counts of the symbols alone.
    moved_to: where the run's own data are now, if they were moved; their hash is checked.
    batch_size: examples that are scored at once, a matter of speed only.
    progress: shows how far it is.
    """
    run, out = run.moved(moved_to), None if out is None else Path(out)
    if out is not None and out.suffix not in (".csv", ".jsonl"):
        raise InputError(f"{out}: scores are written as .csv or .jsonl; change the ending")
    model = run.model()
    parts = encoded_parts(run, source)
    if split is not None:
        parts = {split: part_of(parts, split, source)}
    keep_freed_memory()
    with progress("scoring", sum(map(len, parts.values()))) as update:
        nats = {
            name: evaluate(model, examples, batch_size=batch_size, progress=update).nats
            for name, examples in parts.items()
        }
    columns = {"log_prob": np.concatenate(list(nats.values()))}
    if novelty or background is not None:
        columns = _novelty(run, model, list(parts.values()), columns["log_prob"], background)
    names = run.encoding().example_names(source)
    files = [file for name in parts for file in names.get(name, [])]
    splits = {name: len(nats[name]) for name in parts if name}
    scores = Scores(run.name, name_of(source), columns, out, splits, files)
    if out is not None:
        try:
            write_file(out, (scores.to_jsonl() if out.suffix == ".jsonl" else scores.to_csv()).encode())
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror}); name another place with --out") from None
    return scores


def _novelty(
    run: Run, model: Model, parts: list[Examples], log_prob: Numbers, background: Run | Path | str | None
) -> dict[str, Numbers]:
    """The scores of `Novelty`, held against the validation split, which the weights were not fitted to."""
    data = run.data()
    domain = data.encoding.domain
    other: Any = None
    if background is not None:
        other = (type(run).open(background) if isinstance(background, str | Path) else background).model()
    elif domain.num_symbols is not None and not domain.columns:
        from chainrule.baselines.independent import IndependentElements

        other = IndependentElements.fit(data.train, domain.num_symbols, period=1)
    valid = data.split("valid")
    held_out = evaluate(model, valid).nats
    if other is None:
        return Novelty(held_out).columns(log_prob)
    other_nats = np.concatenate([evaluate(other, examples).nats for examples in parts])
    return Novelty(held_out, evaluate(other, valid).nats).columns(log_prob, other_nats)
