"""What the three estimators share: rows in, a fitted model, and a state that can be pickled anywhere."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from chainrule.data.tables.columns import Numbers
from chainrule.estimators.scorer import Scorer
from chainrule.estimators.tables import Shape, arrow_table, frame_kind
from chainrule.runs.run import Run

__all__ = ["RowsEstimator"]

SEEDS = 2**31 - 1


class RowsEstimator(BaseEstimator):
    """An estimator that stands on a model of rows; its parameters are options of `fit`.

    After `fit`:

    run_: the fitted run, with all its verbs.
    unit_: what `score_samples` is the logarithm of: "mass", "density", or which columns are densities.
    nats_: nats per row of the rows that were held out, -mean ln p; NaN where none were. They have chosen weights and
        steps, so that it is a little lower than for new rows.
    standard_error_: its standard error.
    """

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _rows(self, X: Any, reset: bool = False) -> Any:
        """Checked rows as an Arrow table."""
        frame = frame_kind(X) is not None
        checked = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
        if reset:
            self._shape = Shape.of(X if frame else checked)
        return arrow_table(X if frame else checked, Shape.of(X) if frame else self._shape)

    def _fitted(self, table: Any, options: dict[str, Any], crossed: bool = True) -> Self:
        """Fit the model to a table, and take its figures."""
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        self._scorer = Scorer.fit(table, options, seed, crossed)
        nats = -self._scorer.held_out
        self.nats_ = float(nats.mean()) if len(nats) else float("nan")
        self.standard_error_ = float(nats.std(ddof=1) / np.sqrt(len(nats))) if len(nats) > 1 else float("nan")
        self.unit_ = _unit(self._scorer.run)
        return self

    @property
    def run_(self) -> Run:
        """The fitted run."""
        check_is_fitted(self, "nats_")
        return self._scorer.run

    def __getstate__(self) -> dict[str, Any]:
        """Parameters, figures, and the model as JSON and the bytes of a safetensors file."""
        state: dict[str, Any] = dict(super().__getstate__())
        if "_scorer" in state:
            state["_scorer"] = state["_scorer"].state()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_scorer" in state:
            state = state | {"_scorer": Scorer.from_state(state["_scorer"])}
        super().__setstate__(state)


def _unit(run: Run) -> str:
    """What ln p of a row of a run is the logarithm of."""
    columns = run.encoding().columns  # type: ignore[attr-defined]
    smooth = [column.name for column in columns if isinstance(column, Numbers) and column.resolution is None]
    if not smooth:
        return "mass"
    return "density" if len(smooth) == len(columns) else f"mass, but density in {', '.join(smooth)}"
