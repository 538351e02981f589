from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from chainrule import AutoregressiveModel, CausalConv, InputError
from chainrule.heads import SampledSoftmaxHead, sampled_softmax
from chainrule.heads.sampled_softmax import ESTIMATES, inclusion, systematic_sample
from chainrule.verification.laws import randomised
from tests.support import oracles

H, V = 8, 12
COUNTS = [90, 50, 20, 10, 5, 4, 3, 2, 1, 1, 0, 0]
ORACLE = {
    "sampled_softmax": oracles.sampled_softmax,
    "nce": oracles.noise_contrastive,
    "negative_sampling": oracles.negative_sampling,
}


def head(estimate="sampled_softmax", samples=5):
    return randomised(SampledSoftmaxHead(H, V, COUNTS, estimate=estimate, samples=samples)).double()


def outcomes(nu):
    """Every systematic sample that there is, with its probability: it changes with u where a running sum ends."""
    ends = torch.cat([torch.zeros(1), nu.double().cumsum(0) % 1, torch.ones(1)]).sort().values
    for low, high in pairwise(ends):
        if high - low > 1e-12:
            yield systematic_sample(nu, (low + high) / 2), float(high - low)


def expectation(monkeypatch, part, function):
    """The mean of a function that draws a sample, exactly."""
    total = 0.0
    for sample, probability in outcomes(part.nu):
        monkeypatch.setattr(sampled_softmax, "systematic_sample", lambda *_, sample=sample: sample)
        total = total + probability * function()
    monkeypatch.undo()
    return total


@pytest.mark.parametrize("size", [1, 3, 7, 11, 12, 50])
def test_inclusion(size):
    weight = torch.tensor(COUNTS).double() + 1
    nu = inclusion(weight, size)
    assert float(nu.sum()) == pytest.approx(min(size, V))
    assert float(nu.max()) <= 1
    free = nu < 1
    ratio = nu[free] / weight[free]
    if len(ratio):
        np.testing.assert_allclose(ratio, ratio[0].expand(len(ratio)), rtol=1e-12)
        assert (nu[~free] <= weight[~free] * ratio[0] * (1 + 1e-12)).all()


def test_systematic_samples_are_distinct_and_as_frequent_as_stated():
    nu = inclusion(torch.tensor(COUNTS).double() + 1, 5)
    often = torch.zeros(V, dtype=torch.float64)
    for sample, probability in outcomes(nu):
        assert len(sample) == len(set(sample.tolist())) == 5
        often[sample] += probability
    np.testing.assert_allclose(often, nu, rtol=1e-10)


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_against_the_papers(estimate, monkeypatch):
    part, h, x = head(estimate), torch.randn(30, H, dtype=torch.float64), torch.arange(30) % V
    s, nu = part.linear(h).detach().numpy(), part.nu.numpy()
    for sample, _ in outcomes(part.nu):
        monkeypatch.setattr(sampled_softmax, "systematic_sample", lambda *_, sample=sample: sample)
        exact = [ORACLE[estimate](row, int(k), sample.tolist(), nu) for row, k in zip(s, x, strict=True)]
        np.testing.assert_allclose(part.training_estimate(h, x).detach(), exact, rtol=1e-10)


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_gradcheck(estimate):
    part, h, x = head(estimate), torch.randn(4, H, dtype=torch.float64, requires_grad=True), torch.tensor([0, 3, 7, 11])

    def result(h, *_):
        return part.training_estimate(h, x, torch.Generator().manual_seed(1))

    assert torch.autograd.gradcheck(result, (h, part.linear.weight, part.linear.bias))


