"""Every planted fault is named by its check; none of the sound ones is accused."""

import pytest
import torch

from chainrule.certificate.verify import verify
from chainrule.errors import InputError
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.heads.categorical import CategoricalHead
from chainrule.model import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.transformer import Transformer
from chainrule.testing import randomised
from mutants.faults import FAULTS, SOUND


def test_there_are_enough_faults():
    assert len(FAULTS) >= 25


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name):
    build, options, check = FAULTS[name]
    certificate = verify(build(), **options)
    assert check in certificate.failed, str(certificate)
    assert not certificate.passed
    assert certificate[check].advice


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_model_is_not_accused(name):
    build, options = SOUND[name]
    certificate = verify(build(), **options)
    assert certificate.passed, str(certificate)


QUICK = [
    "off by one",
    "no shift",
    "mask that leaks in training only",
    "block leak",
    "FFT mixing",
    "probabilities clamped",
]


@pytest.mark.parametrize("name", QUICK)
def test_the_quick_form_stops_a_leak(name):
    build, options, _ = FAULTS[name]
    assert not verify(build(), quick=True, **options).passed


def test_the_first_module_that_leaks_is_named():
    class Leaky(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.out = torch.nn.Embedding(4, 8), torch.nn.Linear(16, 4)
            self.sound = torch.nn.GRU(8, 8, batch_first=True)
            self.mixer = torch.nn.GRU(8, 8, batch_first=True, bidirectional=True)

        def forward(self, x):
            h = torch.nn.functional.pad(self.table(x), (0, 0, 1, 0))[:, :-1]
            return self.out(Output(self.mixer)(Output(self.sound)(h)))

    class Output(torch.nn.Module):
        def __init__(self, recurrent):
            super().__init__()
            self.recurrent = recurrent

        def forward(self, h):
            return self.recurrent(h)[0]

    certificate = verify(Leaky(), num_symbols=4, length=6)
    assert "the module mixer (GRU)" in certificate["causality.suffix.evaluation"].where


def test_modes_and_buffers_are_given_back():
    network = torch.nn.Sequential(torch.nn.Embedding(3, 4), torch.nn.BatchNorm1d(5), torch.nn.Linear(4, 3)).train()
    network[1].eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    verify(network, num_symbols=3, length=5)
    assert (network.training, network[1].training) == (True, False)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_certificate_reads():
    record = verify(lambda prefix: [0.5, 0.6], num_symbols=2, length=3).to_json()
    assert record["passed"] is False
    failed = [check for check in record["checks"] if check["passed"] is False]
    assert failed[0]["name"] == "normalisation.steps"
    assert "log-softmax" in failed[0]["advice"]


def test_what_cannot_be_verified():
    with pytest.raises(InputError, match="num_symbols"):
        verify(lambda prefix: [1.0])
    with pytest.raises(InputError, match="cannot verify"):
        verify(3)
    with pytest.raises(InputError, match="expected 3"):
        verify(lambda prefix: [0.5, 0.5], num_symbols=3, length=2)


@pytest.mark.slow
def test_two_hundred_sound_models_are_not_accused():
    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        v, d, width = (
            int(torch.randint(low, high, (), generator=generator)) for low, high in ((2, 7), (2, 12), (1, 5))
        )
        torch.manual_seed(seed)
        network = (CausalConv, Transformer)[seed % 2](v, d, 8 * width, depth=1 + seed % 3, dropout=0.1 * (seed % 4))
        head = BernoulliHead(8 * width) if v == 2 else CategoricalHead(8 * width, v)
        scale = (0.0, 0.1, 0.3, 1.0)[seed // 2 % 4]
        certificate = verify(randomised(AutoregressiveModel(network, head), seed, scale))
        assert certificate.passed, f"seed {seed}: {certificate}"
