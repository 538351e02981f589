"""A compiled step against its oracle, the eager one."""

import shutil

import pytest
import torch

from chainrule import (
    MADE,
    AutoregressiveModel,
    Batch,
    CategoricalHead,
    CausalConv,
    HierarchicalSoftmaxHead,
    InputError,
    Transformer,
)
from chainrule.networks.kv_cache import ROOM
from chainrule.sampling.compiled import MANY, CompiledStep, compile_step, linear, product, scaled_product, softmax
from chainrule.verification.laws import randomised

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="compiling a step needs g++")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Every test compiles anew."""
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))


def lively(network):
    """A model none of whose layers is silent."""
    torch.manual_seed(0)
    model = AutoregressiveModel(network, CategoricalHead(16, 5)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


NETWORKS = {
    "transformer": lambda: Transformer(5, 12, 16, 2, 2, value_embeddings=True, ngrams=40),
    "image windows": lambda: Transformer(5, (3, 4), 16, 2, 4, groups=2, window=5, num_classes=3),
    "causal convolutions": lambda: CausalConv(5, 12, 16, 2),
    "plain convolutions": lambda: CausalConv(5, 12, 16, 2, gated=False),
    "caches that grow": lambda: Transformer(5, ROOM + 9, 16, 1, 2, groups=1),
    "windows that grow": lambda: Transformer(5, 2 * ROOM, 16, 1, 2, window=ROOM + 3, ngrams=40),
}
# one example, and so many that the weights are laid out anew; two of each kind of network, of several dimensions
SIZES = dict.fromkeys(NETWORKS, (1, MANY)) | dict.fromkeys(("image windows", "causal convolutions"), (1, 2, MANY))


IN_SLOW = {("transformer", MANY)}


def cases():
    """Each network with each number of examples; a compilation takes ten seconds, so most stand in the soak."""
    for name in NETWORKS:
        for n in SIZES[name]:
            tier = pytest.mark.slow if (name, n) in IN_SLOW else pytest.mark.soak
            yield pytest.param(NETWORKS[name], n, marks=tier, id=f"{name}, {n}")


@needs_compiler
@pytest.mark.parametrize(("network", "n"), list(cases()))
def test_the_compiled_step_draws_what_the_eager_step_draws(network, n):
    model = lively(network())
    context = None if model.network.embedding.context.table is None else torch.arange(n) % 3
    compiled = compile_step(model, n, context)
    for seed in range(3):
        eager, ours = (m.sample(n, seed=seed, context=context) for m in (model, compiled))
        assert torch.equal(eager.x, ours.x)
        torch.testing.assert_close(eager.log_prob, ours.log_prob, atol=1e-5, rtol=0)
    for x in (eager.x, eager.x.int()):  # elements as columns of a tensor, which do not lie side by side
        walked, scored = x.new_zeros(n, dtype=torch.float32), x.clone()

        def draw(d, p, x=scored, total=walked):
            total += p.log_prob(x[:, d].long())
            return x[:, d]

        compiled.unroll(draw, n, context=context)
        torch.testing.assert_close(walked, model.log_prob(Batch(eager.x, context=context)), atol=1e-4, rtol=1e-5)
    batch = Batch(eager.x, context=context)
    torch.testing.assert_close(compiled.log_prob(batch), model.log_prob(batch), atol=1e-5, rtol=0)


@needs_compiler
@pytest.mark.parametrize(
    "head",
    [
        pytest.param(lambda: CategoricalHead(16, 5, soft_cap=2.0), marks=pytest.mark.soak, id="capped logits"),
        pytest.param(lambda: CategoricalHead(16, 5, tied=True), marks=pytest.mark.soak, id="tied logits"),
        pytest.param(lambda: HierarchicalSoftmaxHead(16, 5), marks=pytest.mark.soak, id="a head of its own"),
    ],
)
def test_heads_are_compiled_with_the_step_or_left_alone(head):
    torch.manual_seed(0)
    model = randomised(AutoregressiveModel(Transformer(5, 6, 16, 1, 2), head())).train()
    compiled = compile_step(model, 3)
    assert all(part.training for part in model.modules())
    for n in (3, 4):
        eager, ours = model.sample(n, seed=1), compiled.sample(n, seed=1)
        assert torch.equal(eager.x, ours.x)
        torch.testing.assert_close(eager.log_prob, ours.log_prob, atol=1e-5, rtol=0)
    torch.testing.assert_close(compiled.log_prob(eager.x), model.log_prob(eager.x), atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="already has a compiled step"):
        compile_step(compiled, 3)


@pytest.mark.parametrize("shape", [(6, 1, 4, 9), (2, 3, 4, 1), (2, 1, 1, 5)])
def test_products_written_as_sums_are_the_products(shape):
    n, rows, inner, columns = shape
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(n, rows, inner, dtype=torch.float64, generator=generator)
    b = torch.randn(n, inner, columns, dtype=torch.float64, generator=generator)
    plus = torch.randn(columns, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(product(a, b), torch.bmm(a, b))
    expected = torch.baddbmm(plus, a, b, alpha=0.3, beta=0.7)
    torch.testing.assert_close(scaled_product(plus, a, b, alpha=0.3, beta=0.7), expected)


def test_a_softmax_written_out_is_the_softmax():
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)) * 100
    x[:, 3:] = -torch.inf
    for dtype in (None, torch.float64):
        torch.testing.assert_close(softmax(x, -1, dtype), torch.softmax(x, -1, dtype))


def test_a_layer_written_as_a_sum_is_the_layer():
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in ((1, 7), (5, 7), (5,))
    )
    torch.testing.assert_close(linear(x, weight, bias), torch.nn.functional.linear(x, weight, bias))
    torch.testing.assert_close(linear(x[0], weight), torch.nn.functional.linear(x[0], weight))


def test_other_batch_sizes_take_the_eager_step():
    model = lively(CausalConv(5, 12, 16, 2))

    def never(*arguments):
        raise AssertionError("the compiled step is for two examples")

    compiled = AutoregressiveModel(CompiledStep(model.network, 2, never), model.head)
    assert torch.equal(compiled.sample(3, seed=1).x, model.sample(3, seed=1).x)
    with pytest.raises(AssertionError):
        compiled.sample(2, seed=1)


def test_it_does_not_walk_past_its_caches():
    model = lively(CausalConv(5, 4, 16, 2))
    compiled = AutoregressiveModel(CompiledStep(model.network, 1, lambda tensors: [torch.zeros(1, 16)]), model.head)
    assert compiled.sample(1, seed=0).x.shape == (1, 4)
    with pytest.raises(InputError, match="4 elements"):
        compiled.sample(1, seed=0, length=5)


def test_a_network_without_such_a_step_is_refused():
    with pytest.raises(InputError, match="eager step"):
        compile_step(lively(MADE(5, 12, 16)))
