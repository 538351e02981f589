"""`ARMNovelty`: which rows are unlike the data, at a false-positive rate that is kept, by conformal p-values."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from math import ceil, floor
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from chainrule.errors import InputError, unknown_name
from chainrule.estimators.contrast import background_of, log_background, share_of
from chainrule.estimators.one_scale import scale_of
from chainrule.estimators.rows import RowsEstimator
from chainrule.evaluation.novelty import Novelty, conformal_p

__all__ = ["ARMNovelty"]

MEASURES = ("log_prob", "contrast", "typicality")
OWN = ("alpha", "calibration_fraction", "measure", "random_state")  # parameters that are not options of `fit`
LOWEST = float(np.finfo(np.float64).min) / 4  # score of a row of probability zero: finite, as metrics want it


class ARMNovelty(OutlierMixin, RowsEstimator):
    """Novelty detection by ln p(x), with p-values that hold whatever the model.

    p(x) = (1 + number of the m calibration rows with a score at most that of x) / (m + 1): of new rows that are like
    the data, a share of at most alpha is called new, on average over fits (Vovk, Gammerman, Shafer, *Algorithmic
    learning in a random world*, 2005). There is no contamination to guess. Nothing but the p-values sees the
    calibration rows: neither units, weights and the step at which training stops, nor the score itself.

    alpha: the false-positive rate of `predict`.
    calibration_fraction: share of the rows that is set aside for the p-values, between 0 and 1.
    measure: "log_prob", ln p in nats; "contrast", ln p - c ln q with q of independent columns, which is for tables of
        levels and names; or "typicality", -|ln p - mean| / deviation over rows that were held out of the fit: what is
        far too probable, such as a blank image, is as new as what is far too improbable. By default contrast where all
        columns are found to be levels of one scale, such as pixels, and ln p elsewhere.
    steps, minutes, network, experts, members, columns, random_state: as for `ARMDensity`.

    After `fit`, beside the attributes of all three estimators:

    measure_: the measure.
    offset_: the score below which a row is called new. With fewer than 1/alpha - 1 calibration rows nothing is, and
        `fit` warns of it.
    calibration_rows_: numbers of the m calibration rows, shape (m,).
    calibration_scores_: their scores, shape (m,).

    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> model = ARMNovelty(alpha=0.1, steps=20, random_state=0).fit(X)
    >>> model.predict([[0.0, 0.0], [9.0, -9.0]])
    array([ 1, -1])
    """

    def __init__(
        self,
        *,
        alpha: float = 0.05,
        calibration_fraction: float = 0.2,
        measure: str | None = None,
        steps: int | None = None,
        minutes: float | None = None,
        network: str | None = None,
        experts: str | None = None,
        members: int | None = None,
        columns: Mapping[str, str] | None = None,
        random_state: Any = None,
    ) -> None:
        self.alpha = alpha
        self.calibration_fraction = calibration_fraction
        self.measure = measure
        self.steps = steps
        self.minutes = minutes
        self.network = network
        self.experts = experts
        self.members = members
        self.columns = columns
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the model to rows that are not new, and set some of them aside for the p-values.

        X: array (n, D) or frame; NaN and None are missing values.
        y: ignored.
        """
        self._check_parameters()
        table = self._rows(X, reset=True)
        options = {name: value for name, value in self.get_params(deep=False).items() if name not in OWN}
        order = check_random_state(self.random_state).permutation(len(table))
        number = min(round(self.calibration_fraction * len(table)), len(table) - 1)
        self.calibration_rows_, rest = np.sort(order[:number]), np.sort(order[number:])
        self._fitted(table.take(rest), options)
        self._scorer.finite = True
        self.measure_ = self.measure or ("contrast" if scale_of(table.take(rest)) and not self.columns else "log_prob")
        if self.measure_ == "contrast":
            self._find_background(table.take(rest))
        self.calibration_scores_ = self._scores(table.take(self.calibration_rows_))
        below = floor(self.alpha * (number + 1) + 1e-9)  # calibration rows that may lie below the offset
        self.offset_ = float(np.sort(self.calibration_scores_)[below - 1]) if below else 2 * LOWEST
        if not below:
            warnings.warn(_too_few(number, len(table), self.alpha), stacklevel=2)
        return self

    def _check_parameters(self) -> None:
        for name, value in (("alpha", self.alpha), ("calibration_fraction", self.calibration_fraction)):
            if not 0 < value < 1:
                raise InputError(f"{name} is between 0 and 1, got {value}; leave it out for the default")
        if self.measure not in (None, *MEASURES):
            raise unknown_name("measure", self.measure, MEASURES)

    def _find_background(self, table: Any) -> None:
        """Find q, and its share c, by the rows that the model was fitted to."""
        columns = self._scorer.encoding.domain.columns
        if any(column.num_symbols is None for column in columns):
            raise InputError("contrast is a measure for levels and names, and there are numbers; take measure=None")
        x, held_out = self._scorer.symbols(table), self._scorer.held_out_rows
        self._background = background_of(x, [(column.num_symbols or 0) + column.missing for column in columns])
        self._share = share_of(self._scorer.held_out, log_background(self._background, x[held_out]))

    def __setstate__(self, state: dict[str, Any]) -> None:
        before = {"measure_": state.get("measure")} if "_scorer" in state else {}  # what states of before do not say
        super().__setstate__(before | state)

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """The score of each row, shape (n,): the higher, the more normal.

        A value that a column of the n rows of the fit cannot have, such as a name that was never there, a number
        between two steps, or a text among numbers, counts as the nearest or the usual one and costs ln (n + 1) nats.
        """
        check_is_fitted(self)
        return self._scores(self._rows(X))

    def _scores(self, table: Any) -> npt.NDArray[np.float64]:
        """The scores of the rows of an Arrow table."""
        if not len(table):
            return np.zeros(0)
        log_prob = self._scorer.log_prob(table)
        held_out = self._scorer.held_out
        if self.measure_ == "contrast":
            log_prob = log_prob - self._share * log_background(self._background, self._scorer.symbols(table))
        typical = self.measure_ == "typicality" and len(held_out) > 1
        return np.maximum(-Novelty(held_out).typicality(log_prob) if typical else log_prob, LOWEST)

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """score_samples - offset_, shape (n,): negative for rows that are called new."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """-1 for rows that are called new, 1 for the others, shape (n,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Any) -> npt.NDArray[np.float64]:
        """The conformal p-value of each row, shape (n,): uniform or larger where rows are like the data."""
        scores = self.score_samples(X)
        return conformal_p(-scores, -self.calibration_scores_)


def _too_few(number: int, rows: int, alpha: float) -> str:
    """What is said of so few calibration rows that no row can be called new.

    number: calibration rows.
    rows: rows that were given, calibration rows among them.
    alpha: the false-positive rate.

    >>> _too_few(8, 40, 0.05)[:98]
    'predict will call no row new: the smallest p-value of 8 calibration rows is 1 / 9 = 0.111, above a'
    """
    least = ceil(1 / alpha - 1 - 1e-9)
    enough = f"calibration_fraction={ceil(1000 * least / rows) / 1000}, " if least < rows - 1 else ""
    return (
        f"predict will call no row new: the smallest p-value of {number} calibration rows is 1 / {number + 1} = "
        f"{1 / (number + 1):.3g}, above alpha={alpha}, which needs at least {least} of them; "
        f"set {enough}alpha={ceil(1000 / (number + 1)) / 1000} or more, or fit to more than these {rows} rows"
    )
