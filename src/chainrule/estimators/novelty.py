"""`ARMNovelty`: which rows are unlike the data, at a false-positive rate that is kept, by conformal p-values."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from chainrule.errors import InputError, unknown_name
from chainrule.estimators.rows import RowsEstimator
from chainrule.evaluation.novelty import Novelty, conformal_p

__all__ = ["ARMNovelty"]

MEASURES = ("typicality", "log_prob")
SHARE = 0.3  # of the rows that are held out for the p-values
LOWEST = float(np.finfo(np.float64).min) / 4  # score of a row of probability zero: finite, as metrics want it


class ARMNovelty(OutlierMixin, RowsEstimator):
    """Novelty detection by ln p(x), with p-values that hold whatever the model.

    p(x) = (1 + number of the m held-out rows with a score at most that of x) / (m + 1): of new rows that are like the
    data, a share of at most alpha is called new (Vovk, Gammerman, Shafer, *Algorithmic learning in a random world*,
    2005). There is no contamination to guess.

    alpha: the false-positive rate of `predict`.
    measure: "typicality", -|ln p - mean| / deviation over the held-out rows: what is far too probable is as new as what
        is far too improbable; or "log_prob", ln p in nats.
    steps, minutes, network, experts, members, columns, random_state: as for `ARMDensity`.

    After `fit`, beside the attributes of all three estimators:

    offset_: the score below which a row is called new. With fewer than 1/alpha - 1 held-out rows nothing is.

    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> model = ARMNovelty(alpha=0.1, steps=20, random_state=0).fit(X)
    >>> model.predict([[0.0, 0.0], [9.0, -9.0]])
    array([ 1, -1])
    """

    def __init__(
        self,
        *,
        alpha: float = 0.05,
        measure: str = "typicality",
        steps: int | None = None,
        minutes: float | None = None,
        network: str | None = None,
        experts: str | None = None,
        members: int | None = None,
        columns: Mapping[str, str] | None = None,
        random_state: Any = None,
    ) -> None:
        self.alpha = alpha
        self.measure = measure
        self.steps = steps
        self.minutes = minutes
        self.network = network
        self.experts = experts
        self.members = members
        self.columns = columns
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the model to rows that are not new; three tenths of them are held out for the p-values.

        X: array (n, D) or frame; NaN and None are missing values.
        y: ignored.
        """
        if not 0 < self.alpha < 1:
            raise InputError(f"alpha is a rate between 0 and 1, got {self.alpha}; 0.05 is a good start")
        if self.measure not in MEASURES:
            raise unknown_name("measure", self.measure, MEASURES)
        params = self.get_params(deep=False)
        options = {name: value for name, value in params.items() if name not in ("alpha", "measure", "random_state")}
        self._fitted(self._rows(X, reset=True), options, SHARE)
        held_out = np.sort(self._scores(self._scorer.held_out))
        number = floor(self.alpha * (len(held_out) + 1) + 1e-9)  # held-out rows that may lie below the offset
        self.offset_ = float(held_out[number - 1]) if number else 2 * LOWEST
        return self

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """The score of each row, shape (n,): the higher, the more normal; that of a row with p(x) = 0 is -4.5e307.

        A row is impossible where a value is no multiple of the resolution that was found in a column: name the columns
        and their resolution (`columns`) if that is not what the data mean.
        """
        check_is_fitted(self)
        return self._scores(self._scorer.log_prob(self._rows(X)))

    def _scores(self, log_prob: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The scores of rows with these ln p."""
        held_out = self._scorer.held_out
        typical = self.measure == "typicality" and len(held_out) > 1
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
        return conformal_p(-scores, -self._scores(self._scorer.held_out))
