"""N-grams that a network corrects: where they begin, what is left out in training, and what they end with."""

import numpy as np
import pytest
import torch

from chainrule.batch import Batch
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.errors import InputError
from chainrule.heads import LogitsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks import CorrectedNGram, NGram
from chainrule.networks.last_symbols import LastSymbols
from chainrule.networks.recall import Recall
from chainrule.training.counting import Counting

ORDERS = (2, 3, 4)


def rows(count, seed=0):
    """Rows of 12 of 5 symbols; half of the time a symbol repeats the one two before."""
    noise = np.random.default_rng(seed)
    x = noise.integers(0, 5, (count, 12))
    for d in range(2, 12):
        x[:, d] = np.where(noise.random(count) < 0.5, x[:, d - 2], x[:, d])
    return ArrayExamples(x)


def counted(network, train, valid=None):
    Counting(AutoregressiveModel(network, LogitsHead(5)), train, valid or rows(30, 1)).fit_next()
    return network


def corrected(train=None, **options):
    torch.manual_seed(0)
    network = CorrectedNGram(5, 12, width=8, depth=1, heads=1, orders=ORDERS, **options)
    counted(network.ngrams, train or rows(40))
    return network.eval()


def test_it_begins_as_the_n_grams_alone():
    network, x = corrected(recall=()), rows(20, 2).batch(np.arange(20)).x
    ours, theirs = network(x).log_softmax(-1), network.ngrams(x)
    assert torch.allclose(ours, theirs, atol=0.05)  # no order has a weight of zero


def test_what_is_left_out_is_as_if_it_had_not_been_counted():
    """Each order with one element taken out is what counting the others gives, but for discounts and single symbols."""
    x = rows(12).batch(np.arange(12)).x
    whole = counted(NGram(5, 12, orders=ORDERS), ArrayExamples(x.numpy()))
    row, place = 7, 9
    before = whole.last.of(x)[row, place][None]
    for each in (*whole.counted, *whole.continued):
        each.block = each.block[:0]  # the element alone
    here = whole.rows(whole.nodes(before), x[row, place][None, None])

    class Others(ArrayExamples):
        def batch(self, numbers):
            batch = super().batch(numbers)
            mask = batch.mask.clone()
            mask[torch.as_tensor(numbers) == row, place] = False
            return Batch(batch.x, mask)

    others = counted(NGram(5, 12, orders=ORDERS), Others(x.numpy()))
    for ours, theirs in ((whole.counted, others.counted), (whole.continued, others.continued)):
        for mine, other in zip(ours, theirs, strict=True):
            mine.discount.copy_(other.discount)
    empty = whole.continued[0]
    others.continued[0].load(empty.offset, empty.symbol, empty.count, empty.discount)
    there = others.rows(others.nodes(before))
    for mine, other in zip(whole.of_orders(here), others.of_orders(there), strict=True):
        assert torch.allclose(mine, other, atol=1e-6)
    assert torch.equal(whole.bucket(here), others.bucket(there))


def test_what_only_its_own_part_of_the_text_knows_is_left_out():
    """Two symbols that follow each other in one row only are not known there; those of all rows are."""
    x = np.tile(np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]), (128, 1))
    x[60] = [3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4]
    network = counted(NGram(5, 12, orders=(2, 3)), ArrayExamples(x))
    row = torch.from_numpy(x[60:61])
    rows_of = network.rows(network.nodes(network.last.of(row).flatten(0, 1)), row)
    assert rows_of.counted[1].seen[1:].sum() == 0  # the first has the context of all rows
    assert all(int(found.count.min()) >= 0 and int(found.kinds.min()) >= 0 for found in rows_of.counted)
    row = torch.from_numpy(x[:1])
    rows_of = network.rows(network.nodes(network.last.of(row).flatten(0, 1)), row)
    assert rows_of.counted[1].seen.min() >= 126


def test_gaps_between_orders_cannot_leave_out():
    network = counted(NGram(5, 12, orders=(2, 4)), rows(40))
    with pytest.raises(InputError, match="without gaps"):
        network.rows(network.nodes(torch.zeros(1, 3, dtype=torch.long)), torch.zeros(1, 1, dtype=torch.long))


def test_an_unknown_inner_network_is_refused():
    with pytest.raises(InputError, match="inner network"):
        CorrectedNGram(5, 12, network="made")


def test_training_reads_what_is_left_out():
    network = corrected()
    model, batch = AutoregressiveModel(network, LogitsHead(5)), Batch(rows(20).batch(np.arange(20)).x)
    assert not model.exact_training
    estimate = LogitsHead(5)(model.training_features(batch)).log_prob(batch.x).sum()
    assert estimate < model(batch).sum()  # what was counted is more probable than it would have been


def test_what_is_recalled_is_counted():
    recall = Recall((1, 2), num_symbols=5, reach=6)
    x = torch.tensor([[1, 2, 1, 2, 1, 3, 0, 1, 2]])
    before = LastSymbols(2, 5).of(x)
    counts = recall.counts(recall.earlier(x, before), torch.arange(5), (9, 5))
    assert counts[0][4].tolist() == [0, 1, 0, 0, 0]  # after 2: a 1
    assert counts[0][5].tolist() == [0, 0, 2, 0, 0]  # after 1: two times a 2
    assert counts[1][4].tolist() == [0, 1, 0, 0, 0]  # after 1, 2: a 1
    assert counts[0][8].tolist() == [0, 0, 1, 1, 0]  # the 2 seven places ago is out of reach
    segments = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1]])
    apart = recall.earlier(x, LastSymbols(2, 5).of(x, segments), segments)
    assert recall.counts(apart, torch.arange(5), (9, 5))[0][5].sum() == 0
    q = torch.full((9, 5), 0.2)
    mixed = recall(counts, q, torch.zeros(9, 2))
    assert torch.allclose(mixed.sum(1), torch.ones(9))
    with pytest.raises(InputError, match="rise from 1"):
        Recall((0, 2), 5, 6)
