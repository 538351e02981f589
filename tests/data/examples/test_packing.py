"""Packing: examples side by side have the log-probabilities and the gradients that they have alone."""

import warnings

import numpy as np
import pytest
import torch
from torch.nn.attention.flex_attention import flex_attention

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv, InputError, LogLikelihood, Transformer
from chainrule.data.examples.packing import PackedExamples
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.networks.packed_attention import Packing
from chainrule.training.objective import Objective
from chainrule.verification.laws import randomised

LENGTHS = [5, 1, 8, 3, 3, 2, 7, 1, 4]


def sequences():
    rng = np.random.default_rng(0)
    return SequenceExamples.of([rng.integers(1, 6, size) for size in LENGTHS], window=9, end=0)


def model(dtype, **options):
    network = Transformer(6, 9, width=8, depth=2, heads=2, **options)
    return randomised(AutoregressiveModel(network, CategoricalHead(8, 6))).to(dtype)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("options", [{}, {"groups": 1, "window": 3, "value_embeddings": True, "ngrams": 40}])
def test_packed_rows_have_the_log_probabilities_of_their_examples(dtype, bound, options):
    examples, net = sequences(), model(dtype, **options)
    apart = examples.batch(np.arange(len(examples)))
    packed = PackedExamples.of(examples, 13, seed=3, epoch=0)
    rows = packed.batch(np.arange(len(packed)))
    assert len(packed) < len(examples)
    assert rows.examples == len(examples)
    assert Objective().count([rows]) == len(examples)
    results = []
    for batch in (apart, rows):
        log_prob = net.log_prob(batch)
        results.append(
            (log_prob.sum().detach(), torch.autograd.grad(log_prob.sum(), list(net.parameters()), allow_unused=True))
        )
    (a, gradients), (b, others) = results
    assert float(abs(a - b) / abs(a)) < bound
    assert sum(gradient is not None for gradient in gradients) > 10
    for one, other in zip(gradients, others, strict=True):
        if one is None:
            assert other is None
            continue
        assert float((one - other).abs().max()) <= bound * max(1.0, float(one.abs().max())) * 10
    element = net.element_log_prob(rows).detach()
    alone = net.log_prob(apart).detach()
    for row in range(len(packed)):
        for number in rows.segment_ids[row].unique().tolist():
            if number >= 0:
                example = packed.order[number]
                mine = element[row][rows.segment_ids[row] == number].sum()
                assert float((mine - alone[example]).abs()) < bound * max(1.0, float(alone[example].abs()))


def test_examples_do_not_see_each_other():
    net = model(torch.float64)
    x = torch.tensor([[1, 2, 3, 4, 5, 1]])
    segment_ids = torch.tensor([[0, 0, 0, 1, 1, 1]])
    before = net.element_log_prob(Batch(x, segment_ids=segment_ids))
    x[0, :3] = torch.tensor([5, 5, 5])
    after = net.element_log_prob(Batch(x, segment_ids=segment_ids))
    assert torch.equal(before[0, 3:], after[0, 3:])
    assert not torch.equal(before[0, :3], after[0, :3])


def test_packed_rows_may_be_longer_than_the_network():
    net = model(torch.float32)
    packed = PackedExamples.of(sequences(), 100, seed=0, epoch=0)
    assert len(packed) == 1
    assert net.log_prob(packed.batch(np.arange(1))).isfinite().all()


def test_every_example_is_packed_once_and_the_order_is_a_function_of_seed_and_epoch():
    examples = sequences()
    orders = [PackedExamples.of(examples, 13, seed, epoch).order.tolist() for seed, epoch in ((1, 0), (1, 0), (1, 1))]
    assert orders[0] == orders[1] != orders[2]
    assert all(sorted(order) == list(range(len(LENGTHS))) for order in orders)


def test_networks_that_cannot_keep_examples_apart_refuse_packed_rows():
    batch = Batch(torch.ones(1, 4, dtype=torch.long), segment_ids=torch.tensor([[0, 0, 1, 1]]))
    net = AutoregressiveModel(CausalConv(6, 4, width=8), CategoricalHead(8, 6))
    with pytest.raises(InputError, match="cannot keep packed examples apart"):
        net.log_prob(batch)
    with pytest.raises(InputError, match="not one example"):
        LogLikelihood.of(batch, torch.zeros(1))
    image = AutoregressiveModel(Transformer(6, (2, 2), width=8, depth=1, heads=2), CategoricalHead(8, 6))
    with pytest.raises(InputError, match="packing is for sequences"):
        image.log_prob(batch)
    with pytest.raises(InputError, match="longer rows"):
        PackedExamples.of(sequences(), 5, seed=0, epoch=0)
    with pytest.raises(InputError, match="segment_ids has the shape"):
        Batch(torch.ones(1, 4, dtype=torch.long), segment_ids=torch.zeros(1, 3))


@pytest.mark.parametrize("window", [None, 3])
def test_the_blocks_for_a_gpu_hide_what_the_mask_for_a_cpu_hides(window):
    packing = Packing(torch.tensor([[0, 0, 0, 0, 5, 5, 2, 2, 2], [1, 1, 1, 1, 1, 1, 1, -1, -1]]))
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 2, 9, 16, generator=generator).unbind()
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):  # it warns that it is not compiled
        blocks = flex_attention(q, k, v, block_mask=packing.blocks(window))
    torch.testing.assert_close(blocks, packing.attention(q, k, v, window))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_packed_is_the_same_on_a_gpu():
    examples, net = sequences(), model(torch.float32, window=3)
    packed = PackedExamples.of(examples, 13, seed=3, epoch=0)
    rows = packed.batch(np.arange(len(packed)))
    expected = net(rows)
    torch.testing.assert_close(net.cuda()(rows.to(torch.device("cuda"))).cpu(), expected, atol=1e-4, rtol=0)
