"""Adaptive softmax: frequent symbols in a short list, rare ones in clusters with few features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.categorical import linear_categorical
from chainrule.heads.finite import check_symbols
from chainrule.heads.frequencies import Counts, count_symbols, symbol_counts

__all__ = ["AdaptiveSoftmax", "AdaptiveSoftmaxHead"]


class Cluster(nn.Module):
    """Symbols of like frequency: p(x | the cluster) = softmax(W P h + b), where P takes h to fewer features."""

    def __init__(self, features: int, width: int, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(features, width, bias=False)
        self.linear = nn.Linear(width, size)

    def forward(self, h: Tensor) -> Distribution:
        """The distribution over the cluster's symbols, most frequent first, from features (..., H)."""
        return linear_categorical(self.project(h), self.linear.weight, self.linear.bias)


class AdaptiveSoftmax(Distribution):
    """p(x) = p(x | root) on the short list,  p(x) = p(c | root) p(x | c) in cluster c.

    The root is a softmax over the short list and the clusters. `log_prob` needs the root for every element, and a
    cluster for the elements that are in it; `pmf`, `cdf` and `icdf` need all.

    h: features, shape (..., H).
    head: the root, the clusters and the rank of each symbol.
    """

    def __init__(self, h: Tensor, head: AdaptiveSoftmaxHead) -> None:
        self.h, self.head = h, head
        self.num_symbols: int = len(head.rank)

    @property
    def batch_shape(self) -> torch.Size:
        return self.h.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.h.device

    def log_prob(self, x: Tensor) -> Tensor:
        check_symbols(x, self.batch_shape, self.num_symbols)
        h, rank = self.h.reshape(-1, self.h.shape[-1]), self.head.rank[x.reshape(-1).long()]
        cluster = torch.bucketize(rank, self.head.starts, right=True)  # 0 is the short list
        root = torch.where(cluster == 0, rank, self.head.short_list + cluster - 1)
        log_prob = self.head.root(h).log_prob(root)
        for c, (part, start) in enumerate(zip(self.head.clusters, self.head.starts, strict=True), 1):
            rows = (cluster == c).nonzero().squeeze(1)
            inside = part(h.index_select(0, rows)).log_prob(rank[rows] - start)
            log_prob = log_prob.index_add(0, rows, inside)
        return log_prob.view(x.shape)

    def masked_log_prob(self, x: Tensor, mask: Tensor) -> Tensor:
        scored = AdaptiveSoftmax(self.h[mask], self.head).log_prob(x[mask])
        return scored.new_zeros(mask.shape).masked_scatter(mask, scored)

    def pmf(self) -> Tensor:
        root, n = self.head.root(self.h).pmf(), self.head.short_list
        inside = [root[..., n + c, None] * part(self.h).pmf() for c, part in enumerate(self.head.clusters)]
        return torch.cat([root[..., :n], *inside], -1)[..., self.head.rank]


class AdaptiveSoftmaxHead(Head):
    """A softmax whose work for a symbol goes with the symbol's frequency, exact and normalised.

    Symbols are numbered as the data numbers them; their frequency ranks are kept inside, and saved with the parameters,
    so that a head that is built without counts and then loaded is the same head.

    features: H, size of the features.
    num_symbols: V, number of symbols.
    counts: how often each symbol occurs in the training data, shape (V,); without them `initialise` counts, and until
        then symbols are taken as sorted, most frequent first.
    cutoffs: the ranks at which clusters start; by default V/25 and V/5.
    shrink: cluster c = 1, 2, ... reads H / shrink^c features.

    Paper: Grave, Joulin, Cissé, Grangier, Jégou, *Efficient softmax approximation for GPUs*, ICML 2017.

    >>> head = AdaptiveSoftmaxHead(features=16, num_symbols=1000)
    >>> p = head(torch.randn(2, 5, 16))
    >>> p.log_prob(torch.randint(1000, (2, 5))).shape, p.pmf().shape
    (torch.Size([2, 5]), torch.Size([2, 5, 1000]))
    """

    rank: Tensor
    starts: Tensor

    needs_counts = True

    def __init__(
        self,
        features: int,
        num_symbols: int,
        counts: Counts = None,
        *,
        cutoffs: Sequence[int] | None = None,
        shrink: int = 4,
    ) -> None:
        super().__init__(features, num_symbols)
        starts = [start for start in (num_symbols // 25, num_symbols // 5) if start] if cutoffs is None else [*cutoffs]
        ends = [*starts, num_symbols]
        if shrink < 1 or any(low >= high for low, high in zip([0, *starts], ends, strict=True)):
            raise InputError(
                f"cutoffs rise between 0 and the number of symbols, and shrink is at least 1; "
                f"got cutoffs={starts} for {num_symbols} symbols and shrink={shrink}"
            )
        self.short_list = ends[0]
        self.linear = nn.Linear(features, self.short_list + len(starts))
        self.clusters = nn.ModuleList(
            Cluster(features, max(1, features // shrink**c), ends[c] - ends[c - 1]) for c in range(1, len(ends))
        )
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.long), persistent=False)
        self.register_buffer("rank", torch.arange(num_symbols))
        self.counted = counts is not None
        self.sort(symbol_counts(counts, num_symbols))

    def sort(self, counts: Tensor) -> None:
        """Rank the symbols by their counts, shape (V,); equal ones by their number."""
        order = counts.argsort(descending=True, stable=True).to(self.rank.device)
        self.rank[order] = torch.arange(len(order), device=order.device)

    def initialise(self, x: Tensor) -> None:
        """Count the symbols of the data, unless counts were given."""
        if not self.counted:
            self.sort(count_symbols(x, len(self.rank)))

    def root(self, h: Tensor) -> Distribution:
        """The distribution over the short list and then the clusters, from features (..., H)."""
        return linear_categorical(h, self.linear.weight, self.linear.bias)

    def forward(self, h: Tensor) -> AdaptiveSoftmax:
        return AdaptiveSoftmax(h, self)
