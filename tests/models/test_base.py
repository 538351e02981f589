"""The contract of a model: what each kind declares, and how it refuses the rest."""

import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, BernoulliHead, CategoricalHead, CausalConv, OrderMixture, PermutedModel
from chainrule.baselines import IndependentElements
from chainrule.batch import Batch
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.errors import InputError
from chainrule.evaluation.evaluate import evaluate
from chainrule.heads import SampledSoftmaxHead
from chainrule.models.base import Model, as_model
from chainrule.models.permuted import random_orders
from chainrule.networks.made import MADE

X = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 0]])


def chain():
    torch.manual_seed(0)
    return AutoregressiveModel(CausalConv(2, 4, 8), CategoricalHead(8, 2))


def mixture():
    torch.manual_seed(0)
    return OrderMixture(AutoregressiveModel(MADE(2, 4, hidden=8), BernoulliHead(1)), random_orders(4, 3)).eval()


class HalfPerElement(torch.nn.Module):
    """A user's module from a Batch to ln p: each element has probability one half."""

    def forward(self, batch):
        return -batch.elements * np.log(2)


MODELS = {
    "a chain": chain,
    "a chain in another order": lambda: PermutedModel(chain(), torch.tensor([2, 0, 3, 1])),
    "a mixture over orders": mixture,
    "a baseline": lambda: IndependentElements.fit(ArrayExamples(X.numpy()), 2),
    "a wrapped module": lambda: as_model(HalfPerElement()),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_keeps_what_it_declares(name):
    model = MODELS[name]().eval()
    assert isinstance(model, Model)
    log_prob = model.log_prob(Batch(X))
    assert log_prob.shape == (2,)
    assert torch.equal(model(Batch(X)), log_prob)
    if model.has_conditionals:
        torch.testing.assert_close(model.element_log_prob(Batch(X)).sum(1, dtype=torch.float64), log_prob.double())
    else:
        with pytest.raises(InputError, match="does not have ln p of single elements"):
            model.element_log_prob(Batch(X))
    assert evaluate(model, ArrayExamples(X.numpy())).nats == pytest.approx(log_prob.detach().double().numpy(), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "chains", "orders"), [(n, c, o) for n, c, o in zip(MODELS, (1, 1, 1, 0, 0), (0, 1, 3, 0, 0), strict=True)]
)
def test_the_chains_inside(name, chains, orders):
    model = MODELS[name]()
    assert (len(model.chains), len(model.permuted_chains)) == (chains, orders)
    if chains:
        assert (model.length, model.num_symbols) == (4, 2)
        trained, batch = model.training_chain(Batch(X))
        assert trained.log_prob(batch).shape == (2,)
    else:
        for refused in (model.single_chain, lambda: model.training_chain(Batch(X)), lambda: model.sample(3)):
            with pytest.raises(InputError, match="does not have"):
                refused()


def test_one_chain_is_the_model_itself_and_a_mixture_has_none():
    model = chain()
    assert model.single_chain() is model
    with pytest.raises(InputError, match="a mixture over 3 orders does not have one chain of conditionals"):
        mixture().single_chain()


def test_a_model_says_whether_training_maximises_ln_p():
    assert chain().exact_training
    assert not AutoregressiveModel(CausalConv(5, 4, 8), SampledSoftmaxHead(8, 5)).exact_training


def test_real_elements_are_initialised_in_the_natural_order():
    from chainrule import GaussianMixtureHead

    rows = torch.tensor([[0.0, 10.0], [2.0, 30.0], [4.0, 50.0]])
    model = AutoregressiveModel(CausalConv(None, 2, 8), GaussianMixtureHead(8, length=2))
    PermutedModel(model, torch.tensor([1, 0])).initialise(rows)
    assert model.head.centre.tolist() == [30.0, 2.0]
