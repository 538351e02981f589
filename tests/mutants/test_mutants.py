"""Every planted fault is named by its check; none of the sound ones is accused."""

import subprocess
import sys
from time import sleep

import pytest
import torch

from chainrule.errors import InputError
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.transformer import Transformer
from chainrule.verification.certificate import normalisation
from chainrule.verification.certificate.adapters import model_under_test
from chainrule.verification.certificate.table import CHECKS, ORDER_CHECKS
from chainrule.verification.certificate.verify import verify
from chainrule.verification.certificate.work import Work
from chainrule.verification.laws import randomised
from tests.mutants import faults, orders
from tests.mutants.case import CASES, faults_of
from tests.mutants.harness import some, tried
from tests.mutants.huggingface import DECODERS

FAULTS = faults.FAULTS | orders.FAULTS


def test_every_check_is_named_by_a_fault():
    """A check that no planted fault needs may test nothing; and no fault names a check that does not exist."""
    findings = {"invariance.precision"}
    assert {check for *_, check in FAULTS.values()} == {row.name for row in (*CHECKS, *ORDER_CHECKS)} - findings


FIRST = list({check: name for name, (*_, check) in reversed(FAULTS.items())}.values())  # one fault per check


IN_QUICK = {row.name for row in (*CHECKS, *ORDER_CHECKS) if row.quick}


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST)
def test_a_fault_is_named(name):
    build, options, check = FAULTS[name]
    certificate = verify(build(), **(options | {"quick": check in IN_QUICK}))
    assert check in certificate.failed, str(certificate)
    assert certificate.verdict == "not a likelihood"
    assert certificate[check].advice


# Of all cases, `make mutants` takes most of an hour; the tests take some by a fixed seed, those of Hugging Face apart.
QUICK_CASES, FULL_CASES = (
    [case for case in some(count + 12, seed=1) if case.kind != "Hugging Face"][:count] for count in (100, 60)
)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_the_quick_form_of_100_cases(part):
    """At least three faults of four are seen, and no sound model is accused."""
    results = [tried(case, quick=True) for case in QUICK_CASES[part::2]]
    faults_seen = [result.right for result in results if result.case.is_fault]
    accused = [str(result) for result in results if not result.case.is_fault and result.failed]
    unverified = [str(result) for result in results if not result.case.is_fault and not result.right]
    assert not accused
    assert len(unverified) <= 1, unverified
    assert sum(faults_seen) >= 0.75 * len(faults_seen)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_the_full_form_of_60_cases(part):
    results = [tried(case, quick=False) for case in FULL_CASES[part::2]]
    wrong = [str(result) for result in results if not result.right]
    assert len(wrong) <= 1, wrong


@pytest.mark.slow
@pytest.mark.parametrize("name", list(DECODERS)[:20:2])  # `make mutants` tries all
def test_a_decoder_of_hugging_face_passes(name):
    pytest.importorskip("transformers", reason="the extra `hf` is not installed")
    result = tried(CASES[f"HF: {name}"], quick=True)
    assert result.right, str(result)


@pytest.mark.parametrize("times", [pytest.param(2, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.soak)])
def test_the_verdict_is_the_same_on_a_loaded_machine(times):
    """So many certificates of each of two models beside two processes that take all of the time they get."""
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        made = [
            [(check.name, check.passed, check.tried) for check in verify(model, quick=True).checks]
            for model in (
                faults.model(CausalConv(4, 5, 8, depth=1), CategoricalHead(8, 4)),
                faults.mixed(faults.block_leak),
            )
            for _ in range(times)
        ]
    finally:
        for process in load:
            process.kill()
            process.wait()
    assert all(checks == made[0] for checks in made[:times])
    assert all(checks == made[times] for checks in made[times:])


def test_the_cases_are_many():
    faults_planted = [case for case in CASES.values() if case.is_fault]
    assert len(faults_planted) >= 200
    assert len(CASES) - len(faults_planted) >= 150
    assert all(len(faults_of(case.kind)) > 0 for case in faults_planted)


QUICK = ["off by one", "no shift", "mask that leaks in training only", "block leak", "probabilities clamped"]
QUICK += ["score: in bits", "data: no first element", "mix: centred over the batch", "one order left out"]
QUICK += ["kernel: a hundred rows and more have no mask", "sampler: every seed draws the same"]
QUICK += ["data: windows that overlap score the overlap twice", "data: windows that overlap"]
QUICK += ["numbers: a mass at a value that the data repeat, beside a whole density"]
QUICK += ["numbers: every value is missing, beside a whole grid", "a grid of which every value is missing"]
QUICK += ["counts beyond those that a number can hold"]
QUICK += ["a sampler that stops at the end, of few examples", "a forward under autocast"]
QUICK += ["causal convolutions", "a head", "n-gram", "density", "columns of every kind", "another order"]


