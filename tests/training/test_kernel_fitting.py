"""Kernels: their conditionals multiply to a kernel density estimate of whole rows, and they know rows that repeat."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from chainrule import Batch
from chainrule.config.defaults import default_spec
from chainrule.config.registry import build_model
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.domain import Column, Domain
from chainrule.heads.marginal import Marginal
from chainrule.networks import Kernels
from chainrule.training.fitted import fit_parts, fitting_of


def built(columns, x, **options):
    domain = Domain((len(columns),), None, columns=columns)
    spec = default_spec(domain, "row", network="kernels")
    spec["network"] |= options
    model = build_model(spec, domain)
    model.initialise(torch.from_numpy(x))
    return model


def fitted(x, columns, seed=0, **options):
    model = built(columns, x, **options)
    assert fit_parts(fitting_of(model, ArrayExamples(x), ArrayExamples(x[:1]), seed))
    return model.eval()


def nats(model, x):
    with torch.no_grad():
        return -float(model.log_prob(Batch(torch.from_numpy(x))).mean())


def test_conditionals_multiply_to_a_kernel_density_estimate():
    rng = np.random.default_rng(0)
    x, at = rng.normal(size=(9, 3)), rng.normal(size=(5, 3))
    model = built((Column(None),) * 3, x, levels=2, groups=16)
    fitting_of(model, ArrayExamples(x), ArrayExamples(x[:1]), 0)._hold()
    network = model.network
    network.width.copy_(torch.tensor([[0.5, 0.8, 1.0], [1.1, 0.9, 0.7]]))
    network.log_level.copy_(torch.tensor([0.3, 0.7]).log())
    network.gate.fill_(600.0)
    unit = x.std(0)
    whole = 0.0
    for share, width in zip((0.3, 0.7), network.width.numpy(), strict=True):
        whole += share * norm.pdf((at[:, None] - x) / unit, scale=width).prod(2).mean(1) / unit.prod()
    got = model.double()(Batch(torch.from_numpy(at)))
    assert got.numpy() == pytest.approx(np.log(whole), abs=1e-7)  # beyond six widths a kernel is cut


def test_a_step_is_the_parallel_pass_and_a_row_alone_is_the_row_among_others():
    x = np.random.default_rng(0).normal(size=(60, 4))
    model = fitted(x, (Column(None),) * 4, levels=3, groups=5).double()
    rows = torch.from_numpy(x[:7]) + 0.1
    h, state = model.network(rows), model.network.initial_state(7)
    for d in range(4):
        step, state = model.network.step(None if d == 0 else rows[:, d - 1], state)
        assert torch.allclose(step, h[:, d], atol=1e-12)
    alone = torch.cat([model.network(row[None]) for row in rows])
    assert torch.allclose(alone, h, atol=1e-12)


@pytest.mark.soak
def test_a_gaussian_of_known_entropy_as_a_density_and_as_a_mass():
    rng = np.random.default_rng(0)
    x, test = rng.normal(size=(1500, 2)), rng.normal(size=(4000, 2))
    entropy = np.log(2 * np.pi) + 1
    assert -0.05 < nats(fitted(x, (Column(None),) * 2), test) - entropy < 0.15
    whole = lambda x: np.rint(x / 1e-3)  # noqa: E731
    mass = nats(fitted(whole(x), (Column(None, resolution=1.0),) * 2), whole(test))
    assert -0.05 < mass - entropy - 2 * np.log(1e3) < 0.15


def test_rows_that_repeat_are_known_after_their_first_elements():
    rng = np.random.default_rng(0)
    x = np.rint(rng.normal(size=(200, 6)) * 100)
    model = fitted(np.concatenate([x, x[:80]]), (Column(None, resolution=1.0),) * 6)
    again, new = x[:80], np.rint(rng.normal(size=(200, 6)) * 100)
    with torch.no_grad():
        elements = model.element_log_prob(Batch(torch.from_numpy(again)))
    assert float(elements[:, 3:].mean()) > -0.5
    assert nats(model, new) < 6 * (np.log(100) + 1.42) + 2.5


@pytest.mark.slow
def test_no_row_is_impossible_and_missing_values_counts_and_symbols_stand_together():
    rng = np.random.default_rng(0)

    def draw(n):
        kind = rng.integers(0, 2, n)
        name = np.where(rng.random(n) < 0.9, kind, 1 - kind)
        level = np.clip(np.rint(rng.normal(np.where(kind, 70, 20), 5)), 0, 99)
        count = rng.poisson(np.where(kind, 40, 4))
        real = np.rint(rng.normal(np.where(kind, 30, -30), 5))
        real = np.where(rng.random(n) < 0.2, np.nan, real)
        return np.stack([name, level, count, real], 1).astype(float)

    columns = (
        Column(2),
        Column(100, ordinal=True),
        Column(None, resolution=1.0, count=True),
        Column(None, resolution=1.0, missing=True),
    )
    x, test = draw(700), draw(500)
    model = fitted(x, columns)
    separate = sum(nats(fitted(x[:, d : d + 1], (c,)), test[:, d : d + 1]) for d, c in enumerate(columns))
    assert nats(model, test) < separate - 1.2
    assert np.isfinite(nats(model, np.array([[1.0, 99.0, 3e6, -1e9]])))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_so_few_rows_are_enough(rows):
    x = np.arange(rows * 2.0).reshape(rows, 2)
    assert np.isfinite(nats(fitted(x, (Column(None, resolution=1.0),) * 2), x + 5))


def test_of_many_rows_the_seed_takes_some_and_a_file_brings_its_own_number(monkeypatch):
    monkeypatch.setattr("chainrule.training.kernel_fitting.ROWS", 50)
    x = np.random.default_rng(0).normal(size=(200, 2))
    columns = (Column(None),) * 2
    first, again, other = (fitted(x, columns, seed) for seed in (0, 0, 1))
    assert len(first.network.row) == 50
    assert nats(first, x) == nats(again, x) != nats(other, x)
    loaded = built(columns, x)
    loaded.load_state_dict(first.state_dict())
    assert nats(loaded.eval(), x) == nats(first, x)


def test_rows_without_groups_of_their_own_are_refused():
    network = Kernels([Column(None)] * 2, [Marginal(None) for _ in range(2)])
    state = network.state_dict() | {"row": torch.zeros(3, 2).double()}
    with pytest.raises(RuntimeError, match="do not fit each other"):
        network.load_state_dict(state)
