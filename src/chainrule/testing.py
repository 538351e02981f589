"""The laws that every part obeys, for the authors of new ones: `check_network`, `check_head`, `check_model`.

Each law is a function that raises `LawBroken` with the worst figure that it found; the `check_...` functions run all
laws of a kind, on a copy whose parameters are randomised first (parts like to start at zero, where a law holds for no
reason).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.certificate.normalisation import every_example
from chainrule.certificate.sampling import chi_square
from chainrule.certificate.supports import density_mass
from chainrule.heads.base import Distribution, Head
from chainrule.model import AutoregressiveModel
from chainrule.networks.base import AutoregressiveNetwork

__all__ = ["LawBroken", "check_head", "check_model", "check_network", "elements", "randomised"]

Part = TypeVar("Part", bound=nn.Module)


class LawBroken(AssertionError):
    """A part that does not keep its contract."""


def _within(figure: float, bound: float, law: str) -> None:
    if not figure <= bound:
        raise LawBroken(f"{law}: worst figure {figure:.3g}, bound {bound:.3g}")


def randomised(part: Part, seed: int = 0, scale: float = 0.3) -> Part:
    """A copy in evaluation mode whose parameters are moved by Gaussian noise, so that nothing is zero by design."""
    part = deepcopy(part).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in part.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(scale * noise.to(parameter.dtype))
    return part


def elements(num_symbols: int | None, *shape: int, seed: int = 0) -> Tensor:
    """Random elements: symbols below V, or standard normal reals."""
    generator = torch.Generator().manual_seed(seed)
    if num_symbols is None:
        return torch.randn(shape, generator=generator)
    return torch.randint(num_symbols, shape, generator=generator)


# --- networks -------------------------------------------------------------------------------------------------------


def causality(network: AutoregressiveNetwork, x: Tensor, context: Tensor | None = None) -> None:
    """Whatever replaces x_j, x_{j+1}, ..., the features h_1, ..., h_j stay the same bits, in both modes."""
    other = x.flip(0).roll(1, 1) if x.is_floating_point() else (x + 1) % (int(x.max()) + 1)
    try:
        for training in (False, True):
            network.train(training)
            before = _seeded(network, x, context)
            for j in range(x.shape[1]):
                changed = _seeded(network, torch.cat([x[:, :j], other[:, j:]], 1), context)
                for layer, (a, b) in enumerate(zip(before, changed, strict=True)):
                    worst = float((a[:, : j + 1] - b[:, : j + 1]).abs().max())
                    mode = "training" if training else "evaluation"
                    _within(worst, 0.0, f"causality: layer {layer} in {mode} mode sees x_{j} and what follows")
    finally:
        network.eval()


def _seeded(network: AutoregressiveNetwork, x: Tensor, context: Tensor | None) -> list[Tensor]:
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        return network.layers(x, context)


def truncation(network: AutoregressiveNetwork, x: Tensor, context: Tensor | None = None) -> None:
    """Cutting the sequence off changes no feature that is left, within 1e-10 in float64."""
    network, x, context = _double(network, x, context)
    with torch.no_grad():
        whole = network(x, context)
        for j in range(1, x.shape[1]):
            _within(float((network(x[:, :j], context) - whole[:, :j]).abs().max()), 1e-10, f"truncation at {j}")


def receptive_field(network: AutoregressiveNetwork, x: Tensor, context: Tensor | None = None) -> None:
    """The last feature depends on the element `receptive_field` before it and on none farther away."""
    last = x.shape[1] - 1
    reach = min(network.receptive_field, last)
    with torch.no_grad():
        before = network(x, context)[:, last]
        for j in range(last - reach + 1):
            changed = x.clone()
            changed[:, j] = x[:, j] + 1 if x.is_floating_point() else (x[:, j] + 1) % (int(x.max()) + 1)
            depends = not torch.equal(network(changed, context)[:, last], before)
            if depends != (last - j == reach > 0):
                word = "depends on" if depends else "ignores"
                raise LawBroken(f"receptive field: stated {reach}, but h_{last} {word} x_{j}")


def step_is_forward(network: AutoregressiveNetwork, x: Tensor, context: Tensor | None = None) -> None:
    """`step` unrolled equals `forward`: within 1e-4 in float32, 1e-10 in float64."""
    for bound, (net, y, c) in ((1e-4, (network, x, context)), (1e-10, _double(network, x, context))):
        with torch.no_grad():
            state = net.initial_state(len(y), c)
            steps = []
            for d in range(y.shape[1]):
                h, state = net.step(y[:, d - 1] if d else None, state)
                steps.append(h)
            worst = float((torch.stack(steps, 1) - net(y, c)).abs().max())
        _within(worst, bound, "step = forward")


def _double(
    network: AutoregressiveNetwork, x: Tensor, context: Tensor | None
) -> tuple[AutoregressiveNetwork, Tensor, Tensor | None]:
    def widen(t: Tensor) -> Tensor:
        return t.double() if t.is_floating_point() else t

    return deepcopy(network).double(), widen(x), None if context is None else widen(context)


def check_network(
    network: AutoregressiveNetwork, num_symbols: int | None, context: Tensor | None = None, length: int | None = None
) -> None:
    """All laws of a network, on three random examples of its length (or a shorter one).

    Raises LawBroken. context: one entry for each of the three examples, for conditional networks.
    """
    network = randomised(network)
    x = elements(num_symbols, 3, length or network.length)
    for law in (causality, truncation, receptive_field, step_is_forward):
        law(network, x, context)


# --- heads ----------------------------------------------------------------------------------------------------------


class _At(Head):
    """One element of a head that tells them apart or reads them, as a head of its own: `head.at(d, h, x)`, x fixed."""

    def __init__(self, head: Head, d: int, before: Tensor) -> None:
        super().__init__(head.features, None)
        self.head, self.d, self.before = head, d, before
        self.num_symbols = self(before.new_zeros(1, head.features).to(next(head.parameters()).dtype)).num_symbols

    def forward(self, h: Tensor) -> Distribution:
        return self.head.at(self.d, h, self.before.expand(len(h), self.d))


def pmf_is_normalised(head: Head, h: Tensor) -> None:
    """The pmf is non-negative and sums to one: within 1e-5 in float32, 1e-12 in float64."""
    bound = 1e-12 if h.dtype == torch.float64 else 1e-5
    pmf = head(h).pmf().double()
    _within(float(-pmf.min()), 0.0, "pmf >= 0")
    _within(float((pmf.sum(-1) - 1).abs().max()), bound, "the pmf sums to one")


def log_prob_is_log_pmf(head: Head, h: Tensor) -> None:
    """exp log_prob(x) = pmf[x] for every symbol x, and cdf(x) = its running sum, which never falls."""
    p = head(h)
    pmf = p.pmf().double()
    running = pmf.cumsum(-1)
    for k in range(pmf.shape[-1]):
        x = torch.full(p.batch_shape, k, device=h.device)
        _within(float((p.log_prob(x).double().exp() - pmf[..., k]).abs().max()), 1e-5, f"exp log_prob({k}) = pmf[{k}]")
        _within(
            float((p.cdf(x).double() - running[..., k]).abs().max()), 1e-5, f"cdf({k}) = the running sum of the pmf"
        )


def icdf_inverts_cdf(head: Head, h: Tensor) -> None:
    """icdf(u) is the smallest x with cdf(x) > u: between F(x - 1) and F(x) lies u (within 1e-5)."""
    p = head(h)
    u = torch.rand(p.batch_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = p.icdf(u)
    if p.order is not None:
        pmf = p.pmf().double()
        reached = pmf[..., p.order].cumsum(-1)[..., p.order.argsort()].gather(-1, x.unsqueeze(-1)).squeeze(-1)
        _within(float((u - reached).max()), 1e-5, "icdf(u): F(x) > u in the order of the symbols")
        below = reached - pmf.gather(-1, x.unsqueeze(-1)).squeeze(-1)
        _within(float((below - u).max()), 1e-5, "icdf(u): F(x) - p(x) <= u in the order of the symbols")
        return
    _within(float((u - p.cdf(x).double()).max()), 1e-5, "icdf(u): F(x) > u")
    if not p.is_mass:
        _within(float((p.cdf(x).double() - u).abs().max()), 1e-5, "icdf(u): F(x) = u")
    elif p.resolution is not None:
        _within(float((p.cdf(x - p.resolution).double() - u).max()), 1e-5, "icdf(u): F(x - r) <= u")
    else:
        below = torch.where(x > 0, p.cdf((x - 1).clamp(min=0)).double(), 0.0)
        _within(float((below - u).max()), 1e-5, "icdf(u): F(x - 1) <= u")


def samples_fit_pmf(head: Head, h: Tensor, draws: int = 100_000) -> None:
    """Chi-square of many draws against the pmf: the statistic stays below its 1 - 1e-6 quantile."""
    p = head(h[:1, :1].expand(draws, 1, -1)) if h.ndim == 3 else head(h[:1].expand(draws, -1))
    drawn = p.sample(torch.Generator().manual_seed(2)).flatten()
    pmf = head(h[:1, :1]).pmf().double().flatten() if h.ndim == 3 else head(h[:1]).pmf().double().flatten()
    _fits(drawn, pmf)


def _fits(drawn: Tensor, pmf: Tensor) -> None:
    statistic, quantile = chi_square(torch.bincount(drawn.long(), minlength=len(pmf)), pmf.detach() * len(drawn))
    _within(statistic, quantile, "samples fit the pmf (chi-square)")


def integrates_to_one(head: Head, h: Tensor) -> None:
    """The density integrates to one, by the trapezoid rule between extreme quantiles, within 1e-4."""
    mass = density_mass(head(h), h.dtype)
    _within(float((mass - 1).abs().max()), 1e-4, "the density integrates to one")


def mass_is_rise_of_cdf(head: Head, h: Tensor) -> None:
    """On an infinite grid p(x) = F(x) - F(x - r), within 1e-5, and F climbs from 0 to 1: so the mass sums to one."""
    p = head(h)
    generator = torch.Generator().manual_seed(4)
    for _ in range(100):
        x = p.icdf(torch.rand(p.batch_shape, dtype=torch.float64, generator=generator))
        rise = (p.cdf(x) - p.cdf(x - p.resolution)).double()
        _within(float((p.log_prob(x).double().exp() - rise).abs().max()), 1e-5, "p(x) = F(x) - F(x - r)")
    low, high = (p.icdf(torch.full(p.batch_shape, u, dtype=torch.float64)) for u in (1e-9, 1 - 1e-9))
    _within(float((p.cdf(low).double() - p.log_prob(low).double().exp()).abs().max()), 1e-5, "F starts at 0")
    _within(float((1 - p.cdf(high).double()).abs().max()), 1e-5, "F ends at 1")


def extremes_are_finite(head: Head, h: Tensor) -> None:
    """At features of up to 1e4 no log-probability is NaN or positive infinite, and no gradient is NaN or infinite."""
    for scale in (1e-4, 1.0, 1e2, 1e4):
        wild = (h * scale).detach().requires_grad_()
        p = head(wild)
        x = p.icdf(torch.rand(p.batch_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)))
        log_prob = p.log_prob(x)
        if bool(log_prob.isnan().any() | (log_prob == torch.inf).any()):
            raise LawBroken(f"extremes: log_prob is NaN or +inf at features of size {scale:g}")
        (gradient,) = torch.autograd.grad(log_prob.clamp(min=-1e30).sum(), wild)
        if not bool(gradient.isfinite().all()):
            raise LawBroken(f"extremes: the gradient is not finite at features of size {scale:g}")


def at_is_forward(head: Head, h: Tensor) -> None:
    """`head.at(d, h_d, x_<d)` is the d-th of the distributions that `head(h)` gives."""
    whole = head(h)
    x = whole.icdf(torch.full(whole.batch_shape, 0.4, dtype=torch.float64))
    together = whole.log_prob(x)
    for d in range(h.shape[1]):
        alone = head.at(d, h[:, d], x[:, :d]).log_prob(x[:, d])
        _within(float((alone - together[:, d]).abs().max()), 1e-4, f"at({d}) = forward")


def check_head(head: Head, length: int = 4) -> None:
    """All laws of a head, on random features of the given length. Raises LawBroken."""
    head = randomised(head)
    h = torch.randn(5, length, head.features, generator=torch.Generator().manual_seed(0))
    extremes_are_finite(head, h)
    with torch.no_grad():
        at_is_forward(head, h)
        if head.elementwise:
            _check_support(head, h)
        else:
            x = head(h).icdf(torch.rand(h.shape[:2], dtype=torch.float64, generator=torch.Generator().manual_seed(6)))
            for d in range(length):
                _check_support(_At(head, d, x[0, :d]), h[:, d])


def _check_support(head: Head, h: Tensor) -> None:
    """The laws of a finite support, of an infinite grid or of the real line."""
    laws: list[Callable[[Head, Tensor], None]] = [icdf_inverts_cdf]
    if head.num_symbols is not None:
        laws += [pmf_is_normalised, log_prob_is_log_pmf, samples_fit_pmf]
        pmf_is_normalised(deepcopy(head).double(), h.double())
    else:
        laws += [mass_is_rise_of_cdf if head(h).is_mass else integrates_to_one]
    for law in laws:
        law(head, h)


# --- models ---------------------------------------------------------------------------------------------------------


def sums_to_one(model: AutoregressiveModel, num_symbols: int, length: int, context: Tensor | None = None) -> None:
    """sum over all x of p(x) is one: within 1e-5 in float32, 1e-12 in float64."""
    x = every_example(num_symbols, length)
    for bound, net in ((1e-5, model), (1e-12, deepcopy(model).double())):
        c = None if context is None else context[:1].expand(len(x), *context.shape[1:])
        with torch.no_grad():
            mass = float(net.log_prob(Batch(x, context=c)).double().exp().sum())
        _within(abs(mass - 1), bound, "p(x) over all x sums to one")


def sampler_is_model(
    model: AutoregressiveModel, num_symbols: int, length: int, context: Tensor | None = None, draws: int = 20_000
) -> None:
    """Draws fit the enumerated p(x) by chi-square, and the sampler's ln p is that of the parallel pass."""
    x = every_example(num_symbols, length)
    c = None if context is None else context[:1]
    spread = None if c is None else c.expand(draws, *c.shape[1:])
    sample = model.sample(draws, seed=5, length=length, context=spread)
    with torch.no_grad():
        pmf = model.log_prob(Batch(x, context=None if c is None else c.expand(len(x), *c.shape[1:]))).double().exp()
        scored = model.log_prob(Batch(sample.x, context=spread))
    _within(float((scored - sample.log_prob).abs().max()), 1e-3, "the sampler's ln p = the model's")
    code = (sample.x * num_symbols ** torch.arange(length - 1, -1, -1)).sum(1)
    _fits(code, pmf)