@pytest.mark.parametrize("name", QUICK)
def test_the_quick_form_of_a_case(name):
    result = tried(CASES[name], quick=True)
    assert result.right, str(result)


@pytest.mark.parametrize("name", ["a head", "n-gram", "density", "columns of every kind", "another order"])
def test_every_check_of_the_house_can_be_made(name):
    """A check that ends in an error of its own is skipped by the certificate, and nobody would notice."""
    model, options = CASES[name].build()
    certificate = verify(model, quick=True, **options)
    assert not [check for check in certificate.checks if "could not be made" in check.tried], str(certificate)


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


def test_one_replacement_misses_the_block_leak():
    """What makes the whole suffix necessary: no single element, whatever it becomes, shows this leak."""
    network = FAULTS["block leak that one replacement misses"][0]().network
    x = torch.ones(1, 8, dtype=torch.long)
    with torch.no_grad():
        before = network(x)
        for j in range(8):
            for symbol in range(4):
                changed = x.clone()
                changed[:, j] = symbol
                assert torch.equal(network(changed)[:, : j + 1], before[:, : j + 1])


@pytest.mark.parametrize("training", [False, True])
def test_the_first_module_that_leaks_is_named_deep_inside(training):
    """The second block's projection looks ahead, in training only or always; everything after it leaks too."""
    model = randomised(AutoregressiveModel(Transformer(4, 8, 16, depth=3, heads=2), CategoricalHead(16, 4)))
    name, part = next((n, p) for n, p in model.named_modules() if "1." in n and isinstance(p, torch.nn.Linear))

    def look_ahead(module, arguments, out):
        return out + out.roll(-1, 1) if module.training or not training else out

    part.register_forward_hook(look_ahead)
    certificate = verify(model, quick=True)
    check = certificate[f"causality.suffix.{'training' if training else 'evaluation'}"]
    assert f"the module {name} (Linear) is the first" in check.where
    assert certificate["causality.suffix.evaluation"].passed is training


@pytest.mark.slow
def test_a_hugging_face_model():
    transformers = pytest.importorskip("transformers", reason="the extra `hf` is not installed")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=5, n_positions=8, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    gpt2 = randomised(transformers.GPT2LMHeadModel(config))
    certificate = verify(gpt2, length=6)
    assert certificate.passed, str(certificate)
    assert certificate["sampling.step"].passed
    assert certificate.subject == "GPT2LMHeadModel"
    for block in gpt2.transformer.h:
        block.attn.is_causal = False
    gpt2.config._attn_implementation = "eager"
    masked = transformers.models.gpt2.modeling_gpt2.GPT2Attention.forward
    gpt2.transformer.h[1].attn.forward = lambda h, *a, **k: masked(
        gpt2.transformer.h[1].attn, h, *a, **{n: v for n, v in k.items() if n != "attention_mask"}
    )
    leaky = verify(gpt2, length=6)
    assert "causality.suffix.evaluation" in leaky.failed


def test_the_verdict_does_not_depend_on_the_time():
    """The work is counted: a model that takes its time has the same checks on as many elements."""

    class Slow(CausalConv):
        def layers(self, x, context=None):
            sleep(0.001)
            return super().layers(x, context)

    fast, slow = (
        verify(randomised(AutoregressiveModel(kind(4, 30, 8, 1), CategoricalHead(8, 4))), quick=True)
        for kind in (CausalConv, Slow)
    )
    assert fast.verdict == slow.verdict
    for one, other in zip(fast.checks, slow.checks, strict=True):
        assert (one.passed, one.tried.replace("CausalConv", "Slow")) == (other.passed, other.tried)


def test_a_large_alphabet_is_summed_and_sampled():
    torch.manual_seed(0)
    model = randomised(AutoregressiveModel(CausalConv(50_000, 8, 8, 1), CategoricalHead(8, 50_000)), scale=0.1)

    def check():
        tested = model_under_test(model)
        with torch.no_grad():
            return normalisation.steps(tested, tested.elements(0), [3], (Work(1e9, 1e6), 0.1), 1e-4)

    assert check().passed
    assert "by a sum and some scores" in check().tried
    exact = model.element_log_prob
    model.element_log_prob = lambda batch: exact(batch).clamp(min=-11.0)
    assert not check().passed


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
