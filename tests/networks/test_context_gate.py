"""Weights of an average by context: by the kind that a member says, the same in packed rows and step by step."""

import numpy as np
import pytest
import torch

from chainrule.batch import Batch
from chainrule.config.registry import averaged
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.errors import InputError
from chainrule.evaluation.streaming import StreamModel
from chainrule.heads import CategoricalHead, LogitsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks import NGram, Recurrent, Transformer
from chainrule.networks.context_gate import ContextGate
from chainrule.training.counting import Counting
from chainrule.training.simplex import weights_by_kind
from chainrule.training.weighing import element_kinds, element_log_probs, found_weights


def rows(count, seed=0):
    """Rows of 12 of 4 symbols; half of the time a symbol repeats the one two before."""
    noise = np.random.default_rng(seed)
    x = noise.integers(0, 4, (count, 12))
    for d in range(2, 12):
        x[:, d] = np.where(noise.random(count) < 0.5, x[:, d - 2], x[:, d])
    return ArrayExamples(x)


def grams():
    model = AutoregressiveModel(NGram(4, 12, orders=(1, 2, 3)), LogitsHead(4))
    Counting(model, rows(2), rows(20, 1)).fit_next()
    return model.eval()


def both(network=None):
    """An average by context of a random network and n-grams."""
    torch.manual_seed(0)
    member = AutoregressiveModel(network or Transformer(4, 12, 8, 1, 1), CategoricalHead(8, 4)).eval()
    chains = [member, grams()]
    model = averaged(chains, weighted=True, weights_by="context").eval()
    gate = model.network.gate
    gate.weigh(torch.rand_like(gate.log_weight).softmax(1))
    return chains, model


def test_it_is_the_average_by_the_weights_of_the_kind():
    chains, model = both()
    examples = rows(30, 3)
    ln = np.stack([element_log_probs(chain, examples) for chain in chains])
    weight = model.network.gate.log_weight.exp().numpy()[element_kinds(model.network.gate, examples, 12)]
    assert element_log_probs(model, examples) == pytest.approx(np.log((weight.T * np.exp(ln)).sum(0)), abs=1e-5)
    assert len(np.unique(weight, axis=0)) > 2


def test_found_on_validation_it_is_no_worse_than_one_weight_each():
    chains, model = both()
    valid = rows(200, 2)
    by_kind, shares = found_weights(chains, valid, model.network.gate)
    weights, same = found_weights(chains, valid, None)
    assert torch.equal(weights, same)
    assert shares.sum() == pytest.approx(1)
    model.network.gate.weigh(by_kind)
    one = averaged(chains, weighted=True).eval()
    one.head.weigh(weights)
    assert element_log_probs(model, valid).sum() >= element_log_probs(one, valid).sum() - 1e-3


def test_packed_rows_and_a_carried_state_give_the_same():
    _, model = both()
    x = rows(2, 4).batch(np.arange(2)).x
    row, segments = torch.cat([x[0], x[1]]).unsqueeze(0), torch.tensor([[0] * 12 + [1] * 12])
    wide = averaged(
        [AutoregressiveModel(Transformer(4, 24, 8, 1, 1), CategoricalHead(8, 4)), grams_of(24)], weights_by="context"
    )
    assert torch.allclose(wide.eval()(Batch(row, segment_ids=segments)), wide(Batch(x)).sum().unsqueeze(0), atol=1e-4)
    _, model = both(Recurrent(4, 12, 8))
    stream = StreamModel(model)(Batch(x)).sum()
    whole = model.network(row)
    assert torch.isclose(model.head(whole).log_prob(row).sum().double(), stream, atol=1e-4)


def grams_of(length):
    model = AutoregressiveModel(NGram(4, length, orders=(1, 2, 3)), LogitsHead(4))
    model.network.load_state_dict(grams().network.state_dict())
    return model


def test_saved_and_loaded_it_is_the_same():
    _, model = both()
    other = averaged(
        [AutoregressiveModel(Transformer(4, 12, 8, 1, 1), CategoricalHead(8, 4)), grams()], weights_by="context"
    )
    other.load_state_dict(model.state_dict())
    batch = Batch(rows(5, 5).batch(np.arange(5)).x)
    assert torch.equal(other.eval()(batch), model(batch))


def test_few_elements_of_a_kind_are_drawn_towards_all():
    ln = np.log(np.array([[0.9] * 1000 + [0.1], [0.1] * 1000 + [0.9]]))
    weights = weights_by_kind(ln, np.array([0] * 1000 + [1]), 3)
    assert weights[1, 0] > 0.9
    assert torch.equal(weights[2], weights_by_kind(ln, np.zeros(1001, dtype=int), 1)[0].double())


def test_what_cannot_be_weighed_is_refused():
    with pytest.raises(InputError, match="network that sorts contexts, got Transformer"):
        ContextGate([Transformer(4, 12, 8, 1, 1)])
    gate = ContextGate([grams().network, grams().network])
    with pytest.raises(InputError, match="expected \\(9, 2\\)"):
        gate.weigh(torch.ones(3))
    with pytest.raises(InputError, match="sum to one"):
        gate.weigh(torch.ones(9, 2))
    with pytest.raises(InputError, match="does not sort contexts"):
        Transformer(4, 12, 8, 1, 1).kind(torch.zeros(2, 0))
