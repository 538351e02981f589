"""The exact log-likelihood of a data set, as a value that adds up.

    ln p(D) = sum_n L_n,   L_n = sum_d ln p(x_{n,d} | x_{n,<d})

Sums and counts are kept, never means; every metric is a ratio of two sums, made at the edge. What was drawn
independently is the unit j = 1..J of the standard error: an example; or all examples of a group, all copies of a
content, a block of neighbouring windows of a stream. With A_j and W_j the sums over a unit, the standard error of a
ratio r = sum A_j / sum W_j is that of a ratio estimator (Cochran, *Sampling Techniques*, 1977, sections 2.11 and 9A.1),

    se(r) = sqrt( J/(J-1) sum_j (A_j - r W_j)^2 ) / sum_j W_j,

for which the centred second moments of the units' (L, 1, elements, dims, bytes) are enough. They are merged pairwise
(Chan, Golub, LeVeque 1983), so that nothing cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import exp, inf, log, nan, sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.atomic_files import json_value
from chainrule.batch import Batch
from chainrule.errors import InputError

__all__ = ["BLOCKS", "EXAMPLES", "LogLikelihood", "Protocol", "Ratio", "Units"]

EXAMPLES = "examples"  # what the independent units are, where nothing else is said
BLOCKS = "blocks of windows"  # and what they are in a stream
_QUANTITIES = ("nats", "examples", "elements", "dims", "bytes")
LN2 = log(2)


@dataclass(frozen=True)
class Protocol:
    """How the examples were scored; numbers of different protocols are never added or compared.

    end: "given" when the length is known, p(x | T), "scored" when the end is an element of its own, p(x, T).
    context: what each example was conditioned on, e.g. "none", "class", "256 of the stream, stride 128".
    dtype: the floating type of the conditionals.
    start: how the first element was predicted.
    """

    end: str = "given"
    context: str = "none"
    dtype: str = "float32"
    start: str = "learned"


@dataclass(frozen=True)
class Ratio:
    """A metric and its standard error.

    >>> print(Ratio(86.1234, 0.4567))
    86.12 ± 0.46
    """

    value: float
    standard_error: float

    def __str__(self) -> str:
        if not 0 < self.standard_error < inf:
            return f"{self.value:.6g}"
        digits = max(0, 1 - int(np.floor(np.log10(self.standard_error))))
        return f"{self.value:.{digits}f} ± {self.standard_error:.{digits}f}"


@dataclass(frozen=True, eq=False)
class Units:
    """Which examples belong together: those of one unit are not independent of each other.

    name: what a unit is, in the plural: "groups of customer", "distinct examples".
    number: the number of the unit of each example, shape (N,); any whole numbers.
    keys: what identifies unit 0, 1, ... in whatever file it stands, empty for one that nothing does; no keys where that
        is not known.

    >>> Units("groups of customer", np.array([7, 7, 2])).number.tolist()
    [7, 7, 2]
    """

    name: str
    number: np.ndarray[Any, np.dtype[np.int64]]
    keys: Sequence[bytes] = ()

    @property
    def known(self) -> set[bytes]:
        """What identifies the units that the examples are of; empty where that is not known."""
        return {self.keys[k] for k in np.unique(self.number).tolist() if self.keys[k]} if self.keys else set()

    @classmethod
    def blocks(cls, total: int, size: int) -> Units:
        """Blocks of neighbouring windows of a stream. total: number of windows. size: windows per block."""
        return cls(BLOCKS, np.arange(total) // size)

    def sums(self, rows: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The sum of the rows of each unit, shape (J, ...), in the order of the units' numbers."""
        _, place = np.unique(self.number, return_inverse=True)
        order = np.argsort(place, kind="stable")
        starts = np.flatnonzero(np.diff(place[order], prepend=-1))
        return np.add.reduceat(rows[order], starts) if len(rows) else rows


def _zeros() -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.zeros((len(_QUANTITIES), len(_QUANTITIES)))


