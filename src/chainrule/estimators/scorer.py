"""The fitted model behind an estimator: ln p of rows in float64, draws, and a state of plain bytes.

In float64 a row has the same score alone and among others, to the last digits that anyone looks at.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import parent_process
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from chainrule.data.encodings.tables import TableEncoding
from chainrule.estimators.impossible import said_of, usual_elements
from chainrule.estimators.one_scale import scale_of
from chainrule.estimators.tables import new_name, with_column
from chainrule.evaluation.evaluate import evaluate
from chainrule.runs.committee import are_divisions, committee_run
from chainrule.runs.files import MemoryFiles
from chainrule.runs.plan import Plan, plan_from
from chainrule.runs.run import Run
from chainrule.runs.trained import trained_run

__all__ = ["Scorer"]

HELD_OUT = 0.1  # share of the rows by which training stops and weights are found
FEWEST = 10  # rows from which on some are held out
FEWEST_CROSSED, CELLS = 30, 3000  # rows and cells of tables that have a committee
DIVISIONS = 5
DECIDE = {"steps", "minutes", "network", "experts", "members"}  # options that say how to fit
WEIGHTS = "model.safetensors"
MIXED = "the columns .* are densities"

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


class Scorer:
    """A run in memory, and its model in float64.

    run: the run.
    held_out_rows: numbers of the rows that it was not fitted to, or of all if each was left out of a part, shape (m,).
    held_out: ln p of these rows by what was not fitted to them, shape (m,), nats.
    rows: the number of rows that were fitted or held out.
    usual: the median element of each column, shape (D,); the most frequent one of names.
    finite: whether rows with values that a column cannot have are scored by the others, see `log_prob`.
    """

    finite = False

    def __init__(self, run: Run, held_out_rows: Rows, held_out: Numbers, rows: int, usual: Numbers) -> None:
        self.run, self.held_out_rows, self.held_out, self.rows, self.usual = run, held_out_rows, held_out, rows, usual
        self.model, self.encoding = run.model().double(), cast(TableEncoding, run.encoding())

    @classmethod
    def fit(cls, table: Any, options: Mapping[str, Any], seed: int, crossed: bool = True) -> Scorer:
        """Fit a model to a table.

        table: Arrow table.
        options: those of `fit`; None stands for the default.
        seed: of the rows that are held out, of the weights and of the batches.
        crossed: whether a small table has a committee of cross-validation, where no option says how to fit.
        """
        given = {
            option: _as_text(value) for option, value in _on_one_scale(table, options).items() if value is not None
        }
        order = np.random.default_rng(seed).permutation(len(table))
        with _as_found(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=MIXED)  # `unit_` says it
            small = FEWEST_CROSSED <= len(table) <= CELLS / table.num_columns
            if crossed and small and not given.keys() & DECIDE:
                parts = [np.sort(order[k::DIVISIONS]) for k in range(DIVISIONS)]
                plans = [_plan(table, given, seed + k, rows) for k, rows in enumerate(parts)]
                if are_divisions(plans):
                    return cls._committee(table, plans, parts)
            rows = np.sort(order[: max(1, round(HELD_OUT * len(table))) if len(table) >= FEWEST else 0])
            plan = _plan(table, given, seed, rows)
            scorer = cls(trained_run(plan).with_data(plan.data), rows, np.zeros(0), len(table), usual_elements(plan))
            if len(rows):
                scorer.held_out = scorer.log_prob(table.take(rows))
        return scorer

    @classmethod
    def _committee(cls, table: Any, plans: Sequence[Plan], parts: Sequence[Rows]) -> Scorer:
        """One model of several divisions, and what those who were not fitted to a row say of it."""
        run, models = committee_run(plans, plans[0].data.encoding.encode(table))
        held_out = np.zeros(len(table))
        for rows, plan, model in zip(parts, plans, models, strict=True):
            held_out[rows] = evaluate(model.double(), plan.data.encoding.encode(table.take(rows))).nats
        return cls(run, np.arange(len(table)), held_out, len(table), usual_elements(plans[0]))

    def log_prob(self, table: Any) -> Numbers:
        """ln p of each row of an Arrow table, shape (n,), nats: the mass of the steps and the density where it is.

        A number between two steps stands for the nearest one; where a column cannot have a value it is -inf. A warning
        says in which columns.

        Of a scorer that is `finite` it is ln p of the nearest possible row, less ln (n + 1) for each value that is not
        possible: of an outcome that n rows never had, the next row has it with probability 1 / (n + 1) at most, on
        average.
        """
        with _as_found():
            examples, found = self.encoding.encode_nearest(table, self.usual)
            nats = evaluate(self.model, examples).nats
        if self.finite:
            return nats - np.log(self.rows + 1) * (found.outside | found.between).sum(1)
        for said in said_of(found, self.encoding.columns):
            warnings.warn(said, stacklevel=3)
        return np.where(found.outside.any(1), -np.inf, nats)

    def symbols(self, table: Any) -> Rows:
        """The symbols of the rows of an Arrow table without numbers, the nearest possible ones, shape (n, D)."""
        with _as_found():
            examples, _ = self.encoding.encode_nearest(table, self.usual)
        return np.asarray(examples.batch(np.arange(len(examples))).x.numpy(), dtype=np.int64)

    def sample(self, n: int, seed: int) -> list[list[str]]:
        """Rows of texts, drawn from the model."""
        with _as_found():
            raw: list[list[str]] = self.run.sample(n, seed=seed).raw
        return raw

    def state(self) -> dict[str, Any]:
        """Everything as JSON, bytes and arrays."""
        weights = self.run.files.read(WEIGHTS)
        figures = {"held_out_rows": self.held_out_rows, "held_out": self.held_out}
        more = {"rows": self.rows, "usual": self.usual, "finite": self.finite}
        return {"config": self.run.config, "weights": weights} | figures | more

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Scorer:
        """The same again."""
        files = MemoryFiles()
        files.write(WEIGHTS, state["weights"])
        run, held_out_rows = Run(state["config"], files), state["held_out_rows"]
        rows = state.get("rows", len(held_out_rows))  # states of before had neither this nor the next two
        usual = state.get("usual", np.zeros(run.encoding().domain.length))
        scorer = cls(run, held_out_rows, state["held_out"], rows, usual)
        scorer.finite = state.get("finite", False)
        return scorer


def _plan(table: Any, options: Mapping[str, Any], seed: int, held_out: Rows) -> Plan:
    """The plan for a table of which some rows are held out."""
    if not len(held_out):
        return plan_from(table, dict(options) | {"seed": seed, "split": "100/0/0"})
    name = new_name("split", table.column_names)
    part = np.full(len(table), "train")
    part[held_out] = "valid"
    return plan_from(with_column(table, name, part), dict(options) | {"seed": seed, "split_column": name})


def _on_one_scale(table: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, with the levels of columns that are on one scale, if the user says nothing of them."""
    declared = options.get("columns") or {}
    if options.get("density") or options.get("given") or not isinstance(declared, Mapping):
        return dict(options)
    levels = scale_of(table.drop_columns([name for name in table.column_names if name in declared]))
    return dict(options) | ({"columns": levels | dict(declared)} if levels else {})


def _as_text(value: Any) -> Any:
    """An option as `fit` takes it: mappings and lists of names with commas between them."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={kind}" for name, kind in value.items())
    return ",".join(value) if isinstance(value, list | tuple) else value


@contextmanager
def _as_found() -> Iterator[None]:
    """Inside, one thread in a worker process; afterwards the threads and the random state of torch are as before."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        try:
            if parent_process() is not None:  # a worker beside others
                torch.set_num_threads(1)
            yield
        finally:
            torch.set_num_threads(threads)
