"""`ARMClassifier`: p(y | x) by Bayes from one model of class and row, p(y, x_1, ..., x_D)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d

from chainrule.estimators.rows import RowsEstimator
from chainrule.estimators.tables import new_name, with_column

__all__ = ["ARMClassifier"]

Numbers = npt.NDArray[np.float64]

EXPONENTS = np.geomspace(1 / 32, 32, 321)  # that are tried; 1 is among them


class ARMClassifier(ClassifierMixin, RowsEstimator):
    """Classification by a generative model: the class is the first element of the chain, the columns follow.

    p(y | x) = p(y, x)^b / sum over k of p(k, x)^b. The exponent b is found on the held-out rows, so that the
    probabilities are calibrated where conditionals that are a little wrong would add up to too much certainty.

    steps, minutes, network, experts, members, columns, random_state: as for `ARMDensity`.

    After `fit`, beside the attributes of all three estimators:

    classes_: the classes.
    exponent_: b; 1 where no rows are held out.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = ARMClassifier(steps=50, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
    """

    def __init__(
        self,
        *,
        steps: int | None = None,
        minutes: float | None = None,
        network: str | None = None,
        experts: str | None = None,
        members: int | None = None,
        columns: Mapping[str, str] | None = None,
        random_state: Any = None,
    ) -> None:
        self.steps = steps
        self.minutes = minutes
        self.network = network
        self.experts = experts
        self.members = members
        self.columns = columns
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the model to rows and their classes.

        X: array (n, D) or frame; NaN and None are missing values.
        y: class of each row, shape (n,).
        """
        table = self._rows(X, reset=True)
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        if len(y) != len(table):
            raise ValueError(f"Found input variables with inconsistent numbers of samples: {[len(table), len(y)]}")
        self.classes_, number = np.unique(y, return_inverse=True)
        self._name = new_name("class", table.column_names)
        options = {name: value for name, value in self.get_params(deep=False).items() if name != "random_state"}
        options["columns"] = {self._name: "categorical"} | dict(self.columns or {})
        self._fitted(with_column(table, self._name, number.astype(str)), options, crossed=False)
        self._log_prior = np.log(np.bincount(number) / len(number))
        held_out = self._scorer.held_out_rows
        self.exponent_ = self._exponent(table.take(held_out), number[held_out])
        return self

    def _exponent(self, table: Any, number: npt.NDArray[np.int64]) -> float:
        """The exponent under which the classes of held-out rows are most probable; 1 without rows."""
        if not len(table):
            return 1.0
        joint, rows = self._joint(table), np.arange(len(table))
        nats = [-_log_posterior(joint, b, self._log_prior)[rows, number].mean() for b in EXPONENTS]
        return float(EXPONENTS[int(np.argmin(nats))])

    def _joint(self, table: Any) -> Numbers:
        """ln p(y, x) of every class, shape (n, K)."""
        columns = [
            self._scorer.log_prob(with_column(table, self._name, np.full(len(table), str(k))))
            for k in range(len(self.classes_))
        ]
        return np.stack(columns, 1)

    def predict_log_proba(self, X: Any) -> Numbers:
        """ln p(y | x) of every class, shape (n, K)."""
        check_is_fitted(self)
        return _log_posterior(self._joint(self._rows(X)), self.exponent_, self._log_prior)

    def predict_proba(self, X: Any) -> Numbers:
        """p(y | x) of every class, shape (n, K); the shares of the classes for a row that no class can explain."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable class of each row, shape (n,)."""
        best = self.predict_log_proba(X).argmax(1)
        return self.classes_[best]

    def score_samples(self, X: Any) -> Numbers:
        """ln p(x) = ln sum over y of p(y, x) of each row, in nats, shape (n,): how probable the row itself is."""
        check_is_fitted(self)
        return np.logaddexp.reduce(self._joint(self._rows(X)), 1)


def _log_posterior(joint: Numbers, exponent: float, log_prior: Numbers) -> Numbers:
    """ln p(y | x), shape (n, K); the prior where no class explains x.

    joint: ln p(y, x), shape (n, K).
    exponent: b.
    log_prior: ln p(y), shape (K,).

    >>> impossible = [-np.inf, -np.inf]
    >>> _log_posterior(np.array([np.log([0.1, 0.3]), impossible]), 1.0, np.log([0.5, 0.5])).round(4).tolist()
    [[-1.3863, -0.2877], [-0.6931, -0.6931]]
    """
    explained = np.isfinite(joint).any(1, keepdims=True)
    found = np.where(explained, exponent * joint, log_prior)
    return found - np.logaddexp.reduce(found, 1, keepdims=True)
