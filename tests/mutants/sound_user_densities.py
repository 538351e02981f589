"""Sound densities that users write as heads of their own: with long tails, with ends, infinite at the ends."""

from __future__ import annotations

import math

import torch
from torch import nn

from chainrule import AutoregressiveModel, CausalConv
from chainrule.heads.base import Distribution, Head
from tests.mutants.case import sound
from tests.mutants.faults_relatives import Table
from tests.mutants.parts import gaussian, seeded

NUMBERS = "numbers and functions"


class User(Distribution):
    """A density of a location and a scale; subclasses give ln of the density and the quantile of the standard one."""

    def __init__(self, mean, scale):
        self.mean, self.scale = mean.double(), scale.double()

    @property
    def batch_shape(self):
        return self.mean.shape

    @property
    def device(self):
        return self.mean.device

    def log_prob(self, x):
        return self.standard((x.double() - self.mean) / self.scale) - self.scale.log()

    def cdf(self, x):
        return self.below((x.double() - self.mean) / self.scale)

    def icdf(self, u):
        return self.mean + self.scale * self.quantile(u.double().clamp(1e-300, 1 - 1e-16))


class UserHead(Head):
    def __init__(self, kind, fixed=False):
        super().__init__(16, None)
        self.kind, self.fixed, self.linear = kind, fixed, nn.Linear(16, 2)

    def forward(self, h):
        mean, r = self.linear(h).unbind(-1)
        return self.kind(0 * mean if self.fixed else mean, torch.ones_like(r) if self.fixed else r.clamp(-5, 5).exp())


class Laplace(User):
    def standard(self, z):
        return -z.abs() - math.log(2)

    def below(self, z):
        return torch.where(z < 0, 0.5 * z.clamp(max=0).exp(), 1 - 0.5 * (-z.clamp(min=0)).exp())

    def quantile(self, u):
        return torch.where(u < 0.5, (2 * u).log(), -(2 - 2 * u).log())


class Exponential(User):
    def standard(self, z):
        return torch.where(z < 0, -torch.inf, -z)

    def below(self, z):
        return -torch.expm1(-z.clamp(min=0))

    def quantile(self, u):
        return -torch.log1p(-u)


class Uniform(User):
    def standard(self, z):
        return torch.where((z < 0) | (z > 1), -torch.inf, 0.0 * z)

    def below(self, z):
        return z.clamp(0, 1)

    def quantile(self, u):
        return u


class Cauchy(User):
    def standard(self, z):
        return -(1 + z.square()).log() - math.log(math.pi)

    def below(self, z):
        return 0.5 + z.atan() / math.pi

    def quantile(self, u):
        return torch.tan(math.pi * (u - 0.5))


class Arcsine(User):
    """Infinite at both ends of its support."""

    def standard(self, z):
        inside = (z > 0) & (z < 1)
        y = torch.where(inside, z, 0.5)
        return torch.where(inside, -0.5 * (y * (1 - y)).log() - math.log(math.pi), -torch.inf)

    def below(self, z):
        return 2 / math.pi * z.clamp(0, 1).sqrt().asin()

    def quantile(self, u):
        return torch.sin(math.pi * u / 2).square()


class LogNormal(User):
    def standard(self, z):
        y = torch.where(z > 0, z, 1.0).log()
        return torch.where(z > 0, -y.square() / 2 - y - 0.5 * math.log(2 * math.pi), -torch.inf)

    def below(self, z):
        return torch.where(z > 0, torch.special.ndtr(torch.where(z > 0, z, 1.0).log()), 0.0)

    def quantile(self, u):
        return torch.special.ndtri(u).exp()


for _kind, _fixed in (
    (Laplace, False),
    (Exponential, False),
    (Uniform, False),
    (Uniform, True),
    (Cauchy, False),
    (Arcsine, True),
    (LogNormal, False),
):
    _word = f"{_kind.__name__}{', of a support that is fixed' if _fixed else ''}"
    sound(f"density of a user: {_word}", NUMBERS)(
        lambda kind=_kind, fixed=_fixed: seeded(
            lambda: AutoregressiveModel(CausalConv(None, 5, 16, depth=2), UserHead(kind, fixed)), scale=0.05
        )
    )


@sound("density of data that repeat a value", NUMBERS)
def _():
    table = Table(repeated=5.6, share=0.3)
    return gaussian(lambda g: table.x, d=6), {"training": table}
