import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, InputError, PixelCNN, Transformer
from chainrule.heads.hierarchical_softmax import HierarchicalSoftmaxHead
from chainrule.sampling.parallel import parallel_sample
from chainrule.verification.laws import randomised

NETWORKS = {
    "conv": lambda: CausalConv(4, 30, 8, depth=3),
    "attention": lambda: Transformer(4, 30, 8, 2, 2),
    "pixels": lambda: PixelCNN(4, (5, 6), 8, 1),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_draws_what_the_sequential_sampler_draws(name):
    model = randomised(AutoregressiveModel(NETWORKS[name](), CategoricalHead(8, 4)))
    result, expected = parallel_sample(model, 40, seed=3, first=5), model.sample(40, seed=3, first=5)
    assert torch.equal(result.sample.x, expected.x)
    assert (result.sample.log_prob - expected.log_prob).abs().max() < 1e-3
    assert result.passes <= 31


def test_a_model_without_memory_needs_two_passes():
    model = AutoregressiveModel(CausalConv(4, 30, 8), CategoricalHead(8, 4))
    for parameter in model.network.parameters():
        torch.nn.init.zeros_(parameter)
    assert parallel_sample(model, 3, seed=0).passes == 2


def test_where_rounding_could_decide_the_example_is_drawn_again():
    model = randomised(AutoregressiveModel(NETWORKS["conv"](), CategoricalHead(8, 4)))
    result = parallel_sample(model, 20, seed=0, tolerance=0.05)
    assert result.redrawn > 0
    assert torch.equal(result.sample.x, model.sample(20, seed=0).x)


def test_bad_input():
    model = AutoregressiveModel(NETWORKS["conv"](), CategoricalHead(8, 4))
    with pytest.raises(InputError, match="at least one"):
        parallel_sample(model, 0, seed=0)


def test_heads_that_draw_in_another_order_are_refused():
    model = AutoregressiveModel(NETWORKS["conv"](), HierarchicalSoftmaxHead(8, 4))
    with pytest.raises(InputError, match="an order of its own"):
        parallel_sample(model, 2, seed=0)


def test_every_example_comes_to_rest_once():
    model = randomised(AutoregressiveModel(NETWORKS["conv"](), CategoricalHead(8, 4)))
    settled = []
    result = parallel_sample(model, 7, seed=0, on_pass=settled.append)
    assert (len(settled), sum(settled)) == (result.passes, 7)
