"""Texts longer than the window of their model, against their scores."""

import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, Transformer
from chainrule.data.examples.stream import StreamExamples
from chainrule.errors import InputError
from chainrule.evaluation.evaluate import evaluate
from chainrule.networks import Recurrent
from chainrule.sampling.windows import sample_windows
from chainrule.verification.laws import randomised

NETWORKS = {
    "transformer": lambda: Transformer(4, 8, 16, 1, 2),
    "recurrent": lambda: Recurrent(4, 8, 16),
    "causal convolutions": lambda: CausalConv(4, 8, 16, depth=2),
}


def model(name="transformer"):
    """A model in which all of the past matters."""
    torch.manual_seed(0)
    return randomised(AutoregressiveModel(NETWORKS[name](), CategoricalHead(16, 4)), scale=0.5).double().eval()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("moves_on", [1, 3, 8])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 10, 23, 24, 25])
def test_ln_p_of_a_text_is_its_score(name, moves_on, length):
    drawn = sample_windows(model(name), 3, length, moves_on, seed=1)
    assert drawn.x.shape == (3, length)
    for x, log_p in zip(drawn.x, drawn.log_prob, strict=True):
        scored = evaluate(model(name), StreamExamples(x.numpy(), 8, moves_on, 0, None))
        assert scored.nats.sum() == pytest.approx(float(log_p), abs=1e-9)


def test_every_element_is_shown_once_and_in_order():
    shown = []
    drawn = sample_windows(model(), 2, 21, 3, seed=0, on_element=lambda d, x: shown.append((d, x.tolist())))
    assert shown == list(enumerate(drawn.x.T.tolist()))


@pytest.mark.parametrize(("length", "moves_on"), [(0, 3), (9, 0), (9, 9)])
def test_lengths_and_strides_that_are_none(length, moves_on):
    with pytest.raises(InputError, match="windows move on by 1 to 8"):
        sample_windows(model(), 1, length, moves_on)
