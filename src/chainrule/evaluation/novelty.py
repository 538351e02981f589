"""Is an example unlike the data? Likelihood alone does not say: simple inputs score high under every density model.

Three scores, each larger for stranger examples, complete ln p:

    typicality   |ln p(x) - m| / s, m and s the mean and deviation of ln p over held-out examples: two-sided, for what
                 is too probable is as foreign as what is too improbable (Nalisnick et al. 2019)
    ratio        ln q(x) - ln p(x), q a background model: what every simple model explains cancels (Ren et al. 2019)
    p-value      (1 + how many of n held-out examples score at least as high) / (n + 1): conformal, so that flagging
                 at p <= a flags a share of at most a of new examples that are like the held-out ones, whatever the
                 model (Vovk, Gammerman, Shafer 2005)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.errors import InputError

__all__ = ["Novelty", "conformal_p"]

Numbers = npt.NDArray[np.float64]


def conformal_p(scores: Numbers, reference: Numbers) -> Numbers:
    """(1 + #{reference >= score}) / (n + 1) for every score.

    >>> conformal_p(np.array([0.0, 2.5, 9.0]), np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 0.5, 0.25]
    """
    ordered = np.sort(reference)
    return (1 + len(ordered) - np.searchsorted(ordered, scores, side="left")) / (len(ordered) + 1)


@dataclass(frozen=True)
class Novelty:
    """Scores of strangeness, calibrated on held-out examples that the model was not fitted to.

    reference: ln p of the held-out examples, shape (n,), nats.
    background: ln q of the same ones, or None.

    >>> novelty = Novelty(np.array([-80.0, -90.0, -100.0]))
    >>> novelty.typicality(np.array([-90.0, -60.0])).tolist()
    [0.0, 3.0]
    """

    reference: Numbers
    background: Numbers | None = None

    def __post_init__(self) -> None:
        if len(self.reference) < 2 or not np.isfinite(self.reference).any():
            raise InputError(f"novelty is calibrated on 2 held-out examples or more, got {len(self.reference)}")
        if self.background is not None and len(self.background) != len(self.reference):
            raise InputError(f"{len(self.background)} background scores for {len(self.reference)} held-out examples")

    def typicality(self, log_p: Numbers) -> Numbers:
        """|ln p - m| / s; infinite where p(x) = 0."""
        known = self.reference[np.isfinite(self.reference)]
        spread = float(known.std(ddof=1)) if len(known) > 1 else 0.0
        return np.abs(log_p - known.mean()) / (spread or 1.0)

    def ratio(self, log_p: Numbers, log_q: Numbers) -> Numbers:
        """ln q - ln p; where both are impossible, infinite."""
        return np.where(np.isneginf(log_p), np.inf, log_q - np.where(np.isneginf(log_p), 0, log_p))

    def columns(self, log_p: Numbers, log_q: Numbers | None = None) -> dict[str, Numbers]:
        """Every score and its conformal p-value, by name; the ratio where there is a background."""
        typical = self.typicality(log_p)
        scores = {"log_prob": log_p, "typicality": typical}
        scores["p_typicality"] = conformal_p(typical, self.typicality(self.reference))
        if log_q is not None and self.background is not None:
            scores["ratio"] = self.ratio(log_p, log_q)
            scores["p_ratio"] = conformal_p(scores["ratio"], self.ratio(self.reference, self.background))
        return scores
