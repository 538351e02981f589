import numpy as np
import pytest
import torch

from chainrule import InputError
from chainrule.heads import Bernoulli, Categorical
from chainrule.heads.finite import inverse_cdf

EPS = np.finfo(np.float32).eps


def log_softmax(s):
    s = s.astype(np.longdouble)
    top = s.max(-1, keepdims=True)
    return s - top - np.log(np.exp(s - top).sum(-1, keepdims=True))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0, 1e4])
def test_categorical_against_the_definition(scale):
    logits = torch.randn(2000, 7, generator=torch.Generator().manual_seed(0)) * scale
    logits[::3, 2] = -torch.inf
    x = torch.arange(2000) % 7
    exact = np.take_along_axis(log_softmax(logits.numpy()), x.numpy()[:, None], 1)[:, 0]
    ours = Categorical(logits).log_prob(x).numpy()
    finite = np.isfinite(exact)
    assert (np.isneginf(ours) == ~finite).all()
    assert (np.abs(ours[finite] - exact[finite]) <= 4 * EPS * np.maximum(1, np.abs(exact[finite]))).all()


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0, 1e4])
def test_bernoulli_against_the_definition(scale):
    logit = torch.randn(2000, generator=torch.Generator().manual_seed(0)) * scale
    x = torch.arange(2000) % 2
    signed = np.where(x.numpy() == 1, 1, -1) * logit.numpy().astype(np.longdouble)
    exact = -np.logaddexp(np.longdouble(0), -signed)
    ours = Bernoulli(logit).log_prob(x).numpy()
    assert (np.abs(ours - exact) <= 4 * EPS * np.maximum(1, np.abs(exact))).all()


def test_gradients():
    logits = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    x = torch.randint(5, (3, 4))
    assert torch.autograd.gradcheck(lambda s: Categorical(s).log_prob(x), logits)
    assert torch.autograd.gradcheck(lambda s: Categorical(s).entropy(), logits)
    logit = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: Bernoulli(s).log_prob(x % 2), logit)


def test_half_precision_is_summed_in_float32():
    p = Categorical(torch.randn(4, 9).bfloat16())
    assert p.log_prob(torch.zeros(4).long()).dtype == torch.float32


def test_a_symbol_of_mass_zero_is_never_drawn():
    pmf = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0])
    ends = torch.tensor([0.0, 0.25, 0.5, 1 - 2.0**-53], dtype=torch.float64)
    assert inverse_cdf(pmf.expand(4, 5), ends).tolist() == [1, 1, 3, 3]
    assert inverse_cdf(pmf.expand(4, 5) * 0.9999, ends).tolist() == [1, 1, 3, 3]


@pytest.mark.parametrize("total", [1.0, 1 - 2.0**-30, 1 + 2.0**-20])
def test_the_largest_uniform_number_stays_below_the_end_of_the_running_sum(total):
    pmf = torch.rand(200, 7, dtype=torch.float64) ** 4
    pmf[:, -2:] = 0
    pmf *= total / pmf.sum(-1, keepdim=True)
    largest = torch.full((200,), 1 - 2.0**-53, dtype=torch.float64)
    assert inverse_cdf(pmf, largest).max() == 4


def test_entropy_of_a_uniform():
    assert Categorical(torch.zeros(8)).entropy().item() == pytest.approx(np.log(8))
    assert Bernoulli(torch.zeros(1)).entropy().item() == pytest.approx(np.log(2))
    assert torch.isfinite(Categorical(torch.tensor([0.0, -torch.inf])).entropy())


@pytest.mark.parametrize(
    "p", [Categorical(torch.zeros(2, 3)), Bernoulli(torch.zeros(2))], ids=["categorical", "bernoulli"]
)
@pytest.mark.parametrize(
    "x", [torch.tensor([0.0, 1.0]), torch.tensor([0, 3]), torch.tensor([-1, 0]), torch.tensor([0])]
)
def test_bad_elements(p, x):
    with pytest.raises(InputError):
        p.log_prob(x)
