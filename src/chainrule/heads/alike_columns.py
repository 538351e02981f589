"""ln p of columns whose heads are alike, all at once: what training asks, batch after batch.

A row has as many heads as columns, and a small batch costs each of them more in calls than in arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.heads.categorical import Categorical, CategoricalHead
from chainrule.heads.gaussian_mixture import WIDEST, GaussianMixture, GaussianMixtureHead
from chainrule.heads.known_marginals import KnownMarginals
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.heads.mixture import MixtureLinear
from chainrule.heads.scores import ScoresHead

__all__ = ["AlikeLevels", "AlikeNumbers"]


class AlikeNumbers:
    """Columns of numbers, each a blend of a mixture of Gaussians and one of normal scores.

    gates, mixtures, scores: of each of C columns the gate of its blend and both of its heads.
    """

    def __init__(
        self,
        gates: Sequence[nn.Linear],
        mixtures: Sequence[GaussianMixtureHead],
        scores: Sequence[ScoresHead],
    ) -> None:
        self.gates, self.mixtures, self.scores = gates, mixtures, scores
        self.marginals = KnownMarginals([head.marginal for head in scores])

    def log_prob(self, h: Tensor, x: Tensor) -> Tensor:
        """ln p of the elements of these columns in nats, float64, shape (C, B).

        h: features, shape (C, B, H).
        x: elements, shape (C, B).
        """
        layers = [[head.mixture.linear for head in heads] for heads in (self.mixtures, self.scores)]
        of_mixture, of_scores, gate = beside_each_other(h, [*layers, self.gates])
        centre, spread, log_floor = (
            torch.stack([head.get_buffer(name) for head in self.mixtures]) for name in ("centre", "spread", "log_floor")
        )
        steps = [head.resolution for head in self.mixtures if head.resolution is not None]
        parts = MixtureLinear.parts(of_mixture, log_floor.unsqueeze(-1), WIDEST)
        mixture = GaussianMixture(*parts, centre, spread, torch.stack(steps) if steps else None)
        low, high, width, log_density = self.marginals.at(x.double()).unbind(0)
        scores = self.scores[0].of(of_scores)
        each = mixture.log_prob(x), scores.log_prob_between(low, high, width, None if steps else log_density)
        return (gate.double().log_softmax(-1) + torch.stack(each, -1)).logsumexp(-1)


class AlikeLevels:
    """Columns of as many levels, each a blend of a mixture of logistics and a pmf.

    gates, mixtures, pmfs: of each of C columns the gate of its blend and both of its heads.
    """

    def __init__(
        self,
        gates: Sequence[nn.Linear],
        mixtures: Sequence[LogisticMixtureHead],
        pmfs: Sequence[CategoricalHead],
    ) -> None:
        self.gates, self.mixtures, self.pmfs = gates, mixtures, pmfs

    def log_prob(self, h: Tensor, x: Tensor) -> Tensor:
        """As for `AlikeNumbers`; x: levels, as whole numbers of any type."""
        if x.is_floating_point():
            if bool((broken := x != x.round()).any()):
                raise InputError(f"a column of levels has {float(x[broken][0])}, expected whole numbers; re-encode it")
            x = x.long()
        layers = [[head.mixture.linear for head in self.mixtures], [head.linear for head in self.pmfs], self.gates]
        of_mixture, logits, gate = beside_each_other(h, layers)
        each = self.mixtures[0].of(of_mixture).log_prob(x), Categorical(logits).log_prob(x)
        return (gate.double().log_softmax(-1) + torch.stack(each, -1)).logsumexp(-1)


def beside_each_other(h: Tensor, layers: Sequence[Sequence[nn.Linear]]) -> tuple[Tensor, ...]:
    """What several linear maps of each column give, (C, B, outputs) each, by one product.

    h: features, shape (C, B, H).
    layers: of each kind one for each column.
    """
    each = [layer for of_column in zip(*layers, strict=True) for layer in of_column]
    weight = torch.cat([layer.weight for layer in each]).view(len(h), -1, h.shape[-1])
    bias = torch.cat([layer.bias for layer in each]).view(len(h), 1, -1)
    out = torch.baddbmm(bias, h, weight.transpose(1, 2))
    return out.split([of_kind[0].out_features for of_kind in layers], -1)  # type: ignore[no-untyped-call]
