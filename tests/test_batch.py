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
