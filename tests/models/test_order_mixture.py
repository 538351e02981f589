"""Averages of conditionals: against numpy, against their members, over every kind of support."""

import numpy as np
import pytest
import torch

from chainrule.errors import InputError
from chainrule.heads import (
    Average,
    AverageHead,
    BernoulliHead,
    Categorical,
    CategoricalHead,
    ChannelChainHead,
    ColumnsHead,
    CountHead,
    GaussianMixture,
    GaussianMixtureHead,
    HierarchicalSoftmaxHead,
    LazyCategorical,
    LogisticMixtureHead,
    MissingHead,
    RareHead,
)
from chainrule.heads.average import average
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks import CausalConv, EnsembleNetwork, Recurrent, Transformer
from chainrule.verification.certificate.density_mass import density_mass
from chainrule.verification.certificate.grid_mass import grid_excess
from chainrule.verification.certificate.verify import verify
from chainrule.verification.laws import check_head, check_model, randomised

GENERATOR = torch.Generator().manual_seed(0)


def logits(*shape, scale=3.0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_it_is_the_mean_of_the_probabilities_in_float64():
    rows = [logits(2, 5, 7, scale=s) for s in (0.5, 3.0, 20.0)]
    p = Average([Categorical(row) for row in rows])
    exponentials = np.exp(np.stack([row.double().numpy() for row in rows]))
    oracle = (exponentials / exponentials.sum(-1, keepdims=True)).mean(0)
    np.testing.assert_allclose(p.pmf().numpy(), oracle, rtol=2e-5, atol=1e-9)
    x = torch.randint(7, (2, 5), generator=GENERATOR)
    chosen = np.take_along_axis(oracle, x.numpy()[..., None], -1)[..., 0]
    np.testing.assert_allclose(p.log_prob(x).numpy(), np.log(chosen), atol=1e-5)
    running = np.take_along_axis(oracle.cumsum(-1), x.numpy()[..., None], -1)[..., 0]
    np.testing.assert_allclose(p.cdf(x).numpy(), running, atol=1e-6)
    np.testing.assert_allclose(p.entropy().numpy(), -(oracle * np.log(oracle)).sum(-1), rtol=1e-4)


def test_it_is_exact_where_every_part_is_tiny_and_minus_infinity_only_where_all_are():
    parts = [Categorical(torch.tensor([[0.0, -500.0, -torch.inf]])), Categorical(torch.tensor([[0.0, -700.0, 0.0]]))]
    p = Average(parts)
    assert p.log_prob(torch.tensor([1])).item() == pytest.approx(-500 - np.log(2), abs=1e-4)
    assert p.log_prob(torch.tensor([2])).item() == pytest.approx(np.log(0.25), abs=1e-6)
    assert Average([parts[0], parts[0]]).log_prob(torch.tensor([2])).item() == -torch.inf


HEADS = {
    "binary": lambda: BernoulliHead(4),
    "categorical": lambda: CategoricalHead(4, 5),
    "hierarchical": lambda: HierarchicalSoftmaxHead(4, 5, [3, 0, 40, 1, 2]),
    "rare": lambda: RareHead(4, 5, frequent=2),
    "missing symbols": lambda: MissingHead(LogisticMixtureHead(4, 4, components=2)),
    "channels": lambda: ChannelChainHead(4, 4, components=2),
    "counts": lambda: CountHead(4),
    "density": lambda: GaussianMixtureHead(4, components=2),
    "grid": lambda: GaussianMixtureHead(4, components=2, resolution=0.1),
    "units of each": lambda: GaussianMixtureHead(4, components=2, resolution=[0.1, 2.0, 0.01, 5.0], length=4),
}


SLOW = ("density", "units of each")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in HEADS])
def test_every_head_can_be_averaged(name):
    check_head(AverageHead([HEADS[name](), HEADS[name]()]))


@pytest.mark.parametrize("value", ["counts", pytest.param("density", marks=pytest.mark.slow), "grid"])
def test_values_that_may_be_missing(value):
    """The mass is one, p is the plain mean of the members', and draws are missing as often as they should be."""
    head = randomised(AverageHead([MissingHead(HEADS[value]()) for _ in range(3)]), scale=1.0)
    h = torch.randn(5, 12, generator=GENERATOR)
    with torch.no_grad():
        p = head(h)
        members = [part(share) for part, share in zip(head.heads, h.split(4, -1), strict=True)]
        shares = torch.stack([m.log_prob(torch.full((5,), torch.nan)).exp() for m in members])
        assert float((shares[0] - shares[1]).abs().max()) > 0.1
        for u in (0.0, 0.1, 0.3):
            x = p.icdf(torch.full((5,), u, dtype=torch.float64))
            mean = torch.stack([m.log_prob(x).double() for m in members]).logsumexp(0) - np.log(3)
            torch.testing.assert_close(p.log_prob(x).double(), mean, atol=1e-5, rtol=1e-5)
        missing = p.log_prob(torch.full((5,), torch.nan)).exp()
        torch.testing.assert_close(missing.double(), shares.mean(0).double(), atol=1e-6, rtol=1e-5)
        u = torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1, None].expand(-1, 5)
        drawn = head(h.expand(1000, 5, 12)).icdf(u).isnan().double().mean(0)
        torch.testing.assert_close(drawn, missing.double(), atol=2e-3, rtol=0)
        apart = (
            grid_excess(lambda n: head(h.repeat(n, 1, 1)))
            if p.is_mass
            else density_mass(lambda n: head(h.repeat(n, 1, 1))) - 1
        )
    assert float(apart.abs().max()) < 1e-4