def _examples(
    model: AutoregressiveModel, num_symbols: int | None, length: int, seed: int, context: Tensor | None
) -> Tensor:
    """Three examples: any symbols, or, where not every real is in the domain, what the model itself draws."""
    if num_symbols is not None:
        return elements(num_symbols, 3, length, seed=seed)
    return model.sample(3, seed=seed, length=length, context=context).x


def masked_content_is_unread(
    model: AutoregressiveModel, num_symbols: int | None, length: int, context: Tensor | None = None
) -> None:
    """What stands in the padding changes neither a log-probability nor a gradient, by no bit."""
    x, other = (_examples(model, num_symbols, length, seed, context) for seed in (0, 9))
    mask = torch.arange(length) < torch.tensor([length, max(1, length - 2), 1])[:, None]
    results = []
    for filling in (torch.zeros_like(x), other):
        log_prob = model.log_prob(Batch(torch.where(mask, x, filling), mask, context))
        gradients = torch.autograd.grad(log_prob.sum(), list(model.parameters()), allow_unused=True)
        results.append((log_prob.detach(), gradients))
    _within(float((results[0][0] - results[1][0]).abs().max()), 0.0, "padding changes log_prob")
    for a, b in zip(results[0][1], results[1][1], strict=True):
        if a is not None and b is not None:
            _within(float((a - b).abs().max()), 0.0, "padding changes a gradient")


def check_model(
    model: AutoregressiveModel, num_symbols: int | None, length: int, context: Tensor | None = None
) -> None:
    """All laws of a model on a domain small enough to enumerate (V^D up to about 10^4). Raises LawBroken.

    context: one entry for each of three examples, for conditional models.
    """
    model = randomised(model)
    masked_content_is_unread(model, num_symbols, length, context)
    if num_symbols is not None:
        sums_to_one(model, num_symbols, length, context)
        sampler_is_model(model, num_symbols, length, context)
