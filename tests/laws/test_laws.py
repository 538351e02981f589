"""The laws, each on every exported part."""

import inspect

import pytest
import torch

import chainrule.heads
import chainrule.networks
from chainrule.heads import Head
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks import AutoregressiveNetwork
from chainrule.verification.certificate.adapters import model_under_test
from chainrule.verification.certificate.gradient import suspected_places
from chainrule.verification.certificate.tested import EXAMPLES
from chainrule.verification.laws import LawBroken, check_head, check_model, check_network, randomised
from tests.laws.head_instances import FEATURES, HEADS
from tests.laws.network_instances import LENGTH, NETWORKS

WITHOUT_GRADIENTS = (
    "BoostedTrees",
    "ChowLiu",
    "JointGaussians",
    "Kernels",
    "NGram",
    "Recomputed",
    "SparseNADE",  # where it embeds what is unusual alone
)  # there is no embedding of every element to differentiate by


def kind(name):
    """The class that an instance is of."""
    return name.split(",")[0]


def exported(package, base):
    members = (getattr(package, name) for name in package.__all__)
    return {m.__name__ for m in members if inspect.isclass(m) and issubclass(m, base) and m is not base}


def test_every_part_has_an_instance():
    assert exported(chainrule.networks, AutoregressiveNetwork) == {kind(name) for name in NETWORKS}
    assert exported(chainrule.heads, Head) == {kind(name) for name in HEADS}


def read_by(networks, num_symbols):
    """The instances that can read such elements."""
    return [name for name, instance in networks.items() if num_symbols is not None or instance.reads_reals]


@pytest.mark.parametrize(("name", "num_symbols"), [(name, v) for v in (5, None) for name in read_by(NETWORKS, v)])
def test_network(name, num_symbols):
    check_network(NETWORKS[name].build(num_symbols), num_symbols, NETWORKS[name].context)


@pytest.mark.parametrize(("name", "num_symbols"), [(name, v) for v in (5, None) for name in read_by(NETWORKS, v)])
def test_gradients_to_the_future_are_exactly_zero(name, num_symbols):
    network = randomised(NETWORKS[name].build(num_symbols))
    context = NETWORKS[name].context
    context = None if context is None else context[torch.arange(EXAMPLES) % 3]
    tested = model_under_test(network, num_symbols, None, context)
    suspected = suspected_places(tested, tested.elements(0), list(range(LENGTH)), zero=0.0)
    assert suspected == [] or (suspected is None and kind(name) in WITHOUT_GRADIENTS)


@pytest.mark.parametrize("name", HEADS)
def test_head(name):
    check_head(HEADS[name]())


TIERS = [None, pytest.mark.slow, *[pytest.mark.soak] * 8]


def pairs():
    """All networks with all heads that fit: every part in the default tier, a fifth of the pairs in the slow one."""
    for j, (head, build) in enumerate(HEADS.items()):
        for i, network in enumerate(read_by(NETWORKS, build().num_symbols)):
            tier = TIERS[(i + j) % len(TIERS)]
            yield pytest.param(network, head, marks=[] if tier is None else [tier], id=f"{network}-{head}")


def test_every_part_is_in_a_pair_of_the_default_tier():
    parts = [set(pair.values) for pair in pairs() if not pair.marks]
    assert set().union(*parts) == {*NETWORKS, *HEADS}


@pytest.mark.parametrize(("network", "head"), list(pairs()))
def test_model(network, head):
    instance, built = NETWORKS[network], HEADS[head]()
    v = built.num_symbols
    assert instance.build(v).features == FEATURES
    length = LENGTH if v is None or v**LENGTH <= 1000 else 3
    check_model(AutoregressiveModel(instance.build(v), built), v, length, instance.context)


def test_a_leak_is_caught():
    class Leaky(chainrule.networks.CausalConv):
        def layers(self, x, context=None):
            h = super().layers(x, context)
            return [*h[:-1], h[-1] + 1e-3 * h[-1].mean(1, keepdim=True)]

    with pytest.raises(LawBroken, match="causality"):
        check_network(Leaky(5, LENGTH, FEATURES), 5)


def test_a_wrong_step_is_caught():
    class Late(chainrule.networks.CausalConv):
        def step(self, x_previous, state):
            state.position -= (state.position == 3).long()
            return super().step(x_previous, state)

    with pytest.raises(LawBroken, match="step"):
        check_network(Late(5, LENGTH, FEATURES), 5)


def test_an_unnormalised_head_is_caught():
    class Clamped(chainrule.heads.CategoricalHead):
        def forward(self, h):
            p = super().forward(h * 20)
            original = p.pmf
            p.pmf = lambda: original().clamp(1e-2, 1 - 1e-2)
            return p

    with pytest.raises(LawBroken):
        check_head(Clamped(FEATURES, 5))
