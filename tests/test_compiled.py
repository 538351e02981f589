"""A compiled step against its oracle, the eager one."""

import shutil

import pytest
import torch

from chainrule import MADE, AutoregressiveModel, CategoricalHead, CausalConv, InputError, Transformer
from chainrule.compiled import MANY, CompiledStep, compile_step
from chainrule.networks.transformer import ROOM

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="compiling a step needs g++")


def lively(network):
    """A model none of whose layers is silent."""
    torch.manual_seed(0)
    model = AutoregressiveModel(network, CategoricalHead(16, 5)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize(
    "network",
    [
        pytest.param(lambda: Transformer(5, 12, 16, 2, 2, value_embeddings=True, ngrams=40), id="transformer"),
        pytest.param(lambda: Transformer(5, (3, 4), 16, 2, 4, groups=2, window=5, num_classes=3), id="image windows"),
        pytest.param(lambda: CausalConv(5, 12, 16, 3), id="causal convolutions"),
        pytest.param(lambda: CausalConv(5, 12, 16, 3, gated=False), id="plain convolutions"),
        pytest.param(lambda: Transformer(5, ROOM + 9, 16, 2, 2, groups=1), id="caches that grow"),
        pytest.param(lambda: Transformer(5, 2 * ROOM, 16, 1, 2, window=ROOM + 3, ngrams=40), id="windows that grow"),
    ],
)
@pytest.mark.parametrize("n", [2, MANY])
def test_the_compiled_step_draws_what_the_eager_step_draws(network, n):
    model = lively(network())
    context = None if model.network.embedding.context.table is None else torch.arange(n) % 3
    compiled = compile_step(model, n, context)
    for seed in range(3):
        eager, ours = (m.sample(n, seed=seed, context=context) for m in (model, compiled))
        assert torch.equal(eager.x, ours.x)
        torch.testing.assert_close(eager.log_prob, ours.log_prob, atol=1e-5, rtol=0)


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
