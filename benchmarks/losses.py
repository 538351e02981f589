"""The loss of many symbols, forward and backward: time and memory against what PyTorch offers or people write.

The work is the mean of -ln softmax(W h + b)[x] over N rows of features, with the gradients of h, W and b. Ours is the
categorical head; a peer is a function of (h, W, b, x). Targets follow Zipf's law, as words do. The limit of the time is
its three matrix products, that of the memory its gradients. The adaptive softmax is another model with another loss:
ours stands beside PyTorch's of the same clusters, and beside the exact softmax.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.limits import FLOAT, limits
from benchmarks.memory import peak_mib
from benchmarks.row import Limit, Options, Row, timed
from benchmarks.windows import side_by_side
from chainrule.heads import AdaptiveSoftmaxHead, CategoricalHead

__all__ = ["PEERS", "ROWS", "Linear", "Mean", "climb", "problem", "taken"]

Peer = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def cross_entropy(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """All logits at once."""
    return F.cross_entropy(F.linear(h, weight, bias), x)


def chunked(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """PyTorch's own, a few logits at a time."""
    return F.linear_cross_entropy(h, weight, x, linear_bias=bias, options=nn.LinearCrossEntropyOptions())


def one_hot(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """The sum over all symbols of indicator times log-probability, as formulas have it."""
    indicator = F.one_hot(x, len(weight)).to(h.dtype)
    return -(indicator * F.linear(h, weight, bias).log_softmax(1)).sum(1).mean()


def clamped_one_hot(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """The same with probabilities clamped away from 0 and 1 before the logarithm: no likelihood any more."""
    indicator = F.one_hot(x, len(weight)).to(h.dtype)
    return -(indicator * F.linear(h, weight, bias).softmax(1).clamp(1e-5, 1 - 1e-5).log()).sum(1).mean()


PEERS: dict[str, Peer] = {
    "F.cross_entropy(F.linear)": cross_entropy,
    "F.linear_cross_entropy, chunked": chunked,
    "one-hot": one_hot,
    "clamp + one-hot": clamped_one_hot,
}


class Linear(nn.Module):
    """A linear map and one of the peers."""

    def __init__(self, features: int, num_symbols: int, peer: Peer) -> None:
        super().__init__()
        self.linear, self.peer = nn.Linear(features, num_symbols), peer

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        return self.peer(h, self.linear.weight, self.linear.bias, x)


class Mean(nn.Module):
    """-1/N sum_n ln p(x_n | h_n) of one of our heads."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        return -self.head(h).log_prob(x).mean()


def climb(loss: nn.Module, h: Tensor, x: Tensor) -> None:
    """Forward and backward, from no gradients."""
    loss.zero_grad()
    h.grad = None
    loss(h, x).backward()


def problem(rows: int, features: int, num_symbols: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features, targets, and how often each symbol occurs."""
    counts = (1e6 / torch.arange(1, num_symbols + 1))[torch.randperm(num_symbols)]
    return torch.randn(rows, features, requires_grad=True), torch.multinomial(counts, rows, replacement=True), counts


def taken(loss: nn.Module, h: Tensor, x: Tensor) -> float:
    """MiB at the peak, gradients included; code is loaded before by a small call, whose gradients are gone."""

    def forget() -> None:
        loss.zero_grad()
        h.grad = None

    def prepare() -> None:
        climb(loss, h[:64].detach().requires_grad_(), x[:64])
        forget()

    mib = peak_mib(partial(climb, loss, h, x), prepare)
    forget()
    return mib


def compare(num_symbols: int, goals: dict[str, tuple[float, float | None]], options: Options) -> list[Row]:
    """Rows of time and memory against each named peer; the goals are the least ratios of both."""
    torch.manual_seed(0)
    n, features = (512, 64) if options.quick else (4096, 512)
    h, x, _ = problem(n, features, num_symbols)
    mine = Mean(CategoricalHead(features, num_symbols))
    losses: list[nn.Module] = [mine, *(Linear(features, num_symbols, PEERS[name]) for name in goals)]
    memory = [taken(loss, h, x) for loss in losses]
    products = Limit(6 * n * features * num_symbols / limits().flops, "GEMM")
    gradients = Limit(FLOAT * (num_symbols * (features + 1) + n * features) / 2**20, "gradients")
    timings = side_by_side(*(partial(climb, loss, h, x) for loss in losses), rounds=options.rounds)
    rows = []
    for (name, (time, mib)), timing, peak in zip(goals.items(), timings[1:], memory[1:], strict=True):
        work = f"loss, V = {num_symbols}, N = {n}, H = {features}"
        rows.append(timed(f"{work}: time", name, timings[0], timing, goal=time, limit=products))
        if mib is not None:
            rows.append(Row(f"{work}: memory", name, (memory[0],), (peak,), "MiB", mib, gradients))
    return rows


class Sorted(nn.Module):
    """PyTorch's adaptive softmax, which wants symbols numbered by frequency."""

    def __init__(self, features: int, counts: Tensor, cutoffs: list[int]) -> None:
        super().__init__()
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(features, len(counts), cutoffs)
        self.register_buffer("rank", counts.argsort(descending=True).argsort())

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        loss: Tensor = self.softmax(h, self.rank[x]).loss  # type: ignore[index]
        return loss


def adaptive(num_symbols: int, options: Options) -> list[Row]:
    """Rows of time and memory of the adaptive softmax against PyTorch's, and against all logits at once."""
    torch.manual_seed(0)
    n, features = (512, 64) if options.quick else (4096, 512)
    h, x, counts = problem(n, features, num_symbols)
    losses: dict[str, nn.Module] = {
        "ours": Mean(AdaptiveSoftmaxHead(features, num_symbols, counts)),
        "nn.AdaptiveLogSoftmaxWithLoss": Sorted(features, counts, [num_symbols // 25, num_symbols // 5]),
        f"exact: {PLAIN}": Linear(features, num_symbols, cross_entropy),
    }
    memory = {name: taken(loss, h, x) for name, loss in losses.items()}
    timings = side_by_side(*(partial(climb, loss, h, x) for loss in losses.values()), rounds=options.rounds)
    rows = []
    for name, timing in zip([*losses][1:], timings[1:], strict=True):
        work = f"adaptive softmax, V = {num_symbols}, N = {n}, H = {features}"
        rows.append(timed(f"{work}: time", name, timings[0], timing))
        rows.append(Row(f"{work}: memory", name, (memory["ours"],), (memory[name],), "MiB"))
    return rows


PLAIN, CHUNKED, ONE_HOT, CLAMPED = PEERS
ROWS = {
    "50257": partial(compare, 50_257, {PLAIN: (1 / 0.95, 12.0), CHUNKED: (2.0, 1.0)}),
    "8192": partial(compare, 8192, {name: (1 / 0.9, 5.0) for name in (PLAIN, ONE_HOT, CLAMPED)}),
    "256": partial(compare, 256, {PLAIN: (1.0, None)}),
    "adaptive": partial(adaptive, 50_257),
}
