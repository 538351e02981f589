"""`Run.score`: ln p(x) of each example, and how strange it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.atomic_files import json_bytes, json_value, write_file
from chainrule.baselines.independent import IndependentElements
from chainrule.data.examples.base import Examples
from chainrule.data.sources.objects import Source
from chainrule.errors import InputError
from chainrule.evaluation.evaluate import evaluate
from chainrule.evaluation.novelty import Novelty
from chainrule.models.base import Model
from chainrule.runs.chosen import name_of
from chainrule.runs.progress import Progress, silent

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
    """

    run: str
    data: str
    columns: dict[str, Numbers]
    out: Path | None = None

    @property
    def log_prob(self) -> Numbers:
        """ln p of each example, in nats, shape (N,)."""
        return self.columns["log_prob"]

    def to_json(self) -> dict[str, Any]:
        """Where the scores stand, or the scores themselves where no file was written."""
        out = None if self.out is None else str(self.out)
        record = {"run": self.run, "data": self.data, "examples": len(self.log_prob), "out": out}
        return record | (self.columns if self.out is None else {})

    def to_csv(self) -> str:
        """One line per example, below a line with the names of the columns."""
        head = ",".join(["example", *self.columns])
        lines = (",".join([str(n), *(f"{value:.9g}" for value in row)]) for n, row in enumerate(self._rows()))
        return "\n".join([head, *lines]) + "\n"

    def to_jsonl(self) -> str:
        """One JSON object per example."""
        rows = (dict(zip(self.columns, row, strict=True)) for row in self._rows())
        lines = (json_bytes({"example": n} | json_value(row), indent=None) for n, row in enumerate(rows))
        return b"".join(lines).decode()

    def _rows(self) -> Iterator[tuple[float, ...]]:
        return zip(*(column.tolist() for column in self.columns.values()), strict=True)


def score(
    run: Run,
    source: Source,
    *,
    out: Path | str | None = None,
    novelty: bool = False,
    background: Run | Path | str | None = None,
    batch_size: int | None = None,
    progress: Progress = silent,
) -> Scores:
    """ln p(x) of every example, in nats, and how strange it is if so asked.

    source: what to score.
    out: a .csv or .jsonl file, by default none.
    novelty: also typicality, ratio and conformal p-values, calibrated on the run's validation split.
    background: a run whose likelihood is taken out of the ratio, by default the counts of the symbols alone.
    batch_size: examples that are scored at once, a matter of speed only.
    progress: shows how far it is.
    """
    out = None if out is None else Path(out)
    if out is not None and out.suffix not in (".csv", ".jsonl"):
        raise InputError(f"{out}: scores are written as .csv or .jsonl; change the ending")
    model = run.model()
    examples = run.encoding().encode(source)
    with progress("scoring", len(examples)) as update:
        columns = {"log_prob": evaluate(model, examples, batch_size=batch_size, progress=update).nats}
    if novelty or background is not None:
        columns = _novelty(run, model, examples, columns["log_prob"], background)
    scores = Scores(run.name, name_of(source), columns, out)
    if out is not None:
        try:
            write_file(out, (scores.to_jsonl() if out.suffix == ".jsonl" else scores.to_csv()).encode())
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror}); name another place with --out") from None
    return scores


def _novelty(
    run: Run, model: Model, examples: Examples, log_prob: Numbers, background: Run | Path | str | None
) -> dict[str, Numbers]:
    """The scores of `Novelty`, held against the validation split, which the weights were not fitted to."""
    data = run.data()
    domain = data.encoding.domain
    other: Any = None
    if background is not None:
        other = (type(run).open(background) if isinstance(background, str | Path) else background).model()
    elif domain.num_symbols is not None and not domain.columns:
        other = IndependentElements.fit(data.train, domain.num_symbols, period=1)
    held_out = evaluate(model, data.valid).nats
    if other is None:
        return Novelty(held_out).columns(log_prob)
    return Novelty(held_out, evaluate(other, data.valid).nats).columns(log_prob, evaluate(other, examples).nats)
