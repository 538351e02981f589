"""The mixture of Gaussians: a density of real elements, or, at a resolution, the probability of an interval."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import log, pi, sqrt

import numpy as np
import torch
from torch import Tensor

from chainrule.domain import detect_resolution
from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.intervals import log_normal_interval
from chainrule.heads.mixture import MixtureLinear, inside, invert_cdf
from chainrule.heads.real_elements import refuse_other_numbers

__all__ = ["GaussianMixture", "GaussianMixtureHead"]

WIDEST = 7.0  # ln of a scale, in units of z


class GaussianMixture(Distribution):
    """p(x) = (1/b) sum_k w_k N(z; m_k, s_k^2), z = (x - c) / b: the density of x in the units of the data.

    The 1/b is the Jacobian of the standardisation. A density grows without bound on repeated values; numbers that were
    recorded at a resolution r have instead the probability of what rounds to them, a mass on the multiples of r,

        p(x) = sum_k w_k [Phi((z - m_k)/s_k + r/(2 b s_k)) - Phi((z - m_k)/s_k - r/(2 b s_k))].

    Computed in float64 whatever the parameters are: x - c cancels, and a density's terms have both signs.

    logits: ln w_k up to a constant.
    mean: m_k, in units of z.
    log_scale: ln s_k, in units of z.
    centre: c, in the units of the data.
    spread: b > 0, in the units of the data.
    resolution: r, in the units of the data; None for a density.

    The first three have the shape (..., K); the others broadcast against the batch shape.

    >>> zero = torch.zeros(1, 1)
    >>> GaussianMixture(zero, zero, zero, spread=torch.tensor(100.0)).log_prob(torch.tensor([0.0]))
    tensor([-5.5241], dtype=torch.float64)
    >>> GaussianMixture(zero, zero, zero - 9, resolution=torch.tensor(0.1)).log_prob(torch.tensor([0.0]))
    tensor([0.], dtype=torch.float64)
    """

    def __init__(
        self,
        logits: Tensor,
        mean: Tensor,
        log_scale: Tensor,
        centre: Tensor | float = 0.0,
        spread: Tensor | float = 1.0,
        resolution: Tensor | None = None,
    ) -> None:
        self.logits, self.mean, self.log_scale = logits.double(), mean.double(), log_scale.double()
        self.centre, self.spread = (
            torch.as_tensor(t, dtype=torch.float64, device=logits.device) for t in (centre, spread)
        )
        self.resolution: Tensor | None = resolution

    @property
    def batch_shape(self) -> torch.Size:
        return self.logits.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.logits.device

    def _standard(self, x: Tensor) -> Tensor:
        """(z - m_k) / s_k, shape (..., K)."""
        z = (x.double() - self.centre) / self.spread
        return (z.unsqueeze(-1) - self.mean) * torch.exp(-self.log_scale)

    def _log_joint(self, x: Tensor) -> Tensor:
        """ln of the share that each component has in p(x), shape (..., K)."""
        standard, log_weight = self._standard(x), self.logits.log_softmax(-1)
        if self.resolution is None:
            log_jacobian = -self.spread.log().unsqueeze(-1)
            return log_weight - standard.square() / 2 - log(2 * pi) / 2 - self.log_scale + log_jacobian
        width = (self.resolution / self.spread).unsqueeze(-1) * torch.exp(-self.log_scale)
        return log_weight + log_normal_interval(standard, width)

    def log_prob(self, x: Tensor) -> Tensor:
        """ln p(x) in nats, float64: of the density in the units of x, or of the mass where a resolution is declared."""
        refuse_other_numbers(x, self.batch_shape, self.resolution)
        return self._log_joint(x).logsumexp(-1)

    def cdf(self, x: Tensor) -> Tensor:
        upper = x if self.resolution is None else x.double() + self.resolution / 2
        return (self.logits.softmax(-1) * torch.special.ndtr(self._standard(upper))).sum(-1)

    def icdf(self, u: Tensor) -> Tensor:
        weight, per_scale = self.logits.softmax(-1), torch.exp(-self.log_scale)
        z = invert_cdf(
            lambda z: (weight * torch.special.ndtr((z.unsqueeze(-1) - self.mean) * per_scale)).sum(-1),
            self._quantiles(u),
            inside(u),
        )
        return self._in_units(z)

    def around(self, u: Tensor) -> tuple[Tensor, Tensor]:
        low, high = torch.aminmax(self._quantiles(u), dim=-1)
        return self._in_units(low), self._in_units(high)

    def _quantiles(self, u: Tensor) -> Tensor:
        """Those of the components, of z, shape (..., K)."""
        return self.mean + torch.special.ndtri(inside(u)).unsqueeze(-1) * torch.exp(self.log_scale)

    def _in_units(self, z: Tensor) -> Tensor:
        """The numbers of the data nearest to z."""
        x = self.centre + self.spread * z
        return x if self.resolution is None else self.resolution * (x / self.resolution).round()

    def floored(self, x: Tensor, log_floor: Tensor) -> Tensor:
        """Whether the component that has the largest share in p(x) is within a tenth of the floor of its scale."""
        leading = self._log_joint(x).argmax(-1, keepdim=True)
        return (self.log_scale - log_floor < log(1.1)).gather(-1, leading).squeeze(-1)


class GaussianMixtureHead(Head):
    """A linear map from features to a mixture of K Gaussians, in units that `initialise` takes from the data.

    Standardisation, resolution and floor belong to the elements, one for all of them or one for each, and are buffers
    of the head. The floor keeps scales away from zero, where a density is infinite. It is tied to the resolution r: a
    declared one makes the numbers masses, for which r/10 is narrow enough to lose nothing; otherwise `initialise` looks
    for one, and the floor is r / sqrt(12), the standard deviation of the rounding itself, or `floor` if there is none.

    features: H, size of the features.
    num_symbols: None; anything else is refused.
    components: K, number of components.
    resolution: r, one number or one for each element, None for a density.
    length: D when each element has its own units, otherwise 1.
    floor: least scale, in units of the data's standard deviation.

    >>> head = GaussianMixtureHead(features=8, components=3, length=2)
    >>> head.initialise(torch.tensor([[1.0, 1000.0], [2.0, 3000.0], [2.5, 2500.0]]))
    >>> head(torch.zeros(4, 2, 8)).log_prob(torch.zeros(4, 2)).shape
    torch.Size([4, 2])
    """

    centre: Tensor
    spread: Tensor
    log_floor: Tensor
    resolution: Tensor | None

    def __init__(
        self,
        features: int,
        num_symbols: None = None,
        *,
        components: int = 5,
        resolution: float | Sequence[float] | None = None,
        length: int = 1,
        floor: float = 1e-3,
    ) -> None:
        if num_symbols is not None:
            raise InputError(
                f"a mixture of Gaussians is for real numbers, got {num_symbols} symbols; use LogisticMixtureHead"
            )
        super().__init__(features, None)
        if not floor > 0:
            raise InputError(f"the floor of the scale must be positive, got {floor}")
        step = None if resolution is None else torch.as_tensor(resolution, dtype=torch.float64).reshape(-1)
        if step is not None:
            if step.shape[0] not in (1, length):
                raise InputError(f"{step.shape[0]} resolutions for {length} elements; give one, or one for each")
            if not bool(((step > 0) & step.isfinite()).all()):
                raise InputError(f"a resolution is a positive step, got {resolution}; None stands for a density")
            step = step.expand(length).clone()
        self.length, self.floor = length, floor
        self.elementwise = length == 1
        self.mixture = MixtureLinear(features, components)
        self.register_buffer("centre", torch.zeros(length, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(length, dtype=torch.float64))
        least = torch.full((length,), floor, dtype=torch.float64) if step is None else step / 10
        self.register_buffer("log_floor", least.log())
        self.register_buffer("resolution", step)

    def _distribution(self, h: Tensor, here: slice) -> GaussianMixture:
        log_floor = self.log_floor[here].unsqueeze(-1)
        logits, mean, log_scale = self.mixture(h, log_floor, WIDEST)
        resolution = None if self.resolution is None else self.resolution[here]
        return GaussianMixture(logits, mean, log_scale, self.centre[here], self.spread[here], resolution)

    def forward(self, h: Tensor) -> GaussianMixture:
        return self._distribution(h, slice(0, 1 if self.length == 1 else h.shape[-2]))

    def at(self, d: int, h: Tensor, x: Tensor) -> GaussianMixture:
        return self._distribution(h, slice(0, 1) if self.length == 1 else slice(d, d + 1))

    def initialise(self, x: Tensor) -> None:
        """Standardise by the data, tie the floor to its resolution, start the means at its quantiles.

        x: rows (N, D), NaN for missing values, which are skipped; an element without any value keeps its units. Raises
            InputError for a constant element without a declared resolution: its density would be infinite.
        """
        rows = x.detach().double().cpu().numpy()
        columns = [rows.ravel()] if self.length == 1 else list(rows.T)
        if len(columns) != self.length:
            raise InputError(f"rows have {len(columns)} elements, but the head was built for {self.length}")
        standardised = [self._standardise(d, column[~np.isnan(column)]) for d, column in enumerate(columns)]
        pooled = np.concatenate(standardised)
        if pooled.size:
            self.mixture.start(pooled)

    def _standardise(self, d: int, values: np.ndarray) -> np.ndarray:
        if not values.size:
            return values
        if np.isinf(values).any():
            raise InputError(f"element {d} has infinite values; correct the data")
        centre, spread = float(values.mean()), float(values.std())
        declared = None if self.resolution is None else float(self.resolution[d])
        if values.min() == values.max():
            if declared is None:
                raise InputError(
                    f"element {d} is constant ({values[0]}), so its density is infinite; leave it out, declare its "
                    "resolution, or make it a category of its own"
                )
            spread = declared
        if declared is not None:
            floor = declared / (10 * spread)
        else:
            detected = detect_resolution(values)
            floor = self.floor if detected is None else detected / (sqrt(12) * spread)
        self.centre[d], self.spread[d], self.log_floor[d] = centre, spread, log(floor)
        return (values - centre) / spread

    def floor_share(self, h: Tensor, x: Tensor, warn_above: float = 0.05) -> float:
        """The share of the elements whose leading component sits at the floor; warns when it is above `warn_above`.

        Where it is large, the density has collapsed onto repeated values, and its log-likelihood measures the floor.
        """
        with torch.no_grad():
            p = self(h)
            log_floor = self.log_floor[: p.batch_shape[-1]] if self.length > 1 else self.log_floor
            share = float(p.floored(x, log_floor.unsqueeze(-1)).double().mean())
        if share > warn_above and self.resolution is None:
            warnings.warn(
                f"{share:.0%} of the elements are scored by a component at the floor of its scale, where the density "
                "measures the floor and not the data; declare a resolution and score masses, or raise the floor",
                stacklevel=2,
            )
        return share
