import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, InputError
from chainrule.heads import Categorical, LazyCategorical, categorical, linear_cross_entropy
from chainrule.heads.linear_cross_entropy import linear_log_prob
from chainrule.verification.laws import check_head, check_model
from tests.support.oracles import linear_log_prob_gradients, linear_log_softmax, log_softmax

N, H, V = 50, 6, 37
EPS = np.finfo(np.float32).eps


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Several chunks with a shorter last one, whatever the size."""
    monkeypatch.setattr(linear_cross_entropy, "CHUNK", 7 * V)
    monkeypatch.setattr(linear_cross_entropy, "FEWEST_ROWS", 3)


def parts(dtype=torch.float32, n=N):
    generator = torch.Generator().manual_seed(0)
    h, weight, bias = (torch.randn(shape, generator=generator, dtype=dtype) for shape in ((n, H), (V, H), (V,)))
    return [part.requires_grad_() for part in (h, weight, bias)], torch.randint(V, (n,), generator=generator)


UPSTREAM = {
    "sum": torch.ones(N),
    "mean": torch.full((N,), -1 / N),
    "masked": (torch.arange(N) % 3 > 0).float(),
    "weights": torch.linspace(-2, 3, N),
    "nothing": torch.zeros(N),
}


@pytest.mark.parametrize("upstream", UPSTREAM)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_against_the_definition(upstream, dtype):
    (h, weight, bias), x = parts(dtype)
    g = UPSTREAM[upstream].to(dtype)
    log_prob = linear_log_prob(h, weight, bias, x)
    gradients = torch.autograd.grad((log_prob * g).sum(), (h, weight, bias))
    arrays = [part.detach().double().numpy() for part in (h, weight, bias)]
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    exact = linear_log_softmax(*arrays)[np.arange(N), x.numpy()]
    np.testing.assert_allclose(log_prob.detach(), exact, rtol=tolerance, atol=tolerance)
    for ours, oracle in zip(gradients, linear_log_prob_gradients(*arrays, x.numpy(), g.double().numpy()), strict=True):
        np.testing.assert_allclose(ours, oracle, rtol=tolerance, atol=tolerance)


def test_gradcheck_of_elements_and_of_their_sum():
    inputs, x = parts(torch.float64, n=8)
    assert torch.autograd.gradcheck(lambda *p: linear_log_prob(*p, x), inputs, nondet_tol=1e-12)
    assert torch.autograd.gradcheck(lambda *p: -linear_log_prob(*p, x).sum() / 3, inputs, nondet_tol=1e-12)


def test_a_second_backward_pass_is_as_right_as_the_first():
    inputs, x = parts(torch.float64)
    total = linear_log_prob(*inputs, x).sum()
    first = torch.autograd.grad(total, inputs, retain_graph=True)
    for a, b in zip(first, torch.autograd.grad(total, inputs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0, 1e4])
def test_precision_of_given_logits(scale):
    logits = (torch.randn(N, V, generator=torch.Generator().manual_seed(0)) * scale).requires_grad_()
    bias = torch.zeros(N).index_fill(0, torch.tensor([0, 5]), -torch.inf).requires_grad_()
    identity, x = torch.eye(V, requires_grad=True), torch.arange(V) % N
    log_prob = linear_log_prob(identity, logits, bias, x)  # features e_v: the logits are column v, exactly
    exact = log_softmax(logits.detach().numpy().T + bias.detach().numpy())[np.arange(V), x]
    finite = np.isfinite(exact)
    ours = log_prob.detach().numpy()
    assert (np.isneginf(ours) == ~finite).all()
    assert (~finite).any()
    assert (np.abs(ours[finite] - exact[finite]) <= 4 * EPS * np.maximum(1, np.abs(exact[finite]))).all()
    for gradient in torch.autograd.grad(log_prob.clamp(min=-1e30).sum(), (identity, logits, bias)):
        assert bool(gradient.isfinite().all())


class Largest(TorchDispatchMode):
    """The largest tensor that any operation makes, and the number of matrix products."""

    def __init__(self):
        super().__init__()
        self.numbers = self.products = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.numbers = max(self.numbers, result.numel())
        self.products += "mm" in func.__name__
        return result


@pytest.mark.parametrize("weighted", [False, True])
def test_only_a_chunk_of_logits_is_ever_there(weighted):
    inputs, x = parts()
    with Largest() as plain:
        torch.nn.functional.cross_entropy(torch.nn.functional.linear(*inputs), x).backward()
    with Largest() as ours:
        log_prob = linear_log_prob(*inputs, x)
        (log_prob * torch.arange(N) if weighted else log_prob).sum().backward()
    assert plain.numbers == N * V
    assert ours.numbers <= max(8 * V, V * H, N * H)
    assert ours.products == (6 if weighted else 3) * -(-N // 7)


def test_without_gradients_there_is_one_product_a_chunk():
    inputs, x = parts()
    with torch.no_grad(), Largest() as ours:
        linear_log_prob(*inputs, x)
    assert ours.products == -(-N // 7)


def test_half_precision_is_summed_in_float32():
    inputs, x = parts()
    low = [part.detach().bfloat16().requires_grad_() for part in inputs]
    log_prob = linear_log_prob(*low, x)
    assert log_prob.dtype == torch.float32
    torch.testing.assert_close(log_prob, linear_log_prob(*(part.float() for part in low), x))
    log_prob.sum().backward()
    assert all(part.grad.dtype == torch.bfloat16 for part in low)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(linear_log_prob(*inputs, x), linear_log_prob(*inputs, x))


def test_the_size_decides_and_the_laws_hold_either_way(monkeypatch):
    head = CategoricalHead(8, 5)
    assert isinstance(head(torch.zeros(4, 3, 8)), Categorical)
    monkeypatch.setattr(categorical, "CHUNK", 0)
    assert isinstance(head(torch.zeros(4, 3, 8)), LazyCategorical)
    check_head(head)
    check_model(AutoregressiveModel(CausalConv(5, 4, 8), head), 5, 4)


def test_lazy_masks_and_bad_elements(monkeypatch):
    monkeypatch.setattr(categorical, "CHUNK", 0)
    p = CategoricalHead(H, V)(torch.randn(2, 3, H))
    x, mask = torch.tensor([[1, 2, 3], [4, V, -1]]), torch.tensor([[True, True, True], [True, False, False]])
    assert torch.equal(p.masked_log_prob(x, mask) != 0, mask)
    nothing = p.masked_log_prob(x, torch.zeros_like(mask))
    assert not nothing.any()
    assert not torch.autograd.grad(nothing.sum(), p.weight)[0].any()
    for bad in (x, x.double(), x[:1]):
        with pytest.raises(InputError):
            p.log_prob(bad)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_compiled_code_calls_it_uncompiled():
    inputs, x = parts()

    def loss(h):
        return -linear_log_prob(2 * h, *inputs[1:], x).sum() * 3

    eager = torch.autograd.grad(loss(inputs[0]), inputs)
    compiled = torch.autograd.grad(torch.compile(loss, backend="aot_eager")(inputs[0]), inputs)
    for a, b in zip(eager, compiled, strict=True):
        torch.testing.assert_close(a, b)
