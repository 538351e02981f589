import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv, InputError
from chainrule.heads import AdaptiveSoftmaxHead, BernoulliHead, LogisticMixtureHead
from chainrule.heads.categorical import Categorical, LazyCategorical
from chainrule.training.forward import TrainingForward
from chainrule.training.regularisers import Regularisers


def formulas(s, x, smoothing, penalty, z):
    """By loops in float64."""
    total = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        row = s[at].astype(np.float64)
        log_z = row.max() + np.log(np.exp(row - row.max()).sum())
        log_p = row - log_z
        p = np.exp(log_p)
        total[at] += smoothing * (log_p[x[at]] - log_p.mean()) + penalty * (p * log_p).sum() + z * log_z**2
    return total


@pytest.mark.parametrize("strengths", [(0.1, 0, 0), (0, 0.3, 0), (0, 0, 1e-2), (0.2, 0.1, 0.05)])
def test_against_the_formulas(strengths):
    s, x = torch.randn(3, 5, 7) * 3, torch.randint(7, (3, 5))
    added = Regularisers(*strengths)(Categorical(s), x)
    np.testing.assert_allclose(added, formulas(s.numpy(), x.numpy(), *strengths), rtol=1e-4, atol=1e-5)


def test_label_smoothing_is_torchs():
    s, x = torch.randn(20, 7), torch.randint(7, (20,))
    p = Categorical(s)
    ours = (-p.log_prob(x) + Regularisers(label_smoothing=0.1)(p, x)).mean()
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(s, x, label_smoothing=0.1))


def test_a_lazy_categorical_has_the_same():
    h, weight, bias, x = torch.randn(2, 3, 4), torch.randn(6, 4), torch.randn(6), torch.randint(6, (2, 3))
    lazy = LazyCategorical(h, weight, bias)
    every = Regularisers(0.1, 0.2, 0.3)
    torch.testing.assert_close(every(lazy, x), every(lazy.whole(), x))


def test_gradients_stay_finite_where_probabilities_underflow():
    s = torch.tensor([[0.0, -300.0, 200.0]], requires_grad=True)
    Regularisers(confidence_penalty=0.1, label_smoothing=0.1)(Categorical(s), torch.tensor([1])).sum().backward()
    assert s.grad.isfinite().all()


@pytest.mark.parametrize("head", [BernoulliHead(8), LogisticMixtureHead(8, 2, components=2)])
def test_heads_that_know_ln_p_of_every_symbol(head):
    p, x = head(torch.randn(2, 3, 8)), torch.randint(2, (2, 3))
    added = Regularisers(label_smoothing=0.1, confidence_penalty=0.2)(p, x)
    log_p = p.log_pmf()
    expected = 0.1 * (p.log_prob(x) - log_p.mean(-1)) + 0.2 * (log_p.exp() * log_p).sum(-1)
    torch.testing.assert_close(added, expected)
    with pytest.raises(InputError, match="does not have logits"):
        Regularisers(z_loss=0.1)(p, x)


def test_a_head_that_lacks_what_a_penalty_needs_is_refused():
    p = AdaptiveSoftmaxHead(8, 30)(torch.randn(2, 3, 8))
    for name in ("label_smoothing", "confidence_penalty", "z_loss"):
        with pytest.raises(InputError, match="take a categorical head"):
            Regularisers(**{name: 0.1})(p, torch.zeros(2, 3).long())


@pytest.mark.parametrize("bad", [{"label_smoothing": 1.0}, {"z_loss": -1.0}, {"confidence_penalty": float("inf")}])
def test_weights_out_of_range_are_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        Regularisers(**bad)


def test_padding_adds_nothing_and_nats_are_apart():
    model = AutoregressiveModel(CausalConv(3, 4, 8, depth=2), CategoricalHead(8, 3))
    mask = torch.arange(4) < torch.tensor([4, 1])[:, None]
    x = torch.randint(3, (2, 4))
    forward = TrainingForward(model, Regularisers(0.1, 0.2, 0.3))
    log_prob, added = forward(Batch(x, mask))
    torch.testing.assert_close(log_prob, model(Batch(x, mask)))
    _, added_again = forward(Batch(torch.where(mask, x, (x + 1) % 3), mask))
    torch.testing.assert_close(added, added_again)
    assert (added[1] - TrainingForward(model, Regularisers(0.1, 0.2, 0.3))(Batch(x[1:, :1]))[1]).abs().max() < 1e-6


def test_a_module_that_keeps_network_and_head_to_itself_cannot_be_regularised():
    with pytest.raises(InputError, match="AutoregressiveModel"):
        TrainingForward(torch.nn.Linear(1, 1), Regularisers(z_loss=0.1))
