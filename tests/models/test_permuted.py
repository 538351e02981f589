"""Orders and ensembles over them: exact, normalised, sampled as scored."""

from math import log

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.columns import ColumnsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.order_mixture import OrderMixture
from chainrule.models.permuted import PermutedModel, random_orders, scan_orders
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.made import MADE
from chainrule.verification.certificate.normalisation import every_example
from chainrule.verification.laws import elements, randomised
from chainrule.verification.laws.models import sums_to_one

V, D = 3, 4


def convolutional(seed=0):
    return randomised(AutoregressiveModel(CausalConv(V, D, 8), CategoricalHead(8, V)), seed=seed)


def shared(orders=5):
    model = randomised(AutoregressiveModel(MADE(V, D, hidden=16), CategoricalHead(2, V)))
    return OrderMixture(model, random_orders(D, orders)).eval()


def separate(orders=3):
    return OrderMixture([convolutional(o) for o in range(orders)], random_orders(D, orders)).eval()


def test_random_orders_are_permutations_known_by_their_number():
    orders = random_orders(7, 6, seed=3)
    assert torch.equal(orders.sort(1).values, torch.arange(7).expand(6, 7))
    assert torch.equal(random_orders(7, 4, seed=3), orders[:4])
    assert len({tuple(order.tolist()) for order in orders}) == 6
    assert not torch.equal(random_orders(7, 6, seed=4), orders)


def test_scans_of_an_image():
    image = torch.arange(9).view(3, 3)
    scans = [image.flatten()[order].view(3, 3) for order in scan_orders((3, 3))]
    turned = [torch.rot90(grid, k) for k in range(4) for grid in (image, image.T)]
    assert {tuple(scan.flatten().tolist()) for scan in scans} == {tuple(grid.flatten().tolist()) for grid in turned}
    colour = scan_orders((2, 3, 2))
    assert colour.shape == (4, 12)
    assert colour[3].tolist() == [10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1]
    with pytest.raises(InputError, match="scans are for images"):
        scan_orders((64,))