@dataclass(frozen=True, eq=False)
class LogLikelihood:
    """The log-likelihood of a set of examples: sums, counts, squares and the protocol.

    total: sums over the *possible* examples of nats (ln p, float64), 1, elements, dims and bytes, shape (5,).
    scatter: the centred second moments of the sums v_j over each unit, sum_j (v_j - mean)(v_j - mean)^T, shape (5, 5).
    impossible: how many examples have p(x) = 0. They count in `examples` and make every metric infinite; the metrics of
        the rest are those of `.possible`.
    missed: elements, dims and bytes of the impossible examples.
    protocol: how the examples were scored.
    units: J, the number of independent units of the possible examples.
    unit: what a unit is, in the plural.

    >>> a = LogLikelihood.of(Batch(torch.zeros(2, 3).long()), torch.tensor([-1.0, -3.0]))
    >>> (a + a).nats_per_example.value, (a + a).examples
    (2.0, 4)
    """

    total: np.ndarray[Any, np.dtype[np.float64]] = field(default_factory=lambda: np.zeros(len(_QUANTITIES)))
    scatter: np.ndarray[Any, np.dtype[np.float64]] = field(default_factory=_zeros)
    impossible: int = 0
    missed: tuple[int, int, int] = (0, 0, 0)
    protocol: Protocol | None = None
    units: int = 0
    unit: str = EXAMPLES

    @classmethod
    def zero(cls) -> LogLikelihood:
        """The log-likelihood of no examples: the neutral element of the sum."""
        return cls()

    @classmethod
    def of(cls, batch: Batch, log_prob: Tensor, protocol: Protocol | None = None) -> LogLikelihood:
        """The log-likelihood of one batch from its examples' log-probabilities L_n, shape (B,), in nats.

        Raises InputError for a wrong shape and for NaN or +inf, which are not log-probabilities.
        """
        if batch.segment_ids is not None:
            raise InputError(
                "packed rows are for training, because a row is not one example; evaluate the examples one per row"
            )
        if log_prob.shape != (len(batch),):
            raise InputError(f"log_prob has the shape {tuple(log_prob.shape)}, expected one of {len(batch)} examples")
        nats = log_prob.detach().double().cpu().numpy()
        return cls.of_counts(nats, torch.stack([batch.elements, batch.dims, batch.bytes], 1).cpu().numpy(), protocol)

    @classmethod
    def of_counts(
        cls,
        nats: np.ndarray[Any, np.dtype[np.float64]],
        counts: np.ndarray[Any, np.dtype[np.int64]],
        protocol: Protocol | None = None,
        units: Units | None = None,
    ) -> LogLikelihood:
        """The log-likelihood of examples from the ln p of each.

        nats: L_n = ln p of each example, shape (N,), nats.
        counts: elements, dims and bytes of each example, shape (N, 3).
        protocol: how the examples were scored.
        units: which examples belong together; None where every example is a unit of its own.

        Sums and counts do not depend on the units; standard errors are those of J units, not of N examples. A unit has
        to be whole: those of log-likelihoods that are added are taken to be different ones.
        """
        if not (nats < inf).all():
            bad = int(np.flatnonzero(~(nats < inf))[0])
            raise InputError(f"example {bad} has ln p = {nats[bad]}, which is not a log-probability")
        possible = nats > -inf
        rows = np.column_stack([nats, np.ones(len(nats)), counts])[possible]
        total, unit = rows.sum(0), EXAMPLES
        if units is not None:
            rows, unit = Units(units.name, units.number[possible]).sums(rows), units.name
        centred = rows - total / max(len(rows), 1)
        elements, dims, bytes_ = (int(count) for count in counts[~possible].sum(0))
        missed = (elements, dims, bytes_)
        return cls(total, centred.T @ centred, int((~possible).sum()), missed, protocol, len(rows), unit)

    def __add__(self, other: LogLikelihood) -> LogLikelihood:
        if None not in (self.protocol, other.protocol) and self.protocol != other.protocol:
            raise InputError(f"log-likelihoods of two protocols do not add: {self.protocol} and {other.protocol}")
        n, m = self.units, other.units
        if n and m and self.unit != other.unit:
            raise InputError(f"log-likelihoods of {self.unit} and of {other.unit} do not add; score both alike")
        scatter = self.scatter + other.scatter
        if n and m:
            apart = self.total / n - other.total / m
            scatter = scatter + n * m / (n + m) * np.outer(apart, apart)
        missed = tuple(a + b for a, b in zip(self.missed, other.missed, strict=True))
        return LogLikelihood(
            self.total + other.total,
            scatter,
            self.impossible + other.impossible,
            missed,  # type: ignore[arg-type]
            self.protocol or other.protocol,
            n + m,
            self.unit if n or not m else other.unit,
        )

    def all_reduced(self) -> LogLikelihood:
        """The sum over all processes of a distributed job, the same on each; itself outside of one."""
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self
        parts: list[LogLikelihood | None] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(parts, self)
        return sum((part for part in parts if part is not None), LogLikelihood.zero())

    @property
    def possible(self) -> LogLikelihood:
        """The same without the examples of probability zero."""
        return replace(self, impossible=0, missed=(0, 0, 0))

    @property
    def total_nats(self) -> float:
        """ln p(D) in nats, -inf if any example is impossible."""
        return -inf if self.impossible else float(self.total[0])

    @property
    def examples(self) -> int:
        """N, the number of examples."""
        return int(self.total[1]) + self.impossible

    @property
    def elements(self) -> int:
        """The number of scored elements, sum_n T_n."""
        return int(self.total[2]) + self.missed[0]

    @property
    def dims(self) -> int:
        """The number of scalars of the raw data, sum_n D_n."""
        return int(self.total[3]) + self.missed[1]

    @property
    def bytes(self) -> int:
        """The number of bytes that the scored elements stand for, sum_n B_n; 0 where bytes mean nothing."""
        return int(self.total[4]) + self.missed[2]

    def _ratio(self, per: str, unit: float = 1.0) -> Ratio:
        w = _QUANTITIES.index(per)
        n, below = self.units, self.total[w]
        if self.impossible:
            return Ratio(inf, nan)
        if not below:
            return Ratio(nan, nan)
        r = self.total[0] / below
        squares = self.scatter[0, 0] - 2 * r * self.scatter[0, w] + r * r * self.scatter[w, w]
        error = sqrt(n / (n - 1) * max(squares, 0.0)) / below if n > 1 else nan
        return Ratio(-float(r) / unit + 0.0, float(error) / unit)

    @property
    def nats_per_example(self) -> Ratio:
        """-sum_n L_n / N; lower is better."""
        return self._ratio("examples")

    @property
    def nats_per_element(self) -> Ratio:
        """-sum_n L_n / sum_n T_n; lower is better."""
        return self._ratio("elements")

    @property
    def bits_per_dim(self) -> Ratio:
        """-sum_n L_n / (ln 2 sum_n D_n); lower is better. A number for discrete data."""
        return self._ratio("dims", LN2)

    @property
    def bits_per_byte(self) -> Ratio:
        """-sum_n L_n / (ln 2 sum_n B_n), over the bytes of exactly the scored text; NaN where there are none."""
        return self._ratio("bytes", LN2)

    @property
    def perplexity(self) -> Ratio:
        """exp(-sum_n L_n / sum_n T_n), with the standard error of its first-order expansion."""
        rate = self.nats_per_element
        value = inf if rate.value > 700 else exp(rate.value)
        return Ratio(value, value * rate.standard_error)

    def to_json(self) -> dict[str, Any]:
        """Every count and metric by name, non-finite numbers as strings ("inf") or null (undefined)."""
        metrics = ["nats_per_example", "nats_per_element", "bits_per_dim", "perplexity"]
        metrics += ["bits_per_byte"] if self.bytes else []
        record: dict[str, Any] = {}
        for name in metrics:
            ratio: Ratio = getattr(self, name)
            record |= {name: json_value(ratio.value), f"{name}_se": json_value(ratio.standard_error)}
            if self.impossible:
                record[f"{name}_of_possible"] = json_value(getattr(self.possible, name).value)
        record |= {name: getattr(self, name) for name in ("examples", "elements", "dims", "bytes", "impossible")}
        record |= {"unit": self.unit, "units": self.units}
        record["total_nats"] = json_value(self.total_nats)
        record["protocol"] = None if self.protocol is None else vars(self.protocol)
        return record
