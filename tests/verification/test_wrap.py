import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, InputError, Transformer
from chainrule.heads import LogitsHead
from chainrule.networks import Recomputed
from chainrule.runs.run import Run
from chainrule.training.ema import WeightEMA
from chainrule.verification.certificate.verify import verify
from chainrule.verification.laws import check_model, randomised
from chainrule.verification.wrap import wrap


class Predictor(torch.nn.Module):
    """Logits of the next element, as a language model makes them."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(5, 5)

    def forward(self, x):
        return self.table(x).cumsum(1)


def test_logits_of_the_next_element_are_shifted():
    model = wrap(Predictor(), 5, 8, shift=1)
    x = torch.randint(5, (3, 8))
    logits = model.network.logits_of.predictor(torch.cat([torch.zeros(3, 1).long(), x[:, :-1]], 1))
    expected = logits.log_softmax(-1).gather(-1, x.unsqueeze(-1)).sum((1, 2))
    assert torch.allclose(model.log_prob(x), expected, atol=1e-5)
    check_model(wrap(Predictor(), 5, 4, shift=1), 5, 4)


def test_logits_that_see_their_element_are_refused():
    with pytest.raises(InputError, match="shift=1"):
        wrap(Predictor(), 5, 8)
    with pytest.raises(InputError, match="shift=2"):
        wrap(Predictor(), 5, 8, shift=2)


def test_logits_of_another_shape_are_refused():
    with pytest.raises(InputError, match="expected logits"):
        wrap(lambda x: torch.zeros(len(x), 5), 5, 8)


def test_a_function_without_parameters_is_sampled():
    model = AutoregressiveModel(Recomputed(lambda x: torch.zeros(*x.shape, 3), 3, 4), LogitsHead(3))
    assert model.sample(5, seed=0).x.shape == (5, 4)


def test_a_tied_head_shares_the_table_and_survives_a_copy():
    model = AutoregressiveModel(Transformer(11, 6, 8, 1, 1), CategoricalHead(8, 11, tied=True))
    assert model.head.linear.weight is model.network.embedding.table.weight
    average = WeightEMA(model, 0.9)
    average.update(model)
    assert average.model.head.linear.weight is average.model.network.embedding.table.weight
    run = Run.create(None, {})
    run.save_model(model)
    assert run.files.read("model.safetensors")
    with pytest.raises(InputError, match="tied"):
        AutoregressiveModel(CausalConv(5, 6, 8), CategoricalHead(8, 11, tied=True))


def test_a_soft_cap_bounds_the_logits():
    head = randomised(CategoricalHead(8, 5, soft_cap=2.0))
    assert head(torch.randn(3, 4, 8) * 100).logits.abs().max() <= 2.0
    with pytest.raises(InputError, match="soft cap"):
        CategoricalHead(8, 5, soft_cap=0.0)


def test_what_is_wrapped_stays_in_its_mode():
    for mode in (True, False):
        for shift in (0, 1):
            inner = torch.nn.Sequential(Predictor(), torch.nn.Dropout(0.0)).train(mode)
            if shift == 0:
                with pytest.raises(InputError):
                    wrap(inner, 5, 8)
            else:
                wrap(inner, 5, 8, shift=1)
            assert all(part.training == mode for part in inner.modules())


@pytest.mark.parametrize("shift", [0, 1])
def test_functions_and_modules_without_parameters_are_sampled(shift):
    class Flat(torch.nn.Module):
        def forward(self, x):
            return torch.zeros(*x.shape, 4)

    for logits_of in (Flat(), lambda x: torch.zeros(*x.shape, 4)):
        assert wrap(logits_of, 4, 6, shift=shift).sample(2, seed=0).x.shape == (2, 6)


def test_a_trained_tie_stays_as_it_is():
    model = AutoregressiveModel(Transformer(11, 6, 8, 1, 1), CategoricalHead(8, 11, tied=True))
    weight = model.head.linear.weight
    before = weight.detach().clone()
    again = AutoregressiveModel(model.network, model.head)
    verify(model.head, quick=True)
    assert again.head.linear.weight is model.head.linear.weight is model.network.embedding.table.weight is weight
    assert torch.equal(weight, before)


class MaskedPixels(torch.nn.Module):
    """A one-layer MADE of 64 pixels, which takes no other length."""

    def __init__(self, leak=None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(64, 3, 64))
        mask = torch.ones(64, 64).tril(-1)
        if leak is not None:
            mask[leak, leak] = 1
        self.register_buffer("mask", mask[:, None, :])

    def forward(self, x):
        return torch.einsum("dve,be->bdv", self.weight * self.mask, x.to(self.weight.dtype))


class CausalFourier(torch.nn.Module):
    """A causal long convolution by Fourier transforms, whose rounding depends on the whole row."""

    def __init__(self):
        super().__init__()
        self.table, self.out = torch.nn.Embedding(5, 8), torch.nn.Linear(8, 5)
        self.kernel = torch.nn.Parameter(torch.randn(32, 8))

    def forward(self, x):
        h = torch.nn.functional.pad(self.table(x), (0, 0, 1, 0))[:, :-1]
        spectrum = torch.fft.rfft(h, 64, dim=1) * torch.fft.rfft(self.kernel, 64, dim=0)
        return self.out(torch.fft.irfft(spectrum, 64, dim=1)[:, : x.shape[1]])


def test_modules_of_one_length_and_rounding_are_wrapped():
    model = wrap(MaskedPixels(), 3, 64)
    sample = model.sample(2, seed=0)
    assert torch.allclose(model.log_prob(sample.x).double(), sample.log_prob, atol=1e-3)
    wrap(CausalFourier(), 5, 32)


def test_a_leak_far_from_the_start_is_refused():
    with pytest.raises(InputError, match="see what they are to predict"):
        wrap(MaskedPixels(leak=40), 3, 64)


BAD = {
    "a tuple": (lambda x: (torch.zeros(1), torch.zeros(*x.shape, 4)), r"module\(x\)\[1\]"),
    "a dictionary": (lambda x: {"scores": torch.zeros(*x.shape, 4)}, "'scores'"),
    "transposed": (lambda x: torch.zeros(len(x), 4, x.shape[1]), r"module\(x\).mT"),
    "more symbols": (lambda x: torch.zeros(*x.shape, 6), "num_symbols=6"),
    "probabilities": (lambda x: torch.full((*x.shape, 4), 0.25), "logarithm"),
    "an error": (lambda x: torch.zeros(3) @ torch.zeros(4), "cannot score elements of shape"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_logits_is_refused_with_what_to_wrap(name):
    function, words = BAD[name]
    with pytest.raises(InputError, match=words):
        wrap(function, 4, 6)


def test_a_shift_that_was_made_before_is_refused():
    def shifted(x):
        return 3.0 * torch.nn.functional.one_hot(torch.nn.functional.pad(x, (1, -1)), 4)

    with pytest.raises(InputError, match="shift=0"):
        wrap(shifted, 4, 6, shift=1)
    wrap(shifted, 4, 6)