def test_quantiles_between_parts_that_are_far_apart():
    zero, far = torch.zeros(1, 1), torch.full((1, 1), 1e6)
    one = torch.ones(1, dtype=torch.float64)
    p = Average([GaussianMixture(zero, mean, zero, 0 * one, one, None) for mean in (zero, far)])
    quantiles = [p.icdf(torch.tensor([u], dtype=torch.float64)).item() for u in (0.25, 0.75)]
    assert quantiles == pytest.approx([0.0, 1e6], abs=1e-6)
    assert p.cdf(torch.tensor([5e5])).item() == pytest.approx(0.5)


def pair(seed):
    torch.manual_seed(seed)
    build = [lambda: Transformer(4, 5, 8, depth=1, heads=2), lambda: CausalConv(4, 5, 6), lambda: Recurrent(4, 5, 4)]
    network = build[seed % 3]()
    return randomised(AutoregressiveModel(network, CategoricalHead(network.features, 4)), seed)


def ensemble(models):
    return AutoregressiveModel(EnsembleNetwork([m.network for m in models]), AverageHead([m.head for m in models]))


def test_an_ensemble_is_a_model_and_at_least_as_good_as_its_members_are_on_average():
    models = [pair(seed) for seed in range(3)]
    model = ensemble(models)
    check_model(model, 4, 5)
    x = torch.randint(4, (64, 5), generator=GENERATOR)
    with torch.no_grad():
        each = torch.stack([m.double().element_log_prob(x) for m in models])
        together = model.double().element_log_prob(x)
    torch.testing.assert_close(together, each.logsumexp(0) - np.log(3), atol=1e-12, rtol=0)
    assert bool((together >= each.mean(0) - 1e-12).all())  # Jensen
    assert float((together - each.mean(0)).max()) > 0.01
    assert verify(model, quick=True).passed


def test_the_model_is_not_the_average_of_whole_examples():
    """Conditionals averaged reweight nothing by the past: another ARM than (1/K) sum_k p_k(x), and both are one."""
    models = [pair(seed) for seed in range(2)]
    x = torch.randint(4, (8, 5), generator=GENERATOR)
    with torch.no_grad():
        whole = torch.stack([m.log_prob(x) for m in models]).logsumexp(0) - np.log(2)
        assert float((ensemble(models).log_prob(x) - whole).abs().max()) > 0.01


def test_packed_rows_and_layers_of_unequal_depth():
    models = [Transformer(4, 6, 8, depth=depth, heads=2) for depth in (1, 3)]
    network = randomised(EnsembleNetwork(models))
    x, segment_ids = torch.randint(4, (2, 6), generator=GENERATOR), torch.tensor([[0, 0, 0, 1, 1, 1]] * 2)
    with torch.no_grad():
        torch.testing.assert_close(network.packed(x, segment_ids)[:, 3:], network(x[:, 3:]))
        assert [h.shape[-1] for h in network.layers(x)] == [16, 16]
        assert torch.equal(network.layers(x)[-1], network(x))


def test_padding_costs_a_lazy_part_nothing():
    h, weight, bias = torch.zeros(2, 3, 4), torch.randn(9, 4, generator=GENERATOR), torch.zeros(9)
    x, mask = torch.tensor([[1, 2, -9], [3, -9, -9]]), torch.tensor([[True, True, False], [True, False, False]])
    p = Average([LazyCategorical(h, weight, bias), LazyCategorical(h + 1, weight, bias)])
    scored = p.masked_log_prob(x, mask)
    assert bool((scored[mask] < 0).all() & (scored[~mask] == 0).all())


def test_rows_of_columns_are_averaged_by_column():
    heads = [
        ColumnsHead([CategoricalHead(4, 3), GaussianMixtureHead(4), MissingHead(CountHead(4))], mixed=True)
        for _ in range(2)
    ]
    head = randomised(AverageHead(heads))
    h = torch.randn(4, 3, 8, generator=GENERATOR)
    with torch.no_grad():
        p = head(h)
        assert p.density_columns == (1,)
        x = p.icdf(torch.rand(4, 3, dtype=torch.float64, generator=GENERATOR))
        assert x.dtype == torch.float64
        assert head.at(0, h[:, 0], x[:, :0]).icdf(torch.zeros(4, dtype=torch.float64)).dtype == torch.float64
        parts = torch.stack([one(share).log_prob(x) for one, share in zip(head.heads, h.split(4, -1), strict=True)])
    torch.testing.assert_close(p.log_prob(x), parts.logsumexp(0) - np.log(2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: AverageHead([]), "got none"),
        (lambda: AverageHead([CategoricalHead(4, 3), CategoricalHead(4, 5)]), "one support"),
        (lambda: EnsembleNetwork([]), "got none"),
        (lambda: EnsembleNetwork([CausalConv(3, 4, 8), CausalConv(3, 5, 8)]), "one shape"),
        (lambda: average([CountHead(4)(torch.zeros(1, 4)), GaussianMixtureHead(4)(torch.zeros(1, 4))]), "one support"),
        (lambda: average([GaussianMixtureHead(4)(torch.zeros(1, 4))]).entropy(), "no entropy"),
        (lambda: average([CountHead(4)(torch.zeros(1, 4))]).pmf(), "no finite support"),
    ],
)
def test_what_does_not_fit_is_refused(build, words):
    with pytest.raises(InputError, match=words):
        build()
