import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chainrule import ARMLogLikelihood, AutoregressiveModel, Batch, CategoricalHead, CausalConv, InputError
from chainrule.training.objective import Objective


def definition(logits, targets, mask):
    """(1/B) sum_b sum_d sum_k [x_bd = k] ln theta_bdk, theta the softmax, by loops in float64."""
    total = 0.0
    for b in range(targets.shape[0]):
        for d in range(targets.shape[1]):
            if mask[b, d]:
                s = logits[b, d].astype(np.float64)
                total += s[targets[b, d]] - (s.max() + np.log(np.exp(s - s.max()).sum()))
    return total / targets.shape[0]


@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 9), st.floats(0.1, 1e4), st.integers(0, 10))
def test_it_is_the_definition(b, d, k, scale, seed):
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(b, d, k, generator=g) * scale
    targets = torch.randint(k, (b, d), generator=g)
    mask = torch.rand(b, d, generator=g) < 0.7
    log_likelihood = ARMLogLikelihood(k)
    for m in (None, mask):
        expected = definition(logits.numpy(), targets.numpy(), np.ones((b, d)) if m is None else mask.numpy())
        assert log_likelihood(logits, targets, m).item() == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_gradient():
    logits = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    targets, mask = torch.randint(4, (2, 3)), torch.tensor([[True, False, True], [True, True, False]])
    assert torch.autograd.gradcheck(lambda s: ARMLogLikelihood(4)(s, targets, mask), logits)


def test_low_precision_logits_are_summed_in_float32():
    logits, targets = torch.randn(2, 2000, 5).bfloat16(), torch.randint(5, (2, 2000))
    out = ARMLogLikelihood(5)(logits, targets)
    assert out.dtype == torch.float32
    assert out.item() == pytest.approx(
        definition(logits.float().numpy(), targets.numpy(), np.ones((2, 2000))), rel=1e-6
    )


def test_probabilities_are_not_clamped():
    logits = torch.tensor([[[0.0, -200.0]]], requires_grad=True)
    out = ARMLogLikelihood(2)(logits, torch.tensor([[1]]))
    assert out.item() == -200.0
    out.backward()
    assert logits.grad.tolist() == [[[-1.0, 1.0]]]


def test_masked_targets_are_not_read():
    logits, mask = torch.zeros(1, 2, 3), torch.tensor([[True, False]])
    assert ARMLogLikelihood(3)(logits, torch.tensor([[1, -100]]), mask).item() == pytest.approx(-np.log(3))


@pytest.mark.parametrize(
    ("logits", "targets", "mask", "words"),
    [
        (torch.zeros(2, 3, 4), torch.zeros(2, 2).long(), None, "expected targets"),
        (torch.zeros(2, 3, 5), torch.zeros(2, 3).long(), None, r"\(B, D, 4\)"),
        (torch.zeros(2, 4), torch.zeros(2).long(), None, "expected targets"),
        (torch.zeros(2, 3, 4), torch.zeros(2, 3), None, "long"),
        (torch.zeros(2, 3, 4).long(), torch.zeros(2, 3).long(), None, "real"),
        (torch.zeros(2, 3, 4), torch.full((2, 3), 4), None, "0 to 3"),
        (torch.zeros(2, 3, 4), torch.full((2, 3), -1), None, "from -1"),
        (torch.zeros(2, 3, 4), torch.zeros(2, 3).long(), torch.ones(2, 3), "boolean mask"),
        (torch.zeros(0, 3, 4), torch.zeros(0, 3).long(), None, "empty batch"),
    ],
)
def test_bad_input(logits, targets, mask, words):
    with pytest.raises(InputError, match=words):
        ARMLogLikelihood(4)(logits, targets, mask)


def test_it_needs_a_category():
    with pytest.raises(InputError, match="starts at 1"):
        ARMLogLikelihood(0)


@pytest.mark.parametrize("normalisation", ["per_example", "per_element"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_every_split_into_microbatches_has_the_same_gradient(normalisation, size):
    torch.manual_seed(0)
    model = AutoregressiveModel(CausalConv(5, 6, 8, depth=3), CategoricalHead(8, 5)).double()
    lengths = torch.tensor([6, 1, 3, 6, 2, 5, 4])
    batch = Batch(torch.randint(5, (7, 6)), torch.arange(6) < lengths[:, None])
    objective = Objective(normalisation)

    def gradient(microbatches):
        model.zero_grad()
        count = objective.count(microbatches)
        for microbatch in microbatches:
            objective.loss(model(microbatch), count).backward()
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    whole, split = gradient([batch]), gradient(batch.split(size))
    assert (whole - split).abs().max() < 1e-12
    assert whole.abs().max() > 1e-3


def test_unknown_normalisation_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'per_element'"):
        Objective("per_elemnt")