@pytest.mark.parametrize("samples", [V, V + 5])
def test_with_every_symbol_in_the_sample_it_is_exact(samples):
    part, h, x = head(samples=samples), torch.randn(2, 3, H, dtype=torch.float64), torch.randint(V, (2, 3))
    parameters = list(part.parameters())
    estimate, exact = part.training_estimate(h, x), part(h).log_prob(x)
    torch.testing.assert_close(estimate, exact)
    for a, b in zip(
        torch.autograd.grad(estimate.sum(), parameters), torch.autograd.grad(exact.sum(), parameters), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_z_is_unbiased_and_the_bias_shrinks_with_the_sample(monkeypatch):
    h, x = torch.randn(1, H, dtype=torch.float64), torch.tensor([4])
    bias = []
    for samples in (2, 4, 8, 11):
        torch.manual_seed(1)  # the same weights for each number of samples
        part = head(samples=samples)
        exact, s_x = part(h).log_prob(x), part.linear(h)[:, 4]
        z = expectation(monkeypatch, part, lambda: (s_x - part.training_estimate(h, x)).exp())  # noqa: B023
        torch.testing.assert_close(z.log(), s_x - exact, rtol=1e-7, atol=1e-7)
        bias.append(float((expectation(monkeypatch, part, lambda: part.training_estimate(h, x)) - exact).detach()))  # noqa: B023
    assert min(bias) > 0  # too high on average, as Jensen says
    assert bias == sorted(bias, reverse=True)
    assert bias[-1] < bias[0] / 10


def test_the_gradients_bias_shrinks_with_the_sample(monkeypatch):
    h, x = torch.randn(20, H, dtype=torch.float64), torch.arange(20) % V
    distance = []
    for samples in (2, 6, 11):
        torch.manual_seed(1)
        part = head(samples=samples)
        (exact,) = torch.autograd.grad(part(h).log_prob(x).sum(), part.linear.weight)
        expected = expectation(monkeypatch, part, lambda: part.training_estimate(h, x).sum())  # noqa: B023
        (gradient,) = torch.autograd.grad(expected, part.linear.weight)
        distance.append(float((gradient - exact).norm() / exact.norm()))
    assert distance == sorted(distance, reverse=True)
    assert distance[-1] < 0.3 * distance[0]


@pytest.mark.parametrize("estimate", ["nce", "negative_sampling"])
def test_the_optimum_is_the_stated_one(estimate, monkeypatch):
    part, p = head(estimate), torch.randn(V, dtype=torch.float64).softmax(0)
    optimum = p.log() if estimate == "nce" else (p / ((1 - p) * part.nu)).log()
    with torch.no_grad():
        part.linear.weight.zero_()
        part.linear.bias.copy_(optimum)
    h, x = torch.zeros(V, H, dtype=torch.float64), torch.arange(V)
    total = expectation(monkeypatch, part, lambda: (p * part.training_estimate(h, x)).sum())
    (gradient,) = torch.autograd.grad(total, part.linear.bias)
    assert float(gradient.abs().max()) < 1e-7
    with torch.no_grad():
        part.linear.bias[3] += 0.1
    moved = expectation(monkeypatch, part, lambda: (p * part.training_estimate(h, x)).sum())
    assert float(moved.detach()) < float(total.detach())


def test_nce_starts_nearly_normalised_and_reports_ln_z():
    part = SampledSoftmaxHead(H, V, COUNTS, estimate="nce")
    assert abs(part.log_z(torch.zeros(3, H)).mean) < 1e-6
    part, h = head("nce"), torch.randn(2, 3, H, dtype=torch.float64)
    log_z = F.linear(h, part.linear.weight, part.linear.bias).logsumexp(-1)
    assert part.log_z(h).mean == pytest.approx(log_z.mean().item())
    assert part.log_z(h).variance == pytest.approx(log_z.var(correction=0).item())
    assert part.log_z(h[:1, :1]).variance == 0


def test_what_is_reported_is_never_an_estimate(monkeypatch):
    def forbidden(*_):
        raise AssertionError("an estimate was reported")

    part = SampledSoftmaxHead(H, V, COUNTS)
    monkeypatch.setattr(part, "training_estimate", forbidden)
    monkeypatch.setattr(sampled_softmax, "systematic_sample", forbidden)
    model, x = AutoregressiveModel(CausalConv(V, 4, H), part), torch.randint(V, (3, 4))
    for mode in (True, False):
        model.train(mode)
        exact = part.linear(model.network(x)).log_softmax(-1).gather(-1, x.unsqueeze(-1)).squeeze(-1)
        torch.testing.assert_close(model.element_log_prob(x), exact)
        torch.testing.assert_close(model(x), exact.sum(1))
    assert model.sample(2, seed=0, temperature=0.5).log_prob.isfinite().all()


def test_a_generator_fixes_the_sample_and_counts_may_come_from_data():
    part, h, x = head(), torch.randn(3, H, dtype=torch.float64), torch.tensor([0, 1, 2])
    a, b = (part.training_estimate(h, x, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(a, b)
    counted = SampledSoftmaxHead(H, V, samples=5)
    counted.initialise(torch.repeat_interleave(torch.arange(V), torch.tensor(COUNTS))[None])
    torch.testing.assert_close(counted.nu.double(), part.nu)
    part.initialise(torch.zeros(3, 4))
    torch.testing.assert_close(counted.nu.double(), part.nu)  # what was given stays


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_large_logits_and_a_sample_of_only_the_target(estimate):
    part = SampledSoftmaxHead(H, 2, [9, 0], estimate=estimate, samples=1)
    for scale in (1.0, 1e4):
        h = (torch.randn(50, H, generator=torch.Generator().manual_seed(0)) * scale).requires_grad_()
        result = part.training_estimate(h, torch.arange(50) % 2)
        result.sum().backward()
        assert result.isfinite().all()
        assert h.grad.isfinite().all()


def test_bad_input():
    for options in ({"samples": 0}, {"power": 2}, {"estimate": "nec"}, {"counts": [1]}):
        with pytest.raises(InputError):
            SampledSoftmaxHead(H, V, **options)
    for x in (torch.tensor([0, V]), torch.tensor([-1, 0]), torch.tensor([0.0, 1.0]), torch.tensor([0])):
        with pytest.raises(InputError):
            head().training_estimate(torch.zeros(2, H, dtype=torch.float64), x)
