"""Counting n-grams: the figures of the baseline, what is saved, windows and packed rows."""

import numpy as np
import pytest
import torch

from chainrule.baselines.kneser_ney import KneserNey
from chainrule.batch import Batch
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.errors import InputError
from chainrule.heads import LogitsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks import NGram
from chainrule.training.counting import Counting


def words(rows, seed=0):
    """Rows of 12 symbols out of 4, each decided by the two before it but for some noise."""
    noise = np.random.default_rng(seed)
    x = noise.integers(0, 4, (rows, 12))
    for d in range(2, 12):
        x[:, d] = np.where(noise.random(rows) < 0.8, (x[:, d - 1] + 2 * x[:, d - 2]) % 4, x[:, d])
    return ArrayExamples(x)


def counted(orders, train=None, valid=None):
    model = AutoregressiveModel(NGram(4, 12, orders=orders), LogitsHead(4))
    Counting(model, train or words(200), valid or words(40, 1)).fit_next()
    return model.eval()


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_one_order_is_the_baseline(order):
    batch = words(50, 2).batch(np.arange(50))
    model = counted((order,))
    for each in (*model.network.counted, *model.network.continued):
        once, twice = ((each.count == n).sum() for n in (1, 2))
        each.discount = (once / (once + 2 * twice)).double() if once and twice else torch.tensor(0.5).double()
    ours = model.element_log_prob(batch)
    theirs = KneserNey.fit(words(200), 4, order=order).element_log_prob(batch)
    assert torch.allclose(ours.double(), theirs, atol=1e-5)


def test_several_orders_are_no_worse_on_validation():
    valid = words(40, 1).batch(np.arange(40))
    alone = [float(counted((n,)).log_prob(valid).mean()) for n in (1, 2, 3, 4)]
    assert float(counted((1, 2, 3, 4)).log_prob(valid).mean()) > max(alone) - 0.05


def test_saved_and_loaded_it_is_the_same():
    model, other = counted((1, 3)), NGram(4, 12, orders=(1, 3))
    other.load_state_dict(model.network.state_dict())
    x = words(5, 3).batch(np.arange(5)).x
    assert torch.equal(other(x), model.network(x))


def test_packed_examples_do_not_see_each_other():
    network = counted((1, 2, 4)).network
    x = words(2, 4).batch(np.arange(2)).x
    row = torch.cat([x[0], x[1, :7]]).unsqueeze(0)
    segments = torch.tensor([[0] * 12 + [1] * 7])
    packed = network.packed(row, segments)
    assert torch.allclose(packed[:, :12], network(x[:1]))
    assert torch.allclose(packed[:, 12:], network(x[1:, :7]))


def test_what_does_not_count_is_not_counted():
    x = words(200).batch(np.arange(200)).x
    whole, half = NGram(4, 12, orders=(1,)), NGram(4, 12, orders=(1,))

    class Half(ArrayExamples):
        def batch(self, rows):
            batch = super().batch(rows)
            return Batch(batch.x, (torch.arange(12) < 6).expand_as(batch.x))

    for network, examples in ((whole, ArrayExamples(x[:, :6].numpy())), (half, Half(x.numpy()))):
        Counting(AutoregressiveModel(network, LogitsHead(4)), examples, examples).fit_next()
    assert torch.equal(whole.counted[0].count, half.counted[0].count)


def test_what_n_grams_cannot_have_is_refused():
    for options in ({"orders": ()}, {"orders": (0,)}, {"orders": (3, 2)}):
        with pytest.raises(InputError, match="orders of n-grams rise"):
            NGram(4, 12, **options)
    with pytest.raises(InputError, match="are of symbols"):
        NGram(None, 12)
    with pytest.raises(InputError, match="symbols run from 0 to 4"):
        NGram(4, 12)(torch.tensor([[0, 4]]))
    with pytest.raises(InputError, match="take no context"):
        NGram(4, 12)(torch.tensor([[0, 1]]), torch.tensor([0]))


def test_of_more_than_is_counted_rows_evenly_apart_are():
    examples = words(400)
    network = NGram(4, 12, orders=(1, 2), most=1300)
    Counting(AutoregressiveModel(network, LogitsHead(4)), examples, words(40, 1)).fit_next()
    assert int(network.counted[0].count.sum()) == 12 * 100
    some = NGram(4, 12, orders=(1, 2))
    every_fourth = ArrayExamples(examples.batch(np.arange(0, 400, 4)).x.numpy())
    Counting(AutoregressiveModel(some, LogitsHead(4)), every_fourth, words(40, 1)).fit_next()
    assert torch.equal(network.counted[1].count, some.counted[1].count)
