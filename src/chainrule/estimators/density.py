"""`ARMDensity`: ln p of rows by an autoregressive model, as a density estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from chainrule.errors import InputError
from chainrule.estimators.rows import SEEDS, RowsEstimator

__all__ = ["ARMDensity"]


class ARMDensity(DensityMixin, RowsEstimator):
    """Density estimation by the chain rule, ln p(x) = sum over d of ln p(x_d | x_<d), one conditional per column.

    All columns are modelled as they are: numbers, categories, texts, missing values. Where every number of a column is
    a multiple of some step, its part of p is a probability (a mass), else a density; `unit_` says which. Columns need
    no scaling: it is done inside, and its Jacobian is part of the number.

    A table of 30 rows to 3000 cells has a committee of cross-validation, unless steps, minutes, network, experts or
    members are given: the models of five divisions of the rows are averaged, with weights by the rows that each left
    out. `run_` then says of the data what the first division is.

    steps: number of training steps; by default by the amount of data. The same steps and `random_state` give the same
        result.
    minutes: time for the fit in place of steps; how far it comes depends on the machine, so it is not repeatable.
    network: the network by name, see `chainrule.plan`.
    experts: networks fitted without gradients that are averaged with it, by name, or "none".
    members: number of models whose conditionals are averaged.
    columns: kinds of columns that are to be other than what is found, by name; the columns of an array are x0, x1, ...
    given: names of columns that are given: p of the others, given these.
    density: whether numbers are taken as densities even where they repeat.
    random_state: seed.

    Besides the attributes of all three estimators: n_features_in_, feature_names_in_.

    >>> from sklearn.datasets import load_iris
    >>> X = load_iris(as_frame=True).data
    >>> model = ARMDensity(steps=20, random_state=0).fit(X)
    >>> model.score_samples(X).shape, model.sample(3, random_state=0).shape, model.unit_
    ((150,), (3, 4), 'mass')
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
        given: Sequence[str] | None = None,
        density: bool = False,
        random_state: Any = None,
    ) -> None:
        self.steps = steps
        self.minutes = minutes
        self.network = network
        self.experts = experts
        self.members = members
        self.columns = columns
        self.given = given
        self.density = density
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the model to rows, of which a tenth is held out to know when to stop, or each once in a small table.

        X: array (n, D) or frame; NaN and None are missing values.
        y: ignored.
        """
        return self._fitted(self._rows(X, reset=True), self._options())

    def _options(self) -> dict[str, Any]:
        options = {name: value for name, value in self.get_params(deep=False).items() if name != "random_state"}
        return options | {"density": self.density or None}

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """ln p of each row, in nats, shape (n,); -inf for a value that the column cannot have.

        A number between two steps of its column has the mass of the nearest step, and a warning names the column.
        """
        check_is_fitted(self)
        return self._scorer.log_prob(self._rows(X))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of ln p over rows, in nats: as GaussianMixture has it; KernelDensity gives the sum.

        X: array (n, D) or frame.
        y: ignored.
        """
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Any:
        """Rows drawn from the model, in the form of what was fitted: an array or a frame."""
        check_is_fitted(self)
        if self.given is not None:
            raise InputError("a model of p(x | given) draws x for one condition; use run_.sample(n, given=...)")
        seed = int(check_random_state(random_state).randint(SEEDS))
        return self._shape.back(self._scorer.sample(n_samples, seed))