def test_an_ordered_model_is_the_model_of_permuted_examples():
    model, order = convolutional(), torch.tensor([2, 0, 3, 1])
    ordered = PermutedModel(model, order)
    x = elements(V, 5, D)
    element = ordered.element_log_prob(x)
    torch.testing.assert_close(element[:, order], model.element_log_prob(x[:, order]))
    torch.testing.assert_close(ordered(x).float(), model(x[:, order]))
    changed = x.clone()
    changed[:, 3] = (x[:, 3] + 1) % V
    same = (ordered.element_log_prob(changed) == element).all(0)
    assert same.tolist() == [True, False, True, False]  # x_3 is known to x_1 alone
    sums_to_one(ordered, V, D)
    sample = ordered.sample(6, seed=2)
    torch.testing.assert_close(sample.log_prob, ordered.log_prob(sample.x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("build", [shared, separate])
def test_an_ensemble_sums_to_one(build):
    sums_to_one(build(), V, D)


@pytest.mark.parametrize("build", [shared, separate])
def test_an_ensemble_averages_probabilities_of_whole_examples(build):
    ensemble, x = build(), elements(V, 6, D)
    members = np.stack([ensemble.member(o).log_prob(x).detach().numpy() for o in range(len(ensemble.orders))])
    np.testing.assert_allclose(ensemble(x).detach().numpy(), np.log(np.exp(members).mean(0)), atol=1e-10)
    assert members.std(0).min() > 1e-3
    assert (ensemble(x).detach().numpy() >= members.mean(0)).all()


@pytest.mark.parametrize("build", [shared, separate])
def test_an_ensemble_draws_what_it_scores(build):
    ensemble, x = build(), every_example(V, D)
    sample = ensemble.sample(20_000, seed=1)
    with torch.no_grad():
        expected = 20_000 * ensemble(x).exp()
        torch.testing.assert_close(sample.log_prob, ensemble(sample.x))
    count = (sample.x * V ** torch.arange(D - 1, -1, -1)).sum(1).bincount(minlength=V**D)
    often = expected >= 5
    assert often.sum() > 20
    cells = [np.append(n[often], n[~often].sum() + 1e-9) for n in (count.double(), expected)]
    assert chisquare(cells[0], cells[1] * 20_000 / cells[1].sum()).pvalue > 1e-6


def test_a_draw_does_not_depend_on_its_batch():
    ensemble = shared()
    many, alone = ensemble.sample(16, seed=3), ensemble.sample(1, seed=3, first=7)
    assert torch.equal(many.x[7], alone.x[0])
    assert len({int(o) for o in (many.x * V ** torch.arange(D)).sum(1)}) > 3


def test_orders_share_one_set_of_weights():
    ensemble, single = shared(orders=32), shared(orders=1)
    assert sum(p.numel() for p in ensemble.parameters()) == sum(p.numel() for p in single.parameters())
    again = OrderMixture(
        AutoregressiveModel(MADE(V, D, hidden=16), CategoricalHead(2, V)), random_orders(D, 32, seed=9)
    )
    again.load_state_dict(ensemble.state_dict())
    x = elements(V, 4, D)
    assert torch.equal(again.eval()(x), ensemble(x))


def test_while_training_it_is_one_order_at_a_time():
    ensemble, x = shared(), elements(V, 4, D)
    orders = ensemble.order_log_prob(x)
    ensemble.train()
    seen = set()
    for _ in range(40):
        equal = torch.isclose(ensemble(x), orders, rtol=1e-12).all(1)  # sums of the same, in another order
        assert equal.any()
        seen.update(equal.nonzero().flatten().tolist())
    assert len(seen) == 5
    assert torch.equal(ensemble.log_prob(x), orders.logsumexp(0) - log(5))


def test_conditional_models_have_orders_too():
    model = randomised(AutoregressiveModel(MADE(2, D, hidden=16, num_classes=3), BernoulliHead(1)))
    ensemble = OrderMixture(model, random_orders(D, 3)).eval()
    classes = torch.tensor([0, 1, 2, 1])
    sample = ensemble.sample(4, seed=0, context=classes)
    torch.testing.assert_close(sample.log_prob, ensemble(Batch(sample.x, context=classes)).detach())
    sums_to_one(ensemble, 2, D, torch.tensor([1]))


HALVES = torch.tensor([[1, 0, 2, 3], [0, 1, 3, 2], [1, 0, 3, 2]])  # all read elements 0 and 1 first


def test_a_prefix_is_given_where_the_order_reads_it_first():
    ordered = PermutedModel(convolutional(), HALVES[2])
    sample = ordered.sample(3, seed=0, prefix=[[2, 1], [], [0, 1, 1, 2]])
    assert sample.x[0, :2].tolist() == [2, 1]
    assert sample.x[2].tolist() == [0, 1, 1, 2]
    assert sample.mask.tolist() == [[False, False, True, True], [True] * 4, [False] * 4]
    element = ordered.element_log_prob(sample.x).detach().double()
    torch.testing.assert_close(sample.log_prob, (element * sample.mask).sum(1), atol=1e-5, rtol=0)
    greedy = ordered.sample(5, seed=0, top_k=1)
    torch.testing.assert_close(greedy.log_q, torch.zeros(5, dtype=torch.float64))
    for prefix in ([[1], [2, 1], []], torch.tensor([1, 1, 1])):
        with pytest.raises(InputError, match=r"must read 0 to [02] first"):
            ordered.sample(3, seed=0, prefix=prefix)
    with pytest.raises(InputError, match="with end: its elements come in another order"):
        ordered.sample(3, seed=0, end=2)


@pytest.mark.parametrize("classes", [0, 3])
def test_an_ensemble_completes_a_prefix_by_its_own_conditional(classes):
    network = MADE(V, D, hidden=16, num_classes=classes or None)
    ensemble = OrderMixture(randomised(AutoregressiveModel(network, CategoricalHead(2, V))), HALVES).eval()
    n, prefix = 8000, torch.tensor([2, 0])
    context = torch.ones(n, dtype=torch.long) if classes else None
    sample = ensemble.sample(n, seed=4, prefix=prefix, context=context)
    assert (sample.x[:, :2] == prefix).all()
    assert (sample.mask == torch.tensor([False, False, True, True])).all()
    every = torch.cat([prefix.expand(V * V, 2), every_example(V, 2)], 1)
    with torch.no_grad():
        log_p = ensemble(Batch(every, context=None if context is None else context[: V * V]))
    conditional = (log_p - log_p.logsumexp(0)).double()
    cell = sample.x[:, 2] * V + sample.x[:, 3]
    torch.testing.assert_close(sample.log_prob, conditional[cell], atol=1e-5, rtol=0)
    assert chisquare(cell.bincount(minlength=V * V), n * conditional.exp()).pvalue > 1e-6
    ragged = ensemble.sample(2, seed=0, prefix=[[2, 0], []], context=None if context is None else context[:2])
    assert ragged.mask.sum(1).tolist() == [2, 4]


def test_what_an_ensemble_cannot_draw_is_refused():
    with pytest.raises(InputError, match="must read 0 to 1 first"):
        shared().sample(1, seed=0, prefix=torch.tensor([0, 1]))
    for option in ({"top_k": 2}, {"temperature": 0.5}, {"top_p": 0.9}, {"end": 1}):
        with pytest.raises(InputError, match="not those of one chain"):
            shared().sample(1, seed=0, **option)


def test_what_makes_no_ensemble_is_refused():
    model = convolutional()
    with pytest.raises(InputError, match="share the weights of a MADE, not of a CausalConv"):
        OrderMixture(model, random_orders(D, 2))
    with pytest.raises(InputError, match="2 models for 3 orders"):
        OrderMixture([model, model], random_orders(D, 3))
    with pytest.raises(InputError, match=r"permutations in rows, shape \(O, D\), got \(4,\)"):
        OrderMixture([model], torch.arange(4))
    columns = ColumnsHead([CategoricalHead(2, V) for _ in range(D)])
    with pytest.raises(InputError, match="a ColumnsHead has a part for each; take another head"):
        OrderMixture(AutoregressiveModel(MADE(V, D), columns), random_orders(D, 2))
    for order in (torch.tensor([0, 1, 2, 2]), torch.arange(3), torch.arange(4.0)):
        with pytest.raises(InputError, match=r"permutation of 0..3"):
            PermutedModel(model, order)
    with pytest.raises(InputError, match="at least one example, got n=0"):
        shared().sample(0)


def test_parts_of_examples_have_no_order():
    batch = Batch.of([[0, 1, 2, 0], [1, 2]])
    with pytest.raises(InputError, match="examples of all 4 elements, each of them scored, got some of 2"):
        shared()(batch)
    with pytest.raises(InputError, match="in a batch of width 3"):
        PermutedModel(convolutional(), torch.arange(4)).log_prob(torch.zeros(2, 3, dtype=torch.long))


def test_what_is_drawn_is_scored_without_dropout():
    model = randomised(AutoregressiveModel(MADE(V, D, hidden=16, dropout=0.5), CategoricalHead(2, V)))
    ensemble = OrderMixture(model, torch.stack([torch.arange(D), torch.tensor([1, 0, 2, 3])])).train()
    for prefix in (None, torch.tensor([1, 0])):
        first, again = (ensemble.sample(4, seed=0, prefix=prefix) for _ in range(2))
        assert torch.equal(first.log_prob, again.log_prob)
        assert torch.equal(first.x, again.x)
    assert all(part.training for part in ensemble.modules())


def test_a_tied_table_keeps_what_it_learned():
    model = AutoregressiveModel(MADE(4, D, features=4, element_width=4), CategoricalHead(4, 4, tied=True))
    x = elements(4, 3, D)
    ensemble = OrderMixture(model, random_orders(D, 2)).eval()
    assert torch.equal(ensemble.log_prob(x), ensemble.log_prob(x))
