import pytest
import torch

from chainrule import Batch, InputError


def test_padding_is_known_by_length_and_not_by_symbol():
    batch = Batch.of([[0, 0, 0], [0]])
    assert batch.elements.tolist() == [3, 1]
    assert batch.dims.tolist() == [3, 1]


def test_microbatches_are_the_batch():
    batch = Batch(torch.arange(20).view(5, 4), context=torch.arange(5))
    parts = batch.split(2)
    assert [len(part) for part in parts] == [2, 2, 1]
    assert torch.equal(torch.cat([part.x for part in parts]), batch.x)
    assert torch.equal(torch.cat([part.context for part in parts]), batch.context)


def test_microbatches_leave_out_the_padding_that_their_rows_share():
    batch = Batch.of([[1, 2, 3, 4], [5], [6, 7], []], context=torch.arange(4))
    parts = batch.split(2)
    assert [part.x.tolist() for part in parts] == [[[1, 2, 3, 4], [5, 0, 0, 0]], [[6, 7], [0, 0]]]
    assert [part.mask.sum().item() for part in parts] == [5, 2]
    assert batch.split(4) == [batch]
    prefixed = Batch(torch.ones(2, 3), torch.tensor([[False, True, False], [True, True, True]]))
    assert prefixed.split(1)[0].mask.tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Batch(torch.zeros(3)), "flatten"),
        (lambda: Batch(torch.zeros(3, 2), torch.ones(3, 2)), "booleans"),
        (lambda: Batch(torch.zeros(3, 2), torch.ones(3, 1, dtype=torch.bool)), "shape"),
        (lambda: Batch(torch.zeros(3, 2), context=torch.zeros(2)), "one for each"),
        (lambda: Batch.of([]), "at least one"),
    ],
)
def test_bad_input(build, words):
    with pytest.raises(InputError, match=words):
        build()
