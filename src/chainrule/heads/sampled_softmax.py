"""Estimates of a large softmax for training: sampled softmax, noise-contrastive estimation, negative sampling."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError, unknown_name
from chainrule.heads.base import Head
from chainrule.heads.categorical import Categorical, LazyCategorical, linear_categorical
from chainrule.heads.finite import check_symbols
from chainrule.heads.frequencies import Counts, count_symbols, symbol_counts
from chainrule.heads.linear_cross_entropy import CHUNK

__all__ = ["ESTIMATES", "LogZ", "SampledSoftmaxHead", "inclusion", "systematic_sample"]

ESTIMATES = ("sampled_softmax", "nce", "negative_sampling")


class LogZ(NamedTuple):
    """Mean and variance of ln Z = ln sum_k e^(s_k) over elements, in nats: near 0 and 0 for a self-normalised head."""

    mean: float
    variance: float


def inclusion(weight: Tensor, size: int) -> Tensor:
    """Probabilities nu_k = min(1, c weight_k) with sum_k nu_k = size: of each symbol to be in a sample of that size.

    >>> inclusion(torch.tensor([8.0, 1.0, 1.0, 1.0, 1.0]), 3)
    tensor([1.0000, 0.5000, 0.5000, 0.5000, 0.5000], dtype=torch.float64)
    """
    if size >= len(weight):
        return torch.ones(len(weight), dtype=torch.float64)
    order = weight.double().argsort(descending=True)
    sorted_weight = weight.double()[order]
    certain = torch.arange(len(weight), dtype=torch.float64)
    rest = sorted_weight.flip(0).cumsum(0).flip(0)
    scale = (size - certain).clamp(min=0) / rest  # c, if the `certain` heaviest symbols are always in the sample
    first = int((scale * sorted_weight <= 1).nonzero()[0])
    return (scale[first] * weight.double()).clamp(max=1)


def systematic_sample(nu: Tensor, u: Tensor) -> Tensor:
    """The symbols k whose stretch of the running sum of nu holds one of u, u + 1, u + 2, ...; u uniform in [0, 1).

    All are different, symbol k is one of them with probability nu_k, and there are sum(nu) of them, a whole number.

    Paper: Madow, *On the theory of systematic sampling, II*, 1949.

    >>> systematic_sample(torch.tensor([1.0, 0.5, 0.5, 0.5, 0.5]), torch.tensor(0.6))
    tensor([0, 2, 4])
    """
    running = nu.double().cumsum(0)
    points = u.double() + torch.arange(round(float(running[-1])), device=nu.device)
    return torch.searchsorted(running, points, right=True).clamp(max=len(nu) - 1)


class SampledSoftmaxHead(Head):
    """A categorical head that can also estimate its log-probabilities from a sample of the symbols, for training only.

    `head(h)` is the exact softmax, and so is every number that is scored, sampled or reported. `training_estimate` is
    what training maximises instead, at the price of S symbols. One sample is drawn for all elements of a call,
    symbol k with probability nu_k, without repetition; with S >= V it is all of them.

    - "sampled_softmax": s_x - ln( e^(s_x) + sum over sampled k != x of e^(s_k) / nu_k ). The estimate of Z has no
      bias, so that of ln p is too high on average, the less the larger S is; with all symbols it is exact. Bengio and
      Senécal, *Adaptive importance sampling to accelerate training of a neural probabilistic language model*, 2008
      (the correction by ln nu_k); Horvitz and Thompson, 1952 (the unbiased sum).
    - "nce": ln sigmoid(s_x - ln nu_x) + sum over sampled k of ln sigmoid(ln nu_k - s_k), telling data from noise. Its
      optimum is s_k = ln p(k), normalised by itself; `log_z` says how nearly. Gutmann and Hyvärinen,
      *Noise-contrastive estimation*, AISTATS 2010.
    - "negative_sampling": ln sigmoid(s_x) + sum over sampled k != x of ln sigmoid(-s_k). Its optimum is
      s_k = ln p(k) / ((1 - p(k)) nu_k), good for embeddings and poor as a likelihood. Mikolov et al., *Distributed
      representations of words and phrases and their compositionality*, NeurIPS 2013.

    features: H, size of the features.
    num_symbols: V, number of symbols.
    counts: how often each symbol occurs in the training data, shape (V,); without them `initialise` counts.
    estimate: name of the estimate, one of the three.
    samples: S, number of symbols in the sample.
    power: exponent of the counts: nu_k is proportional to (counts + 1)^power, and at most 1.

    >>> head = SampledSoftmaxHead(features=16, num_symbols=1000, samples=100)
    >>> h, x = torch.randn(2, 5, 16), torch.randint(1000, (2, 5))
    >>> head.training_estimate(h, x).shape, head(h).log_prob(x).shape
    (torch.Size([2, 5]), torch.Size([2, 5]))
    """

    nu: Tensor

    needs_counts = True
    has_estimate = True

    def __init__(
        self,
        features: int,
        num_symbols: int,
        counts: Counts = None,
        *,
        estimate: str = "sampled_softmax",
        samples: int = 1024,
        power: float = 0.75,
    ) -> None:
        super().__init__(features, num_symbols)
        if estimate not in ESTIMATES:
            raise unknown_name("estimate", estimate, ESTIMATES)
        if samples < 1 or not 0 <= power <= 1:
            raise InputError(f"samples is at least 1 and power is in [0, 1], got {samples} and {power}")
        self.estimate, self.samples, self.power = estimate, samples, power
        self.linear = nn.Linear(features, num_symbols)
        self.register_buffer("nu", torch.zeros(num_symbols))
        self.counted = counts is not None
        self.count(symbol_counts(counts, num_symbols))

    @torch.no_grad()
    def count(self, counts: Tensor) -> None:
        """Set nu by the counts, shape (V,); for NCE, start with e^(b_k) at the symbols' shares, so that Z is near 1."""
        weight = counts + 1
        self.nu.copy_(inclusion(weight**self.power, self.samples))
        if self.estimate == "nce":
            self.linear.bias.copy_((weight / weight.sum()).log())

    def initialise(self, x: Tensor) -> None:
        """Count the symbols of the data, unless counts were given."""
        if not self.counted:
            self.count(count_symbols(x, len(self.nu)))

    def forward(self, h: Tensor) -> Categorical | LazyCategorical:
        return linear_categorical(h, self.linear.weight, self.linear.bias)

    def training_estimate(self, h: Tensor, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The estimate that stands in for ln p(x) while training, shape (...); it is not a log-probability.

        h: features, shape (..., H).
        x: symbols, shape (...).
        generator: source of the sample; torch's own by default.
        """
        check_symbols(x, h.shape[:-1], len(self.nu))
        sample = systematic_sample(self.nu, torch.rand((), generator=generator, device=h.device, dtype=torch.float64))
        symbols = torch.cat([x.reshape(-1).long(), sample])
        weight, bias = self.linear.weight.index_select(0, symbols), self.linear.bias.index_select(0, symbols)
        log_nu, n = self.nu.log()[symbols], x.numel()
        h = h.reshape(-1, h.shape[-1])
        target, noise = (h * weight[:n]).sum(1) + bias[:n], F.linear(h, weight[n:], bias[n:])
        if self.estimate == "nce":
            result = F.logsigmoid(target - log_nu[:n]) + F.logsigmoid(log_nu[n:] - noise).sum(1)
        else:
            noise = noise.masked_fill(symbols[:n, None] == sample, -torch.inf)
            if self.estimate == "negative_sampling":
                result = F.logsigmoid(target) + F.logsigmoid(-noise).sum(1)
            else:
                logits = torch.cat([target[:, None], noise - log_nu[n:]], 1)
                result = Categorical(logits).log_prob(torch.zeros_like(symbols[:n]))
        return result.view(x.shape)

    @torch.no_grad()
    def log_z(self, h: Tensor) -> LogZ:
        """The mean and the variance of ln Z over elements with features h, shape (..., H)."""
        parts = torch.split(h.reshape(-1, h.shape[-1]), max(1, CHUNK // len(self.nu)))
        log_z = torch.cat([self.linear(part).double().logsumexp(1) for part in parts])
        return LogZ(float(log_z.mean()), float(log_z.var(correction=0)))
