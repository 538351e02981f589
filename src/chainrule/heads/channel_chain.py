"""The channel chain: inside a pixel, the levels of one channel shift the distribution of the next."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.finite import check_symbols
from chainrule.heads.logistic_mixture import LogisticMixture, LogisticMixtureHead

__all__ = ["ChannelChain", "ChannelChainHead"]


class ChannelChain(Distribution):
    """p(pixel) = p(r) p(g | r) p(b | r, g): mixtures of logistics whose means move with the channels before.

        mu_k = m_k + sum_{j=1..c} a_{k,j} (x_{d-j} - (V-1)/2)      for an element d of channel c

    It is the chain rule over elements ordered (pixel, channel), so ln p adds up to the exact ln p(x). The element's pmf
    needs the channels before it: `given(x)` is the mixture of every element, the others taken from x.

    base: the mixtures with the means m_k, batch shape (..., D).
    slopes: a, shape (..., D, K, C-1).
    channels: C, number of channels.
    """

    def __init__(self, base: LogisticMixture, slopes: Tensor, channels: int) -> None:
        self.base, self.slopes, self.channels = base, slopes, channels
        self.num_symbols: int = base.num_symbols

    @property
    def batch_shape(self) -> torch.Size:
        return self.base.batch_shape

    @property
    def device(self) -> torch.device:
        return self.base.device

    @property
    def has_pmf(self) -> bool:
        return False

    def given(self, x: Tensor) -> LogisticMixture:
        """p(x_d | h_d and the channels of the same pixel before x_d), for all d at once from x of shape (..., D)."""
        channel = torch.arange(x.shape[-1], device=x.device) % self.channels
        shifted = [torch.where(channel >= j, x.roll(j, -1), -1) for j in range(1, self.channels)]
        return _moved(self.base, self.slopes, shifted)

    def log_prob(self, x: Tensor) -> Tensor:
        check_symbols(x, self.batch_shape, self.num_symbols)
        return self.given(x).log_prob(x)

    def cdf(self, x: Tensor) -> Tensor:
        """P(X_d <= x_d | x_<d)."""
        check_symbols(x, self.batch_shape, self.num_symbols)
        return self.given(x).cdf(x)

    def icdf(self, u: Tensor) -> Tensor:
        """One channel after the other, each from the mixture that the ones before it have moved."""
        x = torch.zeros(u.shape, dtype=torch.long, device=u.device)
        for channel in range(self.channels):
            here = slice(channel, None, self.channels)
            x[..., here] = self.given(x).icdf(u)[..., here]
        return x


def _moved(base: LogisticMixture, slopes: Tensor, before: list[Tensor]) -> LogisticMixture:
    """The mixture whose means are moved by the levels before, x_{d-1}, x_{d-2}, ...; -1 where there is none."""
    mean = base.mean
    for j, level in enumerate(before):
        offset = torch.where(level < 0, 0.0, level.to(mean.dtype) - (base.num_symbols - 1) / 2)
        mean = mean + slopes[..., j] * offset.unsqueeze(-1)
    return LogisticMixture(base.logits, mean, base.log_scale, base.num_symbols)


class ChannelChainHead(Head):
    """A linear map from features to discretised mixtures of logistics, chained over the C channels of a pixel.

    Elements are ordered (pixel, channel). The features of an element may have seen the channels before it as well; the
    chain adds their direct, linear influence, and starts without it. In the paper the three channels of a pixel share
    one mixture indicator; here every element has weights of its own, which a network over elements can make follow the
    channels before.

    features: H, size of the features.
    num_symbols: V, number of symbols.
    components: K, number of components.
    channels: C, number of channels.

    Paper: Salimans, Karpathy, Chen, Kingma, *PixelCNN++*, ICLR 2017.

    >>> head = ChannelChainHead(features=8, num_symbols=256)
    >>> rgb = torch.randint(256, (2, 6))
    >>> head(torch.zeros(2, 6, 8)).log_prob(rgb).shape
    torch.Size([2, 6])
    >>> head.at(4, torch.zeros(2, 8), rgb[:, :4]).pmf().shape
    torch.Size([2, 256])
    """

    elementwise = False

    def __init__(self, features: int, num_symbols: int, components: int = 5, channels: int = 3) -> None:
        if channels < 1:
            raise InputError(f"a pixel has at least one channel, got channels={channels}")
        super().__init__(features, num_symbols)
        self.components, self.channels = components, channels
        self.mixture = LogisticMixtureHead(features, num_symbols, components)
        self.slopes = nn.Linear(features, components * (channels - 1))
        nn.init.zeros_(self.slopes.weight)
        nn.init.zeros_(self.slopes.bias)

    def _slopes(self, h: Tensor) -> Tensor:
        return torch.tanh(self.slopes(h)).view(*h.shape[:-1], self.components, self.channels - 1)

    def forward(self, h: Tensor) -> ChannelChain:
        return ChannelChain(self.mixture(h), self._slopes(h), self.channels)

    def at(self, d: int, h: Tensor, x: Tensor) -> LogisticMixture:
        before = [x[:, d - j] for j in range(1, d % self.channels + 1)]
        return _moved(self.mixture(h), self._slopes(h), before)

    def initialise(self, x: Tensor) -> None:
        self.mixture.initialise(x)
